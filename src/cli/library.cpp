#include "cli/library.hpp"

#include <filesystem>
#include <system_error>

#include <dlfcn.h>
#include <unistd.h>

namespace peerscope {
namespace {

template <class F>
bool find(void* library, const char* name, F& out) {
  out = reinterpret_cast<F>(dlsym(library, name));
  return out != nullptr;
}

}  // namespace

Library::Library() {
  std::error_code failure;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return;
  const std::filesystem::path path = self.parent_path().parent_path() / "lib" / "libpeerscope.so.1";
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) return;
  const bool all =
      find(library, "pscope_close", close_) && find(library, "pscope_set_level", set_level_) &&
      find(library, "pscope_segment_path", segment_path_) &&
      find(library, "pscope_op_begin_", begin_) && find(library, "pscope_op_end_", end_);
  if (all) find(library, "pscope_open", open_);
}

pscope_session* Library::open(const char* name) const {
  pscope_options options{};
  options.size = sizeof options;
  options.name = name;
  options.level = PSCOPE_LEVEL_DETAILED;
  return open_(&options, nullptr);
}

void Library::close(pscope_session* session) const {
  const std::string path = segment_path_(session);
  close_(session);
  if (!path.empty()) unlink(path.c_str());
}

}  // namespace peerscope
