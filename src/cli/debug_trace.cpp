// peerscope debug trace: one collective through every rank and step.
#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "analyze/plan/plan_moves.hpp"
#include "cli/commands.hpp"
#include "cli/debug_source.hpp"
#include "cli/debug_trace_text.hpp"
#include "cli/select.hpp"
#include "cli/trace_files.hpp"
#include "session/collective_finder.hpp"
#include "session/debug_json.hpp"

namespace peerscope {
namespace {

struct TraceOptions {
  std::string wanted, comm, sequence, operation;
  bool slowest = false, json = false;
};

struct Named {
  std::uint64_t id = 0;
  std::string name;
};

std::string shown(const Named& comm) {
  return comm.name.empty() ? fmt::format("{:#x}", comm.id) : comm.name;
}

// Where the operations come from, and what things are called there.
struct Origin {
  std::optional<TraceReader> file;
  std::vector<std::string> sessions;
  std::vector<Named> comms;
  std::int64_t real_offset_ns = 0;
};

int complain(const std::string& sentence) {
  fmt::print(stderr, "peerscope debug trace: {}\n", sentence);
  return 2;
}

std::string all_of(const std::vector<Named>& comms) {
  std::vector<std::string> names;
  for (const Named& comm : comms) names.push_back(shown(comm));
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

// By name, or by id in decimal or hex. "" if it is one of them; else a sentence.
std::string find_comm(const TraceOptions& options, const std::vector<Named>& comms,
                      WantedCollective& wanted) {
  if (options.comm.empty()) {
    if (comms.size() == 1) wanted.comm = comms[0].id;
    if (comms.size() > 1 && wanted.sequence)
      return fmt::format("number {} of which communicator? Say --comm NAME; there are: {}",
                         *wanted.sequence, all_of(comms));
    return {};
  }
  std::vector<Named> found;
  for (const Named& comm : comms) {
    if (comm.name == options.comm || fmt::format("{:#x}", comm.id) == options.comm ||
        fmt::format("{:x}", comm.id) == options.comm || std::to_string(comm.id) == options.comm)
      found.push_back(comm);
  }
  if (found.empty())
    return fmt::format("there is no communicator '{}'; there are: {}", options.comm, all_of(comms));
  if (found.size() > 1) {
    std::vector<std::string> ids;
    for (const Named& comm : found) ids.push_back(fmt::format("{:#x}", comm.id));
    return fmt::format("{} communicators are called '{}'; say which by its id: {}", found.size(),
                       options.comm, fmt::join(ids, ", "));
  }
  wanted.comm = found[0].id;
  return {};
}

std::string read_wanted(const TraceOptions& options, WantedCollective& wanted) {
  if (!options.sequence.empty()) {
    if (options.slowest) return "--sequence and --slowest exclude each other";
    char* end = nullptr;
    errno = 0;
    const unsigned long long number = std::strtoull(options.sequence.c_str(), &end, 10);
    if (*end != '\0' || options.sequence[0] == '-' || errno != 0)
      return fmt::format("--sequence {}: write a number, such as --sequence 41", options.sequence);
    wanted.sequence = number;
  }
  if (options.operation.empty()) return {};
  wanted.kind = parse_kind(options.operation);
  if (!wanted.kind || !is_collective(*wanted.kind))
    return fmt::format("--op {}: there is no such collective; write all_reduce, broadcast, ...",
                       options.operation);
  return {};
}

std::string not_found(const CollectiveFinder& finder, const WantedCollective& wanted) {
  const auto [least, most] = finder.seen();
  const std::string what =
      wanted.kind ? std::string(name(*wanted.kind)) : std::string("collective");
  if (least > most) return fmt::format("no {} was recorded there", what);
  if (!wanted.sequence) return fmt::format("no {} was recorded by two ranks or more", what);
  return fmt::format("{} #{} is not there; numbers {} to {} are", what, *wanted.sequence, least,
                     most);
}

Result<CollectiveTrace> search(const Origin& origin, CollectiveFinder& finder) {
  if (origin.file) return find_collective(*origin.file, finder);
  CollectorOptions options;
  options.sessions = origin.sessions;
  Collector collector(options, finder);
  collector.poll();
  collector.finish();
  return finder.trace(
      [&](std::uint32_t process, std::uint16_t id) { return collector.text(process, id); });
}

std::optional<Origin> open_origin(const std::string& wanted) {
  Origin origin;
  if (names_a_file(wanted)) {
    origin.file = open_trace("debug trace", wanted);
    if (!origin.file) return std::nullopt;
    for (const TraceComm& comm : origin.file->meta().communicators)
      origin.comms.push_back({comm.id, comm.name});
    origin.real_offset_ns = origin.file->meta().clock.real_offset_ns;
    return origin;
  }
  const Result<std::vector<std::string>> sessions = select_sessions(wanted);
  if (!sessions) {
    complain(sessions.error().message);
    return std::nullopt;
  }
  origin.sessions = *sessions;
  DeafSink deaf;
  CollectorOptions options;
  options.sessions = *sessions;
  Collector collector(options, deaf);
  collector.discover();
  for (const CommInfo& comm : collector.communicators())
    origin.comms.push_back({comm.id, comm.name});
  origin.real_offset_ns = collector.clock().real_offset_ns();
  return origin;
}

int debug_trace_main(Args& args) {
  TraceOptions options;
  args.positional("session", options.wanted, kDebugSourceHelp);
  args.text("--comm", options.comm, "communicator, by name or id (default: the only one)");
  args.text("--sequence", options.sequence, "the collective's number");
  args.flag("--slowest", options.slowest,
            "the one that took longest, first arrival to last departure (default)");
  args.text("--op,--operation", options.operation, "only this operation: all_reduce, ...");
  args.flag("--json", options.json, "print one JSON object");
  if (const auto status = args.parse()) return *status;
  WantedCollective wanted;
  if (const std::string problem = read_wanted(options, wanted); !problem.empty())
    return complain(problem);
  const auto origin = open_origin(options.wanted);
  if (!origin) return 2;
  if (const std::string problem = find_comm(options, origin->comms, wanted); !problem.empty())
    return complain(problem);
  CollectiveFinder finder(wanted);
  Result<CollectiveTrace> trace = search(*origin, finder);
  if (!trace) return complain(trace.error().message);
  if (trace->ranks.empty()) return complain(not_found(finder, wanted));
  if (trace->op.backend == Backend::nccl && !wanted.kind && finder.kinds().size() > 1) {
    std::vector<std::string> kinds;
    for (const Kind kind : finder.kinds()) kinds.emplace_back(name(kind));
    return complain(fmt::format("NCCL counts each operation by itself; say --op, one of {}",
                                fmt::join(kinds, ", ")));
  }
  Result<std::vector<PlannedMove>> plan = plan_moves(trace->op);
  if (plan)
    trace->plan = std::move(*plan);
  else
    trace->plan_unknown = plan.error().message;
  std::string communicator = fmt::format("{:#x}", trace->op.comm);
  for (const Named& comm : origin->comms) {
    if (comm.id == trace->op.comm) communicator = shown(comm);
  }
  if (options.json)
    print_json(to_json(*trace, communicator, origin->real_offset_ns));
  else
    fmt::print("{}",
               collective_tree(*trace, communicator, origin->real_offset_ns, terminal_style()));
  return 0;
}

}  // namespace

const Command kDebugTraceCommand{
    {"debug trace", "one collective through every rank and step: who came when, what went where",
     "  peerscope debug trace                              the slowest of the newest session\n"
     "  peerscope debug trace run.pscope --comm tp --sequence 4711\n"
     "  peerscope debug trace --slowest --op all_reduce --json | jq .skew_host_ns\n",
     ""},
    debug_trace_main};

}  // namespace peerscope
