// peerscope bench record: what recording one operation costs, beside the two clock reads that
// nothing can do without.
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <unistd.h>

#include "base/units.hpp"
#include "cli/commands.hpp"
#include "cli/library.hpp"
#include "cli/measure.hpp"
#include "cli/render.hpp"
#include "peerscope/peerscope.h"
#include "record/hot.hpp"

namespace peerscope {
namespace {

constexpr int kPairs = 1000;  // a burst
constexpr int kPhases = 3;    // of an operation at comprehensive
constexpr const char* kLevelNames[] = {"off", "basic", "detailed", "comprehensive"};

struct Subject {  // one thing to measure: a burst of kPairs
  const char* name;
  std::function<void()> burst;
  std::vector<double> ns;  // per pair, a round each
};

void measure_round(Subject& subject) {
  subject.burst();  // its code and data are in the caches from here on
  std::uint64_t best = UINT64_MAX;
  // The best of a few bursts within a round: what interrupts the machine is not ours.
  for (int i = 0; i < 5; ++i) {
    const std::uint64_t before = clock_ns(CLOCK_MONOTONIC);
    subject.burst();
    best = std::min(best, clock_ns(CLOCK_MONOTONIC) - before);
  }
  subject.ns.push_back(static_cast<double>(best) / kPairs);
}

void two_clock_reads(ClockSource clock) {
  for (int i = 0; i < kPairs; ++i) {
    std::uint64_t a = ticks_now(clock);
    std::uint64_t b = ticks_now(clock);
    asm volatile("" : : "r"(a), "r"(b));
  }
}

void many_clock_reads(ClockSource clock, int reads) {
  for (int i = 0; i < kPairs; ++i) {
    for (int k = 0; k < reads; ++k) {
      std::uint64_t a = ticks_now(clock);
      asm volatile("" : : "r"(a));
    }
  }
}

void pairs(pscope_session* session, const pscope_op& op) {
  for (int i = 0; i < kPairs; ++i) {
    const pscope_token token = pscope_op_begin(session, &op);
    pscope_op_end(session, token, PSCOPE_STATUS_OK);
  }
}

void pairs_with_phases(pscope_session* session, const pscope_op& op, std::uint16_t phase) {
  for (int i = 0; i < kPairs; ++i) {
    const pscope_token token = pscope_op_begin(session, &op);
    for (int k = 0; k < kPhases; ++k) pscope_op_phase(session, token, phase);
    pscope_op_end(session, token, PSCOPE_STATUS_OK);
  }
}

void pairs_through(const Library& library, pscope_session* session, const pscope_op& op) {
  for (int i = 0; i < kPairs; ++i) {
    const pscope_token token = library.begin(session, &op);
    library.end(session, token, PSCOPE_STATUS_OK);
  }
}

// The same code on a ring in private memory: what shared memory costs.
class PrivateRing {
 public:
  explicit PrivateRing(Recorder& recorder) : recorder_(recorder) {
    constexpr std::size_t kBytes = ring_bytes(kFirstRingLog2);
    void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) return;
    writer_.recorder = &recorder;
    writer_.ring = static_cast<RingHeader*>(memory);
    writer_.slots = reinterpret_cast<Slot*>(static_cast<std::byte*>(memory) + sizeof(RingHeader));
    writer_.mask = (1u << kFirstRingLog2) - 1;
  }
  void burst(const pscope_op& op) {
    for (int i = 0; i < kPairs; ++i) {
      const pscope_token token = open_slot(
          recorder_, writer_, op, {static_cast<std::uint64_t>(i), 0, TokenType::timed, false});
      close_slot(recorder_, writer_, slot_of(token), PSCOPE_STATUS_OK);
    }
  }
  bool ready() const { return writer_.ring != nullptr; }

