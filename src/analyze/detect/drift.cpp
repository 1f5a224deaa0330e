// An operation takes longer and longer.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "analyze/detect/series_changes.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"
#include "model/size_class.hpp"

namespace peerscope {

Finding describe_drift(const Snapshot&, Kind kind, const std::vector<SeriesChange>& changes) {
  const auto most = std::max_element(
      changes.begin(), changes.end(), [](const SeriesChange& a, const SeriesChange& b) {
        return a.time_share * a.trend.growth < b.time_share * b.trend.growth;
      });
  const Trend& trend = most->trend;
  const char* clock = name(most->row->history_clock);
  const double over_s = static_cast<double>(most->end_ns - most->since_ns) / 1e9;
  Finding finding;
  finding.kind = "drift";
  finding.subject.operation = std::string(name(kind));
  finding.sentence = fmt::format(
      "{} takes longer and longer: {} {} now, {} {} ago, {} more each second.",
      operation_name(kind, most->row->size_class, most->row->algorithm),
      format_duration(trend.end_ns), clock, format_duration(trend.begin_ns),
      format_duration(over_s * 1e9), format_percent(trend.growth / std::max(over_s, 1e-3)));
  finding.action =
      "Look for what grows: temperature and clocks, memory, queues; as a curve: peerscope export";
  finding.confidence = std::clamp(1.0 - std::exp(-trend.z / 4.0), 0.5, 0.95);
  finding.since_ns = most->since_ns;
  finding.impact = std::clamp(most->time_share * trend.growth / (1 + trend.growth), 0.0, 1.0);
  finding.evidence = {{fmt::format("p50_{}_ns", clock), trend.end_ns},
                      {fmt::format("p50_before_{}_ns", clock), trend.begin_ns},
                      {"growth_share", trend.growth},
                      {"over_ns", over_s * 1e9},
                      {"trend_test_z", trend.z},
                      {"message_bytes", static_cast<double>(size_class_top(most->row->size_class))},
                      {"series", static_cast<double>(changes.size())}};
  return finding;
}

}  // namespace peerscope
