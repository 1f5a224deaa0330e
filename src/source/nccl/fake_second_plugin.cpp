// A profiler plugin of somebody else's, to be chained: counts what it is given, and checks its own handles.
#include <atomic>
#include <cstdint>

#include "source/nccl/abi.hpp"

namespace {

using namespace peerscope::nccl;

struct Counts {
  std::atomic<int> inits{0}, finals{0}, groups{0}, calls{0}, operations{0}, channels{0}, stops{0},
      states{0}, strangers{0};
};
constinit Counts g_counts;
constinit int g_context = 0;
// Handles: 16 * type + 1, so that a parent's type can be told.
void* handle_of(std::uint64_t type) { return reinterpret_cast<void*>(16 * type + 1); }
bool is_of(void* handle, std::uint64_t type) {
  return handle == nullptr || handle == handle_of(type);
}

int init(void** context, std::uint64_t, int* mask, const char*, int, int, int, Logger) {
  *context = &g_context;
  *mask = static_cast<int>(kColl | kKernelCh);
  ++g_counts.inits;
  return kSuccess;
}

int start(void* context, void** handle, void* descriptor) {
  const auto& d = *static_cast<const Descriptor*>(descriptor);
  if (context != &g_context) ++g_counts.strangers;
  bool fine = true;
  switch (d.head.type) {
    case kGroupApi:
      ++g_counts.groups;
      break;
    case kCollApi:
      ++g_counts.calls;
      fine = is_of(d.head.parent, kGroupApi);
      break;
    case kColl:
      ++g_counts.operations;
      fine = is_of(d.head.parent, kCollApi);
      break;
    case kKernelCh:
      ++g_counts.channels;
      fine = is_of(d.head.parent, kColl);
      break;
    default:
      break;
  }
  if (!fine) ++g_counts.strangers;
  *handle = handle_of(d.head.type);
  return kSuccess;
}

int stop(void*) {
  ++g_counts.stops;
  return kSuccess;
}
int record(void*, int, void*) {
  ++g_counts.states;
  return kSuccess;
}
int finalize(void* context) {
  if (context != &g_context) ++g_counts.strangers;
  ++g_counts.finals;
  return kSuccess;
}

}  // namespace

extern "C" {
__attribute__((visibility("default"))) TableV5 ncclProfiler_v5{"second", init,   start,
                                                               stop,     record, finalize};
// inits, finals, groups, calls, operations, channels, stops, states, strangers
__attribute__((visibility("default"))) void second_plugin_counts(int* out) {
  const std::atomic<int>* all[] = {&g_counts.inits, &g_counts.finals,     &g_counts.groups,
                                   &g_counts.calls, &g_counts.operations, &g_counts.channels,
                                   &g_counts.stops, &g_counts.states,     &g_counts.strangers};
  for (int i = 0; i < 9; ++i) out[i] = all[i]->load();
}
}
