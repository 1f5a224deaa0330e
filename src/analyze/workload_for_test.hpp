// A made-up job for tests: ranks that compute, meet in an all_reduce and go on, with the noise of a
// busy machine.
#pragma once

#include <algorithm>
#include <random>
#include <vector>

#include "analyze/aggregate.hpp"

namespace peerscope {

struct WorkloadOptions {
  std::uint16_t ranks = 4;
  double compute_ns = 30'000;
  double jitter_ns = 50'000;   // exponential, each rank, each collective
  double stall_share = 0.005;  // of (rank, collective): 1 to 4 ms off the processor
  double transfer_ns = 12'000;
  int slow_rank = -1;
  double slow_ns = 0;
  std::int64_t slow_from_ns = 0;  // since the workload began
  bool operations = true;         // feed them beside the collectives
  std::int64_t begin_ns = 1'000'000'000;
};

class Workload {
 public:
  Workload(const WorkloadOptions& options, unsigned seed)
      : options_(options),
        random_(seed),
        free_ns_(options.ranks, options.begin_ns),
        now_ns_(options.begin_ns) {}

  // Runs on for `ns` and feeds what happened, as a drain would: late by up to `ns`, then the clock.
  void run(Aggregator& aggregator, std::int64_t ns) {
    now_ns_ += ns;
    aggregator.advance(now_ns_);
    while (*std::max_element(free_ns_.begin(), free_ns_.end()) < now_ns_) step(aggregator);
  }
  [[nodiscard]] std::int64_t now_ns() const { return now_ns_; }

 private:
  double late_ns(int rank, std::int64_t at_ns) {
    double late = std::exponential_distribution<double>(1.0 / options_.jitter_ns)(random_);
    std::uniform_real_distribution<double> share(0.0, 1.0);
    if (share(random_) < options_.stall_share) late += 1e6 + 3e6 * share(random_);
    const bool slow =
        rank == options_.slow_rank && at_ns >= options_.begin_ns + options_.slow_from_ns;
    return slow ? late + options_.slow_ns : late;
  }

  void step(Aggregator& aggregator) {
    std::vector<Arrival> arrivals(options_.ranks);
    for (std::uint16_t rank = 0; rank < options_.ranks; ++rank) {
      const std::int64_t free_ns = free_ns_[rank];
      const double work_ns = options_.compute_ns + late_ns(rank, free_ns);
      arrivals[rank] = {free_ns + static_cast<std::int64_t>(work_ns), 0, rank, OpStatus::ok};
    }
    const auto by_begin = [](const Arrival& a, const Arrival& b) {
      return a.begin_ns < b.begin_ns;
    };
    const auto [first, last] = std::minmax_element(arrivals.begin(), arrivals.end(), by_begin);
    const std::int64_t end_ns = last->begin_ns + static_cast<std::int64_t>(options_.transfer_ns);
    std::vector<Op> ops;
    for (Arrival& arrival : arrivals) {
      arrival.end_ns = free_ns_[arrival.rank] = end_ns;
      if (!options_.operations) continue;
      ops.push_back({.begin_ns = arrival.begin_ns,
                     .host_duration_ns = end_ns - arrival.begin_ns,
                     .bytes = 16384,
                     .sequence = sequence_,
                     .comm = 7,
                     .rank = arrival.rank,
                     .ranks = options_.ranks,
                     .kind = Kind::all_reduce,
                     .algorithm = Algorithm::ring});
    }
    if (options_.operations) aggregator.add(ops);
    aggregator.add({.comm = 7,
                    .sequence = sequence_++,
                    .bytes = 16384,
                    .first_ns = first->begin_ns,
                    .last_ns = last->begin_ns,
                    .end_ns = end_ns,
                    .ranks = options_.ranks,
                    .first_rank = first->rank,
                    .last_rank = last->rank,
                    .kind = Kind::all_reduce,
                    .algorithm = Algorithm::ring,
                    .backend = Backend::host,
                    .complete = true,
                    .arrivals = arrivals});
  }

  WorkloadOptions options_;
  std::mt19937 random_;
  std::vector<std::int64_t> free_ns_;
  std::int64_t now_ns_;
  std::uint64_t sequence_ = 0;
};

}  // namespace peerscope
