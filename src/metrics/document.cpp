#include "metrics/document.hpp"

#include <fmt/format.h>

#include "metrics/collect.hpp"

namespace peerscope {
namespace metrics {
namespace {

// What the sample is called.
std::string shown_name(const Family& family) {
  if (family.type == FamilyType::counter) return family.name + "_total";
  return family.type == FamilyType::info ? family.name + "_info" : family.name;
}

const char* shown_type(FamilyType type) {
  constexpr const char* kNames[] = {"counter", "gauge", "histogram", "summary", "info", "unknown"};
  return kNames[static_cast<int>(type)];
}

std::string labels_of(const Group& group) {
  std::string out;
  for (const std::string& label : group.labels) out += (out.empty() ? "" : ", ") + label;
  return out.empty() ? "–" : out;
}

constexpr const char* kHead =
    R"(# Metrics

<!-- Made from src/metrics by ./dev docs. Change it there. -->

`GET /metrics` in OpenMetrics 1.0, or in Prometheus' text 0.0.4 for who does not accept it; the same pushed by OTLP
(`metrics.otlp_url`, [configuration](configuration.md)). Grafana and Prometheus: [integrations](../integrations/).

- Seconds, bytes, shares of 1. A value that is unknown is not there; none is ever 0 for that reason.
- Counters are since this reader attached. They never fall while it runs.
- Histograms have one bucket an octave, from 1 µs to 8.6 s. A bound is the last whole nanosecond of its octave (1.023 µs, 2.047 µs),
  so that each duration is counted where it belongs.
- At most `metrics.max_series` series (2,000), shared out among the groups below. In each the largest rows have series of their own and
  keep them; the rest adds up in label value `other`, of counters and histograms, or is left out. `peerscope_series_left_out` says how many.
- A label that a row has not got is left out. `operation="other"` is also what is no operation of a known kind.
- A metric `NAME` that the program sets itself is `peerscope_user_NAME`, in the program's unit; its label `metric` has the name as written.

| metric | type | labels | is |
|---|---|---|---|
)";

}  // namespace
}  // namespace metrics

std::string metrics_markdown() {
  using namespace metrics;
  MetricsOptions options;
  options.nccl_names = options.dcgm_names = true;
  std::string out = kHead;
  for (const Group& group : collect({}, options, {}, nullptr).groups) {
    for (const Family& family : group.families) {
      out += fmt::format("| `{}` | {} | {} | {} |\n", shown_name(family), shown_type(family.type),
                         labels_of(group), family.help);
    }
  }
  out +=
      "\n`nccl_*` are there with `metrics.nccl_names`, of NCCL's communicators; `DCGM_*` with "
      "`metrics.dcgm_names`.\n";
  return out;
}

}  // namespace peerscope
