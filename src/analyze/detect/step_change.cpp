// An operation takes longer from one moment on than it did before, and still does.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "analyze/detect/series_changes.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"
#include "model/size_class.hpp"

namespace peerscope {

Finding describe_step_change(const Snapshot& snapshot, Kind kind,
                             const std::vector<SeriesChange>& changes) {
  // Several sizes of one kind have one cause: the one that costs most speaks.
  const auto most = std::max_element(
      changes.begin(), changes.end(), [](const SeriesChange& a, const SeriesChange& b) {
        return a.time_share * (1 - 1 / a.step.ratio) < b.time_share * (1 - 1 / b.step.ratio);
      });
  const Step& step = most->step;
  const char* clock = name(most->row->history_clock);
  Finding finding;
  finding.kind = "step_change";
  finding.subject.operation = std::string(name(kind));
  const std::string since = since_in_words(step.since_ns, snapshot.now_ns);
  finding.sentence = fmt::format(
      "{} takes {} {}{}, before it took {}: {:.2f} times as long{}.",
      operation_name(kind, most->row->size_class, most->row->algorithm),
      format_duration(step.after_ns), clock, since.empty() ? "" : " " + since,
      format_duration(step.before_ns), step.ratio,
      changes.size() > 1 ? fmt::format("; {} of its sizes are slower", changes.size()) : "");
  finding.action =
      "Look for what changed then: clocks (nvidia-smi -q -d PERFORMANCE), another job, a "
      "setting; "
      "figures: peerscope report";
  finding.confidence = std::clamp(1.0 - std::exp(-step.z / 3.0), 0.5, 0.97);
  finding.since_ns = step.since_ns;
  double lost = 0;
  for (const SeriesChange& change : changes)
    lost += change.time_share * (1 - 1 / change.step.ratio);
  finding.impact = std::clamp(lost, 0.0, 1.0);
  finding.evidence = {{fmt::format("p50_{}_ns", clock), step.after_ns},
                      {fmt::format("p50_before_{}_ns", clock), step.before_ns},
                      {"slowdown_ratio", step.ratio},
                      {"rank_test_z", step.z},
                      {"message_bytes", static_cast<double>(size_class_top(most->row->size_class))},
                      {"series", static_cast<double>(changes.size())}};
  return finding;
}

}  // namespace peerscope
