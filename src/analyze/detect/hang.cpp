// Operations that began and do not end, one finding a collective: who is in it, who is not.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "analyze/detect/detectors.hpp"
#include "analyze/detect/stuck.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"

namespace peerscope {
namespace {

using Group = std::vector<const InFlight*>;

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
  const int ranks = ranks_of_communicator(snapshot, op);
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
  return ranks_of(together(snapshot, op));
}

// Who is stopped of those in it: where all ranks are in, that one is what the others wait for.
std::vector<const InFlight*> stopped_in(const Snapshot& snapshot, const Op& op) {
  std::vector<const InFlight*> out;
  for (const InFlight* entry : together(snapshot, op)) {
    if (entry->op.rank != kNoRank && is_stopped(snapshot, entry->pid)) out.push_back(entry);
  }
  return out;
}

// The rank at the end of the chain, where it is not the one that is waited for first.
std::string behind_it(const Snapshot& snapshot, const Op& op, const std::vector<int>& missing) {
  const std::vector<int> cause = culprits(snapshot, op.comm);
  if (cause.size() != 1) return {};
  const bool first = is_collective(op.kind)
                         ? std::find(missing.begin(), missing.end(), cause[0]) != missing.end()
                         : op.peer == cause[0];
  if (first || op.rank == cause[0]) return {};
  for (const InFlight& entry : snapshot.in_flight) {
    if (entry.op.comm == op.comm && entry.op.rank == cause[0] && is_dead(snapshot, entry.pid))
      return fmt::format(" Rank {} died in {} number {}.", cause[0], operation_name(entry.op),
                         entry.op.sequence);
  }
  return fmt::format(" In the end all wait for rank {}.", cause[0]);
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
  const auto stopped = stopped_in(snapshot, oldest.op);
  if (!stopped.empty()) {
    out.sentence += fmt::format(" Rank {} (process {}) is stopped: by a signal or a debugger.",
                                stopped[0]->op.rank, stopped[0]->pid);
    out.action = fmt::format("Let it go on: kill -CONT {}; or end it", stopped[0]->pid);
    return;
  }
  out.sentence += behind_it(snapshot, oldest.op, missing);
  out.action =
      missing.size() == 1
          ? fmt::format("Look at where rank {} is (a stack of its process); live: peerscope top",
                        missing[0])
          : "Look at where these processes are (their stacks); live: peerscope top";
}

// The rank that it is about: who is stopped or dead inside it, else who holds up the chain, else who alone has not come,
// else who is in it alone. Of those that wait for each other nobody is.
std::optional<int> blamed(const Snapshot& snapshot, const Op& op, const std::vector<int>& present,
                          const std::vector<int>& missing) {
  const auto stopped = stopped_in(snapshot, op);
  if (!stopped.empty()) return stopped[0]->op.rank;
  const std::vector<int> cause = culprits(snapshot, op.comm);
  if (cause.size() == 1) return cause[0];
  if (missing.size() == 1) return missing[0];
  if (present.size() == 1) return present[0];
  return std::nullopt;
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
  if (const auto rank = blamed(snapshot, op, present, missing)) out.subject.rank = *rank;
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

// Who was found to call something else than the others, where all are in.
std::optional<int> odd_rank(const std::vector<Finding>& found, const Group& group) {
  for (const Finding& finding : found) {
    if (finding.kind != "mismatch" || !finding.subject.rank) continue;
    const std::vector<int> ranks = ranks_of(group);
    if (std::binary_search(ranks.begin(), ranks.end(), *finding.subject.rank))
      return finding.subject.rank;
  }
  return std::nullopt;
}

// A process may stand still between what it records and what its GPU is given: then nothing is in flight, and yet all
// wait for it.
void detect_stopped(const Snapshot& snapshot, const DetectOptions& options,
                    std::vector<Finding>& out) {
  if (!snapshot.aggregates || snapshot.aggregates->totals.last_ns == kUnknownNs) return;
  const std::int64_t silent_ns = snapshot.now_ns - snapshot.aggregates->totals.last_ns;
  if (silent_ns < options.hang.min_age_ns) return;
  for (const ProcessView& process : snapshot.processes) {
    if (!process.stopped || process.operations == 0) continue;
    const bool told = std::any_of(out.begin(), out.end(), [&](const Finding& finding) {
      return finding.kind == "hang" && process.rank && finding.subject.rank == process.rank;
    });
    const bool in_something =
        std::any_of(snapshot.in_flight.begin(), snapshot.in_flight.end(),
                    [&](const InFlight& entry) { return entry.pid == process.pid; });
    if (told || in_something) continue;
    const std::string who = process.rank
                                ? fmt::format("Rank {} (process {})", *process.rank, process.pid)
                                : fmt::format("Process {}", process.pid);
    Finding finding;
    finding.kind = "hang";
    finding.severity = Severity::critical;
    finding.subject.rank = process.rank;
    finding.sentence = fmt::format(
        "{} is stopped, by a signal or a debugger; nobody has communicated for {} (host clock).",
        who, format_duration(static_cast<double>(silent_ns)));
    finding.action = fmt::format("Let it go on: kill -CONT {}; or end it", process.pid);
    finding.confidence = 0.95;
    finding.impact = 1.0;
    finding.since_ns = snapshot.aggregates->totals.last_ns;
    finding.evidence = {{"silent_host_ns", static_cast<double>(silent_ns)},
                        {"pid", static_cast<double>(process.pid)}};
    out.push_back(std::move(finding));
  }
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
  std::set<std::tuple<std::uint64_t, Kind>>
      told;  // enqueued ones: those behind the first wait for it
  for (const auto& [key, group] : groups) {
    const bool dead = std::get<0>(key);
    if (!dead && std::get<3>(key) == Kind::compute) continue;  // no communication
    const bool stuck = std::any_of(group.begin(), group.end(), [&](const InFlight* entry) {
      return hangs(snapshot, *entry, options);
    });
    if (!dead && stuck && oldest_of(group).enqueued &&
        !told.insert({std::get<1>(key), std::get<3>(key)}).second)
      continue;
    if (dead || stuck) out.push_back(finding(snapshot, group));
    if (!dead && stuck && !out.back().subject.rank) out.back().subject.rank = odd_rank(out, group);
  }
  detect_stopped(snapshot, options, out);
}

}  // namespace peerscope
