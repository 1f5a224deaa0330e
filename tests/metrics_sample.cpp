// Prints metrics of a made-up job, for tests with other people's programs: metrics_sample FORMAT [STEPS].
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "metrics/document.hpp"
#include "metrics/openmetrics.hpp"
#include "metrics/otlp.hpp"
#include "metrics/scene_for_test.hpp"

namespace {

using namespace peerscope;

// What a program can put into names and numbers.
void add_hostile(Snapshot& snapshot) {
  const char* names[] = {"a\"b\\c\nd\r",
                         "",
                         "__name__",
                         "le",
                         "quantile",
                         "x_bucket",
                         "1st",
                         "x_total_total",
                         "\xC3(\xFF",
                         "</script><script>alert(1)</script>",
                         "peerscope_operations",
                         "# EOF",
                         "x} 1\n# EOF\n"};
  const double values[] = {-1.0, std::nan(""), HUGE_VAL, 1e300, 0.0};
  int index = 0;
  for (const char* name : names) {
    for (const MetricType type : {MetricType::counter, MetricType::gauge, MetricType::histogram}) {
      MetricView& metric = snapshot.metrics.emplace_back();
      metric.name = metric.unit = name;
      metric.type = type;
      metric.value = values[++index % 5];
      metric.count = 3;
      metric.p50 = values[index % 4];
    }
    Finding& finding = snapshot.findings.emplace_back();
    finding.kind = finding.subject.link = finding.subject.communicator = name;
    snapshot.communicators.insert(snapshot.communicators.begin(), {7, name});
    ProcessView& process = snapshot.processes.emplace_back();
    process.name = process.session = name;
  }
}

std::string text_of(const std::string& format, const Snapshot& snapshot) {
  MetricsOptions options;
  options.host = "host-a";
  options.nccl_names = options.dcgm_names = format.ends_with("-all");
  const ServerFigures server{.connections = 3,
                             .streams = 1,
                             .requests = {{200, 41}, {404, 1}},
                             .refused = {{"limit", 2}},
                             .memory_bytes = 40'000'000,
                             .processor_seconds = 1.5,
                             .push = PushFigures{5, 0, 0, ""}};
  if (format.starts_with("openmetrics")) return openmetrics(snapshot, options, server);
  if (format.starts_with("prometheus")) return prometheus_text(snapshot, options, server);
  if (format.starts_with("otlp"))
    return otlp_json(snapshot, options, server, snapshot.real_offset_ns);
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  const std::string format = argc > 1 ? argv[1] : "";
  if (format == "markdown") return std::fputs(metrics_markdown().c_str(), stdout) < 0;
  MetricsScene scene;
  std::shared_ptr<const Snapshot> snapshot = scene.step();
  for (int left = argc > 2 ? std::atoi(argv[2]) : 3; left > 1; --left) snapshot = scene.step();
  if (format.ends_with("-hostile")) {
    const auto hostile = scene.snapshot();
    add_hostile(*hostile);
    snapshot = hostile;
  }
  const std::string text = text_of(format, *snapshot);
  if (text.empty()) {
    std::fputs(
        "usage: metrics_sample markdown | openmetrics[-all] | prometheus[-all] | otlp[-all] "
        "[STEPS]\n",
        stderr);
    return 2;
  }
  return std::fputs(text.c_str(), stdout) < 0;
}
