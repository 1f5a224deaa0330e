#include "comm/sim/cost_book.hpp"

#include <algorithm>

#include "comm/algorithms.hpp"
#include "comm/cost_model.hpp"

namespace peerscope::sim {
namespace {

constexpr int kManyRanks = 64;

// Bytes per ns of each direction.
std::vector<double> capacities(const Topology& topology, const std::vector<LinkCondition>& links) {
  std::vector<double> out;
  for (std::size_t i = 0; i < topology.links.size(); ++i) {
    const double left = std::max(0.001, links[i].share * (1.0 - links[i].foreign));
    out.insert(out.end(), 2, topology.links[i].bytes_per_s / 1e9 * left);
  }
  return out;
}

bool is_one_to_one(Algorithm algorithm) {
  return algorithm != Algorithm::direct && algorithm != Algorithm::two_shot;
}

}  // namespace

CostBook::CostBook(const Topology& topology, const Routes& routes, const CostOptions& options)
    : topology_(topology), routes_(routes), options_(options) {
  states_.push_back(capacities(topology, std::vector<LinkCondition>(topology.links.size())));
}

void CostBook::set_links(const std::vector<LinkCondition>& links) {
  std::vector<double> now = capacities(topology_, links);
  if (now == states_[state_]) return;
  const auto known = std::find(states_.begin(), states_.end(), now);
  state_ = static_cast<std::size_t>(known - states_.begin());
  if (known == states_.end()) states_.push_back(std::move(now));
}

Result<const Schedule*> CostBook::schedule(Kind kind, Algorithm algorithm, int root) {
  const std::tuple key{kind, algorithm, root};
  auto found = schedules_.find(key);
  if (found == schedules_.end()) {
    auto made = make_schedule(kind, algorithm, topology_.ranks(), root);
    if (!made) return made.error();
    found = schedules_.emplace(key, std::move(*made)).first;
  }
  return &found->second;
}

Result<const Cost*> CostBook::collective(Kind kind, Algorithm algorithm, std::uint64_t bytes,
                                         int root) {
  const Key key{kind, algorithm, bytes, root, state_};
  if (const auto found = costs_.find(key); found != costs_.end()) return &found->second;
  const auto plan = schedule(kind, algorithm, root);
  if (!plan) return plan.error();
  Cost cost = run_schedule(**plan, bytes, topology_, routes_, states_[state_], options_);
  return &costs_.emplace(key, std::move(cost)).first->second;
}

const Cost& CostBook::shift(int by, std::uint64_t bytes) {
  const Key key{Kind::send, Algorithm::unknown, bytes, by, state_};
  if (const auto found = costs_.find(key); found != costs_.end()) return found->second;
  return costs_
      .emplace(key, run_shift(topology_.ranks(), by, bytes, topology_, routes_, states_[state_],
                              options_))
      .first->second;
}

Result<Algorithm> CostBook::fastest(Kind kind, std::uint64_t bytes) {
  const std::pair key{kind, bytes};
  if (const auto known = fastest_.find(key); known != fastest_.end()) return known->second;
  std::vector<Algorithm> candidates = supported_algorithms(kind);
  const bool many = topology_.ranks() > kManyRanks;
  if (many) {
    std::erase_if(candidates, [](Algorithm a) { return !is_one_to_one(a); });
    // A simulation of each would take seconds: the library's own model says which.
    const CostModel model{.hop_ns = 2'000,
                          .message_ns = options_.message_ns,
                          .byte_ns = 0.02,
                          .turn_bytes = 256 * 1024,
                          .cores = kMostRanks};
    Call call;
    call.kind = kind;
    call.count = bytes;
    std::stable_sort(candidates.begin(), candidates.end(), [&](Algorithm a, Algorithm b) {
      return estimate_ns(model, call, a, topology_.ranks()) <
             estimate_ns(model, call, b, topology_.ranks());
    });
    if (candidates.size() > 1) candidates.resize(1);
  }
  Algorithm best = candidates.empty() ? Algorithm::direct : candidates.front();
  if (candidates.size() > 1) {
    const std::size_t in_force = state_;
    state_ = 0;
    double least = 0;
    for (const Algorithm candidate : candidates) {
      const auto cost = collective(kind, candidate, bytes, 0);
      if (!cost) return cost.error();
      if (least == 0 || (*cost)->last_ns < least) best = candidate, least = (*cost)->last_ns;
    }
    state_ = in_force;
  }
  fastest_[key] = best;
  return best;
}

}  // namespace peerscope::sim
