// peerscope's recorder: inline at each level, and through the shared library as another program
// would call it.
#include <memory>
#include <vector>

#include "cli/library.hpp"
#include "peers.hpp"
#include "peerscope/peerscope.h"

namespace peerscope::peers {
namespace {

// A session, and what its operations are called there. Never closed: rows use it until the end.
struct Ours {
  pscope_session* session = nullptr;
  std::uint16_t comms[kDevices] = {};
  std::uint16_t phase = 0;
};

pscope_op op_of(const Ours& ours, const Operation& operation) {
  pscope_op op{};
  op.bytes = operation.bytes;
  op.sequence = operation.sequence;
  op.comm = ours.comms[operation.source];
  op.stream = operation.stream;
  op.peer = operation.destination;
  op.kind = operation.kind;
  op.algorithm = operation.algorithm;
  return op;
}

Ours open_ours() {
  pscope_options options{};
  options.size = sizeof options;
  options.name = "record_peers_bench";
  options.level = PSCOPE_LEVEL_DETAILED;
  Ours ours{pscope_open(&options, nullptr), {}, 0};
  for (std::uint32_t rank = 0; rank < kDevices; ++rank) {
    const pscope_comm_desc desc{
        rank + 1, "bench", rank, kDevices, static_cast<std::uint16_t>(rank), PSCOPE_BACKEND_HOST,
        0};
    ours.comms[rank] = pscope_comm_register(ours.session, &desc);
  }
  ours.phase = pscope_name(ours.session, "phase");
  return ours;
}

void add_level(Bench& bench, const Ours& ours, const char* name, int level) {
  const auto prepare = [ours, level] { pscope_set_level(ours.session, level); };
  add_row(bench, name, prepare, [ours](const Operation& operation) {
    const pscope_op op = op_of(ours, operation);
    pscope_op_end(ours.session, pscope_op_begin(ours.session, &op), kOk);
  });
}

void add_phases(Bench& bench, const Ours& ours) {
  constexpr int kPhases = 3;
  const auto prepare = [ours] { pscope_set_level(ours.session, PSCOPE_LEVEL_COMPREHENSIVE); };
  add_row(bench, "peerscope comprehensive, 3 phases", prepare, [ours](const Operation& operation) {
    const pscope_op op = op_of(ours, operation);
    const pscope_token token = pscope_op_begin(ours.session, &op);
    for (int i = 0; i < kPhases; ++i) pscope_op_phase(ours.session, token, ours.phase);
    pscope_op_end(ours.session, token, kOk);
  });
  add_row(bench, "five clock reads", [clock = bench.clock](const Operation&) {
    for (int i = 0; i < 2 + kPhases; ++i) {
      std::uint64_t now = ticks_now(clock);
      benchmark::DoNotOptimize(now);
    }
  });
}

// The library has no communicators of ours: their ids are as good as any to what is measured.
void add_through_library(Bench& bench, const Ours& ours, const Library& library,
                         pscope_session* session, const char* name, int level) {
  const auto prepare = [&library, session, level] { library.set_level(session, level); };
  add_row(bench, name, prepare, [&library, session, ours](const Operation& operation) {
    const pscope_op op = op_of(ours, operation);
    library.end(session, library.begin(session, &op), kOk);
  });
}

}  // namespace

void add_ours(Bench& bench) {
  static const Ours ours = open_ours();
  add_level(bench, ours, "peerscope off", PSCOPE_LEVEL_OFF);
  add_level(bench, ours, "peerscope basic", PSCOPE_LEVEL_BASIC);
  add_level(bench, ours, "peerscope detailed", PSCOPE_LEVEL_DETAILED);
  add_level(bench, ours, "peerscope comprehensive", PSCOPE_LEVEL_COMPREHENSIVE);
  add_phases(bench, ours);
  static const Library library;
  if (!library.ready()) return;
  static pscope_session* const session = library.open("record_peers_bench");
  add_through_library(bench, ours, library, session, "peerscope off, through the library",
                      PSCOPE_LEVEL_OFF);
  add_through_library(bench, ours, library, session, "peerscope detailed, through the library",
                      PSCOPE_LEVEL_DETAILED);
}

}  // namespace peerscope::peers
