// peerscope bench delivery: how much of what is recorded reaches a reader that aggregates, and
// whether loss is counted to the last record.
#include <cerrno>
#include <csignal>
#include <new>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/units.hpp"
#include "cli/commands.hpp"
#include "cli/measure.hpp"
#include "cli/render.hpp"
#include "cli/stop.hpp"
#include "session/monitor.hpp"

namespace peerscope {
namespace {

struct DeliveryOptions {
  int threads = 1;
  double rate = 0;  // operations per second and thread; 0: as fast as it goes
  double seconds = 3;
  double stall_s = 0;  // the reader stops for this long in the middle
  bool json = false;
};

constexpr int kMaxThreads = 64;
constexpr int kBurst = 200;  // operations between two looks at the clock

// Shared with the writing process: what it says about itself.
struct Board {
  std::atomic<int> ready{0};
  std::atomic<int> go{0};
  std::atomic<int> phase{0};  // 1: the reader stands still
  std::atomic<std::uint64_t> made[kMaxThreads];
  std::atomic<std::uint64_t> burst_ns[2][kMaxThreads];  // time in bursts, by phase
  std::atomic<std::uint64_t> bursts[2][kMaxThreads];
};

std::int64_t now_ns() { return monotonic_ns(); }

void nap_until(std::int64_t end_ns) {
  const timespec end{end_ns / 1'000'000'000, end_ns % 1'000'000'000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, nullptr) == EINTR) continue;
}

void write_operations(pscope_session* session, Board& board, const DeliveryOptions& options,
                      int thread) {
  prctl(PR_SET_TIMERSLACK, 1000UL);
  pscope_comm_desc desc{0x64656cu,
                        "delivery",
                        static_cast<std::uint32_t>(thread),
                        1,
                        static_cast<std::uint16_t>(thread),
                        PSCOPE_BACKEND_HOST,
                        0};
  pscope_op ops[8] = {};
  for (int i = 0; i < 8; ++i) {
    ops[i].bytes = std::uint64_t{1024} << i;
    ops[i].sequence = PSCOPE_SEQUENCE_AUTO;
    ops[i].comm = pscope_comm_register(session, &desc);
    ops[i].peer = PSCOPE_NO_PEER;
    ops[i].kind = static_cast<std::uint8_t>(PSCOPE_KIND_ALL_REDUCE + i % 3);
    ops[i].algorithm = PSCOPE_ALGORITHM_RING;
  }
  pscope_op_end(session, pscope_op_begin(session, &ops[0]), 0);
  std::uint64_t made = 1;
  board.ready.fetch_add(1);
  while (board.go.load() == 0) usleep(1000);
  const std::int64_t begin_ns = now_ns();
  const std::int64_t end_ns = begin_ns + static_cast<std::int64_t>(options.seconds * 1e9);
  for (std::int64_t at_ns = begin_ns; at_ns < end_ns;) {
    const auto phase = static_cast<std::size_t>(board.phase.load(std::memory_order_relaxed));
    const std::int64_t before_ns = now_ns();
    for (int i = 0; i < kBurst; ++i)
      pscope_op_end(session, pscope_op_begin(session, &ops[i & 7]), 0);
    at_ns = now_ns();
    made += kBurst;
    board.made[thread].store(made, std::memory_order_relaxed);
    board.burst_ns[phase][thread].fetch_add(static_cast<std::uint64_t>(at_ns - before_ns),
                                            std::memory_order_relaxed);
    board.bursts[phase][thread].fetch_add(1, std::memory_order_relaxed);
    if (options.rate > 0)
      nap_until(begin_ns +
                static_cast<std::int64_t>(static_cast<double>(made) / options.rate * 1e9));
    if (options.rate > 0) at_ns = now_ns();
  }
  board.made[thread].store(made, std::memory_order_release);
}

int writer_main(const std::string& session_id, Board& board, const DeliveryOptions& options) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  pscope_options recording{};
  recording.size = sizeof recording;
  recording.name = "bench delivery";
  recording.session = session_id.c_str();
  recording.level = PSCOPE_LEVEL_DETAILED;
  const char* why = nullptr;
  pscope_session* session = pscope_open(&recording, &why);
  if (why != nullptr) return 1;
  std::vector<std::thread> threads;
  for (int t = 0; t < options.threads; ++t) {
    threads.emplace_back([&, t] { write_operations(session, board, options, t); });
  }
  for (std::thread& thread : threads) thread.join();
  pscope_close(session);
  return 0;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

struct Outcome {
  std::uint64_t made = 0, delivered = 0, lost = 0, dropped = 0, aggregated = 0;
  double seconds = 0, reader_cpu_s = 0;
  double burst_ns[2] = {0, 0};  // of one operation, by phase
  bool exact = false;
  std::size_t memory_bytes = 0;
};

// Reads until the writer has gone; stands still once, if asked.
void read_all(Monitor& monitor, Board& board, const DeliveryOptions& options, pid_t writer) {
  const std::int64_t begin_ns = now_ns();
  const bool progress = !options.json && isatty(STDOUT_FILENO) != 0;
  bool stalled = options.stall_s <= 0;
  std::int64_t next_line_ns = begin_ns;
  for (bool gone = false; !gone;) {
    gone = waitpid(writer, nullptr, WNOHANG) == writer;
    monitor.poll();
    const std::int64_t now = now_ns();
    if (progress && now >= next_line_ns) {
      fmt::print("\r  {:.0f} of {:.0f} s \x1b[K", static_cast<double>(now - begin_ns) / 1e9,
                 options.seconds);
      std::fflush(stdout);
      next_line_ns = now + 500'000'000;
    }
    if (!stalled && now - begin_ns > static_cast<std::int64_t>(options.seconds / 3 * 1e9)) {
      stalled = true;
      board.phase.store(1);
      nap_until(now + static_cast<std::int64_t>(options.stall_s * 1e9));
      board.phase.store(0);
    }
    if (stop_requested()) kill(writer, SIGKILL);
    if (options.rate > 0) nap_until(now_ns() + monitor.next_poll_ns());
  }
  monitor.poll();
  if (progress) fmt::print("\r\x1b[K");
}

Outcome outcome_of(Monitor& monitor, const Board& board, const DeliveryOptions& options) {
  Outcome out;
  const auto snapshot = monitor.snapshot();
  for (int t = 0; t < options.threads; ++t) out.made += board.made[t].load();
  for (std::size_t phase = 0; phase < 2; ++phase) {
    double ns = 0;
    double bursts = 0;
    for (int t = 0; t < options.threads; ++t) {
      ns += static_cast<double>(board.burst_ns[phase][t].load());
      bursts += static_cast<double>(board.bursts[phase][t].load());
    }
    out.burst_ns[phase] = bursts > 0 ? ns / bursts / kBurst : -1;
  }
  const auto starts = static_cast<std::uint64_t>(
      options.threads);  // each thread writes one record that says who it is
  std::uint64_t counted = 0;
  for (const ProcessView& process : snapshot->processes) counted += process.operations;
  out.delivered = snapshot->delivered;
  out.lost = snapshot->lost;
  out.dropped = snapshot->dropped;
  out.aggregated = snapshot->aggregates->totals.operations;
  out.exact = counted == out.made && out.delivered + out.lost + out.dropped == out.made + starts &&
              (out.lost > 0 || out.aggregated == out.made - out.dropped);
  out.memory_bytes = monitor.memory_bytes();
  return out;
}

nlohmann::json to_json(const Outcome& o, const DeliveryOptions& options) {
  return {{"threads", options.threads},
          {"seconds", o.seconds},
          {"made", o.made},
          {"made_per_s", static_cast<double>(o.made) / o.seconds},
          {"delivered", o.delivered},
          {"delivered_per_s", static_cast<double>(o.delivered) / o.seconds},
          {"lost", o.lost},
          {"dropped", o.dropped},
          {"aggregated", o.aggregated},
          {"exact", o.exact},
          {"writer_ns", o.burst_ns[0]},
          {"writer_ns_while_reader_stands_still",
           o.burst_ns[1] < 0 ? nlohmann::json(nullptr) : nlohmann::json(o.burst_ns[1])},
          {"reader_cpu_s", o.reader_cpu_s},
          {"reader_memory_bytes", o.memory_bytes}};
}

void print_text(const Outcome& o) {
  fmt::print("  made       {:>14}   {}\n", format_count(o.made),
             format_rate(static_cast<double>(o.made) / o.seconds));
  fmt::print("  delivered  {:>14}   {}\n", format_count(o.delivered),
             format_rate(static_cast<double>(o.delivered) / o.seconds));
  fmt::print("  lost       {:>14}   counted {}\n", format_count(o.lost),
             o.exact ? "exactly: made = delivered + lost" : "WRONGLY");
  fmt::print("  writer     {:>11.1f} ns   an operation", o.burst_ns[0]);
  if (o.burst_ns[1] >= 0) fmt::print("; {:.1f} ns while the reader stood still", o.burst_ns[1]);
  fmt::print("\n  reader     {:>12.1f} %   of a core, {} of memory\n",
             o.reader_cpu_s / o.seconds * 100, format_bytes(o.memory_bytes));
}

int bench_delivery_main(Args& args) {
  DeliveryOptions options;
  args.integer("--threads", options.threads, 1, kMaxThreads, "that write");
  args.real("--rate", options.rate, 0, 1e9,
            "operations per second and thread; 0: as fast as it goes");
  args.real("--seconds", options.seconds, 0.1, 86400, "how long");
  args.real("--stall", options.stall_s, 0, 3600,
            "seconds for which the reader stands still after a third of the time");
  args.flag("--json", options.json, "print one JSON object");
  if (const auto status = args.parse()) return *status;

  void* memory =
      mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 1;
  Board& board = *::new (memory) Board;
  const std::string session = fmt::format("delivery-{}", getpid());
  stop_on_interrupt();
  std::fflush(nullptr);
  const pid_t writer = fork();
  if (writer == 0) _exit(writer_main(session, board, options));
  if (writer < 0) {
    fmt::print(stderr, "peerscope bench delivery: cannot start a process\n");
    return 1;
  }
  while (board.ready.load() < options.threads) {
    if (waitpid(writer, nullptr, WNOHANG) == writer) {
      fmt::print(stderr, "peerscope bench delivery: the writing process could not record\n");
      return 1;
    }
    usleep(1000);
  }
  MonitorOptions monitor_options;
  monitor_options.collect.sessions = {session};
  Monitor monitor(monitor_options);
  monitor.poll();
  const double cpu_before = cpu_seconds();
  const std::int64_t begin_ns = now_ns();
  board.go.store(1);
  read_all(monitor, board, options, writer);
  const std::int64_t end_ns = now_ns();
  Outcome outcome = outcome_of(monitor, board, options);
  outcome.seconds = static_cast<double>(end_ns - begin_ns) / 1e9;
  outcome.reader_cpu_s = cpu_seconds() - cpu_before;
  for (const ProcessStatus& process : monitor.collector().processes()) unlink(process.path.c_str());
  if (options.json) {
    fmt::print("{}\n", to_json(outcome, options).dump(2));
  } else {
    print_text(outcome);
  }
  return outcome.exact ? 0 : 1;
}

}  // namespace

const Command kBenchDeliveryCommand{
    {"bench delivery", "what reaches an attached reader that aggregates",
     "  peerscope bench delivery                                   one thread, as fast as it goes\n"
     "  peerscope bench delivery --threads 2 --rate 1e6 --seconds 60\n"
     "  peerscope bench delivery --threads 2 --rate 1e6 --seconds 20 --stall 5\n",
     "1 loss was not counted exactly"},
    bench_delivery_main};

}  // namespace peerscope
