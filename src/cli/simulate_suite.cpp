// peerscope simulate --suite: the detectors under hundreds of faults.
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "cli/progress.hpp"
#include "cli/render.hpp"
#include "cli/simulate.hpp"
#include "session/grade/suite.hpp"
#include "session/settings.hpp"

namespace peerscope {
namespace {

using nlohmann::json;

json known(const std::optional<double>& value) { return value ? json(*value) : json(); }

json score_json(const Score& score) {
  return {{"cases", score.cases},
          {"faulty", score.faulty},
          {"detected", score.detected},
          {"localised", score.localised},
          {"false_alarms", score.false_alarms},
          {"precision", known(score.precision())},
          {"recall", known(score.recall())},
          {"localisation", known(score.localisation())},
          {"delay_s", known(score.delay_s())},
          {"worst_delay_s", known(score.worst_delay_s())}};
}

bool is_missed(const CaseResult& it) {
  return !it.false_alarms.empty() || !it.problem.empty() || (it.truth && !it.localised);
}

std::string again(const CaseResult& it) {
  return fmt::format("peerscope simulate -t {}{} --seed {}", it.it.topology,
                     it.it.fault.empty() ? "" : " --fault " + it.it.fault, it.it.seed);
}

json suite_json(const SuiteResult& result, const SimulateArguments& arguments) {
  json out = score_json(result.all);
  out["seed"] = arguments.seed;
  out["hang_delay_s"] = known(result.hang_delay_s);
  out["operations"] = result.operations;
  out["seconds"] = result.seconds;
  out["missed_goals"] = result.missed_goals;
  out["per_fault"] = json::array();
  for (const Score& score : result.per_fault) {
    json one = score_json(score);
    one["fault"] = score.fault.empty() ? json("healthy") : json(score.fault);
    if (score.fault == "lost_rank") one["hang_delay_s"] = known(result.hang_delay_s);
    out["per_fault"].push_back(std::move(one));
  }
  out["misses"] = json::array();
  for (const CaseResult& it : result.cases) {
    if (!is_missed(it)) continue;
    out["misses"].push_back({{"command", again(it)},
                             {"detected", it.detected},
                             {"localised", it.localised},
                             {"false_alarms", it.false_alarms},
                             {"problem", it.problem}});
  }
  return out;
}

std::string percent(const std::optional<double>& value) {
  return value ? fmt::format("{:.1f} %", *value * 100) : "–";
}
std::string seconds(const std::optional<double>& value) {
  return value ? fmt::format("{:.2f} s", *value) : "–";
}

std::vector<std::string> row(const std::string& name, const Score& score) {
  return {name,
          std::to_string(score.cases),
          percent(score.precision()),
          percent(score.recall()),
          percent(score.localisation()),
          seconds(score.delay_s()),
          seconds(score.worst_delay_s()),
          std::to_string(score.false_alarms)};
}

void print_suite(const SuiteResult& result, const SimulateArguments& arguments) {
  fmt::print("  {} cases · seed {} · {} operations in {:.1f} s\n\n", result.cases.size(),
             arguments.seed, format_count(result.operations), result.seconds);
  std::vector<std::vector<std::string>> rows{
      {"fault", "cases", "precision", "recall", "place", "delay", "worst", "false"}};
  for (const Score& score : result.per_fault)
    rows.push_back(row(score.fault.empty() ? "(healthy)" : score.fault, score));
  rows.push_back(row("all", result.all));
  fmt::print("{}", table(rows, 1, terminal_style()));
  std::size_t shown = 0;
  for (const CaseResult& it : result.cases) {
    if (!is_missed(it) || ++shown > 12) continue;
    std::string what = !it.problem.empty()         ? it.problem
                       : !it.truth || it.localised ? ""
                       : it.detected               ? "named, but not where"
                                                   : "not named";
    for (const std::string& alarm : it.false_alarms)
      what += (what.empty() ? "false: " : "; false: ") + alarm;
    fmt::print("{}  {}\n      {}\n", shown == 1 ? "\n" : "", what, again(it));
  }
  if (shown > 12) fmt::print("  ... and {} more: --json lists all\n", shown - 12);
  fmt::print("\n");
  for (const std::string& goal : result.missed_goals) fmt::print("  missed: {}\n", goal);
  if (result.missed_goals.empty()) fmt::print("  All goals are met.\n");
}

}  // namespace

int simulate_suite(const SimulateArguments& arguments, int rounds, const Config& config) {
  SuiteOptions options;
  options.seed = static_cast<std::uint64_t>(arguments.seed);
  options.rounds = rounds;
  const MonitorOptions monitor = monitor_options(config);
  SuiteResult result;
  {
    Progress progress("simulating", suite_cases(options).size());
    result = run_suite(options, monitor, [&](std::uint64_t done) { progress.update(done); });
  }
  if (arguments.json) {
    fmt::print("{}\n", suite_json(result, arguments).dump(2));
  } else {
    print_suite(result, arguments);
  }
  return result.missed_goals.empty() ? 0 : 1;
}

}  // namespace peerscope
