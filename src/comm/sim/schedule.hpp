// The real plans of src/comm as messages between ranks: who sends what to whom, after what.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "comm/plan.hpp"
#include "comm/sim/topology.hpp"

namespace peerscope::sim {

struct Message {
  int from = 0, to = 0;           // ranks
  int sent_by = 0, taken_by = 0;  // steps, counted over all ranks
  int lane = 0;                   // of one sender to one receiver, in order
  bool whole = false;             // the whole tensor, not one rank's block
};

struct ScheduledStep {
  int rank = 0;
  int after = -1, behind = -1;  // see comm/plan.hpp
};

// All ranks' plans of one collective, whatever its size.
struct Schedule {
  int ranks = 0, lanes = 0;
  bool pipelined = false;  // the tensor goes through several ranks in pieces
  std::vector<ScheduledStep> steps;
  std::vector<Message> messages;
  // Of each step: its messages out, its messages in, and the steps that wait for it.
  std::vector<int> out_begin, out, in_begin, in, next_begin, next;

  static std::span<const int> list(const std::vector<int>& begins, const std::vector<int>& items,
                                   int index) {
    const auto i = static_cast<std::size_t>(index);
    return std::span(items).subspan(static_cast<std::size_t>(begins[i]),
                                    static_cast<std::size_t>(begins[i + 1] - begins[i]));
  }
};

Result<Schedule> make_schedule(Kind kind, Algorithm algorithm, int ranks, int root);

// What a schedule costs where all ranks begin at 0.
struct Cost {
  std::vector<double> end_ns;  // of each rank
  double last_ns = 0;
  std::vector<std::pair<int, double>> bytes;  // over each directed link that is used
};

struct CostOptions {
  double message_ns = 250;              // what sender and receiver do for each message
  std::uint64_t piece_bytes = 262'144;  // of a pipelined tensor (comm/plan.hpp, turns)
  int most_pieces = 16;
};

// `capacities`: bytes per ns of each directed link, in force throughout.
Cost run_schedule(const Schedule& schedule, std::uint64_t bytes, const Topology& topology,
                  const Routes& routes, std::span<const double> capacities,
                  const CostOptions& options);

// Each rank r sends `bytes` to rank (r + shift) mod n, all at once. end_ns[r]: when it has arrived.
Cost run_shift(int ranks, int shift, std::uint64_t bytes, const Topology& topology,
               const Routes& routes, std::span<const double> capacities,
               const CostOptions& options);

double latency_ns(const Topology& topology, const Route& route);

}  // namespace peerscope::sim
