// A few values that stand for many: every 2^k-th of a stream, k growing as it does. Unlike a
// histogram it keeps the sign and the exact value, and costs 4 bytes a value; medians of lateness
// need no more.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace peerscope {

template <std::size_t N>
class Sample {
 public:
  // Values beyond +-2.1 s are kept as that.
  void add(std::int64_t value) {
    const std::uint64_t index = seen_++;
    if (index < next_) return;
    if (kept_ == N) halve();
    values_[kept_++] =
        static_cast<std::int32_t>(std::clamp<std::int64_t>(value, -INT32_MAX, INT32_MAX));
    // Somewhere in the next stride, not at its start: a workload with a period of its own must not
    // be met at one phase only.
    const std::uint64_t stride = std::uint64_t{1} << shift_;
    const std::uint64_t jitter = (index * 0x9E3779B97F4A7C15u >> 40) & (stride - 1);
    next_ = (((index >> shift_) + 1) << shift_) + jitter;
  }

  template <std::size_t M>
  void merge(const Sample<M>& other) {
    if (other.seen() == 0) return;
    while (shift_ < other.shift()) halve();
    for (std::size_t i = 0; i < other.size(); ++i) {
      // `halve` below moves shift_, so that the step through the rest of `other` widens with it.
      if (((i << other.shift()) & ((std::uint64_t{1} << shift_) - 1)) != 0) continue;
      if (kept_ == N) halve();
      values_[kept_++] = other.value(i);
    }
    seen_ += other.seen();
    next_ = seen_;
  }

  void clear() {
    seen_ = next_ = 0;
    kept_ = shift_ = 0;
  }

  [[nodiscard]] std::uint64_t seen() const { return seen_; }
  [[nodiscard]] std::size_t size() const { return kept_; }
  [[nodiscard]] std::uint32_t shift() const { return shift_; }  // each value stands for 2^shift
  [[nodiscard]] std::int32_t value(std::size_t i) const { return values_[i]; }

 private:
  void halve() {
    for (std::uint32_t i = 0; 2 * i < kept_; ++i) values_[i] = values_[2 * i];
    kept_ = (kept_ + 1) / 2;
    ++shift_;
  }

  std::uint64_t seen_ = 0, next_ = 0;
  std::uint32_t kept_ = 0, shift_ = 0;
  std::array<std::int32_t, N> values_{};
};

// Values of several samples, each with what it stands for.
class WeightedValues {
 public:
  template <std::size_t N>
  void add(const Sample<N>& sample) {
    for (std::size_t i = 0; i < sample.size(); ++i) {
      values_.emplace_back(sample.value(i), std::uint64_t{1} << sample.shift());
    }
    sorted_ = false;
  }
  void clear() { values_.clear(); }
  [[nodiscard]] std::size_t size() const { return values_.size(); }

  // The smallest value that at least p of the weight does not exceed; 0 if empty.
  [[nodiscard]] double quantile(double p) {
    if (values_.empty()) return 0.0;
    sort();
    std::uint64_t total = 0;
    for (const auto& [value, weight] : values_) total += weight;
    double left = p * static_cast<double>(total);
    for (const auto& [value, weight] : values_) {
      left -= static_cast<double>(weight);
      if (left <= 0.0) return value;
    }
    return values_.back().first;
  }

 private:
  void sort() {
    if (!sorted_) std::sort(values_.begin(), values_.end());
    sorted_ = true;
  }

  std::vector<std::pair<std::int32_t, std::uint64_t>> values_;
  bool sorted_ = false;
};

}  // namespace peerscope
