// Pushes metrics to an OpenTelemetry collector: OTLP over HTTP, JSON, gzip.
//
// Counters are cumulative, so that a push that failed is made good by the next: nothing is queued, and what is sent again
// is the latest, not what failed. One thread of its own, one request at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "metrics/openmetrics.hpp"

namespace peerscope {

struct OtlpOptions {
  std::string url;  // "http://127.0.0.1:4318": what follows, /v1/metrics, is added
  std::int64_t interval_ns = 10'000'000'000;
  std::int64_t timeout_ns = 10'000'000'000;     // of one request
  std::int64_t first_retry_ns = 1'000'000'000;  // doubled each time, up to most_retry_ns
  std::int64_t most_retry_ns = 60'000'000'000;
  std::vector<std::pair<std::string, std::string>> headers;  // may hold secrets: never shown
  MetricsOptions metrics;
};

// ExportMetricsServiceRequest in proto3's JSON. Times are of the system; `start_real_ns`: when counters began.
std::string otlp_json(const Snapshot& snapshot, const MetricsOptions& options,
                      const ServerFigures& server, std::int64_t start_real_ns,
                      SeriesChoice* choice = nullptr);

class OtlpPusher {
 public:
  using Source = std::function<std::shared_ptr<const Snapshot>()>;  // called on the pusher's thread

  // Fails with one sentence where the address or a header is none.
  static Result<std::unique_ptr<OtlpPusher>> open(const OtlpOptions& options, Source source);
  ~OtlpPusher();  // within about a second, whatever the receiver does
  OtlpPusher(const OtlpPusher&) = delete;
  OtlpPusher& operator=(const OtlpPusher&) = delete;

  [[nodiscard]] PushFigures figures() const;

 private:
  struct State;
  explicit OtlpPusher(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace peerscope
