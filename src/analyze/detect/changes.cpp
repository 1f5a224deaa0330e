// Operations that take longer than they did: judged together, told each by its own word.
#include <map>

#include "analyze/detect/detectors.hpp"
#include "analyze/detect/series_changes.hpp"

namespace peerscope {

void detect_changes(const Snapshot& snapshot, const DetectOptions& options,
                    std::vector<Finding>& out) {
  std::map<Kind, std::vector<SeriesChange>> steps, drifts;
  for (const SeriesChange& change : series_changes(snapshot, options))
    (change.steps ? steps : drifts)[change.row->kind].push_back(change);
  for (const auto& [kind, changes] : steps)
    out.push_back(describe_step_change(snapshot, kind, changes));
  for (const auto& [kind, changes] : drifts) out.push_back(describe_drift(snapshot, kind, changes));
}

}  // namespace peerscope
