#include "analyze/debug/errors.hpp"

#include <algorithm>

namespace peerscope {
namespace {

std::int64_t end_of(const Op& op) {
  return op.begin_ns + std::max<std::int64_t>(op.host_duration_ns, 0);
}

}  // namespace

ErrorTracker::Outcome ErrorTracker::add(const Op& op) {
  if (op.device_only) return Outcome::none;
  operations_ += op.weight;
  if (op.comm != last_comm_) see(op.comm, op.begin_ns);
  // Healthy runs end here.
  const bool good = op.status == OpStatus::ok;
  if (good && open_.empty()) return Outcome::none;
  const bool recovered = !open_.empty() && try_again(op);
  if (!good) {
    fail(op);
    return Outcome::failed;
  }
  return recovered ? Outcome::recovered : Outcome::none;
}

void ErrorTracker::see(std::uint64_t comm, std::int64_t begin_ns) {
  last_comm_ = comm;
  if (comms_.size() < kMostComms) comms_.emplace(comm, begin_ns);
}

TrackedError* ErrorTracker::error(std::uint64_t number) {
  const bool kept = number >= first_ && number - first_ < errors_.size();
  return kept ? &errors_[number - first_] : nullptr;
}

bool ErrorTracker::is_successor(std::uint64_t comm, const Open& open) const {
  if (comm == open.comm) return true;
  const auto seen = comms_.find(comm);
  return seen != comms_.end() && seen->second >= open.at_ns;
}

// Whether an error is over by it.
bool ErrorTracker::try_again(const Op& op) {
  const std::uint64_t thread = op.rank == kNoRank ? std::uint64_t{op.process} << 32 | op.thread : 0;
  const auto found = open_.find({op.kind, op.rank, op.peer, thread});
  if (found == open_.end()) return false;
  std::vector<Open>& all = found->second;
  bool any = false;
  std::erase_if(all, [&](Open& open) {
    if (op.begin_ns < open.at_ns || !is_successor(op.comm, open)) return false;
    TrackedError* known = error(open.number);
    const auto group = groups_.find(open.group);
    if (known != nullptr) ++known->tries;
    if (group != groups_.end() && !open.tried) ++group->second.tried_again;
    open.tried = true;
    if (op.status != OpStatus::ok) return false;
    const std::int64_t took_ns = end_of(op) - open.at_ns;
    latest_recovery_ns_ = any ? std::max(latest_recovery_ns_, took_ns) : took_ns;
    any = true;
    --open_count_;
    if (known != nullptr) {
      known->recovered = true;
      known->recovery_ns = took_ns;
    }
    if (group == groups_.end()) return true;
    ErrorGroup& g = group->second;
    ++g.recovered;
    g.recovery_sum_ns += took_ns;
    g.recovery_least_ns = g.recovered == 1 ? took_ns : std::min(g.recovery_least_ns, took_ns);
    g.recovery_most_ns = std::max(g.recovery_most_ns, took_ns);
    return true;
  });
  if (all.empty()) open_.erase(found);
  return any;
}

void ErrorTracker::fail(const Op& op) {
  failed_ += op.weight;
  const std::int64_t at_ns = end_of(op);
  const GroupKey key{op.status, op.kind, op.comm};
  auto group = groups_.find(key);
  if (group == groups_.end() && groups_.size() < options_.max_groups) {
    group = groups_.emplace(key, ErrorGroup{}).first;
    ErrorGroup& g = group->second;
    g.type = op.status;
    g.operation = op.kind;
    g.comm = op.comm;
    g.first_ns = g.last_ns = at_ns;
    g.first_sequence = g.last_sequence = op.sequence;
  }
  if (group == groups_.end()) {
    ungrouped_ += op.weight;
  } else {
    ErrorGroup& g = group->second;
    g.count += op.weight;
    ++g.errors;
    g.first_ns = std::min(g.first_ns, at_ns);
    g.last_ns = std::max(g.last_ns, at_ns);
    g.first_sequence = std::min(g.first_sequence, op.sequence);
    g.last_sequence = std::max(g.last_sequence, op.sequence);
    if (op.rank != kNoRank && g.ranks.size() < kMostRanks) g.ranks.insert(op.rank);
    if (op.peer != kNoPeer && !is_collective(op.kind) && g.pairs.size() < kMostRanks)
      g.pairs.insert({op.rank, op.peer});
  }
  const std::uint64_t number = first_ + errors_.size();
  errors_.push_back({op, at_ns, 0, false, kUnknownNs});
  if (errors_.size() > options_.max_errors) {
    errors_.pop_front();
    ++first_;
  }
  if (open_count_ >= kMostOpen) return;
  ++open_count_;
  const std::uint64_t thread = op.rank == kNoRank ? std::uint64_t{op.process} << 32 | op.thread : 0;
  open_[{op.kind, op.rank, op.peer, thread}].push_back({number, op.comm, at_ns, key, false});
}

std::vector<ErrorGroup> ErrorTracker::groups() const {
  std::vector<ErrorGroup> all;
  for (const auto& [key, group] : groups_) all.push_back(group);
  std::stable_sort(all.begin(), all.end(), [](const ErrorGroup& a, const ErrorGroup& b) {
    return a.count != b.count ? a.count > b.count : a.last_ns > b.last_ns;
  });
  return all;
}

}  // namespace peerscope
