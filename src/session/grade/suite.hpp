// Generated cases over all faults and several machines, and what the detectors make of them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "comm/sim/simulation.hpp"
#include "session/grade/grade.hpp"
#include "session/monitor.hpp"

namespace peerscope {

struct SuiteOptions {
  std::uint64_t seed = 1;
  int rounds = 3;         // of each fault on each machine
  int threads = 0;        // 0: one a processor
  double seconds = 10.5;  // of virtual time, each case
  double every_s = 0.25;  // findings are looked at
  std::vector<std::string> topologies = {"nvswitch8", "pcie8", "nvlink4", "rails2x8"};
};

struct SuiteCase {
  std::string topology, fault;  // fault "": healthy
  std::uint64_t seed = 0;
};
// A third of them healthy.
std::vector<SuiteCase> suite_cases(const SuiteOptions& options);

struct CaseResult {
  SuiteCase it;
  std::optional<sim::Truth> truth;
  bool detected = false, localised = false;
  bool misplaced = false;  // named in another place, perhaps besides
  std::optional<double> delay_s;
  std::vector<std::string> false_alarms;
  std::uint64_t operations = 0;
  std::string problem;  // not empty: it could not be run
};
CaseResult run_case(const SuiteCase& it, const SuiteOptions& options,
                    const MonitorOptions& monitor);
// As `peerscope simulate` makes it, so that a case can be looked at by itself.
Result<std::unique_ptr<sim::Simulation>> simulate_case(const SuiteCase& it);

// Of one fault, or of all. Empty where there is nothing to divide by.
struct Score {
  std::string fault;  // "" healthy or all
  std::uint64_t cases = 0, faulty = 0, detected = 0, localised = 0, false_alarms = 0;
  std::uint64_t named = 0;       // detected, or named in another place only
  std::vector<double> delays_s;  // sorted
  [[nodiscard]] std::optional<double> precision() const;     // of what was said: detected over that
                                                             // and false alarms
  [[nodiscard]] std::optional<double> recall() const;        // of the faults: named at all
  [[nodiscard]] std::optional<double> localisation() const;  // of those named: at the right place
  [[nodiscard]] std::optional<double> delay_s() const;       // median
  [[nodiscard]] std::optional<double> worst_delay_s() const;
};

struct SuiteResult {
  std::vector<CaseResult> cases;
  Score all;
  std::vector<Score> per_fault;        // in the order of the table of faults; the healthy last
  std::optional<double> hang_delay_s;  // the worst
  std::uint64_t operations = 0;
  double seconds = 0;
  std::vector<std::string> missed_goals;  // sentences
};

// The goals of the issue.
inline constexpr double kLeastPrecision = 0.99, kLeastLocalisation = 0.995, kLeastRecall = 0.97,
                        kLongestHang_s = 1.0;

SuiteResult run_suite(const SuiteOptions& options, const MonitorOptions& monitor,
                      const std::function<void(std::uint64_t)>& progress);
SuiteResult add_up(std::vector<CaseResult> cases);

}  // namespace peerscope
