#include "trace/export/export_all.hpp"

namespace peerscope {

bool passes(const OpFilter& filter, const Mark& mark) {
  if (mark.at_ns < filter.from_ns || mark.at_ns >= filter.to_ns) return false;
  if (filter.process && mark.process != *filter.process) return false;
  if (filter.rank && mark.rank != kNoRank && mark.rank != *filter.rank) return false;
  if (filter.comm && mark.comm != 0 && mark.comm != *filter.comm) return false;
  if (mark.type == MarkType::event || mark.type == MarkType::control) return true;
  if (filter.only_errors && mark.status == OpStatus::ok) return false;
  return filter.kinds == 0 || (filter.kinds >> static_cast<unsigned>(mark.kind) & 1) != 0;
}

}  // namespace peerscope
