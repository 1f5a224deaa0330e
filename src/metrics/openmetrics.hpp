// A Snapshot as metrics for others: OpenMetrics 1.0 and Prometheus' older text. Pure functions. docs/metrics.md lists all.
//
// Counters are since this reader attached, and never fall while one Snapshot follows another: see SeriesChoice.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "analyze/snapshot.hpp"

namespace peerscope {

inline constexpr const char* kOpenMetricsType =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";
inline constexpr const char* kPrometheusTextType = "text/plain; version=0.0.4; charset=utf-8";

struct MetricsOptions {
  std::size_t max_series = 2000;  // in all: the largest have their own, the rest adds up to "other"
  bool nccl_names = false;        // also as NVIDIA's Inspector writes them
  bool dcgm_names = false;        // also as dcgm-exporter writes them
  std::string host;               // of the names of others; "": unknown
  std::string slurm_job_id;       // "": none
};

struct PushFigures {  // of OtlpPusher
  std::uint64_t sent = 0, failed = 0, rejected_points = 0;
  std::string last_error;  // "": none since the last success
};

// What the server says of itself. Absent: not known, not written.
struct ServerFigures {
  std::optional<std::uint64_t> connections, streams;           // open now
  std::vector<std::pair<int, std::uint64_t>> requests;         // answered, by HTTP's status
  std::vector<std::pair<std::string, std::uint64_t>> refused;  // by reason: "limit", "token"
  std::optional<std::uint64_t> memory_bytes;
  std::optional<double> processor_seconds;
  std::optional<PushFigures> push;
};

// Which rows have series of their own. What once had them keeps them: if a row moved from "other" to a series of its
// own, "other" would fall, and a counter that falls is taken for one that began anew. One for each reader of a session.
struct SeriesChoice {
  std::mutex mutex;
  std::unordered_map<std::string, std::unordered_set<std::uint64_t>>
      named;  // by a group's first family
};

// Without a choice the largest rows are named, whatever was named before.
std::string openmetrics(const Snapshot& snapshot, const MetricsOptions& options,
                        const ServerFigures& server, SeriesChoice* choice = nullptr);
// Format 0.0.4, for who does not accept OpenMetrics.
std::string prometheus_text(const Snapshot& snapshot, const MetricsOptions& options,
                            const ServerFigures& server, SeriesChoice* choice = nullptr);

}  // namespace peerscope
