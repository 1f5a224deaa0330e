#include "collect/directory.hpp"

#include <filesystem>
#include <system_error>

#include "record/segment.hpp"

namespace peerscope {

std::vector<std::string> runtime_dirs() {
  std::vector<std::string> dirs;
  char text[256];
  for (int i = 0; runtime_dir_candidate(i, text, sizeof text); ++i) dirs.emplace_back(text);
  return dirs;
}

std::vector<std::string> list_segments(const std::vector<std::string>& dirs) {
  std::vector<std::string> paths;
  for (const std::string& dir : dirs) {
    std::error_code failure;
    for (std::filesystem::directory_iterator at(dir, failure), end; !failure && at != end;
         at.increment(failure)) {
      if (at->path().extension() == ".seg") paths.push_back(at->path().string());
    }
  }
  return paths;
}

}  // namespace peerscope
