// Where libcupti may lie. PyTorch brings its own, beside or near the runtime that it has loaded:
//   .../torch/lib/libtorch_cuda.so, .../nvidia/cu13/lib/libcudart.so.13 and libcupti.so.13        (CUDA 13)
//   .../nvidia/cuda_runtime/lib/libcudart.so.12, .../nvidia/cuda_cupti/lib/libcupti.so.12          (CUDA 12)
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "source/cuda/cupti.hpp"

namespace peerscope::cuda {
namespace {

constexpr const char* kSonames[] = {"libcupti.so.13", "libcupti.so.12"};
// From the folder of libcudart or libtorch.
constexpr const char* kNear[] = {"", "/../../cuda_cupti/lib", "/../../nvidia/cu13/lib",
                                 "/../../nvidia/cuda_cupti/lib", "/../extras/CUPTI/lib64"};
constexpr const char* kWellKnown[] = {"/usr/local/cuda/extras/CUPTI/lib64",
                                      "/usr/local/cuda/lib64"};

struct Search {
  VisitPath visit;
  void* user;
};

bool try_folder(const Search& search, const char* folder, int length, const char* near) {
  char path[512];
  for (const char* soname : kSonames) {
    const int size = snprintf(path, sizeof path, "%.*s%s/%s", length, folder, near, soname);
    if (size <= 0 || static_cast<std::size_t>(size) >= sizeof path) continue;
    if (search.visit(path, search.user)) return true;
  }
  return false;
}

// A library is opened after the walk: here the loader holds a lock that dlopen would wait for.
struct Folders {
  char folder[4][384];
  int count;
};

int collect(dl_phdr_info* info, std::size_t, void* user) {
  auto* folders = static_cast<Folders*>(user);
  const char* slash = strrchr(info->dlpi_name, '/');
  if (slash == nullptr) return 0;
  const char* file = slash + 1;
  if (strncmp(file, "libcudart.so", 12) != 0 && strncmp(file, "libtorch", 8) != 0) return 0;
  const auto length = static_cast<std::size_t>(slash - info->dlpi_name);
  if (length >= sizeof folders->folder[0]) return 0;
  for (int i = 0; i < folders->count; ++i) {
    if (strlen(folders->folder[i]) == length &&
        strncmp(folders->folder[i], info->dlpi_name, length) == 0)
      return 0;
  }
  memcpy(folders->folder[folders->count], info->dlpi_name, length);
  folders->folder[folders->count][length] = '\0';
  return ++folders->count == 4 ? 1 : 0;
}

}  // namespace

bool for_each_place(VisitPath visit, void* user) {
  const Search search{visit, user};
  Folders folders{};
  dl_iterate_phdr(collect, &folders);
  for (int i = 0; i < folders.count; ++i) {
    for (const char* near : kNear) {
      const char* folder = folders.folder[i];
      if (try_folder(search, folder, static_cast<int>(strlen(folder)), near)) return true;
    }
  }
  for (const char* soname : kSonames) {
    if (visit(soname, user)) return true;
  }
  for (const char* folder : kWellKnown) {
    if (try_folder(search, folder, static_cast<int>(strlen(folder)), "")) return true;
  }
  return false;
}

}  // namespace peerscope::cuda
