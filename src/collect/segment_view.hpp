// A reader's view of somebody's segment: mapped, checked, and never trusted further than its size.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "model/op.hpp"
#include "model/process_state.hpp"
#include "record/layout.hpp"

namespace peerscope {

struct CommInfo {
  std::uint64_t id = 0;
  std::uint16_t rank = kNoRank;
  std::uint16_t ranks = 0;
  std::uint16_t device = kNoDevice;
  Backend backend = Backend::unknown;
  std::string name;
};

class SegmentView {
 public:
  // Maps the file for reading, and for writing where that is allowed (control, larger rings). The error says what is wrong
  // with a file that is no segment, is of another version, belongs to another user, or is cut short.
  static Result<SegmentView> open(const std::string& path);

  SegmentView(SegmentView&& other) noexcept;
  SegmentView& operator=(SegmentView&& other) noexcept;
  SegmentView(const SegmentView&) = delete;
  SegmentView& operator=(const SegmentView&) = delete;
  ~SegmentView();

  [[nodiscard]] const SegmentHeader& header() const {
    return *reinterpret_cast<const SegmentHeader*>(base_);
  }
  [[nodiscard]] const Tables& tables() const {
    return *reinterpret_cast<const Tables*>(base_ + kTablesOffset);
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool writable() const { return writable_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  [[nodiscard]] std::uint32_t ring_count() const;
  [[nodiscard]] const RingHeader* ring(
      std::uint32_t index) const;  // null if its offset leads nowhere
  // Slots of a block, or null. `log2_capacity` and `offset` are checked against the file.
  [[nodiscard]] const Slot* block(std::uint64_t offset, std::uint64_t log2_capacity) const;

  [[nodiscard]] std::string text(std::uint16_t name) const;  // "" for 0 and for what is no name
  [[nodiscard]] std::optional<CommInfo> comm(std::uint16_t id) const;
  [[nodiscard]] std::string session() const;
  [[nodiscard]] std::string process_name() const;
  [[nodiscard]] ProcessState state() const;  // asks the kernel whether the process is still there
  [[nodiscard]] std::int64_t last_sign_ns()
      const;  // of life: when it ended, or its last calibration

  // What a reader may write. Only if writable().
  [[nodiscard]] SegmentHeader& writable_header() const {
    return *reinterpret_cast<SegmentHeader*>(base_);
  }
  [[nodiscard]] RingHeader* writable_ring(std::uint32_t index) const {
    return const_cast<RingHeader*>(ring(index));
  }
  // A block for a ring that asks for one, its pages still to be touched; 0 if there is no room.
  [[nodiscard]] std::uint64_t allocate_block(std::uint64_t log2_capacity) const;
  void touch_block(std::uint64_t offset, std::uint64_t bytes) const;

 private:
  SegmentView() = default;
  void release();

  std::byte* base_ = nullptr;
  std::uint64_t bytes_ = 0;
  int file_ = -1;
  bool writable_ = false;
  std::string path_;
};

}  // namespace peerscope
