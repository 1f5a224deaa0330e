#include "store/row_sums.hpp"

#include <algorithm>
#include <cmath>

namespace peerscope {
namespace {

// The place, from 0, of the smallest value that at least p of n values do not exceed.
std::uint64_t place_of(double p, std::uint64_t n) {
  const double wanted = std::ceil(std::clamp(p, 0.0, 1.0) * static_cast<double>(n));
  return std::min(n - 1, std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted)) - 1);
}

// Ascending in p, so that what has been put in order is not looked at again.
template <class F>
void fill_quantiles(Distribution& out, F&& quantile) {
  const double half = 0.98 / std::sqrt(static_cast<double>(out.count));
  const bool sure = out.count >= 6;
  if (sure) out.p50_low_ns = quantile(0.5 - half);
  out.p50_ns = quantile(0.5);
  if (sure) out.p50_high_ns = quantile(0.5 + half);
  out.p90_ns = quantile(0.9);
  out.p99_ns = quantile(0.99);
  out.p999_ns = quantile(0.999);
}

}  // namespace

void DurationSums::add(std::uint64_t ns) {
  if (!buckets_) buckets_ = std::make_unique<Buckets>();
  const std::size_t bucket = duration_bucket(ns);
  ++(*buckets_)[bucket];
  first_ = std::min(first_, bucket);
  last_ = std::max(last_, bucket);
  ++count_;
  sums_.add(ns);
}

void DurationSums::add(std::span<const std::uint32_t> packed, const TimeSums& sums) {
  if (packed.empty()) return;
  if (!buckets_) buckets_ = std::make_unique<Buckets>();
  for (const std::uint32_t each : packed) {
    (*buckets_)[PackedBucket::bucket(each)] += PackedBucket::count(each);
    count_ += PackedBucket::count(each);
  }
  first_ = std::min(first_, PackedBucket::bucket(packed.front()));
  last_ = std::max(last_, PackedBucket::bucket(packed.back()));
  sums_.merge(sums);
}

double DurationSums::quantile(double p) const {
  if (count_ == 0) return kUnknown;
  const std::uint64_t wanted = place_of(p, count_) + 1;
  std::uint64_t seen = 0;
  for (std::size_t i = first_; i <= last_; ++i) {
    seen += (*buckets_)[i];
    if (seen < wanted) continue;
    if (i + 1 == kDurationBuckets) break;
    return static_cast<double>(std::clamp(duration_bucket_middle(i), sums_.min_ns, sums_.max_ns));
  }
  return static_cast<double>(sums_.max_ns);
}

Distribution DurationSums::distribution() const {
  Distribution out;
  if (count_ == 0) return out;
  out.count = count_;
  out.mean_ns = static_cast<double>(sums_.sum_ns) / static_cast<double>(count_);
  out.min_ns = static_cast<double>(sums_.min_ns);
  out.max_ns = static_cast<double>(sums_.max_ns);
  fill_quantiles(out, [&](double p) { return quantile(p); });
  return out;
}

void DurationSums::clear() {
  if (count_ == 0) return;
  std::fill(buckets_->begin() + static_cast<std::ptrdiff_t>(first_),
            buckets_->begin() + static_cast<std::ptrdiff_t>(last_) + 1, 0);
  count_ = 0;
  first_ = kDurationBuckets;
  last_ = 0;
  sums_ = {};
}

void RowSums::add(const SlotCell& cell, bool error, std::span<const std::uint32_t> host_buckets,
                  std::span<const std::uint32_t> device_buckets, const TimeSums* device_sums) {
  counts.count += cell.count;
  counts.bytes += cell.bytes;
  counts.errors += error ? cell.count : 0;
  host.add(host_buckets, cell.host);
  if (device_sums != nullptr) device.add(device_buckets, *device_sums);
}

void RowSums::clear() {
  counts = {};
  host.clear();
  device.clear();
}

Distribution distribution_of(std::vector<std::uint64_t>& values) {
  Distribution out;
  if (values.empty()) return out;
  out.count = values.size();
  std::uint64_t sum = 0;
  for (const std::uint64_t value : values) sum += value;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  out.mean_ns = static_cast<double>(sum) / static_cast<double>(out.count);
  out.min_ns = static_cast<double>(*least);
  out.max_ns = static_cast<double>(*most);
  auto sorted_until = values.begin();
  fill_quantiles(out, [&](double p) {
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(place_of(p, out.count));
    if (at >= sorted_until) {
      std::nth_element(sorted_until, at, values.end());
      sorted_until = at;
    } else {
      std::nth_element(values.begin(), at, sorted_until);
    }
    return static_cast<double>(*at);
  });
  return out;
}

}  // namespace peerscope
