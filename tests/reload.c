/* Loads the library, records with it and lets it go, ten times over: reload LIBRARY. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peerscope/peerscope.h"

struct library {
  pscope_session* (*open)(const pscope_options*, const char**);
  void (*close)(pscope_session*);
  const char* (*path)(const pscope_session*);
  void (*event)(pscope_session*, int, uint16_t, uint16_t, int64_t);
  int (*stats)(const pscope_session*, pscope_stats*);
};

/* ISO C has no cast from an object's to a function's address: POSIX promises that the bytes will
 * do. */
static int find(void* handle, const char* name, void* function) {
  void* symbol = dlsym(handle, name);
  memcpy(function, &symbol, sizeof symbol);
  return symbol != NULL;
}

static int load(void* handle, struct library* library) {
  return find(handle, "pscope_open", &library->open) &&
         find(handle, "pscope_close", &library->close) &&
         find(handle, "pscope_segment_path", &library->path) &&
         find(handle, "pscope_event", &library->event) &&
         find(handle, "pscope_get_stats", &library->stats);
}

static int record_once(void* handle, const char* directory) {
  struct library library;
  if (!load(handle, &library)) return 0;
  pscope_options options = PSCOPE_OPTIONS_INIT;
  options.name = "reload";
  options.runtime_dir = directory;
  options.level = PSCOPE_LEVEL_DETAILED;
  options.segment_bytes = 1 << 20;
  pscope_session* session = library.open(&options, NULL);
  library.event(session, PSCOPE_SEVERITY_INFO, 0, 0, 1);
  pscope_stats stats;
  const int fine = library.stats(session, &stats) == 0 &&
                   stats.recorded == 2; /* the thread's start, the event */
  unlink(library.path(session));
  library.close(session);
  return fine;
}

int main(int argc, char** argv) {
  char directory[] = "/dev/shm/peerscope-test-XXXXXX";
  if (argc != 2 || mkdtemp(directory) == NULL) return 2;
  int failures = 0;
  for (int round = 0; round < 10; ++round) {
    void* handle = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
      fprintf(stderr, "%s\n", dlerror());
      ++failures;
      continue;
    }
    failures += record_once(handle, directory) ? 0 : 1;
    dlclose(handle);
  }
  if (rmdir(directory) != 0) ++failures;
  return failures;
}
