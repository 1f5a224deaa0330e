#include "config/quantity.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "base/units.hpp"

namespace peerscope {
namespace {

struct Unit {
  std::string_view name;
  double ns;
};
constexpr Unit kUnits[] = {{"d", 86'400e9}, {"h", 3'600e9}, {"min", 60e9}, {"s", 1e9},
                           {"ms", 1e6},     {"us", 1e3},    {"µs", 1e3},   {"ns", 1}};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// The number at the beginning, and what follows it.
std::optional<std::pair<double, std::string_view>> split(std::string_view text) {
  text = trimmed(text);
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, failure] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (failure != std::errc{} || !std::isfinite(number)) return std::nullopt;
  return std::pair{number, trimmed({rest, static_cast<std::size_t>(end - rest)})};
}

}  // namespace

double unit_ns(std::string_view unit) {
  const auto* found = std::find_if(std::begin(kUnits), std::end(kUnits),
                                   [&](const Unit& known) { return known.name == unit; });
  return found == std::end(kUnits) ? 0 : found->ns;
}

std::optional<double> parse_duration(std::string_view text, std::string_view unit) {
  const auto parts = split(text);
  if (!parts) return std::nullopt;
  const double ns = unit_ns(parts->second.empty() ? unit : parts->second);
  if (ns == 0) return std::nullopt;
  return parts->first * ns;
}

std::optional<double> parse_size(std::string_view text) {
  std::string close;  // as parse_bytes wants it
  for (const char c : trimmed(text)) {
    if (c != ' ') close += c;
  }
  const auto bytes = parse_bytes(close);
  if (!bytes) return std::nullopt;
  return static_cast<double>(*bytes);
}

std::optional<double> parse_percent(std::string_view text) {
  const auto parts = split(text);
  if (!parts || parts->second != "%") return std::nullopt;
  return parts->first / 100;
}

std::optional<double> parse_number(std::string_view text) {
  text = trimmed(text);
  double number = 0;
  const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{} || rest != text.data() + text.size() || !std::isfinite(number))
    return std::nullopt;
  return number;
}

std::string write_duration(std::int64_t ns) {
  if (ns == 0) return "0";
  for (const Unit& unit : kUnits) {
    const auto step = static_cast<std::int64_t>(unit.ns);
    if (ns % step == 0) return fmt::format("{} {}", ns / step, unit.name);
  }
  return fmt::format("{} ns", ns);
}

std::string write_size(std::int64_t bytes) {
  constexpr std::string_view kSteps[] = {"TiB", "GiB", "MiB", "KiB"};
  for (int i = 0; i < 4 && bytes > 0; ++i) {
    const std::int64_t step = std::int64_t{1} << (10 * (4 - i));
    if (bytes % step == 0) return fmt::format("{} {}", bytes / step, kSteps[i]);
  }
  return fmt::format("{}", bytes);
}

std::string write_percent(double share) { return fmt::format("{:.10g} %", share * 100); }

}  // namespace peerscope
