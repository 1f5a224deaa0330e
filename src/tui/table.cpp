#include "tui/table.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.hpp"

namespace peerscope::tui {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// Spreadsheets take a text that begins so for a formula.
bool looks_like_formula(const std::string& text) {
  return !text.empty() && std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos;
}

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos && !looks_like_formula(text)) return text;
  std::string out = looks_like_formula(text) ? "\"'" : "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

bool is_whole(double number) { return std::fabs(number) < 9e15 && std::floor(number) == number; }

std::string number_text(double number) { return fmt::format("{:.15g}", number); }

}  // namespace

Cell words(std::string text) {
  if (text.empty()) return {};
  return {std::move(text), {}, true};
}
Cell figure(double number, std::string text) { return {std::move(text), number, true}; }
Cell count_cell(std::uint64_t count) {
  return figure(static_cast<double>(count), format_count(count));
}
Cell unless_negative(double number, std::string (*text)(double)) {
  return number < 0 ? Cell{} : figure(number, text(number));
}

void sort_rows(Table& table, int column, bool descending) {
  if (column < 0 || column >= static_cast<int>(table.columns.size())) return;
  const auto at = static_cast<std::size_t>(column);
  std::stable_sort(table.rows.begin(), table.rows.end(), [&](const Row& a, const Row& b) {
    const Cell &x = a.cells[at], &y = b.cells[at];
    if (x.known != y.known) return x.known;
    if (!x.known) return false;
    const Cell &first = descending ? y : x, &second = descending ? x : y;
    if (x.number && y.number) return *first.number < *second.number;
    return first.text < second.text;
  });
}

void filter_rows(Table& table, std::string_view text) {
  if (text.empty()) return;
  const std::string wanted = lower(text);
  std::erase_if(table.rows, [&](const Row& row) {
    return std::none_of(row.cells.begin(), row.cells.end(), [&](const Cell& cell) {
      return lower(cell.text).find(wanted) != std::string::npos;
    });
  });
}

bool descends_first(const Table& table, int column) {
  return column >= 0 && column < static_cast<int>(table.columns.size()) &&
         !table.columns[static_cast<std::size_t>(column)].left;
}

std::string to_csv(const Table& table) {
  std::string out;
  for (const Column& column : table.columns)
    out += (out.empty() ? "" : ",") + std::string(column.id);
  out += "\n";
  for (const Row& row : table.rows) {
    std::string line;
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      const Cell& cell = row.cells[i];
      if (i > 0) line += ",";
      if (cell.known) line += cell.number ? number_text(*cell.number) : quoted(cell.text);
    }
    out += line + "\n";
  }
  return out;
}

std::string to_json(const Table& table, std::string_view page) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Row& row : table.rows) {
    nlohmann::ordered_json object = nlohmann::ordered_json::object();
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      const Cell& cell = row.cells[i];
      auto& value = object[table.columns[i].id];
      if (!cell.known) continue;
      if (!cell.number)
        value = cell.text;
      else if (is_whole(*cell.number))
        value = static_cast<std::int64_t>(*cell.number);
      else
        value = *cell.number;
    }
    rows.push_back(std::move(object));
  }
  const nlohmann::ordered_json out{{"page", page}, {"rows", std::move(rows)}};
  return out.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace peerscope::tui
