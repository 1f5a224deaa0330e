#include "analyze/plan/plan_moves.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "comm/algorithms.hpp"
#include "comm/call.hpp"

namespace peerscope {
namespace {

constexpr int kBeingFound = -1;

const char* phase_name(Phase phase) {
  constexpr const char* kNames[] = {"send", "reduce", "gather"};
  return kNames[static_cast<int>(phase)];
}

// The round of each step's messages, over all ranks.
class Rounds {
 public:
  explicit Rounds(const std::vector<Plan>& plans) : plans_(plans) {
    for (std::size_t rank = 0; rank < plans.size(); ++rank) {
      rounds_.emplace_back(plans[rank].steps.size(), 0);
      for (std::size_t step = 0; step < plans[rank].steps.size(); ++step) {
        for (const int target : plans[rank].steps[step].targets) {
          if (target != static_cast<int>(rank))
            sent_[{static_cast<int>(rank), target}].push_back(static_cast<int>(step));
        }
      }
    }
  }

  // 1 for what needs nothing from anybody.
  int of(int rank, int step) {
    int& known = rounds_[static_cast<std::size_t>(rank)][static_cast<std::size_t>(step)];
    if (known != 0) return std::max(known, 1);  // a circle would be a fault of the plan
    known = kBeingFound;
    const Step& s = plans_[static_cast<std::size_t>(rank)].steps[static_cast<std::size_t>(step)];
    int round = 1;
    for (const int source : s.sources) {
      if (source == rank) continue;
      const int theirs = sender_of(source, rank, step);
      if (theirs != kNoStep) round = std::max(round, of(source, theirs) + 1);
    }
    if (s.behind != kNoStep) round = std::max(round, of(rank, s.behind));
    // of() may not have moved the vector: sizes are final.
    rounds_[static_cast<std::size_t>(rank)][static_cast<std::size_t>(step)] = round;
    return round;
  }

 private:
  // The step of `source` whose message is the one that `step` of `rank` takes: on a channel both sides
  // go in the order of their steps.
  int sender_of(int source, int rank, int step) const {
    std::size_t nth = 0;
    const std::vector<Step>& steps = plans_[static_cast<std::size_t>(rank)].steps;
    for (int i = 0; i < step; ++i) {
      const std::vector<int>& sources = steps[static_cast<std::size_t>(i)].sources;
      nth += std::find(sources.begin(), sources.end(), source) != sources.end() ? 1 : 0;
    }
    const auto sent = sent_.find({source, rank});
    return sent == sent_.end() || nth >= sent->second.size() ? kNoStep : sent->second[nth];
  }

  const std::vector<Plan>& plans_;
  std::vector<std::vector<int>> rounds_;
  std::map<std::pair<int, int>, std::vector<int>> sent_;  // by channel: the sender's steps
};

// As Blocks splits them: even, the larger ones first.
std::int64_t bytes_of(const Op& op, int block) {
  if (op.kind == Kind::barrier) return 0;
  if (block == kWhole) return static_cast<std::int64_t>(op.bytes);
  const std::uint64_t element = dtype_bytes(op.dtype);
  if (element == 0 || op.kind == Kind::gather) return -1;
  const std::uint64_t elements = op.bytes / element;
  const std::uint64_t larger = elements % op.ranks;
  const bool is_larger = static_cast<std::uint64_t>(block) < larger;
  return static_cast<std::int64_t>((elements / op.ranks + (is_larger ? 1 : 0)) * element);
}

}  // namespace

Result<std::vector<PlannedMove>> plan_moves(const Op& op) {
  if (op.algorithm == Algorithm::unknown)
    return Error{ErrorCode::unsupported, "the record does not say which algorithm ran"};
  if (op.ranks < 1 || op.ranks > kMaxRanks)
    return Error{ErrorCode::unsupported,
                 fmt::format("plans are of 1 to {} ranks, and this has {}", kMaxRanks, op.ranks)};
  if (op.backend == Backend::nccl || op.backend == Backend::exllama)
    return Error{ErrorCode::unsupported,
                 fmt::format("{} does not tell its plan", name(op.backend))};
  std::vector<Plan> plans;
  for (int rank = 0; rank < op.ranks; ++rank) {
    const int root = has_root(op.kind) && op.peer < op.ranks ? op.peer : 0;
    Result<Plan> plan = make_plan(op.algorithm, {op.kind, rank, op.ranks, root});
    if (!plan) return plan.error();
    plans.push_back(std::move(*plan));
  }
  Rounds rounds(plans);
  std::vector<PlannedMove> moves;
  for (int rank = 0; rank < op.ranks; ++rank) {
    const std::vector<Step>& steps = plans[static_cast<std::size_t>(rank)].steps;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      for (const int target : steps[i].targets) {
        if (target == rank) continue;
        moves.push_back({rounds.of(rank, static_cast<int>(i)), rank, target, steps[i].block,
                         bytes_of(op, steps[i].block), phase_name(steps[i].phase)});
      }
    }
  }
  std::stable_sort(moves.begin(), moves.end(), [](const PlannedMove& a, const PlannedMove& b) {
    return std::tuple(a.round, a.from, a.to) < std::tuple(b.round, b.from, b.to);
  });
  return moves;
}

}  // namespace peerscope
