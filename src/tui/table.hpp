// A page as rows: what is drawn, sorted, filtered and exported. Knows nothing of terminals.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/finding.hpp"

namespace peerscope::tui {

struct Cell {
  std::string text = "–";
  std::optional<double> number = {};  // what it is sorted by and exported as; empty: by its text
  bool known = false;                 // exported as null if not
};
Cell words(std::string text);                                      // "": unknown
Cell figure(double number, std::string text);                      // known
Cell count_cell(std::uint64_t count);                              // "12.3 k"
Cell unless_negative(double number, std::string (*text)(double));  // negative: unknown

struct Column {
  const char* id;     // for programs, with the unit: "p50_ns"
  const char* title;  // for people
  bool left = false;  // flush left: words
  int rank = 0;       // columns of high rank fall away first where it is narrow
};

struct Row {
  std::string key;  // stays the same from one snapshot to the next
  std::vector<Cell> cells;
  std::optional<Severity> mark = {};
  std::vector<std::string> notes = {};  // further lines of its details
};

struct Table {
  std::vector<Column> columns;
  std::vector<Row> rows;
  std::string empty;  // what to say if there are none, and what to do
};

// Unknown cells come last, whichever way. Rows that are equal keep their order.
void sort_rows(Table& table, int column, bool descending);
// Keeps rows in which some cell has the text, in any case of letters.
void filter_rows(Table& table, std::string_view text);
// The first direction that a person means by "sort by this": figures from the largest, words from A.
bool descends_first(const Table& table, int column);

std::string to_csv(const Table& table);
std::string to_json(const Table& table, std::string_view page);

}  // namespace peerscope::tui
