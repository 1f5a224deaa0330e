#include "trace/trace_parts.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

namespace peerscope {
namespace {

constexpr const char* kExtension = ".pscope";

std::string stem_of(const std::string& path) {
  const std::string extension = kExtension;
  const bool ours = path.size() > extension.size() &&
                    path.compare(path.size() - extension.size(), extension.size(), extension) == 0;
  return ours ? path.substr(0, path.size() - extension.size()) : path;
}

// "0007" of "run.0007.pscope" for the stem "run".
bool is_part_of(const std::string& name, const std::string& stem) {
  const std::string extension = kExtension;
  if (name.size() < stem.size() + 1 + 4 + extension.size()) return false;
  if (name.compare(0, stem.size() + 1, stem + ".") != 0) return false;
  if (name.compare(name.size() - extension.size(), extension.size(), extension) != 0) return false;
  const std::string digits =
      name.substr(stem.size() + 1, name.size() - extension.size() - stem.size() - 1);
  return digits.size() >= 4 && digits.size() <= 9 &&
         std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string part_path(const std::string& path, std::uint32_t part) {
  return fmt::format("{}.{:04}{}", stem_of(path), part, kExtension);
}

std::vector<std::string> find_parts(const std::string& path) {
  const std::filesystem::path stem = stem_of(path);
  const std::filesystem::path dir = stem.has_parent_path() ? stem.parent_path() : ".";
  std::vector<std::string> parts;
  std::error_code error;
  for (std::filesystem::directory_iterator at(dir, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (is_part_of(name, stem.filename().string())) parts.push_back((dir / name).string());
  }
  // By number: shorter names have smaller ones.
  std::sort(parts.begin(), parts.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return parts;
}

}  // namespace peerscope
