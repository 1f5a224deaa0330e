// What is wrong with a job by NCCL's own account, in sentences.
#pragma once

#include <vector>

#include "model/finding.hpp"
#include "source/ras/report.hpp"

namespace peerscope::ras {

// The worst first. Pure. Ranks are asked one after the other, so counts of a job that runs differ by a few: with an `earlier`
// report of the same job, who is behind or ahead is said only of those that have stood still since.
std::vector<Finding> judge(const Report& report, const Report* earlier = nullptr);
bool has_differences(const Report& report);

}  // namespace peerscope::ras