 private:
  Recorder& recorder_;
  Writer writer_;
};

struct Cold {
  double p50_ns = 0, p999_ns = 0;
};

// One pair every 100 µs, with 64 KiB of foreign memory written before: as in a program that does
// something else.
Cold cold(ClockSource clock, double ns_per_tick, const std::function<void()>& pair, int samples) {
  std::vector<unsigned char> foreign(64 * 1024);
  std::vector<double> ns;
  std::uint64_t next = clock_ns(CLOCK_MONOTONIC);
  for (int i = 0; i < samples; ++i) {
    std::memset(foreign.data(), i, foreign.size());
    asm volatile("" : : "r"(foreign.data()) : "memory");
    const std::uint64_t before = ticks_now(clock);
    pair();
    const std::uint64_t after = ticks_now(clock);
    ns.push_back(static_cast<double>(after - before) * ns_per_tick);
    next += 100'000;
    while (clock_ns(CLOCK_MONOTONIC) < next) continue;
  }
  return {quantile_of(ns, 0.5), quantile_of(ns, 0.999)};
}

// Bursts of kPairs per second, times kPairs, over `threads` threads: the best of a few rounds, and the
// middle one. `burst` is told which thread it is on.
Spread rate(const std::function<void(int)>& burst, int threads) {
  std::vector<double> rates;
  for (int round = 0; round < 7; ++round) {
    std::atomic<int> ready{0};
    std::atomic<bool> go{false};
    std::vector<double> each(static_cast<std::size_t>(threads));
    std::vector<std::thread> workers;
    for (int t = 0; t < threads; ++t) {
      workers.emplace_back([&, t] {
        pin_to(t);
        burst(t);
        ready.fetch_add(1);
        while (!go.load()) continue;
        const std::int64_t begin_ns = monotonic_ns();
        std::int64_t end_ns = begin_ns;
        std::uint64_t count = 0;
        for (; end_ns < begin_ns + 60'000'000; end_ns = monotonic_ns()) {
          burst(t);
          count += kPairs;
        }
        each[static_cast<std::size_t>(t)] =
            static_cast<double>(count) * 1e9 / static_cast<double>(end_ns - begin_ns);
      });
    }
    while (ready.load() < threads) std::this_thread::yield();
    go.store(true);
    for (std::thread& worker : workers) worker.join();
    double sum = 0;
    for (const double one : each) sum += one;
    rates.push_back(sum);
  }
  return spread_of(rates);
}

struct Bench {
  pscope_session* session = nullptr;
  Recorder* recorder = nullptr;
  std::vector<Subject> subjects;
  std::vector<std::string> notes;

