#include "base/units.hpp"

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace peerscope {
namespace {

// Three significant digits without an exponent: 412, 13.1, 4.20.
std::string three_digits(double value) {
  const double magnitude = std::fabs(value);
  if (magnitude >= 99.95) return fmt::format("{:.0f}", value);
  if (magnitude >= 9.995) return fmt::format("{:.1f}", value);
  return fmt::format("{:.2f}", value);
}

struct Step {
  double size;
  std::string_view unit;
};

template <std::size_t N>
std::string scaled(double value, const std::array<Step, N>& steps) {
  for (const Step& step : steps) {
    // 999.5 of a unit would be printed as 1000 of it: take the next one.
    if (std::fabs(value) >= step.size * 0.9995)
      return three_digits(value / step.size) + std::string(step.unit);
  }
  return three_digits(value / steps.back().size) + std::string(steps.back().unit);
}

}  // namespace

std::string format_duration(double ns) {
  if (std::fabs(ns) < 999.5) return fmt::format("{:.0f} ns", ns);
  return scaled(ns, std::array<Step, 3>{{{1e9, " s"}, {1e6, " ms"}, {1e3, " µs"}}});
}

std::string format_bytes(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits{"B", "KB", "MB", "GB", "TB", "PB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024.0 && unit + 1 < kUnits.size()) {
    value /= 1024.0;
    ++unit;
  }
  if (value == std::floor(value)) return fmt::format("{:.0f} {}", value, kUnits[unit]);
  return fmt::format("{} {}", three_digits(value), kUnits[unit]);
}

std::string format_count(std::uint64_t count) {
  std::string digits = fmt::format("{}", count);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), " ");
  }
  return digits;
}

std::string format_rate(double per_second) {
  if (per_second < 999.5) return three_digits(per_second) + " /s";
  return scaled(per_second, std::array<Step, 3>{{{1e9, " G/s"}, {1e6, " M/s"}, {1e3, " k/s"}}});
}

std::string format_bandwidth(double bytes_per_s) {
  return scaled(bytes_per_s,
                std::array<Step, 4>{{{1e9, " GB/s"}, {1e6, " MB/s"}, {1e3, " kB/s"}, {1, " B/s"}}});
}

std::string format_percent(double fraction) {
  const double percent = fraction * 100.0;
  if (std::fabs(percent) >= 9.95) return fmt::format("{:.0f} %", percent);
  if (std::fabs(percent) >= 0.095 || percent == 0.0) return fmt::format("{:.1f} %", percent);
  return fmt::format("{:.2g} %", percent);
}

std::optional<std::uint64_t> parse_bytes(std::string_view text) {
  std::uint64_t value = 0;
  const auto [rest, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{}) return std::nullopt;
  std::string suffix(rest, text.data() + text.size());
  for (char& c : suffix) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  if (suffix.empty() || suffix == "B") return value;
  constexpr std::string_view kSteps = "KMGT";
  const std::size_t step = kSteps.find(suffix[0]);
  const std::string tail = suffix.substr(1);
  if (step == std::string_view::npos || !(tail.empty() || tail == "B" || tail == "IB"))
    return std::nullopt;
  const unsigned shift = 10 * (static_cast<unsigned>(step) + 1);
  if (value > (UINT64_MAX >> shift)) return std::nullopt;
  return value << shift;
}

}  // namespace peerscope
