// How a Snapshot reads on a terminal: the verdict first, evidence under it. Width 80 does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analyze/snapshot.hpp"

namespace peerscope {

struct Style {
  bool colour = false;  // never the only bearer of a meaning
  int width = 80;
};
Style terminal_style();  // of standard output: colour only on a terminal, and not with NO_COLOR

// In a colour (SGR's number, "31;1"), where there is colour.
std::string paint(const Style& style, const char* code, const std::string& text);
// Breaks at spaces; further lines begin with `indent`.
std::string wrap(const std::string& text, std::size_t width, const std::string& indent);
std::string time_of_day(std::int64_t real_ns);  // "12:00:01.234", here

// Columns on the screen: one a code point (our texts have no wide ones).
std::size_t columns(const std::string& text);

// A table: the first row is the heading; columns before `left` are flush left, the others right.
std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t left,
                  const Style& style);

std::string finding_text(const Finding& finding, const Style& style);
std::string verdict(const Snapshot& snapshot, const Style& style);  // findings, or that all is well
std::string operations_table(const Snapshot& snapshot,
                             const Style& style);                        // per operation and size
std::string ranks_table(const Snapshot& snapshot, const Style& style);   // arrival of ranks
std::string pairs_matrix(const Snapshot& snapshot, const Style& style);  // bandwidth between ranks
std::string in_flight_table(const Snapshot& snapshot, const Style& style);
std::string details(const Snapshot& snapshot,
                    const Style& style);  // phases, call sites, metrics, if there are any
// The GPUs over the run; "" where nobody could read them.
std::string machine_table(const Snapshot& snapshot, const Style& style);  // devices_text.cpp
std::string monitor_line(const Snapshot& snapshot);  // what the monitor itself cost and missed
std::string sessions_table(const Snapshot& snapshot, const Style& style);

// All of it, as `report` prints it.
std::string report(const Snapshot& snapshot, const Style& style);

}  // namespace peerscope
