// The files of a rotated trace: run.pscope is the newest, run.0000.pscope, run.0001.pscope, ... are
// older parts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace peerscope {

std::string part_path(const std::string& path, std::uint32_t part);
// Older parts beside `path` that are there, the oldest first.
std::vector<std::string> find_parts(const std::string& path);

}  // namespace peerscope