  const Subject& subject(const char* name) const {
    for (const Subject& s : subjects) {
      if (std::strcmp(s.name, name) == 0) return s;
    }
    return subjects.front();
  }
  double ns(const char* name) const { return spread_of(subject(name).ns).median; }
};

void at_level(pscope_session* session, int level, const std::function<void()>& body) {
  pscope_set_level(session, level);
  body();
}

nlohmann::json spread_json(const Spread& s) {
  return {{"median_ns", s.median}, {"min_ns", s.least}, {"max_ns", s.most}, {"mad_ns", s.mad}};
}

std::string row_note(const char* name) {
  if (std::strcmp(name, "off") == 0) return "≤ 0.5 ns";
  if (std::strcmp(name, "basic") == 0) return "≤ 0.15 ×";
  if (std::strcmp(name, "detailed") == 0) return "≤ 1.05 ×";
  if (std::strcmp(name, "comprehensive, 3 phases") == 0) return "≤ 1.10 × 5 reads";
  if (std::strcmp(name, "off, through the library") == 0) return "≤ 3 ns";
  return "";
}

void print_text(const Bench& bench, const nlohmann::json& out) {
  const double floor = bench.ns("two clock reads");
  std::vector<std::vector<std::string>> rows{
      {"begin + end of one operation", "ns", "min", "max", "× floor", "goal"}};
  for (const Subject& subject : bench.subjects) {
    const Spread s = spread_of(subject.ns);
    rows.push_back({subject.name, fmt::format("{:.2f}", s.median), fmt::format("{:.2f}", s.least),
                    fmt::format("{:.2f}", s.most), fmt::format("{:.3f}", s.median / floor),
                    row_note(subject.name)});
  }
  const Style style = terminal_style();
  fmt::print("{}\n", table(rows, 1, style));
  const auto& c = out["cold"];
  fmt::print(
      "  cold (10 k/s, caches used by others): two clock reads p50 {:.0f} ns, p99.9 {:.0f} ns;\n"
      "  detailed p50 {:.0f} ns, p99.9 {:.0f} ns, from the first operation on (goals: p50 ≤ 1.5 ×, "
      "p99.9 ≤ 10 ×)\n",
      c["two_clock_reads_p50_ns"].get<double>(), c["two_clock_reads_p999_ns"].get<double>(),
      c["detailed_p50_ns"].get<double>(), c["detailed_p999_ns"].get<double>());
  fmt::print(
      "  rate at detailed: one thread {}, two threads {} ({:.2f} ×; clock reads alone {:.2f} ×)\n",
      format_rate(out["rate_one_thread"].get<double>()),
      format_rate(out["rate_two_threads"].get<double>()), out["thread_scaling"].get<double>(),
      out["clock_scaling"].get<double>());
  fmt::print("  memory: segment {} for one thread, {} a ring\n",
             format_bytes(out["segment_bytes"].get<std::uint64_t>()),
             format_bytes(block_bytes(kFirstRingLog2)));
  for (const std::string& note : bench.notes) fmt::print("  note: {}\n", note);
}

void add_subjects(Bench& bench, const pscope_op& op, const Library& library,
                  pscope_session* library_session, PrivateRing& ring) {
  pscope_session* session = bench.session;
  const ClockSource clock = bench.recorder->clock;
  const std::uint16_t phase = pscope_name(session, "phase");
  bench.subjects.push_back({"two clock reads", [clock] { two_clock_reads(clock); }, {}});
  for (int level = 0; level < 3; ++level) {
    bench.subjects.push_back(
        {kLevelNames[level], [=] { at_level(session, level, [&] { pairs(session, op); }); }, {}});
  }
  bench.subjects.push_back(
      {"comprehensive", [=] { at_level(session, 3, [&] { pairs(session, op); }); }, {}});
  bench.subjects.push_back(
      {"five clock reads", [clock] { many_clock_reads(clock, 2 + kPhases); }, {}});
  bench.subjects.push_back(
      {"comprehensive, 3 phases",
       [=] { at_level(session, 3, [&] { pairs_with_phases(session, op, phase); }); },
       {}});
  bench.subjects.push_back({"comprehensive, within 1 %",
                            [=] {
                              Control& control = as_recorder(session)->segment.header().control;
                              control.detail_budget_ppm.store(kDetailBudgetPpm);
                              at_level(session, 3, [&] { pairs_with_phases(session, op, phase); });
                              control.detail_budget_ppm.store(PSCOPE_UNLIMITED);
                            },
                            {}});
  if (ring.ready())
    bench.subjects.push_back(
        {"detailed, ring in private memory", [&ring, op] { ring.burst(op); }, {}});
  if (!library.ready()) {
    bench.notes.push_back(
        "the shared library was not found beside this binary: its rows are missing");
    return;
  }
  bench.subjects.push_back({"off, through the library",
                            [=, &library] {
                              library.set_level(library_session, PSCOPE_LEVEL_OFF);
                              pairs_through(library, library_session, op);
                            },
                            {}});
  bench.subjects.push_back({"detailed, through the library",
                            [=, &library] {
                              library.set_level(library_session, PSCOPE_LEVEL_DETAILED);
                              pairs_through(library, library_session, op);
                            },
                            {}});
}

nlohmann::json results(Bench& bench, const pscope_op& op) {
  nlohmann::json out;
  out["two_clock_reads_ns"] = bench.ns("two clock reads");
  for (const char* level : kLevelNames) out["pair_ns"][level] = bench.ns(level);
  for (const Subject& subject : bench.subjects)
    out["subjects"][subject.name] = spread_json(spread_of(subject.ns));
  pscope_session* session = bench.session;
  pscope_set_level(session, PSCOPE_LEVEL_DETAILED);
  // Each thread is a rank of its own: it has its ring and its communicator's counts for itself.
  std::array<pscope_op, 2> ops{op, op};
  const pscope_comm_desc second{0x6265'6e63'68u, "bench", 1, 8, 1, PSCOPE_BACKEND_HOST, 0};
  ops[1].comm = pscope_comm_register(session, &second);
  const auto record = [&](int t) { pairs(session, ops[static_cast<std::size_t>(t)]); };
  const auto clock = [&](int) { two_clock_reads(bench.recorder->clock); };
  const Spread one = rate(record, 1);
  const Spread two = rate(record, 2);
  const Spread floor_one = rate(clock, 1);
  const Spread floor_two = rate(clock, 2);
  out["rate_one_thread"] = one.most;
  out["rate_two_threads"] = two.most;
  out["rate_one_thread_median"] = one.median;
  out["rate_two_threads_median"] = two.median;
  out["thread_scaling"] = two.most / one.most;
  out["clock_scaling"] = floor_two.most / floor_one.most;
  return out;
}

nlohmann::json cold_results(const pscope_op& op, int samples) {
  // A session of its own: the first operations are the interesting ones.
  pscope_options options{};
  options.size = sizeof options;
  options.name = "bench record (cold)";
  options.level = PSCOPE_LEVEL_DETAILED;
  pscope_session* session = pscope_open(&options, nullptr);
  Recorder& recorder = *as_recorder(session);
  const ClockSource clock = recorder.clock;
  const Cold floor = cold(
      clock, recorder.ns_per_tick,
      [clock] {
        std::uint64_t a = ticks_now(clock);
        std::uint64_t b = ticks_now(clock);
        asm volatile("" : : "r"(a), "r"(b));
      },
      samples);
  const Cold detailed = cold(
      clock, recorder.ns_per_tick,
      [session, &op] {
        const pscope_token token = pscope_op_begin(session, &op);
        pscope_op_end(session, token, PSCOPE_STATUS_OK);
      },
      samples);
  const std::string path = pscope_segment_path(session);
  pscope_close(session);
  if (!path.empty()) unlink(path.c_str());
  return {{"two_clock_reads_p50_ns", floor.p50_ns},
          {"two_clock_reads_p999_ns", floor.p999_ns},
          {"detailed_p50_ns", detailed.p50_ns},
          {"detailed_p999_ns", detailed.p999_ns}};
}

int bench_record_main(Args& args) {
  bool json = false;
  int rounds = 101;
  args.flag("--json", json, "print one JSON object");
  args.integer("--rounds", rounds, 1, 100000, "interleaved rounds; the median of each is quoted");
  if (const auto status = args.parse()) return *status;

  pscope_options options{};
  options.size = sizeof options;
  options.name = "bench record";
  options.level = PSCOPE_LEVEL_DETAILED;
  options.detail_budget_ppm = PSCOPE_UNLIMITED;  // what a level costs when it records all it can
  const char* why = nullptr;
  Bench bench;
  bench.session = pscope_open(&options, &why);
  if (why != nullptr) {
    fmt::print(stderr, "peerscope bench record: {}\n", why);
    return 1;
  }
  pin_to(0);
  bench.recorder = as_recorder(bench.session);
  pscope_comm_desc desc{0x6265'6e63'68u, "bench", 0, 8, 0, PSCOPE_BACKEND_HOST, 0};
  pscope_op op{};
  op.bytes = 16384;
  op.sequence = PSCOPE_SEQUENCE_AUTO;
  op.comm = pscope_comm_register(bench.session, &desc);
  op.peer = PSCOPE_NO_PEER;
  op.kind = PSCOPE_KIND_ALL_REDUCE;
  op.algorithm = PSCOPE_ALGORITHM_RING;
  op.dtype = PSCOPE_DTYPE_BF16;
  // Cold first: what it says about first operations must not be spoilt by the others.
  const nlohmann::json cold_json = cold_results(op, 5000);
  pscope_stats stats{};
  pscope_op_end(bench.session, pscope_op_begin(bench.session, &op), PSCOPE_STATUS_OK);
  pscope_get_stats(bench.session, &stats);

  Library library;
  pscope_session* library_session =
      library.ready() ? library.open("bench record (library)") : nullptr;
  PrivateRing ring(*bench.recorder);
  add_subjects(bench, op, library, library_session, ring);
  for (int round = 0; round < rounds; ++round) {
    for (Subject& subject : bench.subjects) measure_round(subject);
  }
  nlohmann::json out = results(bench, op);
  out["cold"] = cold_json;
  out["segment_bytes"] = bench.recorder->segment.header().used.load();
  out["ring_bytes"] = block_bytes(kFirstRingLog2);
  out["rounds"] = rounds;
  out["clock"] = bench.recorder->clock == ClockSource::tsc ? "tsc" : "monotonic";
  if (json) {
    fmt::print("{}\n", out.dump(2));
  } else {
    print_text(bench, out);
  }
  const std::string path = pscope_segment_path(bench.session);
  pscope_close(bench.session);
  unlink(path.c_str());
  if (library_session != nullptr) library.close(library_session);
  return 0;
}

}  // namespace

const Command kBenchRecordCommand{
    {"bench record", "what recording one operation costs at each level",
     "  peerscope bench record           beside two clock reads, the floor\n"
     "  peerscope bench record --json\n",
     "1 nothing can be recorded here"},
    bench_record_main};

}  // namespace peerscope
