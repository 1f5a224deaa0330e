#include "session/grade/suite.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "session/grade/watch.hpp"

namespace peerscope {
namespace {

std::optional<double> share(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

void add(const CaseResult& result, Score& score) {
  ++score.cases;
  score.faulty += result.truth ? 1 : 0;
  score.detected += result.detected ? 1 : 0;
  score.localised += result.localised ? 1 : 0;
  score.named += result.detected || result.misplaced ? 1 : 0;
  score.false_alarms += result.false_alarms.size();
  if (result.delay_s) score.delays_s.push_back(*result.delay_s);
}

void check_goals(SuiteResult& result) {
  const auto below = [&](const char* what, std::optional<double> value, double least) {
    if (value && *value < least)
      result.missed_goals.push_back(
          fmt::format("{} {:.2f} %, at least {:.1f} % wanted", what, *value * 100, least * 100));
  };
  below("precision", result.all.precision(), kLeastPrecision);
  below("localisation", result.all.localisation(), kLeastLocalisation);
  below("recall", result.all.recall(), kLeastRecall);
  for (const Score& score : result.per_fault) {
    if (score.fault != "lost_rank" || score.faulty == 0) continue;
    if (score.localised < score.faulty)
      result.missed_goals.push_back(fmt::format("{} of {} hangs were not named",
                                                score.faulty - score.localised, score.faulty));
  }
  if (result.hang_delay_s && *result.hang_delay_s > kLongestHang_s)
    result.missed_goals.push_back(
        fmt::format("a hang was named after {:.2f} s, {:.1f} s at most wanted",
                    *result.hang_delay_s, kLongestHang_s));
}

}  // namespace

std::optional<double> Score::precision() const { return share(detected, detected + false_alarms); }
std::optional<double> Score::recall() const { return share(detected, faulty); }
std::optional<double> Score::localisation() const { return share(localised, named); }
std::optional<double> Score::delay_s() const {
  if (delays_s.empty()) return std::nullopt;
  return delays_s[delays_s.size() / 2];
}
std::optional<double> Score::worst_delay_s() const {
  if (delays_s.empty()) return std::nullopt;
  return delays_s.back();
}

std::vector<SuiteCase> suite_cases(const SuiteOptions& options) {
  std::vector<SuiteCase> cases;
  sim::Random random(options.seed);
  // Short enough to be typed.
  const auto seed = [&] { return random.next() % 1'000'000'000; };
  for (int round = 0; round < options.rounds; ++round) {
    for (const std::string& topology : options.topologies) {
      const std::size_t faults = sim::fault_kinds().size();
      for (std::size_t i = 0; i < faults; ++i) {
        cases.push_back({topology, sim::fault_kinds()[i].name, seed()});
        if (i % 2 == 1) cases.push_back({topology, "", seed()});
      }
    }
  }
  return cases;
}

Result<std::unique_ptr<sim::Simulation>> simulate_case(const SuiteCase& it) {
  sim::SimulationOptions options;
  auto topology = sim::load_topology(it.topology, 0);
  if (!topology) return topology.error();
  options.topology = std::move(*topology);
  options.seed = it.seed;
  options.workload = sim::vary(options.workload, sim::Random(it.seed));
  if (!it.fault.empty()) {
    auto fault = sim::parse_fault(it.fault);
    if (!fault) return fault.error();
    options.faults.push_back(std::move(*fault));
  }
  return sim::Simulation::make(std::move(options));
}

CaseResult run_case(const SuiteCase& it, const SuiteOptions& options,
                    const MonitorOptions& monitor) {
  CaseResult result;
  result.it = it;
  auto run = simulate_case(it);
  if (!run) {
    result.problem = run.error().message;
    return result;
  }
  if (!(*run)->truths().empty()) result.truth = (*run)->truths().front();
  SimWatch watch(**run, monitor);
  CaseGrade grade(result.truth);
  const std::int64_t origin_ns = (*run)->options().origin_ns;
  const auto every_ns = static_cast<std::int64_t>(options.every_s * 1e9);
  const std::int64_t end_ns = origin_ns + static_cast<std::int64_t>(options.seconds * 1e9);
  for (std::int64_t now_ns = origin_ns + every_ns; now_ns <= end_ns; now_ns += every_ns) {
    watch.run_until(now_ns);
    grade.add(watch.snapshot().findings, now_ns);
  }
  result.detected = grade.detected();
  result.localised = grade.localised();
  result.misplaced = grade.misplaced();
  result.delay_s = grade.delay_s();
  result.false_alarms.assign(grade.false_alarms().begin(), grade.false_alarms().end());
  result.operations = (*run)->operations();
  return result;
}

SuiteResult add_up(std::vector<CaseResult> cases) {
  SuiteResult result;
  const auto of = [&](const std::string& fault) {
    Score score;
    score.fault = fault;
    for (const CaseResult& it : cases) {
      if (it.it.fault == fault) add(it, score);
    }
    std::sort(score.delays_s.begin(), score.delays_s.end());
    return score;
  };
  for (const sim::FaultKind& kind : sim::fault_kinds()) result.per_fault.push_back(of(kind.name));
  result.per_fault.push_back(of(""));
  for (const CaseResult& it : cases) {
    add(it, result.all);
    result.operations += it.operations;
    if (!it.problem.empty())
      result.missed_goals.push_back(
          fmt::format("{} on {}: {}", it.it.fault, it.it.topology, it.problem));
    if (it.it.fault == "lost_rank" && it.delay_s)
      result.hang_delay_s = std::max(result.hang_delay_s.value_or(0), *it.delay_s);
  }
  std::sort(result.all.delays_s.begin(), result.all.delays_s.end());
  result.cases = std::move(cases);
  check_goals(result);
  return result;
}

SuiteResult run_suite(const SuiteOptions& options, const MonitorOptions& monitor,
                      const std::function<void(std::uint64_t)>& progress) {
  const auto begin = std::chrono::steady_clock::now();
  const std::vector<SuiteCase> cases = suite_cases(options);
  std::vector<CaseResult> results(cases.size());
  std::atomic<std::size_t> next{0}, done{0};
  const auto work = [&] {
    // Relaxed: only the number counts; the results are read after the threads have ended.
    for (std::size_t i = next.fetch_add(1, std::memory_order_relaxed); i < cases.size();
         i = next.fetch_add(1, std::memory_order_relaxed)) {
      results[i] = run_case(cases[i], options, monitor);
      done.fetch_add(1, std::memory_order_relaxed);
    }
  };
  const int count = options.threads > 0
                        ? options.threads
                        : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(work);
  while (progress && done.load(std::memory_order_relaxed) < cases.size()) {
    progress(done.load(std::memory_order_relaxed));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  for (std::thread& thread : threads) thread.join();
  SuiteResult result = add_up(std::move(results));
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

}  // namespace peerscope
