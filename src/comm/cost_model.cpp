#include "comm/cost_model.hpp"

#include <algorithm>
#include <cmath>

#include "comm/algorithms.hpp"

namespace peerscope {
namespace {

// Of the busiest rank. Bytes count each reading and each writing.
struct Work {
  double hops = 0;      // one after the other
  double sleeps = 0;    // of a rank that has to wait for a core, in one round
  double messages = 0;  // of one round
  double bytes = 0;
  double average = 1;    // the average rank's work relative to the busiest
  double blocks = 1;     // into which the tensor is cut: a round moves one turn of each
  bool in_step = false;  // each round has all the hops: the next begins where this one ends
};

// `b`: bytes of the whole tensor.
Work direct(Kind kind, double n, double b) {
  Work work{.hops = 1, .sleeps = 1, .messages = 2 * (n - 1), .bytes = (3 * n - 1) * b};
  if (kind == Kind::all_gather || kind == Kind::reduce_scatter || kind == Kind::all_to_all) {
    work.bytes = 4 * b;
    work.blocks = n;
  } else if (has_root(kind)) {
    const bool cut = kind == Kind::gather;
    work.messages = n - 1;
    work.bytes = cut ? 2 * b : (n + 1) * b;
    work.average = cut ? 2 / n : 4 / (n + 1);
    work.blocks = cut ? n : 1;
  }
  return work;
}

Work two_shot(double n, double b) {
  return {.hops = 2,
          .sleeps = 2,
          .messages = 4 * (n - 1),
          .bytes = (7 - 5 / n) * b,
          .blocks = n,
          .in_step = true};
}

Work ring(Kind kind, double n, double b) {
  Work work{.hops = n - 1, .sleeps = n - 1, .messages = 2 * (n - 1), .bytes = 3 * b};
  if (has_root(kind)) {  // a chain
    work.sleeps = 1;
    work.messages = 2;
    return work;
  }
  work.blocks = n;
  work.in_step = true;
  if (kind == Kind::all_to_all) work.bytes = 4 * b;
  if (kind == Kind::all_reduce || kind == Kind::barrier) {
    work.hops = work.sleeps = 2 * (n - 1);
    work.messages = 4 * (n - 1);
    work.bytes = (6 - 4 / n) * b;
  }
  return work;
}

Work tree(Kind kind, double n, double b, double k) {
  const double depth = std::max(1.0, std::ceil(std::log(n * (k - 1) + 1) / std::log(k)) - 1);
  const double children = std::min(k, n - 1);
  if (kind == Kind::gather) {
    return {.hops = depth, .sleeps = 1, .messages = n, .bytes = 2 * b, .average = 0.5, .blocks = n};
  }
  const double ways = has_root(kind) ? 1 : 2;  // up, or down, or both
  return {.hops = ways * depth,
          .sleeps = ways,
          .messages = ways * (children + 1),
          .bytes = ways * (children + 2) * b,
          .average = 3 / (children + 2)};
}

double fan_out(double n) { return n <= 4 ? 2 : n <= 16 ? 4 : 8; }

Work work_of(Kind kind, Algorithm algorithm, double n, double b) {
  switch (algorithm) {
    case Algorithm::two_shot:
      return two_shot(n, b);
    case Algorithm::ring:
      return ring(kind, n, b);
    case Algorithm::binary_tree:
      return tree(kind, n, b, 2);
    case Algorithm::kary_tree:
      return tree(kind, n, b, 4);
    case Algorithm::balanced_tree:
      return tree(kind, n, b, fan_out(n));
    default:
      return direct(kind, n, b);
  }
}

}  // namespace

double estimate_ns(const CostModel& model, const Call& call, Algorithm algorithm, int ranks) {
  if (ranks < 2) return 0;
  const double bytes = static_cast<double>(call_bytes(call, ranks));
  const Work work = work_of(call.kind, algorithm, ranks, bytes);
  const double rounds = std::max(1.0, std::ceil(bytes / work.blocks / model.turn_bytes));
  const double own = work.messages * rounds * model.message_ns + work.bytes * model.byte_ns;
  const auto times = [&](double of_round) {
    return work.in_step ? of_round * rounds : of_round + rounds - 1;
  };
  if (ranks <= model.cores) return times(work.hops) * model.hop_ns + own;
  const double crowd = static_cast<double>(ranks) / std::max(1, model.cores);
  const double all = own * std::min(1.0, work.average) * crowd;
  return crowd * times(work.sleeps) * model.switch_ns + std::max(own, all);
}

Algorithm choose_algorithm(const CostModel& model, const Call& call, int ranks) {
  if (call.algorithm != Algorithm::unknown) return call.algorithm;
  Algorithm best = Algorithm::direct;
  double best_ns = INFINITY;
  for (const Strategy& strategy : strategies()) {
    if (std::find(strategy.kinds.begin(), strategy.kinds.end(), call.kind) == strategy.kinds.end())
      continue;
    const double ns = estimate_ns(model, call, strategy.algorithm, ranks);
    if (ns < best_ns) best = strategy.algorithm, best_ns = ns;
  }
  return best;
}

}  // namespace peerscope
