// What a term is, at one moment: a value for each group.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyze/alert/rule.hpp"
#include "analyze/snapshot.hpp"

namespace peerscope {

struct TermReading {
  Subject subject;
  std::optional<double> value;  // empty: there are rows, but none knows it
  std::string detail;           // the row that speaks for the group: "16 KB, ring"
  const char* clock = "";       // of a time that is "best": "host", "device"
  std::int64_t span_ns = 0;     // the time that the value covers; 0: no window
};

// Ordered by subject. No row, no group: without anything to look at there is nothing to read.
std::vector<TermReading> read_term(const Term& term, bool high_is_bad, const Snapshot& snapshot);

// Where no row is a 0 and not an unknown: nothing is open there.
bool absence_is_zero(const Term& term);

std::string subject_key(const Subject& subject);  // the same for the same subject only

}  // namespace peerscope
