// A log-linear histogram of durations: 8 buckets an octave from 0 to 2^40 ns (18 minutes), 1.2 KB.
//
// Below 16 ns buckets are exact; above, a bucket is at most 1/8 of its lower edge wide, so that a
// quantile, given as the bucket's middle, is off by at most 1/16 of its value. Larger values fall
// into the last bucket; min, max, sum and count are always exact.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>

#include "model/duration_bucket.hpp"

namespace peerscope {

class Histogram {
 public:
  static constexpr double kRelativeError = 1.0 / 16.0;
  static constexpr std::size_t kBuckets = kDurationBuckets;
  static constexpr std::uint64_t kLargest = kLargestDuration;

  static constexpr std::size_t bucket_of(std::uint64_t value) { return duration_bucket(value); }

  void add(std::uint64_t value, std::uint32_t weight = 1) {
    add_to(bucket_of(value), value, weight);
  }

  // For callers that put one value into several histograms: `bucket` is bucket_of(value).
  void add_to(std::size_t bucket, std::uint64_t value, std::uint32_t weight) {
    count_ += weight;
    sum_ += value * weight;
    min_ = std::min(min_, value);
    max_ = std::max(max_, value);
    const std::uint64_t full = std::uint64_t{buckets_[bucket]} + weight;
    if (scale_ == 0 && full <= UINT32_MAX) [[likely]] {
      buckets_[bucket] = static_cast<std::uint32_t>(full);
    } else {
      add_scaled(bucket, weight);
    }
  }

  // Values that several histograms take at once: what is the same for all is computed once.
  struct Batch {
    std::span<const std::uint64_t> values;
    const std::uint16_t* buckets;  // of each value
    std::uint64_t sum, min, max;   // of them all
  };
  void add_all(const Batch& batch) {
    if (scale_ != 0 || count_ + batch.values.size() > UINT32_MAX) [[unlikely]] {
      for (std::size_t i = 0; i < batch.values.size(); ++i)
        add_to(batch.buckets[i], batch.values[i], 1);
      return;
    }
    count_ += batch.values.size();
    sum_ += batch.sum;
    min_ = std::min(min_, batch.min);
    max_ = std::max(max_, batch.max);
    for (std::size_t i = 0; i < batch.values.size(); ++i) ++buckets_[batch.buckets[i]];
  }

  void merge(const Histogram& other) {
    if (other.count_ == 0) return;
    count_ += other.count_;
    sum_ += other.sum_;
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
    if ((scale_ | other.scale_) == 0 && count_ <= UINT32_MAX) [[likely]] {
      for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += other.buckets_[i];
      return;
    }
    while (scale_ < other.scale_ || !fits(other)) halve();
    for (std::size_t i = 0; i < kBuckets; ++i) buckets_[i] += scaled(other, i);
  }

  void clear() {
    if (count_ > 0) *this = Histogram();
  }

  // The smallest value that at least p of the values do not exceed; 0 if empty.
  [[nodiscard]] double quantile(double p) const {
    if (count_ == 0) return 0.0;
    std::uint64_t total = 0;
    for (const std::uint32_t n : buckets_) total += n;
    const double wanted = std::ceil(std::clamp(p, 0.0, 1.0) * static_cast<double>(total));
    const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      seen += buckets_[i];
      if (seen >= rank) return value_of(i);
    }
    return static_cast<double>(max_);
  }

  // The median, as if values lay evenly within its bucket: for trends, where the steps from middle to middle would be
  // taken for changes.
  [[nodiscard]] double smooth_median() const {
    std::uint64_t total = 0, below = 0;
    for (const std::uint32_t n : buckets_) total += n;
    if (total == 0) return 0.0;
    std::size_t at = 0;
    while (2 * (below + buckets_[at]) < total) below += buckets_[at++];
    if (at + 1 >= kBuckets) return static_cast<double>(max_);
    const double inside = (static_cast<double>(total) / 2.0 - static_cast<double>(below)) /
                          std::max(1.0, static_cast<double>(buckets_[at]));
    const std::size_t shift = at < 16 ? 0 : (at >> 3) - 1;
    const double low = static_cast<double>((at - (shift << 3)) << shift);
    const double value = low + inside * static_cast<double>(std::uint64_t{1} << shift);
    return std::clamp(value, static_cast<double>(min_), static_cast<double>(max_));
  }

