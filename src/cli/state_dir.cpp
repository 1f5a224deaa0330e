#include "cli/state_dir.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <unistd.h>

namespace peerscope {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

Result<std::string> state_directory() {
  std::string path = variable("PEERSCOPE_STATE_DIR");
  if (path.empty() && !variable("XDG_STATE_HOME").empty())
    path = variable("XDG_STATE_HOME") + "/peerscope";
  if (path.empty() && !variable("HOME").empty())
    path = variable("HOME") + "/.local/state/peerscope";
  if (path.empty())
    return Error{ErrorCode::not_found,
                 "there is no HOME to keep results in; set PEERSCOPE_STATE_DIR"};
  std::error_code problem;
  std::filesystem::create_directories(path, problem);
  if (problem)
    return Error{ErrorCode::io, fmt::format("{} cannot be made: {}", path, problem.message())};
  return path;
}

std::string tuning_file_in(const std::string& directory, const std::string& fingerprint) {
  return fmt::format("{}/tuned-{}.json", directory, fingerprint);
}

std::string baseline_file_in(const std::string& directory, const std::string& fingerprint) {
  return fmt::format("{}/baseline-{}.json", directory, fingerprint);
}

Status write_file(const std::string& path, const std::string& text) {
  const std::string beside = fmt::format("{}.{}.new", path, getpid());
  std::ofstream file(beside, std::ios::binary);
  file << text;
  file.close();
  std::error_code problem;
  if (!file.fail()) std::filesystem::rename(beside, path, problem);
  if (!file.fail() && !problem) return Done{};
  std::filesystem::remove(beside, problem);
  return Error{ErrorCode::io, fmt::format("{} cannot be written", path)};
}

}  // namespace peerscope
