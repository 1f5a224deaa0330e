#include "analyze/debug/machine_changes.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/units.hpp"

namespace peerscope {
namespace {

class Comparison {
 public:
  Comparison(std::int64_t at_ns, std::vector<DebugEvent>& out) : at_ns_(at_ns), out_(out) {}

  void say(int device, EventSeverity severity, const char* kind, std::string text,
           std::optional<double> value = {}, const char* unit = "") {
    DebugEvent event;
    event.at_ns = at_ns_;
    event.severity = severity;
    event.kind = kind;
    event.text = std::move(text);
    if (device >= 0) event.device = static_cast<std::uint16_t>(device);
    event.value = value;
    event.unit = unit;
    out_.push_back(std::move(event));
  }

  void links(DeviceReading& known, const DeviceReading& now) {
    for (const LinkReading& link : now.links) {
      const auto before =
          std::find_if(known.links.begin(), known.links.end(),
                       [&](const LinkReading& other) { return other.link == link.link; });
      if (before == known.links.end()) {
        known.links.push_back(link);
        continue;
      }
      active(now.index, *before, link);
      if (!link.speed_bytes_per_s) continue;
      if (before->speed_bytes_per_s && *before->speed_bytes_per_s != *link.speed_bytes_per_s) {
        const bool slower = *link.speed_bytes_per_s < *before->speed_bytes_per_s;
        say(now.index, slower ? EventSeverity::warning : EventSeverity::info, "link_speed",
            fmt::format("GPU {} NVLink {} runs at {}, before at {}", now.index, link.link,
                        format_bandwidth(*link.speed_bytes_per_s),
                        format_bandwidth(*before->speed_bytes_per_s)),
            *link.speed_bytes_per_s, "bytes_per_s");
      }
      before->speed_bytes_per_s = link.speed_bytes_per_s;
    }
  }

  void pcie(DeviceReading& known, const DeviceReading& now) {
    PcieReading& before = known.pcie;
    if (now.pcie.width) {
      if (before.width && *before.width != *now.pcie.width) {
        const bool less = *now.pcie.width < *before.width;
        say(now.index, less ? EventSeverity::warning : EventSeverity::info, "pcie_width",
            fmt::format("GPU {}'s PCIe link is x{} wide, before x{}", now.index, *now.pcie.width,
                        *before.width),
            *now.pcie.width, "lanes");
      }
      before.width = now.pcie.width;
    }
    if (!now.pcie.generation) return;
    // An idle GPU lowers its generation to save power: nothing to worry about by itself.
    if (before.generation && *before.generation != *now.pcie.generation) {
      say(now.index, EventSeverity::debug, "pcie_generation",
          fmt::format("GPU {}'s PCIe link is at generation {}, before at {}", now.index,
                      *now.pcie.generation, *before.generation),
          *now.pcie.generation, "generation");
    }
    before.generation = now.pcie.generation;
  }

  void trouble(DeviceReading& known, const DeviceReading& now) {
    if (known.trouble.empty() && !now.trouble.empty())
      say(now.index, EventSeverity::error, "device_lost",
          fmt::format("GPU {} cannot be read any more: {}", now.index, now.trouble));
    if (!known.trouble.empty() && now.trouble.empty())
      say(now.index, EventSeverity::info, "device_back",
          fmt::format("GPU {} can be read again", now.index));
    known.trouble = now.trouble;
  }

 private:
  void active(int device, LinkReading& before, const LinkReading& now) {
    if (!now.active) return;
    if (before.active && *before.active != *now.active) {
      const std::string to =
          now.remote_device ? fmt::format(" (to GPU {})", *now.remote_device) : "";
      say(device, *now.active ? EventSeverity::info : EventSeverity::error,
          *now.active ? "link_up" : "link_down",
          fmt::format("GPU {} NVLink {}{} is {}", device, now.link, to,
                      *now.active ? "active again" : "no longer active"),
          now.link, "link");
    }
    before.active = now.active;
  }

  std::int64_t at_ns_;
  std::vector<DebugEvent>& out_;
};

void compare_paths(MachineReading& known, const MachineReading& now, Comparison& comparison) {
  for (const DevicePair& pair : now.pairs) {
    const auto before = std::find_if(known.pairs.begin(), known.pairs.end(), [&](const auto& p) {
      return p.from == pair.from && p.to == pair.to;
    });
    if (before == known.pairs.end()) {
      known.pairs.push_back(pair);
      continue;
    }
    if (!pair.path.empty() && !before->path.empty() && pair.path != before->path)
      comparison.say(pair.from, EventSeverity::warning, "path",
                     fmt::format("The path from GPU {} to GPU {} is {}, before {}", pair.from,
                                 pair.to, pair.path, before->path));
    if (!pair.path.empty()) before->path = pair.path;
  }
}

void say_xids(const MachineReading& reading, Comparison& comparison) {
  for (const XidEvent& xid : reading.xids) {
    comparison.say(xid.device, EventSeverity::error, "xid",
                   xid.device < 0
                       ? fmt::format("The driver reports XID {}", xid.xid)
                       : fmt::format("The driver reports XID {} on GPU {}", xid.xid, xid.device),
                   static_cast<double>(xid.xid), "xid");
  }
}

}  // namespace

std::vector<DebugEvent> MachineChanges::add(const MachineReading& reading) {
  std::vector<DebugEvent> events;
  Comparison comparison(reading.at_ns, events);
  if (!known_) {
    known_ = reading;
    say_xids(reading, comparison);
    return events;
  }
  for (const DeviceReading& now : reading.devices) {
    const auto before =
        std::find_if(known_->devices.begin(), known_->devices.end(),
                     [&](const DeviceReading& device) { return device.index == now.index; });
    if (before == known_->devices.end()) {
      comparison.say(now.index, EventSeverity::info, "device_new",
                     fmt::format("GPU {} is new", now.index));
      known_->devices.push_back(now);
      continue;
    }
    comparison.trouble(*before, now);
    if (!now.trouble.empty()) continue;  // nothing else is known of it
    comparison.links(*before, now);
    comparison.pcie(*before, now);
  }
  for (const DeviceReading& before : known_->devices) {
    const bool there =
        std::any_of(reading.devices.begin(), reading.devices.end(),
                    [&](const DeviceReading& device) { return device.index == before.index; });
    if (!there)
      comparison.say(before.index, EventSeverity::error, "device_gone",
                     fmt::format("GPU {} is gone", before.index));
  }
  std::erase_if(known_->devices, [&](const DeviceReading& before) {
    return std::none_of(reading.devices.begin(), reading.devices.end(),
                        [&](const DeviceReading& d) { return d.index == before.index; });
  });
  compare_paths(*known_, reading, comparison);
  say_xids(reading, comparison);
  return events;
}

}  // namespace peerscope