  // Each stands for 2^scale values.
  [[nodiscard]] std::span<const std::uint32_t, kBuckets> buckets() const { return buckets_; }
  [[nodiscard]] std::uint32_t scale() const { return scale_; }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t sum() const { return sum_; }
  [[nodiscard]] std::uint64_t min() const { return count_ > 0 ? min_ : 0; }
  [[nodiscard]] std::uint64_t max() const { return max_; }
  [[nodiscard]] double mean() const {
    return count_ > 0 ? static_cast<double>(sum_) / static_cast<double>(count_) : 0.0;
  }

 private:
  [[nodiscard]] double value_of(std::size_t bucket) const {
    if (bucket + 1 == kBuckets) return static_cast<double>(max_);
    return static_cast<double>(std::clamp(duration_bucket_middle(bucket), min_, max_));
  }

  // A bucket past 2^32 halves all of them; from then on each stands for 2^scale values, and what is
  // added in between is carried over, so that shares stay right to one part in 2^32.
  void add_scaled(std::size_t bucket, std::uint32_t weight) {
    carry_ += weight;
    if (buckets_[bucket] + (carry_ >> scale_) > UINT32_MAX) halve();
    buckets_[bucket] += static_cast<std::uint32_t>(carry_ >> scale_);
    carry_ &= (std::uint64_t{1} << scale_) - 1;
  }

  void halve() {
    for (std::uint32_t& n : buckets_) n = n / 2 + n % 2;
    ++scale_;
  }

  [[nodiscard]] std::uint32_t scaled(const Histogram& other, std::size_t bucket) const {
    const std::uint64_t unit = std::uint64_t{1} << (scale_ - other.scale_);
    return static_cast<std::uint32_t>((other.buckets_[bucket] + unit - 1) / unit);
  }

  [[nodiscard]] bool fits(const Histogram& other) const {
    std::uint64_t largest = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      largest = std::max(largest, std::uint64_t{buckets_[i]} + scaled(other, i));
    }
    return largest <= UINT32_MAX;
  }

  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t min_ = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t max_ = 0;
  std::uint64_t carry_ = 0;
  std::uint32_t scale_ = 0;
  std::array<std::uint32_t, kBuckets> buckets_{};
};

// Allocated by its first value: most series never see a device time.
class LazyHistogram {
 public:
  void add(std::uint64_t value, std::uint32_t weight) {
    add_to(Histogram::bucket_of(value), value, weight);
  }
  void add_to(std::size_t bucket, std::uint64_t value, std::uint32_t weight) {
    if (!histogram_) [[unlikely]]
      histogram_ = std::make_unique<Histogram>();
    histogram_->add_to(bucket, value, weight);
  }
  void add_all(const Histogram::Batch& batch) {
    if (!histogram_) [[unlikely]]
      histogram_ = std::make_unique<Histogram>();
    histogram_->add_all(batch);
  }
  void merge(const LazyHistogram& other) {
    if (!other.histogram_ || other.histogram_->count() == 0) return;
    if (!histogram_) histogram_ = std::make_unique<Histogram>();
    histogram_->merge(*other.histogram_);
  }
  void clear() {
    if (histogram_) histogram_->clear();
  }
  // Null if nothing was added.
  [[nodiscard]] const Histogram* values() const {
    return histogram_ && histogram_->count() > 0 ? histogram_.get() : nullptr;
  }
  [[nodiscard]] std::size_t memory_bytes() const { return histogram_ ? sizeof(Histogram) : 0; }

 private:
  std::unique_ptr<Histogram> histogram_;
};

}  // namespace peerscope
