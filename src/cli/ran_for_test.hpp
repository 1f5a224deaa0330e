// What tests of the real binary share: how a run of it ended.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <nlohmann/json.hpp>

namespace peerscope {

struct Ran {
  int status = 0;
  std::string out, err;
  [[nodiscard]] nlohmann::json parsed() const { return nlohmann::json::parse(out); }
};

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace peerscope
