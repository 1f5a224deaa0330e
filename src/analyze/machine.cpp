#include "analyze/machine.hpp"

#include <algorithm>
#include <cstdlib>

namespace peerscope {
namespace {

void add_rate(const std::optional<double>& rate, double seconds, RateSummary& sum) {
  if (!rate || seconds <= 0) return;
  sum.bytes += *rate * seconds;
  sum.seconds += seconds;
  sum.peak_bytes_per_s = std::max(sum.peak_bytes_per_s, *rate);
}

template <class T>
void take_max(std::optional<T>& into, const std::optional<T>& value) {
  if (value && (!into || *value > *into)) into = value;
}
template <class T>
void take_min(std::optional<T>& into, const std::optional<T>& value) {
  if (value && (!into || *value < *into)) into = value;
}

unsigned active_links(const DeviceReading& device) {
  return static_cast<unsigned>(
      std::count_if(device.links.begin(), device.links.end(),
                    [](const LinkReading& link) { return link.active.value_or(false); }));
}

void add_device(const DeviceReading& reading, double seconds, DeviceSummary& sum) {
  sum.latest = reading;
  if (!reading.trouble.empty()) sum.trouble = reading.trouble;
  if (reading.nvlink.source != RateSource::none) sum.nvlink_source = reading.nvlink.source;
  if (reading.pcie.rate.source != RateSource::none) sum.pcie_source = reading.pcie.rate.source;
  add_rate(reading.nvlink.tx, seconds, sum.nvlink_tx);
  add_rate(reading.nvlink.rx, seconds, sum.nvlink_rx);
  add_rate(reading.pcie.rate.tx, seconds, sum.pcie_tx);
  add_rate(reading.pcie.rate.rx, seconds, sum.pcie_rx);
  take_max(sum.pcie_generation_max, reading.pcie.generation);
  take_min(sum.pcie_width_min, reading.pcie.width);
  take_max(sum.pcie_max_generation, reading.pcie.max_generation);
  take_max(sum.pcie_max_width, reading.pcie.max_width);
  take_max(sum.power_w_max, reading.power_w);
  take_max(sum.temperature_c_max, reading.temperature_c);
  if (reading.clock_reasons)
    sum.clock_reasons = sum.clock_reasons.value_or(0) | *reading.clock_reasons;
  if (!reading.trouble.empty()) return;
  const unsigned active = active_links(reading);
  sum.links_active_min = sum.links == 0 ? active : std::min(sum.links_active_min, active);
  sum.links = std::max(sum.links, static_cast<unsigned>(reading.links.size()));
}

std::optional<double> both_ways(const Rate& rate) {
  if (!rate.tx && !rate.rx) return std::nullopt;
  return rate.tx.value_or(0) + rate.rx.value_or(0);
}

void add_moment(const DeviceReading& reading, std::int64_t at_ns, DeviceSummary& sum) {
  if (!reading.trouble.empty()) return;
  DeviceMoment moment;
  moment.at_ns = at_ns;
  moment.nvlink_bytes_per_s = both_ways(reading.nvlink);
  moment.pcie_bytes_per_s = both_ways(reading.pcie.rate);
  for (const auto& [name, count] : sum.errors_risen) {
    if (name.rfind("nvlink_", 0) == 0 || name.rfind("pcie_", 0) == 0) moment.errors += count;
  }
  moment.links_active = active_links(reading);
  if (sum.history.size() >= MachineTally::kMostMoments) sum.history.erase(sum.history.begin());
  sum.history.push_back(moment);
}

DeviceSummary begin_device(const DeviceReading& reading) {
  DeviceSummary sum;
  sum.index = reading.index;
  sum.name = reading.name;
  sum.uuid = reading.uuid;
  sum.pci_bus_id = reading.pci_bus_id;
  return sum;
}

// "NV18" times the speed of a link. All links of a device are of one speed.
std::optional<double> nvlink_bandwidth(const DeviceReading& from, const std::string& path) {
  if (path.rfind("NV", 0) != 0) return std::nullopt;
  const double links = std::strtod(path.c_str() + 2, nullptr);
  for (const LinkReading& link : from.links) {
    if (link.active.value_or(false) && link.speed_bytes_per_s)
      return links * *link.speed_bytes_per_s;
  }
  return std::nullopt;
}

std::vector<PathSummary> paths_of(const MachineReading& reading) {
  std::vector<PathSummary> paths;
  for (const DevicePair& pair : reading.pairs) {
    PathSummary path{pair.from, pair.to, pair.path, {}};
    for (const DeviceReading& device : reading.devices) {
      if (device.index == pair.from)
        path.bandwidth_bytes_per_s = nvlink_bandwidth(device, pair.path);
    }
    paths.push_back(std::move(path));
  }
  return paths;
}

}  // namespace

std::vector<std::pair<std::string, std::uint64_t>> errors_risen(const DeviceReading& before,
                                                                const DeviceReading& now) {
  std::vector<std::pair<std::string, std::uint64_t>> risen;
  const auto compare = [&](std::string name, const std::optional<std::uint64_t>& from,
                           const std::optional<std::uint64_t>& to) {
    if (from && to && *to > *from) risen.emplace_back(std::move(name), *to - *from);
  };
  for (const auto& [name, kind, costs] : kLinkErrors) {
    if (costs)
      compare(std::string("nvlink_") + name, total_errors(before, kind), total_errors(now, kind));
  }
  compare("pcie_replay", before.pcie.replays, now.pcie.replays);
  compare("ecc_corrected", before.ecc_corrected, now.ecc_corrected);
  compare("ecc_uncorrected", before.ecc_uncorrected, now.ecc_uncorrected);
  return risen;
}

void MachineTally::add(const MachineReading& reading) {
  const double seconds = before_ ? static_cast<double>(reading.at_ns - before_->at_ns) / 1e9 : 0.0;
  ++summary_.readings;
  summary_.reading_ns += reading.took_ns;
  summary_.driver_version = reading.driver_version;
  if (!first_) {
    for (const DeviceReading& device : reading.devices)
      summary_.devices.push_back(begin_device(device));
    first_ = reading;
  }
  // The driver's list does not change while it is open.
  for (std::size_t i = 0; i < std::min(reading.devices.size(), summary_.devices.size()); ++i) {
    add_device(reading.devices[i], seconds, summary_.devices[i]);
    summary_.devices[i].errors_risen = errors_risen(first_->devices[i], reading.devices[i]);
    add_moment(reading.devices[i], reading.at_ns, summary_.devices[i]);
  }
  for (const XidEvent& xid : reading.xids) {
    if (summary_.xids.size() < kMostXids) summary_.xids.push_back(xid);
  }
  summary_.paths = paths_of(reading);
  judge(reading);
  before_ = reading;
}

void MachineTally::judge(const MachineReading& reading) {
  MachineReading whole = reading;
  whole.xids = summary_.xids;
  const std::vector<Finding> now = judge_machine(whole, &*first_);
  const auto same = [](const Finding& a, const Finding& b) {
    const auto xid = [](const Finding& f) { return f.kind == "xid" ? f.evidence[0].second : 0; };
    return a.kind == b.kind && a.subject.device == b.subject.device && xid(a) == xid(b);
  };
  for (Seen& seen : seen_) {
    const auto found = std::find_if(now.begin(), now.end(), [&](const Finding& finding) {
      return same(finding, seen.finding);
    });
    seen.in_a_row = found == now.end() ? 0 : seen.in_a_row + 1;
    if (found != now.end()) {
      const std::int64_t since_ns = seen.finding.since_ns;
      seen.finding = *found;
      seen.finding.since_ns = since_ns;
    }
    seen.sure = seen.sure || seen.in_a_row >= 2;
  }
  for (const Finding& finding : now) {
    const bool known = std::any_of(seen_.begin(), seen_.end(),
                                   [&](const Seen& seen) { return same(finding, seen.finding); });
    // A link that was idle takes a moment to come to its generation: one look is no proof.
    if (known) continue;
    seen_.push_back({finding, 1, finding.kind != "pcie_generation"});
    if (summary_.readings > 1) seen_.back().finding.since_ns = reading.at_ns;
  }
  summary_.findings.clear();
  for (const Seen& seen : seen_) {
    if (seen.sure) summary_.findings.push_back(seen.finding);
  }
  std::stable_sort(summary_.findings.begin(), summary_.findings.end(),
                   [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
}

}  // namespace peerscope
