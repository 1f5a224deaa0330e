// What has a cause among the findings is no trouble of its own: it is said, but as information.
#include <algorithm>
#include <string_view>

#include "analyze/detect/detectors.hpp"

namespace peerscope {
namespace {

constexpr std::string_view kLinks[] = {"slow_link", "contention", "flapping_link", "degraded_pcie",
                                       "link_errors"};
constexpr std::string_view kHang[] = {"hang", "mismatch"};

struct Rule {
  std::string_view symptom;
  std::span<const std::string_view> causes;
};
// A slow link makes every collective over it slow; a hang makes a straggler of who does not come.
constexpr Rule kRules[] = {
    {"step_change", kLinks},        {"drift", kLinks},    {"slow_operation", kLinks},
    {"low_bandwidth_pair", kLinks}, {"straggler", kHang}, {"step_change", kHang},
    {"slow_operation", kHang},
};

bool explains(const Finding& cause, const Finding& symptom) {
  if (cause.severity == Severity::info || &cause == &symptom) return false;
  const std::string &one = cause.subject.communicator, &other = symptom.subject.communicator;
  if (!one.empty() && !other.empty() && one != other) return false;
  constexpr std::int64_t kBeforeNs =
      3'000'000'000;  // the cause may be seen to begin a little later
  if (symptom.since_ns < 0) return true;
  if (cause.since_ns < 0) return false;  // it was there before anything became slower
  return cause.since_ns <= symptom.since_ns + kBeforeNs;
}

}  // namespace

void explain_symptoms(std::vector<Finding>& findings) {
  for (const Rule& rule : kRules) {
    for (Finding& symptom : findings) {
      if (symptom.kind != rule.symptom || symptom.severity == Severity::info) continue;
      for (const Finding& cause : findings) {
        const bool is_cause =
            std::find(rule.causes.begin(), rule.causes.end(), cause.kind) != rule.causes.end();
        if (!is_cause || !explains(cause, symptom)) continue;
        symptom.severity = Severity::info;
        symptom.sentence += " That may come of: " + cause.kind + ".";
        break;
      }
    }
  }
}

}  // namespace peerscope
