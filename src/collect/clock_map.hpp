// Ticks to nanoseconds. One map serves every process of this boot: they share the counter, so that what is compared across
// ranks carries the same error and the comparison none.
#pragma once

#include <cstdint>
#include <deque>

#include "record/ticks.hpp"

namespace peerscope {

class ClockMap {
 public:
  // Adds a reading of our own. Readings may come in any order; they are kept for a minute.
  void add(const ClockPair& pair);

  // Adds what a segment of this boot says, if it agrees with the map so far to within 1 ms and 1/64 of the time between.
  void offer(const ClockPair& pair);

  // CLOCK_MONOTONIC in ns. Before two readings: the ticks as they are.
  [[nodiscard]] std::int64_t to_ns(std::uint64_t ticks) const {
    const auto delta = static_cast<double>(static_cast<std::int64_t>(ticks - anchor_ticks_));
    return anchor_ns_ + static_cast<std::int64_t>(delta * ns_per_tick_);
  }
  [[nodiscard]] std::int64_t duration_ns(std::uint64_t ticks) const {
    return static_cast<std::int64_t>(static_cast<double>(ticks) * ns_per_tick_);
  }
  [[nodiscard]] double ns_per_tick() const { return ns_per_tick_; }
  // Add to a monotonic time to get the system's time.
  [[nodiscard]] std::int64_t real_offset_ns() const { return real_offset_ns_; }
  // How far off to_ns may be for a time near the last reading, as measured.
  [[nodiscard]] std::uint64_t uncertainty_ns() const { return uncertainty_ns_; }
  [[nodiscard]] bool ready() const { return pairs_.size() >= 2; }

 private:
  void fit();

  std::deque<ClockPair> pairs_;  // by time
  std::uint64_t anchor_ticks_ = 0;
  std::int64_t anchor_ns_ = 0;
  double ns_per_tick_ = 1.0;
  std::int64_t real_offset_ns_ = 0;
  std::uint64_t uncertainty_ns_ = 0;
};

}  // namespace peerscope
