// The HTML report: one file, no script, nothing from elsewhere.
#pragma once

#include <string>

#include "suite/result.hpp"

namespace peerscope {

std::string html_page(const ResultSet& set);

}  // namespace peerscope
