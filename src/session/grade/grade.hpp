// Whether findings say what was wrong with a simulated run: the judge of the detectors.
//
// For each fault a table (grade.cpp) says which findings name it, and which are true of it besides:
// a slow link does make the collectives over it slow. All else of severity warning or critical is a
// false alarm, and so is a finding of the right kind that names the wrong rank or link.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "comm/sim/faults.hpp"
#include "model/finding.hpp"

namespace peerscope {

enum class Judgement : std::uint8_t {
  right,        // names the fault and its place
  unlocalised,  // names the fault, but no place
  consequence,  // true, and not the fault itself
  information,  // severity info: nobody is alarmed
  misplaced,    // information that names the fault, but in another place
  wrong,        // a false alarm
};

// `truth` is null for a healthy run.
Judgement judge(const Finding& finding, const sim::Truth* truth);

// One case over time: give it the findings of each snapshot.
class CaseGrade {
 public:
  explicit CaseGrade(std::optional<sim::Truth> truth) : truth_(std::move(truth)) {}
  void add(const std::vector<Finding>& findings, std::int64_t now_ns);

  [[nodiscard]] bool detected() const { return named_ns_ >= 0; }
  [[nodiscard]] bool misplaced() const { return misplaced_; }  // it was, somewhere
  // Found where it is, and never said to be elsewhere.
  [[nodiscard]] bool localised() const { return right_ns_ >= 0 && !misplaced_; }
  // From the fault's begin to the first finding that is right.
  [[nodiscard]] std::optional<double> delay_s() const;
  [[nodiscard]] const std::set<std::string>& false_alarms() const { return false_alarms_; }
  [[nodiscard]] const std::optional<sim::Truth>& truth() const { return truth_; }

 private:
  std::optional<sim::Truth> truth_;
  std::int64_t named_ns_ = -1, right_ns_ = -1;
  bool misplaced_ = false;
  std::set<std::string> false_alarms_;  // what each said, once
};

}  // namespace peerscope
