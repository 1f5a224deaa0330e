#include "cli/backends.hpp"

#include <fmt/format.h>

#include "suite/cuda/cuda_backend.hpp"
#include "suite/host/host_backend.hpp"
#include "suite/nccl/nccl_backend.hpp"

namespace peerscope {
namespace {

using Made = Result<std::unique_ptr<BenchBackend>>;

Made make_host(const BackendOptions& options) {
  return make_host_backend({.threads = options.threads,
                            .pin = options.pin,
                            .pool_bytes = options.pool_bytes,
                            .session = options.session,
                            .level = options.level,
                            .tuning_file = options.tuning_file});
}

Made make_cuda(const BackendOptions& options) {
  return make_cuda_backend({.threads = options.threads,
                            .pool_bytes = options.pool_bytes,
                            .session = options.session,
                            .level = options.level,
                            .tuning_file = options.tuning_file});
}

Made make_nccl(const BackendOptions& options) {
  return make_nccl_backend({.threads = options.threads,
                            .nvls = options.nvls,
                            .library = options.nccl_library,
                            .session = options.session,
                            .level = options.level});
}

struct Entry {
  const char* name;
  Made (*make)(const BackendOptions& options);
};
constexpr Entry kBackends[] = {{"host", make_host}, {"cuda", make_cuda}, {"nccl", make_nccl}};

}  // namespace

std::vector<std::string> backend_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kBackends) names.emplace_back(entry.name);
  return names;
}

Made make_backend(const std::string& name, const BackendOptions& options) {
  for (const Entry& entry : kBackends) {
    if (name == entry.name) return entry.make(options);
  }
  return Error{ErrorCode::invalid_argument,
               fmt::format("there is no backend '{}' for this; write host, cuda or nccl", name)};
}

}  // namespace peerscope
