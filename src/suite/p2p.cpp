#include "suite/p2p.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace peerscope {
namespace {

std::vector<double> measured(const P2pMatrix& matrix) {
  std::vector<double> out;
  for (const auto& row : matrix.cells) {
    for (const double value : row) {
      if (value >= 0) out.push_back(value);
    }
  }
  return out;
}

}  // namespace

double P2pResult::sum() const {
  double total = 0;
  for (const double value : measured(matrix)) total += value;
  return total;
}

double P2pResult::least() const {
  const std::vector<double> values = measured(matrix);
  return values.empty() ? 0 : *std::min_element(values.begin(), values.end());
}

double P2pResult::most() const {
  const std::vector<double> values = measured(matrix);
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

std::string p2p_text(const P2pResult& result) {
  const P2pMatrix& matrix = result.matrix;
  std::string text = fmt::format("Running {}: {}\n", result.name, result.help);
  text += matrix.rows.empty() ? fmt::format("{} ({})\n", matrix.columns, matrix.unit)
                              : fmt::format("{} (row), {} (column), {}\n", matrix.rows,
                                            matrix.columns, matrix.unit);
  text += fmt::format("{:>6}", "");
  for (std::size_t column = 0; column < matrix.cells.front().size(); ++column)
    text += fmt::format("{:>10}", column);
  text += "\n";
  for (std::size_t row = 0; row < matrix.cells.size(); ++row) {
    text += fmt::format("{:>6}", row);
    for (const double value : matrix.cells[row])
      text += value < 0 ? fmt::format("{:>10}", "N/A") : fmt::format("{:>10.2f}", value);
    text += "\n";
  }
  if (matrix.unit == "ns")
    return text + fmt::format("MIN {0} {1:.2f}\nMAX {0} {2:.2f}\n\n", result.name, result.least(),
                              result.most());
  return text + fmt::format("SUM {} {:.2f}\n\n", result.name, result.sum());
}

nlohmann::json to_json(const P2pResult& result) {
  nlohmann::json rows = nlohmann::json::array();
  for (const auto& row : result.matrix.cells) {
    nlohmann::json cells = nlohmann::json::array();
    for (const double value : row)
      cells.push_back(value < 0 ? nlohmann::json(nullptr) : nlohmann::json(value));
    rows.push_back(std::move(cells));
  }
  return {{"name", result.name},        {"help", result.help},
          {"backend", result.backend},  {"unit", result.matrix.unit},
          {"rows", result.matrix.rows}, {"columns", result.matrix.columns},
          {"matrix", std::move(rows)},  {"sum", result.sum()},
          {"min", result.least()},      {"max", result.most()}};
}

std::vector<P2pResult> p2p_from_json(const nlohmann::json& list) {
  std::vector<P2pResult> results;
  for (const nlohmann::json& entry : list) {
    if (!entry.is_object() || !entry.contains("matrix") || !entry["matrix"].is_array()) continue;
    const auto text = [&](const char* name) { return entry.value(name, std::string()); };
    P2pResult result{text("name"), text("help"), text("backend"), {}};
    result.matrix = {
        .unit = text("unit"), .rows = text("rows"), .columns = text("columns"), .cells = {}};
    for (const nlohmann::json& row : entry["matrix"]) {
      std::vector<double>& cells = result.matrix.cells.emplace_back();
      for (const nlohmann::json& cell : row)
        cells.push_back(cell.is_number() ? cell.get<double>() : -1);
    }
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace peerscope
