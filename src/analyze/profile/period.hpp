// What a stream of operations repeats: an iteration, found by autocorrelation.
//
// Which operation is where (kind, size, communicator, peer) is compared with itself `lag` operations later; the share that
// agrees, less what chance gives, is 1 for a perfect period. Where all operations are alike, the gaps between them are
// compared instead.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "analyze/profile/report.hpp"
#include "model/op.hpp"

namespace peerscope {

struct StreamOp {
  std::int64_t begin_ns = 0;
  std::uint32_t symbol = 0;  // equal for equal operations
};

// `stream` in the order of time.
Periodicity find_period(std::span<const StreamOp> stream);

// The last operations of each thread.
class StreamKeeper {
 public:
  static constexpr std::size_t kKept = 16384;  // 256 KB
  static constexpr std::size_t kMaxLanes = 16;

  void add(const Op& op);
  [[nodiscard]] Periodicity period() const;  // of the thread with most operations
  [[nodiscard]] std::size_t memory_bytes() const;
  static constexpr std::size_t memory_bound_bytes() {
    return kMaxLanes * (kKept * sizeof(StreamOp) * 2 + 512) + (1U << 16) * 128;
  }

 private:
  struct Lane {
    std::vector<StreamOp> ring;
    std::uint64_t seen = 0;
  };
  using Identity = std::array<std::uint64_t, 2>;
  std::uint32_t symbol_of(const Op& op);

  std::map<std::uint64_t, Lane> lanes_;  // by process, thread and device
  std::uint64_t last_key_ = 0;
  Lane* last_lane_ = nullptr;
  std::map<Identity, std::uint32_t> symbols_;
  Identity last_identity_{};
  std::uint32_t last_symbol_ = 0;
};

}  // namespace peerscope
