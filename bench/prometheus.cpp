// prometheus-cpp: two counters and a histogram of the duration; by handle, and looked up by labels.
// No record of the single operation is kept.
#include <string>

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "peers.hpp"

namespace peerscope::peers {
namespace {

using prometheus::Histogram;

Histogram::BucketBoundaries octaves() {
  Histogram::BucketBoundaries boundaries;
  for (double seconds = 1e-6; seconds < 1; seconds *= 2) boundaries.push_back(seconds);
  return boundaries;
}

struct Metrics {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& operations =
      prometheus::BuildCounter().Name("operations").Register(registry);
  prometheus::Family<prometheus::Counter>& bytes =
      prometheus::BuildCounter().Name("bytes").Register(registry);
  prometheus::Family<Histogram>& seconds =
      prometheus::BuildHistogram().Name("seconds").Register(registry);
  std::array<prometheus::Labels, kDevices> labels;
  std::array<prometheus::Counter*, kDevices> operations_of{}, bytes_of{};
  std::array<Histogram*, kDevices> seconds_of{};
  Histogram::BucketBoundaries boundaries = octaves();

  Metrics() {
    for (std::size_t i = 0; i < kDevices; ++i) {
      labels[i] = {{"kind", "send"}, {"algorithm", "ring"}, {"source", std::to_string(i)}};
      operations_of[i] = &operations.Add(labels[i]);
      bytes_of[i] = &bytes.Add(labels[i]);
      seconds_of[i] = &seconds.Add(labels[i], boundaries);
    }
  }
};

double seconds_between(std::uint64_t begin_ns, std::uint64_t end_ns) {
  return static_cast<double>(end_ns - begin_ns) * 1e-9;
}

}  // namespace

void add_prometheus(Bench& bench) {
  static Metrics metrics;
  add_row(bench, "prometheus-cpp, by handle", [](const Operation& o) {
    const std::uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
    const std::uint64_t end_ns = clock_ns(CLOCK_MONOTONIC);
    metrics.operations_of[o.source]->Increment();
    metrics.bytes_of[o.source]->Increment(static_cast<double>(o.bytes));
    metrics.seconds_of[o.source]->Observe(seconds_between(begin_ns, end_ns));
  });
  add_row(bench, "prometheus-cpp, by labels", [](const Operation& o) {
    const std::uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
    const std::uint64_t end_ns = clock_ns(CLOCK_MONOTONIC);
    const prometheus::Labels& labels = metrics.labels[o.source];
    metrics.operations.Add(labels).Increment();
    metrics.bytes.Add(labels).Increment(static_cast<double>(o.bytes));
    metrics.seconds.Add(labels, metrics.boundaries).Observe(seconds_between(begin_ns, end_ns));
  });
}

}  // namespace peerscope::peers
