// Prints metrics of a made-up job, for tests with other people's programs: metrics_sample FORMAT [STEPS].
#include <cstdio>
#include <cstdlib>
#include <string>

#include "metrics/document.hpp"
#include "metrics/openmetrics.hpp"
#include "metrics/otlp.hpp"
#include "metrics/scene_for_test.hpp"

namespace {

using namespace peerscope;

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
