#include "collect/clock_map.hpp"

#include <algorithm>
#include <cmath>

namespace peerscope {
namespace {
constexpr std::uint64_t kKeepNs = 60'000'000'000;
constexpr std::uint64_t kSharpNs = 2'000;  // a reading that took longer was interrupted
}  // namespace

void ClockMap::add(const ClockPair& pair) {
  if (pair.uncertainty_ns > kSharpNs && pairs_.size() >= 2) return;
  const auto at = std::lower_bound(
      pairs_.begin(), pairs_.end(), pair,
      [](const ClockPair& a, const ClockPair& b) { return a.mono_ns < b.mono_ns; });
  if (at != pairs_.end() && at->mono_ns == pair.mono_ns) return;
  pairs_.insert(at, pair);
  while (pairs_.size() > 2 && pairs_.front().mono_ns + kKeepNs < pairs_.back().mono_ns)
    pairs_.pop_front();
  fit();
}

void ClockMap::offer(const ClockPair& pair) {
  constexpr std::uint64_t kLatest = INT64_MAX / 2;
  if (pair.mono_ns > kLatest || pair.real_ns > kLatest || pair.uncertainty_ns > kSharpNs) return;
  const double distance_ns =
      std::abs(static_cast<double>(pair.mono_ns) - static_cast<double>(anchor_ns_));
  const double ticks = static_cast<double>(static_cast<std::int64_t>(pair.ticks - anchor_ticks_));
  const double off_ns =
      static_cast<double>(anchor_ns_) + ticks * ns_per_tick_ - static_cast<double>(pair.mono_ns);
  if (ready() && std::abs(off_ns) > 1e6 + distance_ns / 64) return;
  add(pair);
}

void ClockMap::fit() {
  const ClockPair& first = pairs_.front();
  const ClockPair& last = pairs_.back();
  anchor_ticks_ = last.ticks;
  anchor_ns_ = static_cast<std::int64_t>(last.mono_ns);
  real_offset_ns_ = static_cast<std::int64_t>(last.real_ns) - anchor_ns_;
  uncertainty_ns_ = last.uncertainty_ns;
  if (pairs_.size() >= 2 && last.ticks > first.ticks) {
    ns_per_tick_ = static_cast<double>(last.mono_ns - first.mono_ns) /
                   static_cast<double>(last.ticks - first.ticks);
  }
}

}  // namespace peerscope
