// One stretch of a row's past.
#pragma once

#include <cstdint>

namespace peerscope {

inline constexpr std::int64_t kSlotNs = 125'000'000;  // the shortest stretch that is told apart

struct HistoryPoint {
  std::int32_t slot = 0;    // of kSlotNs: the first
  std::int32_t slots = 1;   // that it spans
  std::uint32_t count = 0;  // values that its median is of
  float ns = 0;             // median
  float bytes = 0;          // mean size of the operations
  [[nodiscard]] std::int64_t begin_ns() const { return slot * kSlotNs; }
  [[nodiscard]] std::int64_t end_ns() const { return (std::int64_t{slot} + slots) * kSlotNs; }
};

}  // namespace peerscope
