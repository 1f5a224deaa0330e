#include "analyze/alert/cursor.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace peerscope {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct Unit {
  Quantity quantity;
  std::string_view name;
  double factor;
  double divisor = 1;  // "95%" is 0.95 exactly
};
// Of one quantity the longer name first.
constexpr Unit kUnits[] = {
    {Quantity::time, "min", 60e9},
    {Quantity::time, "ns", 1},
    {Quantity::time, "us", 1e3},
    {Quantity::time, "µs", 1e3},
    {Quantity::time, "ms", 1e6},
    {Quantity::time, "s", 1e9},
    {Quantity::time, "h", 3600e9},
    {Quantity::time, "d", 86'400e9},
    {Quantity::bytes, "KiB", 1024.0},
    {Quantity::bytes, "MiB", 1048576.0},
    {Quantity::bytes, "GiB", 1073741824.0},
    {Quantity::bytes, "KB", 1024.0},
    {Quantity::bytes, "MB", 1048576.0},
    {Quantity::bytes, "GB", 1073741824.0},
    {Quantity::bytes, "K", 1024.0},
    {Quantity::bytes, "M", 1048576.0},
    {Quantity::bytes, "G", 1073741824.0},
    {Quantity::bytes, "B", 1},
    {Quantity::bandwidth, "TB/s", 1e12},
    {Quantity::bandwidth, "GB/s", 1e9},
    {Quantity::bandwidth, "MB/s", 1e6},
    {Quantity::bandwidth, "kB/s", 1e3},
    {Quantity::bandwidth, "B/s", 1},
    {Quantity::rate, "/s", 1},
    {Quantity::rate, "/min", 1, 60},
    {Quantity::rate, "/h", 1, 3600},
    {Quantity::share, "%", 1, 100},
};

std::string units_of(Quantity quantity) {
  std::string out;
  for (const Unit& unit : kUnits) {
    if (unit.quantity == quantity) out += (out.empty() ? "" : ", ") + std::string(unit.name);
  }
  return out;
}

}  // namespace

std::size_t Cursor::next() {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  return at_;
}

bool Cursor::at_end() { return next() == text_.size(); }

bool Cursor::take(char c) {
  if (at_end() || text_[at_] != c) return false;
  ++at_;
  return true;
}

std::string_view Cursor::word() {
  const std::size_t begin = next();
  std::size_t end = begin;
  while (end < text_.size() &&
         (is_letter(text_[end]) || (end > begin && (is_digit(text_[end]) || text_[end] == '.'))))
    ++end;
  at_ = end;
  return text_.substr(begin, end - begin);
}

bool Cursor::take_word(std::string_view wanted) {
  const std::size_t before = at_;
  if (word() == wanted) return true;
  at_ = before;
  return false;
}

Result<std::string> Cursor::value() {
  const std::size_t begin = next();
  if (!take('"')) {
    std::size_t end = begin;
    while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]) ||
                                  text_[end] == '.' || text_[end] == '-'))
      ++end;
    if (end == begin) return error("a name is missing; write a word, or text in quotes");
    at_ = end;
    return std::string(text_.substr(begin, end - begin));
  }
  const std::size_t end = text_.find('"', at_);
  if (end == std::string_view::npos) return error_at(begin, "this quotation has no end");
  std::string out(text_.substr(at_, end - at_));
  at_ = end + 1;
  return out;
}

std::optional<double> Cursor::number() {
  const char* const begin = text_.data() + next();
  double value = 0;
  const auto [end, failure] =
      std::from_chars(begin, text_.data() + text_.size(), value, std::chars_format::fixed);
  // "inf" and "nan" are no figures.
  if (failure != std::errc{} || !std::isfinite(value)) return std::nullopt;
  at_ += static_cast<std::size_t>(end - begin);
  return value;
}

double Cursor::unit(Quantity quantity, double value, bool& known) {
  const std::size_t before = at_;
  next();
  for (const Unit& unit : kUnits) {
    if (unit.quantity != quantity || !text_.substr(at_).starts_with(unit.name)) continue;
    const std::size_t end = at_ + unit.name.size();
    if (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]))) continue;
    at_ = end;
    known = true;
    return value * unit.factor / unit.divisor;
  }
  at_ = before;
  known = false;
  return value;
}

Result<double> Cursor::quantity(Quantity quantity) {
  const std::size_t begin = next();
  const auto value = number();
  if (!value) return error(fmt::format("a figure is missing, here is {}", found()));
  bool known = false;
  const double scaled = unit(quantity, *value, known);
  if (known || quantity == Quantity::number || *value == 0) return scaled;
  return error_at(begin,
                  fmt::format("this figure needs its unit; there are: {}", units_of(quantity)));
}

Result<std::int64_t> Cursor::duration() {
  const std::size_t begin = next();
  const auto ns = quantity(Quantity::time);
  if (!ns) return ns.error();
  constexpr double kYear = 365 * 86'400e9;
  if (*ns < 0 || *ns > kYear) return error_at(begin, "a duration lies between 0 and 365 d");
  return static_cast<std::int64_t>(std::llround(*ns));
}

Error Cursor::error_at(std::size_t at, const std::string& sentence) const {
  const auto column =
      1 + std::count_if(text_.begin(),
                        text_.begin() + static_cast<std::ptrdiff_t>(std::min(at, text_.size())),
                        [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  return {ErrorCode::invalid_argument, fmt::format("column {}: {}", column, sentence)};
}

std::string Cursor::found() {
  if (at_end()) return "the end";
  const std::size_t begin = at_;
  std::string out(word());
  at_ = begin;
  if (!out.empty()) return "'" + out.substr(0, 40) + "'";
  // A whole character, not the first byte of one.
  std::size_t end = begin + 1;
  while (end < text_.size() && (static_cast<unsigned char>(text_[end]) & 0xC0) == 0x80) ++end;
  return "'" + std::string(text_.substr(begin, end - begin)) + "'";
}

}  // namespace peerscope
