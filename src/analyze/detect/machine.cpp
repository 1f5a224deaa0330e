// What is wrong with the machine's GPUs and their links, as their readings said (judge_machine.cpp).
#include "analyze/detect/detectors.hpp"

namespace peerscope {

// What is good to know and no trouble is left to `peerscope devices`.
void detect_machine(const Snapshot& snapshot, const DetectOptions&, std::vector<Finding>& out) {
  if (!snapshot.machine) return;
  for (const Finding& finding : snapshot.machine->findings) {
    if (finding.severity == Severity::info) continue;
    out.push_back(finding);
    // One word for programs: what is degraded is in the sentence and the evidence.
    if (finding.kind == "pcie_width" || finding.kind == "pcie_generation")
      out.back().kind = "degraded_pcie";
  }
}

}  // namespace peerscope
