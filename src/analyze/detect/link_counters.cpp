#include "analyze/detect/link_counters.hpp"

#include <algorithm>

namespace peerscope {
namespace {

// The mean over moments in [begin, end).
std::optional<double> mean_rate(const DeviceSummary& device,
                                std::optional<double> DeviceMoment::* rate, std::int64_t begin_ns,
                                std::int64_t end_ns) {
  double sum = 0;
  std::size_t count = 0;
  for (const DeviceMoment& moment : device.history) {
    if (moment.at_ns < begin_ns || moment.at_ns >= end_ns || !(moment.*rate)) continue;
    sum += *(moment.*rate);
    ++count;
  }
  if (count == 0) return std::nullopt;
  return sum / static_cast<double>(count);
}

}  // namespace

std::optional<ForeignTraffic> foreign_traffic(const Snapshot& snapshot, int device,
                                              std::int64_t since_ns) {
  if (!snapshot.machine || !snapshot.aggregates) return std::nullopt;
  const auto summary =
      std::find_if(snapshot.machine->devices.begin(), snapshot.machine->devices.end(),
                   [device](const DeviceSummary& d) { return d.index == device; });
  const auto row =
      std::find_if(snapshot.aggregates->devices.begin(), snapshot.aggregates->devices.end(),
                   [device](const DeviceRow& d) { return d.device == device; });
  if (summary == snapshot.machine->devices.end() || row == snapshot.aggregates->devices.end())
    return std::nullopt;
  const double own_now = row->windows.in(Window::second).bytes_per_s();
  const double own_before = row->windows.in(Window::all).bytes_per_s();
  if (own_now <= 0 || own_before <= 0) return std::nullopt;
  std::optional<ForeignTraffic> most;
  for (const auto& [rate, link] : {std::pair{&DeviceMoment::nvlink_bytes_per_s, "NVLink"},
                                   std::pair{&DeviceMoment::pcie_bytes_per_s, "PCIe"}}) {
    const auto before = mean_rate(*summary, rate, 0, since_ns);
    const auto now =
        mean_rate(*summary, rate, std::max(since_ns, snapshot.now_ns - 1'500'000'000), INT64_MAX);
    if (!before || !now || *now <= 0) continue;
    // A link that carried next to nothing of ours before: a byte of ours for each is the least to compare with.
    const double per_own_before = std::max(*before / own_before, 0.01);
    const double ratio = *now / own_now / per_own_before;
    // Where ours became less and the link carries what it did, nobody has come: what was there besides is still there.
    const double bounded = std::min(ratio, *now / std::max(*before, 1.0));
    if (!most || bounded > most->ratio) most = ForeignTraffic{bounded, *now, *before, link};
  }
  return most;
}

DeviceFlaps device_flaps(const DeviceSummary& device) {
  DeviceFlaps flaps;
  constexpr std::int64_t kCalmNs = 200'000'000;
  std::int64_t last_rise_ns = INT64_MIN / 2;
  for (std::size_t i = 1; i < device.history.size(); ++i) {
    const DeviceMoment& before = device.history[i - 1];
    const DeviceMoment& now = device.history[i];
    if (now.errors > before.errors) {
      // Risen again, after a reading without a rise.
      if (before.at_ns - last_rise_ns >= kCalmNs) ++flaps.error_bursts;
      last_rise_ns = now.at_ns;
      if (flaps.since_ns < 0) flaps.since_ns = now.at_ns;
    }
    if (now.links_active < before.links_active) {
      ++flaps.drops;
      if (flaps.since_ns < 0) flaps.since_ns = now.at_ns;
    }
  }
  return flaps;
}

}  // namespace peerscope
