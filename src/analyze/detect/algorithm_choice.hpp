// Algorithms of one kind and size beside each other: what each takes, and what the model says of
// those that were never tried.
#pragma once

#include <optional>
#include <vector>

#include "analyze/detect/detect.hpp"
#include "model/algorithm_cost.hpp"

namespace peerscope {

// What a series takes once all ranks are there, by the best clock that knows it; null: unknown.
const Distribution* pure_time(const OperationStats& stats, const char*& clock);

struct Fit {  // of one algorithm's sizes
  double alpha_ns = 0, beta_ns = 0;
  double error = 0;  // largest relative deviation of a size from the model
  std::size_t sizes = 0;
};
// From the series of one kind and algorithm, by two sizes at least 16 times apart and all between.
std::optional<Fit> fit_algorithm(const Aggregates& aggregates, Kind kind, Algorithm algorithm,
                                 std::uint64_t min_samples);

// Slower or faster than before `at_ns`, of the same kind's other sizes whose algorithm stayed: what has to be taken off before
// algorithms of different times are compared. 1: unknown.
double general_slowdown(const Aggregates& aggregates, const OperationRow& row, std::int64_t at_ns);

// The series that is used now, and was used before it, where one follows the other.
struct Switch {
  const OperationRow* before = nullptr;
  const OperationRow* now = nullptr;
};
std::vector<Switch> switches(const Aggregates& aggregates, std::int64_t now_ns,
                             std::uint64_t min_samples);

}  // namespace peerscope
