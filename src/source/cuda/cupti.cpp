#include "source/cuda/cupti.hpp"

#include <dlfcn.h>
#include <stdlib.h>

#include "source/cuda/session.hpp"

namespace peerscope::cuda {
namespace {

constinit Cupti g_cupti{};

struct Symbol {
  const char* name;
  void** place;
};

template <class Function>
constexpr void** place_of(Function& function) {
  return reinterpret_cast<void**>(&function);
}

// The first function that is missing; null: all there.
const char* take_functions(void* library) {
  const Symbol symbols[] = {
      {"cuptiGetVersion", place_of(g_cupti.get_version)},
      {"cuptiGetResultString", place_of(g_cupti.get_result_string)},
      {"cuptiGetTimestamp", place_of(g_cupti.get_timestamp)},
      {"cuptiGetDeviceId", place_of(g_cupti.get_device_id)},
      {"cuptiSubscribe", place_of(g_cupti.subscribe)},
      {"cuptiUnsubscribe", place_of(g_cupti.unsubscribe)},
      {"cuptiEnableCallback", place_of(g_cupti.enable_callback)},
      {"cuptiActivityRegisterCallbacks", place_of(g_cupti.register_buffers)},
      {"cuptiActivityEnable", place_of(g_cupti.enable)},
      {"cuptiActivityDisable", place_of(g_cupti.disable)},
      {"cuptiActivityEnableAndDump", place_of(g_cupti.enable_and_dump)},
      {"cuptiActivityFlushAll", place_of(g_cupti.flush_all)},
      {"cuptiActivityGetNextRecord", place_of(g_cupti.next_record)},
  };
  for (const Symbol& symbol : symbols) {
    *symbol.place = dlsym(library, symbol.name);
    if (*symbol.place == nullptr) return symbol.name;
  }
  return nullptr;
}

// The one that is loaded already comes first: two in a process do not know of each other.
void* open_library(const char*& from) {
  for (const char* soname : {"libcupti.so.13", "libcupti.so.12"}) {
    from = soname;
    if (void* library = dlopen(soname, RTLD_NOLOAD | RTLD_LAZY)) return library;
  }
  struct Found {
    void* library = nullptr;
    char path[512] = {};
  };
  static constinit Found found;
  for_each_place(
      [](const char* path, void* user) {
        auto* to = static_cast<Found*>(user);
        to->library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
        if (to->library == nullptr) return false;
        __builtin_strncpy(to->path, path, sizeof to->path - 1);
        return true;
      },
      &found);
  from = found.path;
  return found.library;
}

bool check(void* library, const char* from) {
  if (const char* missing = take_functions(library)) {
    say("%s has no %s: copies and kernels are not recorded", from, missing);
    return false;
  }
  const int result = g_cupti.get_version(&g_cupti.version);
  if (result != kSuccess) {
    say("cuptiGetVersion of %s: error %d: copies and kernels are not recorded", from, result);
    return false;
  }
  if (is_logging()) say("CUPTI version %u: %s", g_cupti.version, from);
  if (knows_version(g_cupti.version)) return true;
  say("%s is CUPTI version %u; known are %u to %u (CUDA 12) and %u to %u (CUDA 13): copies and "
      "kernels are not recorded. "
      "PEERSCOPE_CUPTI may name another",
      from, g_cupti.version, kFirstVersion, kLastCountedVersion, kFirstNamedVersion,
      kAfterNamedVersions - 1);
  return false;
}

}  // namespace

bool load_cupti() {
  const char* named = getenv("PEERSCOPE_CUPTI");
  if (named != nullptr && named[0] != '\0') {
    void* library = dlopen(named, RTLD_LAZY | RTLD_LOCAL);
    if (library != nullptr) return check(library, named);
    say("PEERSCOPE_CUPTI: %s: copies and kernels are not recorded", dlerror());
    return false;
  }
  const char* from = "";
  void* library = open_library(from);
  if (library != nullptr) return check(library, from);
  say("libcupti.so.13 and .12 are neither loaded, nor beside the CUDA runtime, nor in "
      "/usr/local/cuda: copies and kernels are "
      "not recorded. PEERSCOPE_CUPTI may name it");
  return false;
}

const Cupti& cupti() { return g_cupti; }

const char* result_text(int result) {
  const char* text = nullptr;
  if (g_cupti.get_result_string != nullptr) g_cupti.get_result_string(result, &text);
  return text != nullptr ? text : "unknown error";
}

}  // namespace peerscope::cuda
