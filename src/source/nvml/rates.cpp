// Bytes per second of NVLink and PCIe: two counters and the time between them, or the performance
// monitor (GPM) of Hopper and later.
#include <cmath>

#include "source/nvml/gpu.hpp"

namespace peerscope::nvml {
namespace {

constexpr double kMebi = 1024.0 * 1024.0;
constexpr std::int64_t kGpmLeastNs = 100'000'000;  // its own refresh, says NVML

// On some machines (two H200, driver 580) the counters are there and stay 0 for ever: counters that
// are 0 on all links count nothing.
bool counts(const DeviceReading& reading) {
  for (const LinkReading& link : reading.links) {
    if ((link.tx && link.tx->value != 0) || (link.rx && link.rx->value != 0)) return true;
  }
  return false;
}

std::optional<double> per_second(const std::optional<Counter>& before,
                                 const std::optional<Counter>& now, double seconds) {
  if (!before || !now || seconds <= 0) return std::nullopt;
  const auto risen = rise(*before, *now);
  if (!risen) return std::nullopt;
  return static_cast<double>(*risen) / seconds;
}

const LinkReading* find(const DeviceReading* reading, unsigned link) {
  if (reading == nullptr) return nullptr;
  for (const LinkReading& other : reading->links) {
    if (other.link == link) return &other;
  }
  return nullptr;
}

Rate counter_rate(const LinkReading* before, const LinkReading& now, double seconds) {
  Rate rate;
  if (before == nullptr) return rate;
  rate.tx = per_second(before->tx, now.tx, seconds);
  rate.rx = per_second(before->rx, now.rx, seconds);
  if (rate.tx && rate.rx) rate.source = RateSource::counters;
  return rate.source == RateSource::none ? Rate{} : rate;
}

Rate gpm_rate(const GpmRates& gpm, unsigned link) {
  Rate rate;
  if (link < gpm.link_tx.size()) rate.tx = gpm.link_tx[link];
  if (link < gpm.link_rx.size()) rate.rx = gpm.link_rx[link];
  if (rate.tx || rate.rx) rate.source = RateSource::gpm;
  return rate;
}

// Known only if each active link knows, from one and the same source.
Rate sum_of_links(const DeviceReading& reading, RateSource source) {
  Rate sum;
  for (const LinkReading& link : reading.links) {
    if (!link.active.value_or(false)) continue;
    if (link.rate.source != source || !link.rate.tx || !link.rate.rx) return {};
    sum.tx = sum.tx.value_or(0) + *link.rate.tx;
    sum.rx = sum.rx.value_or(0) + *link.rate.rx;
    sum.source = source;
  }
  return sum;
}

Rate total_of(const GpmRates& gpm) {
  if (!gpm.links_tx && !gpm.links_rx) return {};
  return {gpm.links_tx, gpm.links_rx, RateSource::gpm};
}

std::optional<double> mib(const GpmMetric& metric) {
  if (metric.code != kSuccess || !std::isfinite(metric.value) || metric.value < 0)
    return std::nullopt;
  return metric.value * kMebi;
}

GpmRates rates_of(const GpmMetrics& metrics, unsigned links) {
  GpmRates rates;
  const GpmMetric* next = metrics.metrics;
  rates.pcie_tx = mib(*next++);
  rates.pcie_rx = mib(*next++);
  rates.links_tx = mib(*next++);
  rates.links_rx = mib(*next++);
  for (unsigned link = 0; link < links; ++link) {
    rates.link_tx.push_back(mib(*next++));
    rates.link_rx.push_back(mib(*next++));
  }
  return rates;
}

const char* why_no_rate(bool second, bool counting, const DeviceReading& reading) {
  if (!second) return "a rate needs two readings";
  if (counting) return "a counter was reset between two readings";
  bool supported = false;
  bool active = false;
  for (const LinkReading& link : reading.links) {
    supported = supported || link.tx || link.rx;
    active = active || link.active.value_or(false);
  }
  if (!active) return "no link is active";
  return supported ? "the link counters read 0 on all links, and the performance monitor gives none"
                   : "there are no link counters, and the performance monitor gives none";
}

void add_metric(GpmMetrics& metrics, unsigned id) {
  GpmMetric& metric = metrics.metrics[metrics.count++];
  metric.id = id;
  metric.code = kNoData;
}

}  // namespace

void open_gpm(const Api& api, Gpu& gpu) {
  const auto missing = [&](const char* call, Code code) {
    gpu.gpm_missing = fmt::format("{}: {}", call, reason(code));
  };
  if (api.gpm_support == nullptr || api.gpm_alloc == nullptr || api.gpm_free == nullptr ||
      api.gpm_sample == nullptr || api.gpm_metrics == nullptr)
    return missing("nvmlGpmQueryDeviceSupport", kFunctionNotFound);
  GpmSupport support{1, 0};
  Code code = api.gpm_support(gpu.handle, &support);
  if (code != kSuccess) return missing("nvmlGpmQueryDeviceSupport", code);
  if (support.supported == 0) return missing("nvmlGpmQueryDeviceSupport", kNotSupported);
  code = api.gpm_alloc(&gpu.sample_before);
  if (code == kSuccess) code = api.gpm_alloc(&gpu.sample_now);
  if (code != kSuccess) return missing("nvmlGpmSampleAlloc", code);
  gpu.gpm = true;
}

void close_gpm(const Api& api, Gpu& gpu) {
  for (GpmSample* sample : {&gpu.sample_before, &gpu.sample_now}) {
    if (*sample != nullptr) api.gpm_free(*sample);
    *sample = nullptr;
  }
}

std::optional<GpmRates> sample_gpm(const Api& api, Gpu& gpu, std::int64_t now_ns,
                                   DeviceReading& reading) {
  if (!gpu.gpm) {
    note_absent(reading, "gpm", gpu.gpm_missing);
    return std::nullopt;
  }
  if (gpu.sample_before_ns != 0 && now_ns - gpu.sample_before_ns < kGpmLeastNs) {
    note_absent(reading, "gpm", "less than 100 ms since the reading before");
    return std::nullopt;
  }
  const Code code = api.gpm_sample(gpu.handle, gpu.sample_now);
  if (code != kSuccess) {
    note_absent(reading, "gpm", "nvmlGpmSampleGet", code);
    return std::nullopt;
  }
  std::optional<GpmRates> rates;
  if (gpu.sample_before_ns != 0) {
    auto metrics = std::make_unique<GpmMetrics>();  // 13 KB
    metrics->version = 1;
    metrics->first = gpu.sample_before;
    metrics->second = gpu.sample_now;
    for (const unsigned id : {kGpmPcieTx, kGpmPcieRx, kGpmLinksTx, kGpmLinksRx})
      add_metric(*metrics, id);
    const auto links = static_cast<unsigned>(reading.links.size());
    for (unsigned link = 0; link < links; ++link) {
      add_metric(*metrics, gpm_link_tx(link));
      add_metric(*metrics, gpm_link_rx(link));
    }
    const Code computed = api.gpm_metrics(metrics.get());
    if (computed == kSuccess) {
      rates = rates_of(*metrics, links);
      if (!rates->links_tx && links > 0)
        note_absent(reading, "gpm_nvlink", "nvmlGpmMetricsGet", metrics->metrics[2].code);
    } else {
      note_absent(reading, "gpm", "nvmlGpmMetricsGet", computed);
    }
  }
  std::swap(gpu.sample_before, gpu.sample_now);
  gpu.sample_before_ns = now_ns;
  return rates;
}

void add_link_rates(const DeviceReading* before, double seconds, const GpmRates* gpm,
                    DeviceReading& reading) {
  const bool counting = counts(reading);
  for (LinkReading& link : reading.links) {
    if (!link.active.value_or(false)) continue;
    if (counting) link.rate = counter_rate(find(before, link.link), link, seconds);
    if (link.rate.source == RateSource::none && gpm != nullptr)
      link.rate = gpm_rate(*gpm, link.link);
  }
  if (counting) reading.nvlink = sum_of_links(reading, RateSource::counters);
  if (reading.nvlink.source == RateSource::none && gpm != nullptr) {
    reading.nvlink = total_of(*gpm);
    if (reading.nvlink.source == RateSource::none)
      reading.nvlink = sum_of_links(reading, RateSource::gpm);
  }
  if (reading.nvlink.source != RateSource::none || reading.links.empty()) return;
  note_absent(reading, "nvlink_rate", why_no_rate(before != nullptr, counting, reading));
}

}  // namespace peerscope::nvml
