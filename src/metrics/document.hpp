// The document that is made from the tables of metrics.
#pragma once

#include <string>

namespace peerscope {

std::string metrics_markdown();  // docs/metrics.md

}  // namespace peerscope
