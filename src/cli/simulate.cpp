// peerscope simulate: a job on a machine that is not there, with faults whose truth is known.
#include "cli/simulate.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "cli/render.hpp"
#include "cli/state_dir.hpp"
#include "cli/stop.hpp"
#include "cli/trace_files.hpp"
#include "session/grade/sim_trace.hpp"
#include "session/grade/watch.hpp"
#include "session/json.hpp"
#include "session/settings.hpp"

namespace peerscope {
namespace {

using nlohmann::json;

constexpr std::int64_t kStepNs = 100'000'000;

int fail(const std::string& why) {
  fmt::print(stderr, "peerscope simulate: {}\n", why);
  return 2;
}

json list_json() {
  json out{{"topologies", json::array()}, {"faults", json::array()}};
  for (const sim::Preset& preset : sim::presets())
    out["topologies"].push_back(
        {{"pattern", preset.pattern}, {"name", preset.standard}, {"says", preset.says}});
  for (const sim::FaultKind& kind : sim::fault_kinds()) {
    json parameters = json::array();
    for (const sim::FaultNumber& n : kind.numbers)
      parameters.push_back(
          {{"name", n.name}, {"least", n.least}, {"most", n.most}, {"says", n.says}});
    out["faults"].push_back({{"fault", kind.name},
                             {"says", kind.says},
                             {"places", kind.places},
                             {"words", kind.words},
                             {"parameters", parameters}});
  }
  return out;
}

void print_list() {
  fmt::print("  Topologies (--topology NAME, or a JSON file; {{N}} may be another number)\n");
  for (const sim::Preset& preset : sim::presets())
    fmt::print("    {:<14} {}\n", preset.standard, preset.says);
  fmt::print(
      "\n  Faults (--fault NAME:key=value,...; what is not given is chosen by the seed)\n"
      "    all: begin=SECONDS, seconds=HOW LONG\n");
  for (const sim::FaultKind& kind : sim::fault_kinds()) {
    fmt::print("    {:<20} {}\n", kind.name, kind.says);
    std::string places = kind.places;
    std::replace(places.begin(), places.end(), ' ', ',');
    for (const char* text : {places.c_str(), kind.words}) {
      if (*text != '\0') fmt::print("    {:<20}   {}\n", "", text);
    }
    for (const sim::FaultNumber& n : kind.numbers)
      fmt::print("    {:<20}   {}: {} ({:g} to {:g})\n", "", n.name, n.says, n.least, n.most);
  }
}

// What a run is made of; a sentence if that does not work.
Result<std::unique_ptr<sim::Simulation>> make_run(const SimulateArguments& arguments) {
  sim::SimulationOptions options;
  auto topology = sim::load_topology(arguments.topology, arguments.ranks);
  if (!topology) return topology.error();
  options.topology = std::move(*topology);
  options.seed = static_cast<std::uint64_t>(arguments.seed);
  options.workload = sim::vary(options.workload, sim::Random(options.seed));
  options.workload.async = arguments.async;
  if (arguments.operations > 0)
    options.most_operations = static_cast<std::uint64_t>(arguments.operations);
  for (const std::string& text : arguments.faults) {
    auto fault = sim::parse_fault(text);
    if (!fault) return fault.error();
    options.faults.push_back(std::move(*fault));
  }
  return sim::Simulation::make(std::move(options));
}

std::string where(const sim::Truth& truth) {
  std::string text;
  if (truth.rank >= 0) text += fmt::format(" rank {}", truth.rank);
  if (truth.peer >= 0)
    text += fmt::format("{} {}", truth.link.empty() ? " → rank" : " and", truth.peer);
  if (!truth.link.empty()) text += fmt::format(" link {}", truth.link);
  if (!truth.operation.empty()) text += " " + truth.operation;
  if (truth.bytes > 0) text += " " + format_bytes(truth.bytes);
  return text;
}

void print_run(const sim::Simulation& run, const Snapshot& snapshot, const TraceView& trace,
               const SimulateArguments& arguments) {
  const std::int64_t origin_ns = run.options().origin_ns;
  fmt::print("  {} · {} ranks · {} operations in {} of virtual time · seed {}\n",
             run.options().topology.name, run.options().topology.ranks(),
             format_count(run.operations()),
             format_duration(static_cast<double>(snapshot.now_ns - origin_ns)), arguments.seed);
  for (const sim::Truth& truth : run.truths()) {
    const auto begin_ns = static_cast<double>(truth.begin_ns - origin_ns);
    fmt::print("  fault   {}{}, from {} on\n", truth.fault, where(truth),
               format_duration(begin_ns));
  }
  if (run.truths().empty()) fmt::print("  no fault\n");
  if (run.stuck())
    fmt::print("  the job hangs: {} operations do not end\n", snapshot.in_flight.size());
  fmt::print("\n{}", verdict(snapshot, terminal_style()));
  if (!arguments.quiet) fmt::print("\n{}", operations_table(snapshot, terminal_style()));
  fmt::print("\n{}  truth: {}\n  next: peerscope report {}\n", recorded_line(trace),
             truth_path(trace.path), trace.path);
}

json run_json(const sim::Simulation& run, const Snapshot& snapshot, const TraceView& trace,
              const SimulateArguments& arguments) {
  json out = json::parse(
      sim::to_json_text(run.truths(), run.faults(), run.options().seed, run.options().topology));
  out["path"] = trace.path;
  out["truth_path"] = truth_path(trace.path);
  out["operations"] = run.operations();
  out["virtual_ns"] = snapshot.now_ns - run.options().origin_ns;
  out["hangs"] = run.stuck();
  out["command"] = arguments.command;
  out["findings"] = json::array();
  for (const Finding& finding : snapshot.findings) out["findings"].push_back(to_json(finding));
  return out;
}

std::string trace_path(const SimulateArguments& arguments, const Config& config) {
  if (!arguments.out.empty()) return arguments.out;
  const std::string dir = trace_settings(config).dir;
  std::error_code error;
  if (!dir.empty()) std::filesystem::create_directories(dir, error);
  return (dir.empty() ? "" : dir + "/") + "simulated.pscope";
}

int simulate_one(const SimulateArguments& arguments, const Config& config) {
  auto run = make_run(arguments);
  if (!run) return fail(run.error().message);
  if (arguments.record) return simulate_recorded(arguments, **run);
  const MonitorOptions options = monitor_options(config);
  const std::string path = trace_path(arguments, config);
  auto trace = SimTrace::create(path, writer_options(config));
  if (!trace) return fail(trace.error().message);
  stop_on_interrupt();
  SimWatch watch(**run, options, &*trace);
  {
    Progress progress("simulating", static_cast<std::uint64_t>(std::max(arguments.operations, 0)));
    const std::int64_t origin_ns = (*run)->options().origin_ns;
    const std::int64_t end_ns =
        arguments.operations > 0 ? INT64_MAX
                                 : origin_ns + static_cast<std::int64_t>(arguments.seconds * 1e9);
    bool more = true;
    while (more && watch.now_ns() < end_ns && !stop_requested()) {
      more = watch.run_until(std::min(end_ns, watch.now_ns() + kStepNs));
      progress.update((*run)->operations());
      // So many operations will never come: it hangs.
      if ((*run)->stuck() && arguments.operations > 0 &&
          watch.now_ns() > (*run)->truths()[0].begin_ns + 2'000'000'000)
        more = false;
    }
  }
  if (!(*run)->stuck()) watch.finish();
  const Snapshot snapshot = watch.snapshot();
  const Status closed = trace->finish(**run, snapshot, arguments.command);
  if (!closed) return fail(closed.error().message);
  const Status written = write_file(
      truth_path(path), sim::to_json_text((*run)->truths(), (*run)->faults(),
                                          (*run)->options().seed, (*run)->options().topology) +
                            "\n");
  if (!written) return fail(written.error().message);
  TraceView view;
  view.path = path;
  view.operations = trace->status().operations;
  view.bytes = trace->status().bytes;
  view.not_written = trace->status().not_written;
  if (arguments.json) {
    fmt::print("{}\n", run_json(**run, snapshot, view, arguments).dump(2));
  } else {
    print_run(**run, snapshot, view, arguments);
  }
  return 0;
}

int simulate_main(Args& args) {
  SimulateArguments arguments;
  bool list = false, suite = false;
  int rounds = 3;
  args.text("-t,--topology", arguments.topology, "a machine's name (see --list), or a JSON file");
  args.integer("--ranks", arguments.ranks, 0, sim::kMostRanks,
               "make the machine fit so many (0: as it is)");
  args.texts("-f,--fault", arguments.faults, "NAME or NAME:key=value,...; repeatable");
  args.integer("--seed", arguments.seed, 0, 2'147'483'647, "the same seed gives the same run");
  args.integer("--operations", arguments.operations, 0, 2'000'000'000,
               "stop after so many operations (0: by time)");
  args.real("--seconds", arguments.seconds, 0.001, 1e6, "of virtual time");
  args.text("-o,--out", arguments.out, "the trace (default: simulated.pscope in trace.dir)");
  args.flag("--async", arguments.async, "ranks enqueue and go on, as with CUDA streams");
  args.flag("--record", arguments.record,
            "in real time through the recorder, for peerscope top and report; no trace");
  args.flag("--suite", suite, "hundreds of cases, and what the detectors make of them");
  args.integer("--rounds", rounds, 1, 1'000, "suite: of each fault on each machine");
  args.flag("--list", list, "the machines and faults that there are");
  args.flag("-q,--quiet", arguments.quiet, "print the verdict only");
  args.flag("--json", arguments.json, "print one JSON object");
  if (const auto status = args.parse()) return *status;
  arguments.command = "peerscope " + args.command();
  if (list && arguments.json) fmt::print("{}\n", list_json().dump(2));
  if (list && !arguments.json) print_list();
  if (list) return 0;
  if (suite && (!arguments.out.empty() || !arguments.faults.empty() || arguments.record ||
                arguments.async)) {
    fmt::print(stderr,
               "peerscope simulate: --suite makes its own cases: leave --fault, --out, --record "
               "and --async out\n");
    return 2;
  }
  if (suite) return simulate_suite(arguments, rounds, args.config());
  return simulate_one(arguments, args.config());
}

}  // namespace

const Command kSimulateCommand{
    {"simulate", "a job on a machine that is not there, with faults whose truth is known",
     "  peerscope simulate --fault slow_rank:rank=3,late_us=200 -o slow.pscope\n"
     "  peerscope simulate -t rails16x8 --fault slow_link --seed 7 --json\n"
     "  peerscope simulate -t rails --ranks 1024 --operations 1000000\n"
     "  peerscope simulate --list             machines, faults and their parameters\n"
     "  peerscope simulate --suite --seed 42  how well the detectors do\n",
     "1 suite: a goal was missed"},
    simulate_main};

}  // namespace peerscope
