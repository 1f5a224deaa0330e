#include "trace/export/lanes.hpp"

#include <algorithm>

namespace peerscope {

bool Lane::take(std::int64_t begin_ns, std::int64_t end_ns) {
  if (begin_ns < free_from_ns_) return false;
  std::size_t around = open_.size();  // those that are still open at the begin
  while (around > 0 && open_[around - 1] <= begin_ns) --around;
  if (around > 0 && (end_ns > open_[around - 1] || around == kDeepest)) return false;
  // Only now: where it is refused, an earlier one may follow that those which end by then surround.
  open_.resize(around);
  free_from_ns_ = begin_ns;
  open_.push_back(end_ns);
  return true;
}

Lanes::Place Lanes::place(const LaneKey& key, std::int64_t begin_ns, std::int64_t end_ns) {
  std::vector<Numbered>& all = lanes_[key];
  const auto free = std::find_if(all.begin(), all.end(), [&](Numbered& numbered) {
    return numbered.lane.take(begin_ns, end_ns);
  });
  const auto beside = static_cast<std::size_t>(free - all.begin());
  if (free != all.end()) return {free->index, beside, false};
  all.push_back({{}, count_++});
  all.back().lane.take(begin_ns, end_ns);
  return {all.back().index, beside, true};
}

}  // namespace peerscope
