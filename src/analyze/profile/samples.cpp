#include "analyze/profile/samples.hpp"

#include "model/size_class.hpp"

namespace peerscope {
namespace {

void keep(SampleStore::Series& series, SampleBasis basis, std::int64_t ns) {
  auto& values = series.values[static_cast<std::size_t>(basis)];
  if (!values) values = std::make_unique<Sample<SampleStore::kKept>>();
  values->add(ns);
}

}  // namespace

std::vector<double> SampleStore::Series::of(SampleBasis basis) const {
  std::vector<double> out;
  const auto& sample = values[static_cast<std::size_t>(basis)];
  if (!sample) return out;
  for (std::size_t i = 0; i < sample->size(); ++i) out.push_back(sample->value(i));
  return out;
}

std::uint64_t SampleStore::Series::seen(SampleBasis basis) const {
  const auto& sample = values[static_cast<std::size_t>(basis)];
  return sample ? sample->seen() : 0;
}

SampleStore::Series* SampleStore::series_of(const SampleKey& key) {
  if (last_ != nullptr && key == last_key_) return last_;
  auto found = series_.find(key);
  if (found == series_.end()) {
    if (series_.size() >= kMaxSeries) return nullptr;
    found = series_.try_emplace(key).first;
  }
  last_key_ = key;
  return last_ = &found->second;
}

// What failed took as long as it took to fail: no measure of the operation.
void SampleStore::add(const Op& op) {
  if (op.status != OpStatus::ok || op.kind == Kind::compute) return;
  Series* series = series_of({op.kind, size_class(op.bytes), op.ranks, op.algorithm, op.backend});
  if (series == nullptr) {
    ++beyond_;
    return;
  }
  if (!op.device_only) {
    series->operations += op.weight;
    series->bytes += op.weight * op.bytes;
  }
  if (op.device_duration_ns >= 0) keep(*series, SampleBasis::device, op.device_duration_ns);
  if (!op.async && !op.device_only && op.host_duration_ns >= 0)
    keep(*series, SampleBasis::host, op.host_duration_ns);
}

void SampleStore::add(const Collective& collective) {
  if (!collective.complete || collective.mismatch) return;
  for (const Arrival& arrival : collective.arrivals) {
    if (arrival.status != OpStatus::ok || arrival.end_ns < arrival.begin_ns) return;
  }
  Series* series = series_of({collective.kind, size_class(collective.bytes), collective.ranks,
                              collective.algorithm, collective.backend});
  if (series == nullptr) return;
  if (collective.device) {
    keep(*series, SampleBasis::device_transfer, split_by_device(collective).transfer_ns);
  } else if (!collective.async && collective.end_ns >= collective.last_ns) {
    keep(*series, SampleBasis::host_transfer, collective.transfer_ns());
  }
}

std::size_t SampleStore::memory_bytes() const {
  std::size_t bytes = sizeof *this;
  for (const auto& [key, series] : series_) {
    bytes += sizeof(key) + sizeof(series) + 48;  // and the tree's own
    for (const auto& values : series.values) bytes += values ? sizeof(Sample<kKept>) : 0;
  }
  return bytes;
}

}  // namespace peerscope
