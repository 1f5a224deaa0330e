/* Calls every function of the header, from strict C11, against the shared library. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peerscope/peerscope.h"

static int failures = 0;

static void expect(int fine, const char* what) {
  if (fine) return;
  fprintf(stderr, "not so: %s\n", what);
  ++failures;
}
#define EXPECT(condition) expect((condition), #condition)

static void record_operations(pscope_session* session, uint16_t comm) {
  const uint16_t stream = pscope_stream_register(session, 0x1234, 0, "compute");
  const uint16_t phase = pscope_name(session, "reduce");
  pscope_op op = {0};
  op.bytes = 4096;
  op.sequence = PSCOPE_SEQUENCE_AUTO;
  op.comm = comm;
  op.stream = stream;
  op.peer = PSCOPE_NO_PEER;
  op.kind = PSCOPE_KIND_ALL_REDUCE;
  for (int i = 0; i < 1000; ++i) {
    const pscope_token token = pscope_op_begin(session, &op);
    pscope_op_phase(session, token, phase);
    pscope_op_end(session, token, i % 10 == 0 ? PSCOPE_STATUS_ERROR : PSCOPE_STATUS_OK);
  }
  op.async = 1;
  const pscope_token token = pscope_op_begin(session, &op);
  pscope_op_end(session, token, PSCOPE_STATUS_OK);
  pscope_op_complete(session, token, PSCOPE_STATUS_OK);

  pscope_device_times times = {0};
  times.comm = comm;
  times.begin_ns = 100;
  times.end_ns = 200;
  pscope_device_clock(session, 0, 100, 1000, 1010);
  pscope_op_device_times(session, &times);
  pscope_event(session, PSCOPE_SEVERITY_WARNING, phase, comm, -1);

  const uint16_t decode = pscope_profile_name(session, "decode");
  EXPECT(decode != 0 && decode == pscope_profile_name(session, "decode"));
  EXPECT(pscope_profile_name(session, "") == 0);
  const pscope_profile profile = pscope_profile_begin(session, decode, PSCOPE_SCOPE_THREAD);
  EXPECT(profile.mark > 0);
  pscope_profile_end(session, profile);
  EXPECT(pscope_profile_begin(session, decode, 7).mark == 0);
}

static void measure(pscope_session* session) {
  const pscope_metric counter = pscope_counter(session, "requests", "1");
  const pscope_metric gauge = pscope_gauge(session, "load", "%");
  const pscope_metric histogram = pscope_histogram(session, "wait", "ns");
  EXPECT(counter != 0 && gauge != 0 && histogram != 0);
  pscope_counter_add(session, counter, 2);
  pscope_gauge_set(session, gauge, 0.5);
  pscope_histogram_observe(session, histogram, 1000);
}

int main(void) {
  char directory[] = "/dev/shm/peerscope-test-XXXXXX";
  if (mkdtemp(directory) == NULL) return 2;
  pscope_options options = {0};
  options.size = sizeof options;
  options.name = "every_function";
  options.runtime_dir = directory;
  options.level = PSCOPE_LEVEL_COMPREHENSIVE;
  options.detail_budget_ppm = PSCOPE_UNLIMITED;
  const char* why = NULL;
  pscope_session* session = pscope_open(&options, &why);
  EXPECT(session != NULL && why == NULL);
  EXPECT(pscope_get_level(session) == PSCOPE_LEVEL_COMPREHENSIVE);
  EXPECT(strlen(pscope_version()) > 0);

  pscope_comm_desc comm = {0};
  comm.id = 1;
  comm.name = "tp";
  comm.ranks = 2;
  record_operations(session, pscope_comm_register(session, &comm));
  measure(session);

  pscope_filter filter = {0};
  filter.kinds = 1u << PSCOPE_KIND_SEND;
  EXPECT(pscope_set_filter(session, &filter) == 0);
  EXPECT(pscope_set_filter(session, NULL) == 0);
  pscope_stats stats;
  EXPECT(pscope_get_stats(session, &stats) == 0);
  EXPECT(stats.operations == 1001);
  EXPECT(stats.errors == 100);
  EXPECT(stats.recorded >= 3003);
  EXPECT(stats.dropped == 0);
  pscope_set_level(session, PSCOPE_LEVEL_OFF);
  EXPECT(pscope_get_level(session) == PSCOPE_LEVEL_OFF);
  EXPECT(pscope_profile_begin(session, 1, PSCOPE_SCOPE_PROCESS).mark == 0);

  EXPECT(strncmp(pscope_segment_path(session), directory, strlen(directory)) == 0);
  unlink(pscope_segment_path(session));
  pscope_close(session);
  EXPECT(rmdir(directory) == 0);
  return failures != 0;
}
