#include "cli/sources.hpp"

#include <filesystem>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

namespace peerscope {

SourceLibraries source_libraries() {
  std::error_code failure;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", failure);
  const auto built = [&](const char* name) {
    const std::filesystem::path path = self.parent_path().parent_path() / "lib" / name;
    return std::filesystem::exists(path, failure) ? path.string() : std::string();
  };
  if (failure) return {};
  return {built("libpeerscope-nccl.so"), built("libpeerscope-cuda.so")};
}

namespace {

// NCCL takes one profiler plugin: ours, which takes the user's along.
void add_nccl(const std::string& library, const char* users, SourceEnvironment& out) {
  if (library.empty()) return;
  if (users != nullptr && std::string_view(users) == "none") {
    out.notes.emplace_back("NCCL_PROFILER_PLUGIN is none: NCCL's operations are not recorded");
    return;
  }
  if (users != nullptr && *users != '\0' && users != library)
    out.variables.emplace_back("PEERSCOPE_NCCL_CHAIN", users);
  out.variables.emplace_back("NCCL_PROFILER_PLUGIN", library);
}

void add_cuda(const std::string& library, const char* users, SourceEnvironment& out) {
  if (library.empty()) return;
  if (users != nullptr && *users != '\0' && users != library) {
    out.notes.push_back(fmt::format(
        "CUDA_INJECTION64_PATH is {}: peer copies and kernels are not recorded", users));
    return;
  }
  out.variables.emplace_back("CUDA_INJECTION64_PATH", library);
}

}  // namespace

SourceEnvironment source_environment(const Config& config, const SourceLibraries& libraries,
                                     const char* (*current)(const char*)) {
  SourceEnvironment out;
  if (config.boolean("source.nccl")) add_nccl(libraries.nccl, current("NCCL_PROFILER_PLUGIN"), out);
  if (config.boolean("source.cuda"))
    add_cuda(libraries.cuda, current("CUDA_INJECTION64_PATH"), out);
  return out;
}

}  // namespace peerscope
