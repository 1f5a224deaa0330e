// Records of one process to Ops.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "collect/clock_map.hpp"
#include "collect/segment_view.hpp"
#include "model/op.hpp"

namespace peerscope {

class Decoder {
 public:
  Decoder(const SegmentView& segment, std::uint32_t process)
      : process_(process),
        is_tsc_(segment.header().clock_source == static_cast<std::uint32_t>(ClockSource::tsc)),
        sampling_(segment.header().basic_sampling) {}

  // An operation (Tag::op), or device times of one (Tag::device_times). `thread` is the ring's index.
  void decode(const SegmentView& segment, const ClockMap& clock, const Record& record,
              std::uint32_t thread, Op& out);

  [[nodiscard]] std::int64_t to_ns(const ClockMap& clock, std::uint64_t ticks) const {
    return is_tsc_ ? clock.to_ns(ticks) : static_cast<std::int64_t>(ticks);
  }
  [[nodiscard]] std::int64_t duration_ns(const ClockMap& clock, std::uint64_t ticks) const {
    return is_tsc_ ? clock.duration_ns(ticks) : static_cast<std::int64_t>(ticks);
  }

  // The communicator that a process' own id means, and the process' rank in it.
  struct Member {
    std::uint64_t comm = 0;
    std::uint16_t rank = kNoRank;
  };
  [[nodiscard]] Member member(const SegmentView& segment, std::uint16_t id) {
    const Comm& comm = comm_of(segment, id);
    return {comm.id, comm.rank};
  }

 private:
  struct Comm {
    std::uint64_t id = 0;
    std::uint16_t rank = kNoRank, ranks = 0, device = kNoDevice;
    Backend backend = Backend::unknown;
  };
  const Comm& comm_of(const SegmentView& segment, std::uint16_t id) {
    if (id < comms_.size()) return comms_[id];
    return load_comms(segment, id);
  }
  const Comm& load_comms(const SegmentView& segment, std::uint16_t id);
  void decode_device_times(const SegmentView& segment, const Record& record, Op& out) const;

  std::uint32_t process_;
  bool is_tsc_;
  std::uint32_t sampling_;
  std::int64_t last_begin_ns_ =
      0;  // stands for a device time that has no place on the host's clock
  std::vector<Comm> comms_{Comm{}};  // by id; id 0 is none
};

}  // namespace peerscope
