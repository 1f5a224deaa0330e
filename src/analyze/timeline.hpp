// Medians of one cell, slot by slot: of cells between two ranks, which tell one link from another.
#pragma once

#include <algorithm>
#include <array>

#include "analyze/history.hpp"
#include "analyze/sample.hpp"

namespace peerscope {

class Timeline {
 public:
  static constexpr std::size_t kFine = 128, kCoarse = 48, kSample = 32;  // 16 s

  // `slot` of the value's time. What comes late counts to the slot that is open.
  void add(std::int64_t slot, std::uint64_t ns, bool device) {
    if (device != on_device_) {
      if (!device) return;  // the device's clock is the better one
      on_device_ = true;
      sample_.clear();
      history_.clear();
    }
    if (slot > slot_) close(slot);
    sample_.add(static_cast<std::int64_t>(std::min<std::uint64_t>(ns, INT32_MAX)));
  }
  void add_bytes(std::uint64_t bytes, std::uint64_t count) {
    bytes_ += bytes;
    count_ += count;
  }

  [[nodiscard]] bool on_device() const { return on_device_; }
  // With the slot that is open.
  [[nodiscard]] std::vector<HistoryPoint> fine() const {
    std::vector<HistoryPoint> out = history_.fine();
    const HistoryPoint open = point();
    if (open.count > 0 && (out.empty() || out.back().slot < open.slot)) out.push_back(open);
    return out;
  }
  [[nodiscard]] const std::vector<HistoryPoint>& coarse() const { return history_.coarse(); }
  [[nodiscard]] std::size_t memory_bytes() const { return sizeof *this + history_.memory_bytes(); }
  static constexpr std::size_t memory_bound_bytes() {
    return sizeof(Timeline) + History::memory_bound_bytes(kFine, kCoarse);
  }

 private:
  void close(std::int64_t slot) {
    history_.add(point());
    sample_.clear();
    bytes_ = count_ = 0;
    slot_ = slot;
  }
  [[nodiscard]] HistoryPoint point() const {
    if (sample_.size() == 0 || slot_ < 0 || slot_ > INT32_MAX) return {};
    std::array<std::int32_t, kSample> values{};
    for (std::size_t i = 0; i < sample_.size(); ++i) values[i] = sample_.value(i);
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(sample_.size() / 2);
    const auto end = values.begin() + static_cast<std::ptrdiff_t>(sample_.size());
    std::nth_element(values.begin(), middle, end);
    float median = static_cast<float>(*middle);
    // Of two values the mean: the larger one alone would make a slow slot of one slow operation.
    if (sample_.size() % 2 == 0)
      median = (median + static_cast<float>(*std::max_element(values.begin(), middle))) / 2;
    const float bytes = count_ > 0 ? static_cast<float>(bytes_) / static_cast<float>(count_) : 0.0F;
    return {static_cast<std::int32_t>(slot_), 1,
            static_cast<std::uint32_t>(std::min<std::uint64_t>(sample_.seen(), UINT32_MAX)), median,
            bytes};
  }

  bool on_device_ = false;
  std::int64_t slot_ = INT64_MIN;
  std::uint64_t bytes_ = 0, count_ = 0;  // of the slot that is open
  Sample<kSample> sample_;
  History history_{kFine, kCoarse};
};

}  // namespace peerscope
