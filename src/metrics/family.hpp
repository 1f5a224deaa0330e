// Metrics before they are written in anybody's format: groups of families whose rows share their labels. Values only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "analyze/duration_counts.hpp"

namespace peerscope::metrics {

enum class FamilyType : std::uint8_t { counter, gauge, histogram, summary, info, unknown };

struct Family {
  std::string name;  // without "_total", "_info", "_bucket"; ends in its unit, if it has one
  FamilyType type = FamilyType::gauge;
  std::string help;
};

struct Quantiles {
  std::uint64_t count = 0;
  double sum = 0, p50 = -1, p99 = -1;  // -1: unknown
};

using Durations = std::shared_ptr<const DurationCounts>;
// Empty: unknown, and not written.
using Value = std::variant<std::monostate, std::uint64_t, double, Durations, Quantiles>;

struct Row {
  std::vector<std::string> labels;  // values of Group::labels; "": the row has not got it
  double weight = 0;                // the largest get series of their own
  std::vector<Value> values;        // of Group::families
  bool rest = false;                // holds what had no room elsewhere
};

// What becomes of rows for which there is no room.
enum class Rest : std::uint8_t {
  sum,   // a row with label values "other"; rows never leave such a group
  drop,  // they are counted, and that is all
};

struct Group {
  std::string name;  // limit.cpp says how many series it may be
  Rest rest = Rest::drop;
  std::vector<std::string> labels;
  std::vector<Family> families;
  std::vector<Row> rows;
};

struct MetricSet {
  std::vector<Group> groups;
};

// The unit at the end of a family's name: "seconds", "bytes_per_second"; "": it is a number of things.
std::string unit_of(const Family& family);
// What a row costs: a histogram is 27 series.
std::size_t series_of(const Family& family);
std::size_t series_of(const Group& group);  // of one row
std::size_t count_series(const MetricSet& set);

}  // namespace peerscope::metrics
