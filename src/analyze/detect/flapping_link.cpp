// A link that goes and comes back: its pairs are slow now and then, or its errors rise in bursts.
#include <algorithm>

#include <fmt/format.h>

#include "analyze/detect/detectors.hpp"
#include "analyze/detect/link_verdicts.hpp"
#include "base/units.hpp"

namespace peerscope {
namespace {

constexpr const char* kWatchTheLink =
    "nvidia-smi nvlink -e and -s while it runs; reseat the bridge or cable; peerscope devices "
    "--watch";

Finding of_device(const DeviceSummary& device, const DeviceFlaps& flaps) {
  Finding out;
  out.kind = "flapping_link";
  out.subject.device = device.index;
  out.sentence = fmt::format(
      "GPU{}: errors of its links rose {} times, a link was lost {} times, with calm between: a "
      "link comes and goes.",
      device.index, flaps.error_bursts, flaps.drops);
  out.action = kWatchTheLink;
  out.confidence = 0.8;
  out.since_ns = flaps.since_ns;
  out.evidence = {{"error_bursts", static_cast<double>(flaps.error_bursts)},
                  {"links_lost", static_cast<double>(flaps.drops)}};
  return out;
}

}  // namespace

Finding describe_flapping_link(const Snapshot& snapshot, const LinkVerdict& verdict) {
  const LinkSuspect& suspect = verdict.suspect;
  Finding out = link_finding(snapshot, verdict.key, suspect);
  out.kind = "flapping_link";
  std::string counted;
  if (verdict.flaps.error_bursts > 0)
    counted += fmt::format("; errors rose {} times", verdict.flaps.error_bursts);
  if (verdict.flaps.drops > 0)
    counted += fmt::format("; a link was lost {} times", verdict.flaps.drops);
  out.sentence = fmt::format(
      "Transfers {} run at {} and {} in turns ({} clock){}{}: the link comes and goes.",
      link_words(suspect), format_bandwidth(suspect.before_bytes_per_s),
      format_bandwidth(suspect.now_bytes_per_s), name(std::get<Clock>(verdict.key)),
      suspect.flaps > 0 ? fmt::format(", {} times so far", suspect.flaps) : "", counted);
  out.action = kWatchTheLink;
  out.confidence = counted.empty() ? 0.8 : 0.95;
  if (suspect.flaps > 0) out.evidence.emplace_back("flaps", static_cast<double>(suspect.flaps));
  out.evidence.emplace_back("error_bursts", static_cast<double>(verdict.flaps.error_bursts));
  out.evidence.emplace_back("links_lost", static_cast<double>(verdict.flaps.drops));
  return out;
}

// What pairs do not show: devices whose links are not used now.
void detect_flapping_device(const Snapshot& snapshot, const DetectOptions& options,
                            std::vector<Finding>& out) {
  if (!snapshot.machine) return;
  for (const DeviceSummary& device : snapshot.machine->devices) {
    const bool told = std::any_of(out.begin(), out.end(), [&device](const Finding& finding) {
      return finding.kind == "flapping_link" && finding.subject.device == device.index;
    });
    if (told) continue;
    const DeviceFlaps flaps = device_flaps(device);
    if (flaps.drops >= 2 ||
        (flaps.drops > 0 && flaps.error_bursts >= options.link.min_error_bursts))
      out.push_back(of_device(device, flaps));
  }
}

}  // namespace peerscope
