// Operations that began and do not end, one finding a collective: who is in it, who is not.
#include <algorithm>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "analyze/detect/detectors.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"
#include "model/size_class.hpp"

namespace peerscope {
namespace {

using Group = std::vector<const InFlight*>;

bool is_dead(const Snapshot& snapshot, std::uint32_t pid) {
  return std::any_of(snapshot.processes.begin(), snapshot.processes.end(),
                     [pid](const ProcessView& process) {
                       return process.pid == pid && process.state == ProcessState::dead;
                     });
}

// The age at which an operation of this kind and size is hanging.
double limit_ns(const Snapshot& snapshot, const Op& op, const DetectOptions& options) {
  double limit = static_cast<double>(options.hang_min_age_ns);
  if (!snapshot.aggregates) return limit;
  for (const OperationRow& row : snapshot.aggregates->operations) {
    if (row.other || row.kind != op.kind || row.size_class != size_class(op.bytes)) continue;
    const Distribution& host = row.windows.in(Window::all).host;
    if (host.known()) limit = std::max(limit, options.hang_p999_ratio * host.p999_ns);
  }
  return limit;
}

std::vector<int> ranks_of(const Group& group) {
  std::vector<int> ranks;
  for (const InFlight* entry : group) {
    if (entry->op.rank != kNoRank) ranks.push_back(entry->op.rank);
  }
  std::sort(ranks.begin(), ranks.end());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  return ranks;
}

std::vector<int> missing_ranks(const Snapshot& snapshot, const Op& op,
                               const std::vector<int>& present) {
  int ranks = op.ranks;
  if (snapshot.aggregates && op.ranks == 0) {
    for (const CommunicatorRow& comm : snapshot.aggregates->communicators) {
      if (comm.id == op.comm) ranks = comm.ranks;
    }
  }
  std::vector<int> missing;
  for (int rank = 0; rank < ranks; ++rank) {
    if (!std::binary_search(present.begin(), present.end(), rank)) missing.push_back(rank);
  }
  return missing;
}

// What a missing rank is doing instead, if it is in another operation of the communicator.
std::string instead(const Snapshot& snapshot, const Op& op, int rank) {
  for (const InFlight& entry : snapshot.in_flight) {
    if (entry.op.comm == op.comm && entry.op.rank == rank && entry.op.sequence != op.sequence) {
      return fmt::format(" (it is in {} number {})", operation_name(entry.op), entry.op.sequence);
    }
  }
  return {};
}

std::string whom_it_waits_for(const Snapshot& snapshot, const Op& op,
                              const std::vector<int>& missing) {
  if (!is_collective(op.kind)) {
    return op.peer == kNoPeer ? "." : fmt::format("; its peer is rank {}.", op.peer);
  }
  if (missing.empty()) return "; all ranks are in it.";
  std::string ranks = ranks_in_words(missing);
  ranks[0] = 'r';
  // A root may be done and gone before the others have arrived.
  const char* verb = has_root(op.kind) ? "not in it" : "not arrived";
  const char* have = has_root(op.kind) ? (missing.size() == 1 ? "is" : "are")
                                       : (missing.size() == 1 ? "has" : "have");
  const std::string other = missing.size() == 1 ? instead(snapshot, op, missing[0]) : "";
  return fmt::format("; {} {} {}{}.", ranks, have, verb, other);
}

const InFlight& oldest_of(const Group& group) {
  const auto younger = [](const InFlight* a, const InFlight* b) { return a->age_ns < b->age_ns; };
  return **std::max_element(group.begin(), group.end(), younger);
}

// All ranks that are in the collective, also those of processes in another state.
std::vector<int> ranks_in(const Snapshot& snapshot, const Op& op) {
  Group group;
  for (const InFlight& entry : snapshot.in_flight) {
    if (entry.op.comm == op.comm && entry.op.sequence == op.sequence && entry.op.kind == op.kind) {
      group.push_back(&entry);
    }
  }
  return ranks_of(group);
}

void describe(const Snapshot& snapshot, const Group& group, const std::vector<int>& missing,
              Finding& out) {
  const InFlight& oldest = oldest_of(group);
  const std::vector<int> present = ranks_of(group);
  const std::string who =
      present.empty() ? fmt::format("Process {}", oldest.pid) : ranks_in_words(present);
  const std::string what = operation_name(oldest.op);
  const std::string age = format_duration(static_cast<double>(oldest.age_ns));
  const std::string whom = whom_it_waits_for(snapshot, oldest.op, missing);
  if (is_dead(snapshot, oldest.pid)) {
    // Its last sign of life may be older than its death: what it did since is not known.
    const std::string since =
        oldest.age_ns > 0 ? fmt::format(" (for at least {}, host clock)", age) : "";
    out.sentence = fmt::format("{} {} in {}{} when the process died{}", who,
                               present.size() > 1 ? "were" : "was", what, since, whom);
    out.action =
        "Look for why it ended (exit status, kernel log); what it did before: peerscope report";
    return;
  }
  out.sentence = fmt::format("{} {} been in {} for {} (host clock{}){}", who,
                             present.size() > 1 ? "have" : "has", what, age,
                             oldest.enqueued ? ", enqueued and not done on the device" : "", whom);
  out.action =
      missing.size() == 1
          ? fmt::format("Look at where rank {} is (a stack of its process); live: peerscope top",
                        missing[0])
          : "Look at where these processes are (their stacks); live: peerscope top";
}

Finding finding(const Snapshot& snapshot, const Group& group) {
  const InFlight& oldest = oldest_of(group);
  const Op& op = oldest.op;
  const std::vector<int> present = ranks_in(snapshot, op);
  std::vector<int> missing;
  if (is_collective(op.kind) && !present.empty()) missing = missing_ranks(snapshot, op, present);
  Finding out;
  out.kind = "hang";
  out.severity = Severity::critical;
  if (missing.size() == 1) {
    out.subject.rank = missing[0];
  } else if (op.rank != kNoRank) {
    out.subject.rank = op.rank;
  }
  if (!is_collective(op.kind) && op.peer != kNoPeer) out.subject.peer = op.peer;
  if (op.device != kNoDevice) out.subject.device = op.device;
  out.subject.communicator = communicator_name(snapshot, op.comm);
  out.subject.operation = std::string(name(op.kind));
  describe(snapshot, group, missing, out);
  out.confidence = 0.95;
  if (op.kind == Kind::recv || op.kind == Kind::get) {
    // Waiting for what nobody has sent may be what it is there for.
    out.severity = Severity::warning;
    out.confidence = 0.5;
  }
  out.impact = 1.0;
  out.since_ns = op.begin_ns;
  out.evidence = {{"age_host_ns", static_cast<double>(oldest.age_ns)},
                  {"sequence", static_cast<double>(op.sequence)},
                  {"ranks_in_it", static_cast<double>(present.size())},
                  {"ranks_missing", static_cast<double>(missing.size())},
                  {"pid", static_cast<double>(oldest.pid)}};
  return out;
}

}  // namespace

void detect_hang(const Snapshot& snapshot, const DetectOptions& options,
                 std::vector<Finding>& out) {
  // Collectives by communicator and sequence; everything else stands alone. What the dead were in
  // is told apart.
  std::map<std::tuple<bool, std::uint64_t, std::uint64_t, Kind, std::size_t>, Group> groups;
  for (std::size_t i = 0; i < snapshot.in_flight.size(); ++i) {
    const InFlight& entry = snapshot.in_flight[i];
    const Op& op = entry.op;
    const bool together = is_collective(op.kind) && op.comm != 0;
    groups[{is_dead(snapshot, entry.pid), op.comm, op.sequence, op.kind, together ? 0 : i + 1}]
        .push_back(&entry);
  }
  for (const auto& [key, group] : groups) {
    const bool dead = std::get<0>(key);
    if (!dead && std::get<3>(key) == Kind::compute) continue;  // no communication
    const bool hangs = std::any_of(group.begin(), group.end(), [&](const InFlight* entry) {
      return static_cast<double>(entry->age_ns) >= limit_ns(snapshot, entry->op, options);
    });
    if (dead || hangs) out.push_back(finding(snapshot, group));
  }
}

}  // namespace peerscope
