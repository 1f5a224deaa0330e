// LTTng-UST: a tracepoint at begin and one at end. On only where a session records them, which
// bench/record.sh arranges.
#include <cstdio>

#include "lttng_provider.h"
#include "peers.hpp"

namespace peerscope::peers {

void add_lttng(Bench& bench) {
  add_row(bench, "LTTng-UST, off", [](const Operation& o) {
    lttng_ust_tracepoint(peerscope_bench, begin_off, o.kind, o.algorithm, o.bytes, o.source,
                         o.destination, o.stream, o.sequence);
    lttng_ust_tracepoint(peerscope_bench, end_off, o.sequence, kOk);
  });
  if (!lttng_ust_tracepoint_enabled(peerscope_bench, begin)) {
    std::fprintf(stderr, "record_peers_bench: no LTTng session records peerscope_bench:*\n");
    return;
  }
  add_row(bench, "LTTng-UST, on", [](const Operation& o) {
    lttng_ust_tracepoint(peerscope_bench, begin, o.kind, o.algorithm, o.bytes, o.source,
                         o.destination, o.stream, o.sequence);
    lttng_ust_tracepoint(peerscope_bench, end, o.sequence, kOk);
  });
}

}  // namespace peerscope::peers
