/* A profiler plugin that does nothing, with the mask that $NULL_PROFILER_MASK says: what NCCL itself charges for events. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static int g_thing;

static int init(void** context, uint64_t id, int* mask, const char* name, int nodes, int ranks, int rank, void* log) {
  const char* text = getenv("NULL_PROFILER_MASK");
  (void)id, (void)name, (void)nodes, (void)ranks, (void)rank, (void)log;
  *context = &g_thing;
  *mask = text ? atoi(text) : 0;
  return 0;
}
static int start(void* context, void** handle, void* descriptor) {
  (void)context, (void)descriptor;
  *handle = &g_thing;
  return 0;
}
static int stop(void* handle) { return (void)handle, 0; }
static int record(void* handle, int state, void* arguments) { return (void)handle, (void)state, (void)arguments, 0; }
static int finalize(void* context) { return (void)context, 0; }

struct table {
  const char* name;
  int (*init)(void**, uint64_t, int*, const char*, int, int, int, void*);
  int (*start)(void*, void**, void*);
  int (*stop)(void*);
  int (*record)(void*, int, void*);
  int (*finalize)(void*);
};
__attribute__((visibility("default"))) struct table ncclProfiler_v5 = {"null", init, start, stop, record, finalize};
