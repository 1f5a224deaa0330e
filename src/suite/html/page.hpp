// The HTML report: one file, no script, nothing from elsewhere.
#pragma once

#include <string>

#include "suite/result.hpp"

namespace peerscope {

// `more`: further sections, as HTML (matrix.hpp).
std::string html_page(const ResultSet& set, const std::string& more = {});

}  // namespace peerscope
