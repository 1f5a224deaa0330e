// Somebody else uses a link, too: ours has become slow, and more goes over it than we send.
#include <algorithm>

#include <fmt/format.h>

#include "analyze/detect/detectors.hpp"
#include "analyze/detect/link_verdicts.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"

namespace peerscope {

Finding describe_contention(const Snapshot& snapshot, const LinkVerdict& verdict) {
  const LinkSuspect& suspect = verdict.suspect;
  const ForeignTraffic& foreign = *verdict.foreign;
  Finding finding = link_finding(snapshot, verdict.key, suspect);
  finding.kind = "contention";
  const std::string since = since_in_words(suspect.since_ns, snapshot.now_ns);
  finding.sentence = fmt::format(
      "Transfers {} run at {} ({} clock), {:.1f} times slower than before{}, while {} of GPU{} "
      "carries {} and carried {}: somebody else uses it, too.",
      link_words(suspect), format_bandwidth(suspect.now_bytes_per_s),
      name(std::get<Clock>(verdict.key)), suspect.slowdown, since.empty() ? "" : ", " + since,
      foreign.link, *verdict.device, format_bandwidth(foreign.now_bytes_per_s),
      format_bandwidth(foreign.before_bytes_per_s));
  finding.action = fmt::format(
      "Find the other job: nvidia-smi (processes of GPU{} and of those on its links); give each "
      "its own devices",
      *verdict.device);
  finding.confidence = std::clamp(1.0 - 0.5 / foreign.ratio, 0.5, 0.95);
  finding.evidence.emplace_back("link_bytes_per_s", foreign.now_bytes_per_s);
  finding.evidence.emplace_back("link_before_bytes_per_s", foreign.before_bytes_per_s);
  finding.evidence.emplace_back("foreign_ratio", foreign.ratio);
  return finding;
}

}  // namespace peerscope
