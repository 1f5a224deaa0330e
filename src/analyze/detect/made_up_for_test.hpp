// Made-up runs for tests of detectors: operations between pairs and series with given times, with the
// noise of a busy machine (log-normal, with rare outliers).
#pragma once

#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include "analyze/aggregate.hpp"
#include "analyze/detect/detect.hpp"

namespace peerscope {

inline constexpr std::int64_t kSecond = 1'000'000'000, kMilli = 1'000'000;

class Noise {
 public:
  explicit Noise(unsigned seed) : random_(seed) {}
  // Times 1 as a rule; one of 200 is 5 to 25 times as long.
  double factor(double sigma = 0.08) {
    const double usual = std::exp(sigma * std::normal_distribution<double>()(random_));
    std::uniform_real_distribution<double> share(0, 1);
    return share(random_) < 0.005 ? usual * (5 + 20 * share(random_)) : usual;
  }
  std::mt19937& random() { return random_; }

 private:
  std::mt19937 random_;
};

// Every rank sends to every other once in each round of `round_ns`.
struct PairRun {
  int ranks = 8;
  std::int64_t round_ns = 8 * kMilli;
  double send_ns = 100'000;
  // How many times as long a send takes; seconds since the run began.
  std::function<double(int from, int to, double s)> slowdown = [](int, int, double) { return 1.0; };
};

inline void run_pairs(Aggregator& aggregator, const PairRun& run, double seconds, unsigned seed,
                      std::int64_t begin_ns = kSecond) {
  Noise noise(seed);
  std::uint64_t sequence = 0;
  const auto end_ns = begin_ns + static_cast<std::int64_t>(seconds * 1e9);
  for (std::int64_t at = begin_ns; at < end_ns; at += run.round_ns) {
    std::vector<Op> ops;
    for (int from = 0; from < run.ranks; ++from) {
      for (int to = 0; to < run.ranks; ++to) {
        if (from == to) continue;
        const double s = static_cast<double>(at - begin_ns) / 1e9;
        const double ns = run.send_ns * noise.factor() * run.slowdown(from, to, s);
        Op op;
        op.begin_ns = at;
        op.host_duration_ns = static_cast<std::int64_t>(ns);
        op.bytes = 4 << 20;
        op.sequence = sequence++;
        op.comm = 1;
        op.rank = op.device = static_cast<std::uint16_t>(from);
        op.peer = static_cast<std::uint16_t>(to);
        op.ranks = static_cast<std::uint16_t>(run.ranks);
        op.kind = Kind::send;
        op.algorithm = Algorithm::direct;
        ops.push_back(op);
      }
    }
    aggregator.advance(at);
    aggregator.add(ops);
  }
}

// Collectives of one kind and size whose ranks arrive together.
struct SeriesRun {
  int ranks = 4;
  std::int64_t every_ns = 2 * kMilli;
  Kind kind = Kind::all_reduce;
  std::uint64_t bytes = 1 << 20;
  Algorithm algorithm = Algorithm::ring;
  double transfer_ns = 50'000;
  std::function<double(double s)> slowdown = [](double) { return 1.0; };
};

inline void run_series(Aggregator& aggregator, const std::vector<SeriesRun>& runs, double seconds,
                       unsigned seed, std::int64_t begin_ns = kSecond) {
  Noise noise(seed);
  std::uint64_t sequence = 0;
  const auto end_ns = begin_ns + static_cast<std::int64_t>(seconds * 1e9);
  for (std::int64_t at = begin_ns; at < end_ns; at += runs.front().every_ns) {
    std::int64_t now = at;
    for (const SeriesRun& run : runs) {
      const double s = static_cast<double>(at - begin_ns) / 1e9;
      const double ns = run.transfer_ns * noise.factor() * run.slowdown(s);
      const auto end = now + 3'000 + static_cast<std::int64_t>(ns);
      std::vector<Arrival> arrivals;
      std::vector<Op> ops;
      for (int rank = 0; rank < run.ranks; ++rank) {
        const std::int64_t begin = now + rank * 3'000 / run.ranks;
        arrivals.push_back({begin, end, static_cast<std::uint16_t>(rank), OpStatus::ok});
        Op op;
        op.begin_ns = begin;
        op.host_duration_ns = end - begin;
        op.bytes = run.bytes;
        op.sequence = sequence;
        op.comm = 1;
        op.rank = static_cast<std::uint16_t>(rank);
        op.ranks = static_cast<std::uint16_t>(run.ranks);
        op.kind = run.kind;
        op.algorithm = run.algorithm;
        ops.push_back(op);
      }
      aggregator.advance(end);
      aggregator.add(ops);
      Collective collective;
      collective.comm = 1;
      collective.sequence = sequence++;
      collective.bytes = run.bytes;
      collective.first_ns = arrivals.front().begin_ns;
      collective.last_ns = arrivals.back().begin_ns;
      collective.end_ns = end;
      collective.ranks = static_cast<std::uint16_t>(run.ranks);
      collective.first_rank = 0;
      collective.last_rank = static_cast<std::uint16_t>(run.ranks - 1);
      collective.kind = run.kind;
      collective.algorithm = run.algorithm;
      collective.complete = true;
      collective.arrivals = arrivals;
      aggregator.add(collective);
      now = end + 10'000;
    }
  }
}

inline Snapshot snapshot_of(Aggregator& aggregator, std::int64_t now_ns) {
  Snapshot snapshot;
  snapshot.now_ns = now_ns;
  snapshot.aggregates = aggregator.snapshot(now_ns);
  return snapshot;
}

// Of warning and above.
inline std::vector<Finding> alarms(const Snapshot& snapshot) {
  std::vector<Finding> found = detect(snapshot);
  std::erase_if(found, [](const Finding& f) { return f.severity == Severity::info; });
  return found;
}

inline const Finding* find_kind(const std::vector<Finding>& found, std::string_view kind) {
  for (const Finding& finding : found) {
    if (finding.kind == kind) return &finding;
  }
  return nullptr;
}

inline double figure(const Finding& finding, std::string_view key) {
  for (const auto& [name, value] : finding.evidence) {
    if (name == key) return value;
  }
  return std::nan("");
}

}  // namespace peerscope
