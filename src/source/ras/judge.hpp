// What is wrong with a job by NCCL's own account, in sentences.
#pragma once

#include <vector>

#include "model/finding.hpp"
#include "source/ras/report.hpp"

namespace peerscope::ras {

// The worst first. Pure.
std::vector<Finding> judge(const Report& report);

}  // namespace peerscope::ras
