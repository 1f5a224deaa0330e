// What one row took, slot by slot: medians of the past, so that one can see when something changed.
//
// Two rings, both bounded: the last `fine` slots one by one, and all of the run in at most `coarse`
// stretches, which double their length whenever there is no room for one more.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "analyze/history_point.hpp"

namespace peerscope {

class History {
 public:
  explicit History(std::size_t fine = 192, std::size_t coarse = 64)
      : fine_room_(fine), coarse_room_(coarse) {}

  // Slots come in order; one that does not is left out. Amortised O(1).
  void add(const HistoryPoint& point) {
    if (newest_ >= point.slot || point.count == 0) return;
    newest_ = point.slot;
    if (fine_.size() < fine_room_) {
      fine_.push_back(point);
    } else {
      fine_[next_] = point;
      next_ = (next_ + 1) % fine_room_;
    }
    add_coarse(point);
  }

  // The oldest first.
  [[nodiscard]] std::vector<HistoryPoint> fine() const {
    std::vector<HistoryPoint> out;
    out.reserve(fine_.size());
    for (std::size_t i = 0; i < fine_.size(); ++i) out.push_back(fine_[(next_ + i) % fine_.size()]);
    return out;
  }
  [[nodiscard]] const std::vector<HistoryPoint>& coarse() const { return coarse_; }
  [[nodiscard]] bool empty() const { return fine_.empty(); }
  void clear() {
    fine_.clear();
    coarse_.clear();
    next_ = 0;
    unit_ = 1;
    newest_ = INT32_MIN;
  }

  [[nodiscard]] std::size_t memory_bytes() const {
    return (fine_.capacity() + coarse_.capacity()) * sizeof(HistoryPoint);
  }
  // A vector may have room for twice what it holds.
  static constexpr std::size_t memory_bound_bytes(std::size_t fine, std::size_t coarse) {
    return 2 * (fine + coarse + 1) * sizeof(HistoryPoint);
  }

 private:
  // Medians do not add up: the mean of medians, by what they stand for, is near enough to see a trend.
  static void merge(HistoryPoint& into, const HistoryPoint& from) {
    const auto total = static_cast<float>(into.count) + static_cast<float>(from.count);
    const float share = static_cast<float>(from.count) / total;
    into.ns += (from.ns - into.ns) * share;
    into.bytes += (from.bytes - into.bytes) * share;
    into.count = std::max(into.count, into.count + from.count);  // stays at its end
  }

  void add_coarse(const HistoryPoint& point) {
    const auto place = [this](std::int32_t slot) { return slot / unit_; };
    if (!coarse_.empty() && place(coarse_.back().slot) == place(point.slot)) {
      merge(coarse_.back(), point);
      return;
    }
    if (coarse_.size() >= coarse_room_) halve();
    if (!coarse_.empty() && place(coarse_.back().slot) == place(point.slot)) {
      merge(coarse_.back(), point);
      return;
    }
    coarse_.push_back(point);
    coarse_.back().slot = place(point.slot) * unit_;
    coarse_.back().slots = unit_;
  }

  void halve() {
    while (coarse_.size() >= coarse_room_ && unit_ < INT32_MAX / 4) {
      unit_ *= 2;
      std::size_t kept = 0;
      for (const HistoryPoint& point : coarse_) {
        const std::int32_t slot = point.slot / unit_ * unit_;
        if (kept > 0 && coarse_[kept - 1].slot == slot) {
          merge(coarse_[kept - 1], point);
        } else {
          coarse_[kept] = point;
          coarse_[kept].slot = slot;
          coarse_[kept++].slots = unit_;
        }
      }
      coarse_.resize(kept);
    }
  }

  std::size_t fine_room_, coarse_room_, next_ = 0;
  std::int32_t newest_ = INT32_MIN, unit_ = 1;
  std::vector<HistoryPoint> fine_, coarse_;
};

}  // namespace peerscope
