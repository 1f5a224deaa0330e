// Results as JSON, CSV and nccl-tests' table; and back from JSON.
#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "base/result.hpp"
#include "suite/compare.hpp"
#include "suite/result.hpp"

namespace peerscope {

nlohmann::json to_json(const BenchRow& row);
nlohmann::json to_json(const ResultSet& set);
nlohmann::json comparison_json(const BenchComparison& comparison);

// What to_json wrote, or what a sweep with NCCL did. `corrupt` says what is not right and where.
Result<ResultSet> results_from_json(std::string_view text);
Result<ResultSet> read_results(const std::string& path);

// One line for each place (out of place, in place) of each row, the heading first.
std::string to_csv(const std::vector<BenchRow>& rows);

// nccl-tests' columns; behind # what they have no column for.
std::string table_head();
std::string table_row(const BenchRow& row);
std::string table_foot(const std::vector<BenchRow>& rows);

}  // namespace peerscope
