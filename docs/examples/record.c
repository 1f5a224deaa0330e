/* Records operations through the C API. Link with libpeerscope.so. */
#include <peerscope/peerscope.h>
#include <stdio.h>

int main(void) {
  static float tensor[4096];
  const char* why = NULL;
  /* level -1: what $PEERSCOPE_LEVEL says, else detailed. A plain 0 would be "off". */
  const pscope_options options = {.size = sizeof(pscope_options), .name = "trainer", .level = -1};
  pscope_session* session = pscope_open(&options, &why);
  if (why != NULL) fprintf(stderr, "nothing is recorded: %s\n", why);

  const pscope_comm_desc tp = {
      .id = 42, .name = "tp", .rank = 0, .ranks = 1, .device = PSCOPE_NO_DEVICE};
  const pscope_op op = {.bytes = sizeof tensor,
                        .sequence = PSCOPE_SEQUENCE_AUTO,
                        .comm = pscope_comm_register(session, &tp),
                        .peer = PSCOPE_NO_PEER,
                        .kind = PSCOPE_KIND_ALL_REDUCE};
  for (int step = 0; step < 1000; ++step) {
    const pscope_token token = pscope_op_begin(session, &op);
    for (int i = 0; i < 4096; ++i) tensor[i] += 1.0F; /* the work that is watched */
    pscope_op_end(session, token, PSCOPE_STATUS_OK);
  }

  pscope_stats stats = {0};
  pscope_get_stats(session, &stats);
  pscope_close(session);
  return stats.operations == 1000 ? 0 : 1;
}
