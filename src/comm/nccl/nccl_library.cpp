#include "comm/nccl/nccl_library.hpp"

#include <climits>
#include <cstdlib>

#include <fmt/format.h>
#include <glob.h>
#include <unistd.h>

#include "comm/cuda/shared_object.hpp"

namespace peerscope {
namespace {

constexpr const char* kSoname = "libnccl.so.2";

void bind_all(SharedObject& library, NcclFunctions& f) {
  library.bind("ncclGetVersion", f.ncclGetVersion);
  library.bind("ncclGetErrorString", f.ncclGetErrorString);
  library.bind_optional("ncclGetLastError", f.ncclGetLastError);
  library.bind("ncclGetUniqueId", f.ncclGetUniqueId);
  library.bind("ncclCommInitRank", f.ncclCommInitRank);
  library.bind("ncclCommDestroy", f.ncclCommDestroy);
  library.bind("ncclCommAbort", f.ncclCommAbort);
  library.bind("ncclCommGetAsyncError", f.ncclCommGetAsyncError);
  library.bind("ncclGroupStart", f.ncclGroupStart);
  library.bind("ncclGroupEnd", f.ncclGroupEnd);
  library.bind("ncclAllReduce", f.ncclAllReduce);
  library.bind("ncclReduce", f.ncclReduce);
  library.bind("ncclReduceScatter", f.ncclReduceScatter);
  library.bind("ncclAllGather", f.ncclAllGather);
  library.bind("ncclBroadcast", f.ncclBroadcast);
  library.bind_optional("ncclAlltoAll", f.ncclAlltoAll);
  library.bind("ncclSend", f.ncclSend);
  library.bind("ncclRecv", f.ncclRecv);
}

void add_matches(const std::string& pattern, std::vector<std::string>& out) {
  glob_t found{};
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
    out.insert(out.end(), found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
}

// The folder of the first python3 in a PATH; empty if there is none.
std::string python_folder(const std::string& path) {
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find(':', at), path.size());
    const std::string folder = path.substr(at, end - at);
    if (!folder.empty() && access((folder + "/python3").c_str(), X_OK) == 0) return folder;
    at = end + 1;
  }
  return {};
}

Result<SharedObject> open_any(const std::string& path) {
  if (!path.empty()) return SharedObject::open(path);
  Result<SharedObject> by_name = SharedObject::open(kSoname);
  if (by_name) return by_name;
  const char* folders = std::getenv("PATH");
  for (const std::string& wheel : nccl_wheels(folders != nullptr ? folders : "")) {
    if (Result<SharedObject> found = SharedObject::open(wheel)) return found;
  }
  return by_name.error();
}

}  // namespace

std::vector<std::string> nccl_wheels(const std::string& path) {
  std::vector<std::string> found;
  const std::string folder = python_folder(path);
  if (folder.empty()) return found;
  std::vector<std::string> prefixes{folder + "/.."};  // a virtual environment, or the system
  char real[PATH_MAX];
  if (realpath((folder + "/python3").c_str(), real) !=
      nullptr) {  // what the environment was made of
    const std::string target = real;
    prefixes.push_back(target.substr(0, target.rfind('/')) + "/..");
  }
  if (const char* home = std::getenv("HOME")) prefixes.push_back(std::string(home) + "/.local");
  for (const std::string& prefix : prefixes) {
    for (const char* lib : {"lib", "lib64", "local/lib"}) {
      add_matches(fmt::format("{}/{}/python3*/*-packages/nvidia/nccl/lib/{}", prefix, lib, kSoname),
                  found);
    }
  }
  return found;
}

Result<NcclLibrary> NcclLibrary::open(const std::string& path) {
  Result<SharedObject> library = open_any(path);
  if (!library) {
    return Error{ErrorCode::unsupported,
                 fmt::format("NCCL cannot be loaded ({}); name its libnccl.so.2, or install the "
                             "wheel nvidia-nccl for the python3 of PATH",
                             library.error().message)};
  }
  NcclLibrary nccl;
  nccl.path_ = library->path();
  bind_all(*library, nccl.functions_);
  if (!library->missing().empty()) {
    return Error{ErrorCode::unsupported,
                 fmt::format("{} is no NCCL that we know: it lacks {}; from 2.10 on it will do",
                             nccl.path_, library->missing())};
  }
  Status known = nccl.check(nccl->ncclGetVersion(&nccl.version_), "ncclGetVersion", -1);
  if (!known) return known.error();
  return nccl;
}

Status NcclLibrary::check(NcclResult code, const char* call, int rank) const {
  if (code == kNcclSuccess) return Done{};
  const char* text = functions_.ncclGetErrorString(code);
  const char* last =
      functions_.ncclGetLastError != nullptr ? functions_.ncclGetLastError(nullptr) : nullptr;
  const bool more = last != nullptr && *last != '\0';
  return Error{ErrorCode::io, fmt::format("{} failed{}: {} ({}){}", call,
                                          rank < 0 ? "" : fmt::format(" on rank {}", rank), code,
                                          text != nullptr ? text : "no text",
                                          more ? fmt::format("; NCCL says: {}", last)
                                               : "; NCCL_DEBUG=WARN makes NCCL say more")};
}

std::string nccl_version_text(int version) {
  if (version < 10'000)  // 2.8 and before: 2804
    return fmt::format("{}.{}.{}", version / 1000, version / 100 % 10, version % 100);
  return fmt::format("{}.{}.{}", version / 10'000, version / 100 % 100, version % 100);
}

}  // namespace peerscope
