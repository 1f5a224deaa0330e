#include "analyze/debug/given_up.hpp"

#include <algorithm>
#include <map>

#include "analyze/debug/disagreement.hpp"

namespace peerscope {
namespace {

bool is_the_end(const Op& op) {
  return op.rank != kNoRank &&
         (op.status == OpStatus::timeout || op.status == OpStatus::peer_lost ||
          op.status == OpStatus::mismatch);
}

// The last collective of a communicator that failed, if none came after it.
bool find_end(const std::vector<LastSeen::Last>& ranks, std::uint64_t& sequence) {
  bool any = false;
  for (const LastSeen::Last& last : ranks) {
    if (!is_the_end(last.collective)) continue;
    sequence = any ? std::max(sequence, last.collective.sequence) : last.collective.sequence;
    any = true;
  }
  return any && std::none_of(ranks.begin(), ranks.end(), [&](const LastSeen::Last& last) {
           const Op& op = last.collective;
           return op.rank != kNoRank && op.sequence > sequence && op.status == OpStatus::ok;
         });
}

}  // namespace

std::vector<GivenUp> given_up(const LastSeen& last) {
  std::vector<GivenUp> all;
  for (const auto& [comm, ranks] : last.all()) {
    std::uint64_t sequence = 0;
    if (!find_end(ranks, sequence)) continue;
    GivenUp out;
    for (const LastSeen::Last& rank : ranks) {
      if (is_the_end(rank.collective) && rank.collective.sequence == sequence)
        out.ranks.push_back(rank.collective);
    }
    CallComparison disagreement = compare_calls(out.ranks);
    out.op = disagreement.usual;
    for (const Op& op : out.ranks) out.op.status = std::max(out.op.status, op.status);
    out.mismatch = std::move(disagreement.clause);
    out.odd = std::move(disagreement.odd);
    for (int rank = 0; rank < out.op.ranks; ++rank) {
      const auto at = static_cast<std::size_t>(rank);
      const bool known = at < ranks.size() && ranks[at].collective.rank != kNoRank;
      if (!known || ranks[at].collective.sequence < sequence) out.missing.push_back(rank);
    }
    all.push_back(std::move(out));
  }
  return all;
}

}  // namespace peerscope
