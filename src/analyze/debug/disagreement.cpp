#include "analyze/debug/disagreement.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "analyze/detect/words.hpp"

namespace peerscope {

CallComparison compare_calls(const std::vector<Op>& ranks) {
  CallComparison out;
  if (ranks.empty()) return out;
  out.usual = ranks[0];
  std::map<std::pair<Kind, std::uint64_t>, std::vector<Op>> by_call;
  for (const Op& op : ranks) by_call[{op.kind, op.bytes}].push_back(op);
  if (by_call.size() < 2) return out;
  std::vector<const std::vector<Op>*> piles;  // the smallest first
  for (const auto& [call, pile] : by_call) piles.push_back(&pile);
  std::stable_sort(piles.begin(), piles.end(),
                   [](const auto* a, const auto* b) { return a->size() < b->size(); });
  const bool tie = piles[piles.size() - 2]->size() == piles.back()->size();
  if (!tie) out.usual = piles.back()->front();
  for (const auto* pile : piles) {
    std::vector<int> who;
    for (const Op& op : *pile) who.push_back(op.rank);
    std::sort(who.begin(), who.end());
    std::string words = ranks_in_words(who);
    if (!out.clause.empty()) words[0] = 'r';
    // Sizes that read the same are written out.
    out.clause += fmt::format("{}{} called {} ({} bytes)", out.clause.empty() ? "" : ", ", words,
                              operation_name(pile->front()), pile->front().bytes);
    if (tie || pile != piles.back()) out.odd.insert(out.odd.end(), who.begin(), who.end());
  }
  std::sort(out.odd.begin(), out.odd.end());
  return out;
}

}  // namespace peerscope
