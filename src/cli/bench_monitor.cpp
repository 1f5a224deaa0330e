// peerscope bench monitor: what monitoring costs the P2P backend, the levels in turn within the same ranks.
#include <algorithm>
#include <atomic>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/backends.hpp"
#include "cli/bench_steps.hpp"
#include "cli/commands.hpp"
#include "cli/nccl_levels.hpp"
#include "cli/progress.hpp"
#include "cli/select.hpp"
#include "suite/case.hpp"

namespace peerscope {
namespace {

constexpr int kMostRounds = 4000;
constexpr std::size_t kMostSizes = 32;

struct MonitorOptions {
  std::string backend = "host", operation = "all_reduce", dtype = "f32";
  std::uint64_t least = 8, most = 1 << 20;
  double factor = 16;
  int ranks = 2, iterations = 200, rounds = 200;
  bool graph = false, threads = false, json = false;
};

// Written by rank 0, read by the process that prints.
struct Times {
  std::atomic<int> done{0};  // rounds
  double us[kMostSizes][kMostRounds] = {};
};

// One round: the level, then a batch. All ranks set the level, which is the session's.
Status one_round(BenchRank& rank, LevelSwitch& levels, const Call& call,
                 const MonitorOptions& options, int round, Times& times, std::size_t at) {
  if (Status set = levels.set(level_of_round(round)); !set) return set;
  if (Status met = rank.barrier(); !met) return met;
  const Result<BatchTime> time = rank.run(call, options.iterations, options.graph);
  if (!time) return time.error();
  if (rank.rank() == 0) {
    const double ns = time->device_ns > 0 ? time->device_ns : time->host_ns;
    times.us[at][round] = ns / options.iterations / 1e3;
    ++times.done;
  }
  return rank.barrier();
}

Status measure_rank(BenchRank& rank, const MonitorOptions& options, const std::string& session,
                    const std::vector<std::uint64_t>& sizes, Times& times) {
  Result<LevelSwitch> levels = LevelSwitch::open(session);
  if (!levels) return levels.error();
  for (std::size_t at = 0; at < sizes.size(); ++at) {
    const Case test{.kind = *kind_named(options.operation),
                    .dtype = *parse_dtype(options.dtype),
                    .bytes = sizes[at]};
    const Lengths lengths = lengths_of(test, options.ranks);
    const std::size_t width = dtype_bytes(test.dtype);
    const Result<void*> input = rank.allocate(lengths.input * width),
                        output = rank.allocate(lengths.output * width);
    if (!input) return input.error();
    if (!output) return output.error();
    if (Status filled = rank.fill(*input, std::byte{0}, lengths.input * width); !filled)
      return filled;
    const std::vector<std::size_t> counts(static_cast<std::size_t>(options.ranks), lengths.count);
    const std::optional<Call> call =
        call_of(test, rank.rank(), options.ranks, {*input, *output, counts});
    if (!call)
      return Error{ErrorCode::unsupported,
                   "bench monitor: an operation in which every rank takes part"};
    if (Result<BatchTime> warm = rank.run(*call, options.iterations, options.graph); !warm)
      return warm.error();
    for (int round = 0; round < options.rounds; ++round) {
      if (Status done = one_round(rank, *levels, *call, options, round, times, at); !done)
        return done;
    }
    rank.release(*output);
    rank.release(*input);
  }
  return Done{};
}

std::string cell(const LevelCost& cost) {
  return fmt::format("{:.3f} ({:.3f}..{:.3f}); {:.3f}", cost.ratio_of_means,
                     cost.ratio_of_means_low, cost.ratio_of_means_high, cost.ratio);
}

void print_costs(const MonitorOptions& options, const std::vector<std::uint64_t>& sizes,
                 const Times& times) {
  nlohmann::json rows = nlohmann::json::array();
  if (!options.json) {
    fmt::print(
        "# {} on {}, {} ranks{}: time over that at level off in the same cycle: of the means (95 "
        "%); median\n",
        options.operation, options.backend, options.ranks, options.graph ? ", as CUDA graphs" : "");
    fmt::print("# {:>12} {:>9} {:>28} {:>28} {:>28}\n", "bytes", "off us", "basic", "detailed",
               "comprehensive");
  }
  for (std::size_t at = 0; at < sizes.size(); ++at) {
    const auto costs = level_costs({times.us[at], static_cast<std::size_t>(options.rounds)});
    nlohmann::json row = {{"bytes", sizes[at]},
                          {"operation", options.operation},
                          {"backend", options.backend},
                          {"graph", options.graph}};
    for (std::size_t level = 0; level < costs.size(); ++level) {
      const LevelCost& c = costs[level];
      row["levels"][std::string(name(kLevelsInTurn[level]))] = {
          {"mean_us", c.mean_us},
          {"least_us", c.least_us},
          {"ratio_of_means", c.ratio_of_means},
          {"ratio_of_means_low", c.ratio_of_means_low},
          {"ratio_of_means_high", c.ratio_of_means_high},
          {"ratio", c.ratio},
          {"ratio_low", c.ratio_low},
          {"ratio_high", c.ratio_high}};
    }
    rows.push_back(row);
    if (!options.json)
      fmt::print("  {:>12} {:>9.2f} {:>28} {:>28} {:>28}\n", sizes[at], costs[0].mean_us,
                 cell(costs[1]), cell(costs[2]), cell(costs[3]));
  }
  if (options.json) fmt::print("{}\n", nlohmann::json{{"rows", rows}}.dump(2));
}

int run_monitor(const MonitorOptions& options) {
  const std::vector<std::uint64_t> sizes =
      sizes_between(options.least, options.most, options.factor);
  if (sizes.size() > kMostSizes)
    return refuse_bench(
        {ErrorCode::invalid_argument,
         fmt::format("that are {} sizes; {} are possible", sizes.size(), kMostSizes)});
  const Result<Kind> kind = kind_named(options.operation);
  if (!kind) return refuse_bench(kind.error());
  BackendOptions recording;
  recording.threads = options.threads;
  recording.session = session_or(fmt::format("bench-{}", getpid()));
  Result<std::unique_ptr<BenchBackend>> backend = make_backend(options.backend, recording);
  if (!backend) return refuse_bench(backend.error());
  if (Status takes =
          (*backend)->takes(*kind, *parse_dtype(options.dtype), ReduceOp::sum, options.ranks);
      !takes)
    return refuse_bench(takes.error());
  if (options.graph && !(*backend)->traits().graph)
    return refuse_bench(
        {ErrorCode::invalid_argument, fmt::format("{} has no CUDA graphs", options.backend)});
  void* memory = mmap(nullptr, sizeof(Times), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return refuse_bench({ErrorCode::no_memory, "no memory to share"});
  Times& times = *::new (memory) Times;
  const std::size_t rounds = sizes.size() * static_cast<std::size_t>(options.rounds);
  Status done = Done{};
  {
    Progress progress("what monitoring costs", rounds);
    done = (*backend)->run(
        options.ranks,
        [&](BenchRank& rank) {
          return measure_rank(rank, options, recording.session, sizes, times);
        },
        [&] {
          progress.update(static_cast<std::uint64_t>(times.done.load()));
          return true;
        });
  }
  if (done) print_costs(options, sizes, times);
  munmap(memory, sizeof(Times));
  return done ? 0 : refuse_bench(done.error());
}

int bench_monitor_main(Args& args) {
  MonitorOptions options;
  // NCCL's operations are its profiler plugin's to record: bench all_reduce --backend nccl --levels.
  args.choice("--backend", options.backend, {"host", "cuda"},
              "where the ranks are (default: host)");
  args.text("--operation", options.operation, "all_reduce, all_gather, ... (default: all_reduce)");
  args.bytes("-b,--minbytes", options.least, "smallest size (default: 8)");
  args.bytes("-e,--maxbytes", options.most, "largest size (default: 1M)");
  args.real("-f,--stepfactor", options.factor, 1.001, 1e6, "from one size to the next");
  args.choice("-d,--dtype", options.dtype, {"f32", "f16", "bf16", "i32", "i8", "u8"},
              "element type");
  args.integer("-g,--ngpus", options.ranks, 2, kMaxRanks, "ranks");
  args.integer("-n,--iters", options.iterations, 1, 1'000'000, "operations of a round");
  args.integer("--rounds", options.rounds, 4, kMostRounds, "rounds, a level each in turn");
  args.flag("-G,--cudagraph", options.graph, "cuda: the operations of a round are one graph");
  args.flag("--threads", options.threads, "ranks are threads, not processes");
  args.flag("--json", options.json, "print one JSON object");
  if (const auto status = args.parse()) return *status;
  return run_monitor(options);
}

}  // namespace

const Command kBenchMonitorCommand{
    {"bench monitor", "what monitoring costs each operation: levels in turn, beside level off",
     "  peerscope bench monitor -b 8 -e 64M -f 8\n"
     "  peerscope bench monitor --backend cuda -G --rounds 400\n",
     "1 a rank failed"},
    bench_monitor_main};

}  // namespace peerscope
