// peerscope bench overhead: what monitoring costs a collective. The same ranks, the levels in turn,
// round after round.
#include <atomic>
#include <numeric>
#include <random>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/units.hpp"
#include "cli/commands.hpp"
#include "cli/measure.hpp"
#include "cli/render.hpp"
#include "comm/host/host.hpp"
#include "session/monitor.hpp"

namespace peerscope {
namespace {

// "off" twice: the difference between equal things is the noise floor.
constexpr const char* kArms[] = {"off", "off again", "basic", "detailed", "comprehensive"};
constexpr int kArmLevels[] = {0, 0, 1, 2, 3};
constexpr std::size_t kArmCount = 5;

struct OverheadOptions {
  int ranks = 2, rounds = 201;
  std::uint64_t least = 8, most = 1 << 20;
  bool json = false, reader = false;
};

struct Row {
  std::uint64_t bytes = 0;
  int iterations = 0;
  std::vector<double> us[kArmCount];
};

// Ranks as threads that do what rank 0 says.
struct Plan {
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<int> iterations{0};
  std::atomic<int> turn{0}, done{0};
  std::atomic<bool> over{false};
  std::atomic<int> failed{0};
};

bool collective(Communicator& comm, std::vector<float>& tensor, std::uint64_t bytes) {
  const std::size_t count = std::max<std::size_t>(bytes / 4, 1);
  return static_cast<bool>(
      comm.all_reduce({tensor.data(), count, Dtype::f32}, tensor.data(), ReduceOp::max));
}

double measure(Communicator& comm, std::vector<float>& tensor, std::uint64_t bytes, int iterations,
               Plan& plan) {
  if (!comm.barrier()) plan.failed.store(1);
  const std::int64_t before_ns = monotonic_ns();
  for (int i = 0; i < iterations; ++i) {
    if (!collective(comm, tensor, bytes)) plan.failed.store(1);
  }
  return static_cast<double>(monotonic_ns() - before_ns) / iterations / 1e3;
}

void follow(Communicator& comm, Plan& plan, std::uint64_t most, int cpu) {
  pin_to(cpu);
  std::vector<float> tensor(std::max<std::size_t>(most / 4, 1), 1.0F);
  for (int turn = 1; !plan.over.load(); ++turn) {
    while (plan.turn.load(std::memory_order_acquire) < turn && !plan.over.load()) continue;
    if (plan.over.load()) break;
    measure(comm, tensor, plan.bytes.load(), plan.iterations.load(), plan);
    plan.done.fetch_add(1, std::memory_order_release);
  }
}

double lead(Communicator& comm, std::vector<float>& tensor, Row& row, Plan& plan, int ranks) {
  plan.bytes.store(row.bytes);
  plan.iterations.store(row.iterations);
  plan.done.store(0);
  plan.turn.fetch_add(1, std::memory_order_release);
  const double us = measure(comm, tensor, row.bytes, row.iterations, plan);
  while (plan.done.load(std::memory_order_acquire) < ranks - 1) continue;
  return us;
}

int iterations_for(std::uint64_t bytes) {
  return static_cast<int>(std::clamp<std::uint64_t>(20'000'000 / (bytes + 20'000), 20, 1000));
}

std::vector<Row> measure_all(const OverheadOptions& options,
                             std::vector<std::unique_ptr<Communicator>>& comms,
                             pscope_session* session, Plan& plan) {
  std::vector<Row> rows;
  for (std::uint64_t bytes = options.least; bytes <= options.most; bytes *= 8)
    rows.push_back({bytes, iterations_for(bytes), {}});
  if (rows.back().bytes != options.most)
    rows.push_back({options.most, iterations_for(options.most), {}});
  std::vector<float> tensor(std::max<std::size_t>(options.most / 4, 1), 1.0F);
  std::mt19937 random(7);
  std::vector<std::size_t> order(kArmCount);
  std::iota(order.begin(), order.end(), 0);
  for (int round = -1; round < options.rounds; ++round) {  // the first is thrown away
    for (Row& row : rows) {
      std::shuffle(order.begin(), order.end(), random);
      for (const std::size_t arm : order) {
        pscope_set_level(session, kArmLevels[arm]);
        const double us = lead(*comms[0], tensor, row, plan, options.ranks);
        if (round >= 0) row.us[arm].push_back(us);
      }
    }
    if (!options.json && isatty(STDOUT_FILENO) != 0) {
      fmt::print("\r  round {} of {} \x1b[K", round + 1, options.rounds);
      std::fflush(stdout);
    }
  }
  if (!options.json && isatty(STDOUT_FILENO) != 0) fmt::print("\r\x1b[K");
  return rows;
}

// The median over rounds of (time of the arm / time of "off" in the same round): what drifts
// cancels out.
Spread ratio(const Row& row, std::size_t arm) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < row.us[0].size(); ++i)
    ratios.push_back(row.us[arm][i] / row.us[0][i]);
  return spread_of(ratios);
}

// How far the median of equal things strays from 1: the larger of what was seen and its own
// standard error.
double noise_floor(const Row& row) {
  const Spread again = ratio(row, 1);
  const double error = 1.253 * 1.4826 * again.mad /
                       std::sqrt(static_cast<double>(std::max<std::size_t>(row.us[0].size(), 1)));
  return std::max(std::abs(again.median - 1.0), 2.0 * error);
}

nlohmann::json to_json(const std::vector<Row>& rows) {
  nlohmann::json out = {{"rows", nlohmann::json::array()}};
  for (const Row& row : rows) {
    nlohmann::json entry = {{"bytes", row.bytes},
                            {"off_us", spread_of(row.us[0]).median},
                            {"off_min_us", spread_of(row.us[0]).least},
                            {"noise_floor", noise_floor(row)},
                            {"iterations", row.iterations}};
    for (std::size_t arm = 2; arm < kArmCount; ++arm) {
      entry["ratio"][kArms[arm]] = ratio(row, arm).median;
      entry["min_ratio"][kArms[arm]] = spread_of(row.us[arm]).least / spread_of(row.us[0]).least;
    }
    out["rows"].push_back(entry);
  }
  return out;
}

std::string percent(double ratio) { return fmt::format("{:+.1f} %", (ratio - 1.0) * 100.0); }

void print_text(const std::vector<Row>& rows) {
  std::vector<std::vector<std::string>> lines{
      {"all_reduce", "off", "basic", "detailed", "comprehensive", "noise floor"}};
  for (const Row& row : rows) {
    lines.push_back({format_bytes(row.bytes), fmt::format("{:.2f} µs", spread_of(row.us[0]).median),
                     percent(ratio(row, 2).median), percent(ratio(row, 3).median),
                     percent(ratio(row, 4).median),
                     fmt::format("±{:.1f} %", noise_floor(row) * 100)});
  }
  fmt::print("{}", table(lines, 1, terminal_style()));
  fmt::print(
      "  medians over rounds of the ratio to \"off\" in the same round; noise floor: off against "
      "off\n"
      "  goals: basic ≤ 1 %, detailed ≤ 1 %, comprehensive ≤ 2 %, or within the noise floor\n");
}

int bench_overhead_main(Args& args) {
  OverheadOptions options;
  args.integer("--ranks", options.ranks, 2, 16, "threads that talk to each other");
  args.integer("--rounds", options.rounds, 3, 10000, "interleaved rounds");
  args.bytes("-b,--minbytes", options.least, "smallest size");
  args.bytes("-e,--maxbytes", options.most, "largest size");
  args.flag("--reader", options.reader, "with a reader attached that aggregates");
  args.flag("--json", options.json, "print one JSON object");
  if (const auto status = args.parse()) return *status;
  if (options.least > options.most || options.least == 0) {
    fmt::print(stderr, "peerscope bench overhead: -b must be at least 1 and at most -e\n");
    return 2;
  }
  const std::string id = fmt::format("overhead-{}", getpid());
  pscope_options recording{};
  recording.size = sizeof recording;
  recording.name = "bench overhead";
  recording.session = id.c_str();
  recording.level = PSCOPE_LEVEL_OFF;
  pscope_session* session = pscope_open(&recording, nullptr);
  HostOptions host;
  host.name = "bench";
  host.id = 1;
  host.ranks = options.ranks;
  host.session = session;
  const Result<HostWorld> world = HostWorld::create(host);
  std::vector<std::unique_ptr<Communicator>> comms;
  for (int rank = 0; world && rank < options.ranks; ++rank) {
    Result<std::unique_ptr<Communicator>> comm = world->open(rank);
    if (comm) comms.push_back(std::move(*comm));
  }
  if (static_cast<int>(comms.size()) < options.ranks) {
    fmt::print(stderr, "peerscope bench overhead: {}\n",
               world ? "a rank could not be opened" : world.error().message);
    return 1;
  }
  MonitorOptions monitor_options;
  monitor_options.collect.sessions = {id};
  std::unique_ptr<MonitorThread> reader;
  if (options.reader) reader = std::make_unique<MonitorThread>(monitor_options);
  Plan plan;
  std::vector<std::thread> threads;
  for (int rank = 1; rank < options.ranks; ++rank) {
    threads.emplace_back(
        [&, rank] { follow(*comms[static_cast<std::size_t>(rank)], plan, options.most, rank); });
  }
  pin_to(0);
  const std::vector<Row> rows = measure_all(options, comms, session, plan);
  plan.over.store(true);
  for (std::thread& thread : threads) thread.join();
  reader.reset();
  const std::string path = pscope_segment_path(session);
  pscope_close(session);
  unlink(path.c_str());
  if (options.json) {
    fmt::print("{}\n", to_json(rows).dump(2));
  } else {
    print_text(rows);
  }
  if (plan.failed.load() != 0)
    fmt::print(stderr, "peerscope bench overhead: a collective failed; the figures are void\n");
  return plan.failed.load() != 0 ? 1 : 0;
}

}  // namespace

const Command kBenchOverheadCommand{
    {"bench overhead", "what monitoring costs an all_reduce, level by level",
     "  peerscope bench overhead\n"
     "  peerscope bench overhead --rounds 101 --reader --json\n",
     "1 a collective failed"},
    bench_overhead_main};

}  // namespace peerscope
