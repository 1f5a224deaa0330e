// Durations, sizes and percentages as people write them in a configuration.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace peerscope {

// "100 ms", "1s", "1.5 h", "7d"; a plain number is in `unit`. In ns. Empty if it is no duration.
std::optional<double> parse_duration(std::string_view text, std::string_view unit);
// "64 MiB", "64M", "2G", "100". Binary steps.
std::optional<double> parse_size(std::string_view text);
// "1 %" is 0.01. The sign has to be there: of a plain number nobody could tell which it is.
std::optional<double> parse_percent(std::string_view text);
// A number and nothing else.
std::optional<double> parse_number(std::string_view text);

// ns of one unit; 0: there is none of that name.
double unit_ns(std::string_view unit);

// The same the other way round, exact: "10 min", "64 MiB", "35 %".
std::string write_duration(std::int64_t ns);
std::string write_size(std::int64_t bytes);
std::string write_percent(double share);

}  // namespace peerscope
