// How keys and values read: in TOML, and in sentences.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/assignment.hpp"
#include "config/quantity.hpp"

namespace peerscope {
namespace {

// A quantity that is kept as a number, as one would write it.
std::string quantity(const KeySpec& key, double value) {
  if (key.type == ValueType::duration) return write_duration(std::llround(value));
  if (key.type == ValueType::bytes) return write_size(std::llround(value));
  if (key.type == ValueType::percent) return write_percent(value);
  return fmt::format("{}", value);
}

}  // namespace

std::string range_of(const KeySpec& key) {
  if (key.is_open_ended()) return fmt::format("at least {}", quantity(key, key.least));
  return fmt::format("between {} and {}", quantity(key, key.least), quantity(key, key.most));
}

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\u{:04X}", static_cast<int>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string written(const KeySpec& key, const Value& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* text = std::get_if<std::string>(&value)) return in_quotes(*text);
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    std::vector<std::string> items;
    for (const std::string& item : *list) items.push_back(key.has_range() ? item : in_quotes(item));
    return fmt::format("[{}]", fmt::join(items, ", "));
  }
  if (const auto* number = std::get_if<double>(&value))
    return key.type == ValueType::percent ? in_quotes(write_percent(*number))
                                          : fmt::format("{}", *number);
  const std::int64_t whole = std::get<std::int64_t>(value);
  if (key.type == ValueType::integer || whole == 0) return fmt::format("{}", whole);
  return key.type == ValueType::bytes && whole % 1024 != 0
             ? fmt::format("{}", whole)
             : in_quotes(quantity(key, static_cast<double>(whole)));
}

std::string expectation(const KeySpec& key) {
  const std::vector<std::string> choices = words_of(key.choices);
  switch (key.type) {
    case ValueType::boolean:
      return "true or false";
    case ValueType::integer:
      return fmt::format("a whole number {}", range_of(key));
    case ValueType::real:
      return fmt::format("a number {}", range_of(key));
    case ValueType::text:
      return "text";
    case ValueType::choice:
      return fmt::format("{} or {}", fmt::join(choices.begin(), choices.end() - 1, ", "),
                         choices.back());
    case ValueType::duration:
      return fmt::format("a duration such as \"10 {0}\" (a plain number counts {0})", key.unit);
    case ValueType::bytes:
      return "a size such as \"64 MiB\" (a plain number counts bytes)";
    case ValueType::percent:
      return "a percentage with its sign, such as \"1 %\"";
    case ValueType::list:
      return key.has_range() ? fmt::format("a list of whole numbers {}", range_of(key))
                             : "a list of text";
  }
  return "";
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& known) {
  if (name.size() > 80) return "";         // nobody has mistyped that
  std::size_t best = name.size() / 3 + 2;  // farther away it would be a guess
  const std::string* nearest = nullptr;
  for (const std::string& other : known) {
    std::vector<std::size_t> row(other.size() + 1);  // Levenshtein's distance, row by row
    for (std::size_t i = 0; i < row.size(); ++i) row[i] = i;
    for (std::size_t i = 1; i <= name.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= other.size(); ++j) {
        const std::size_t replaced = diagonal + (name[i - 1] == other[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
      }
    }
    if (row.back() < best) {
      best = row.back();
      nearest = &other;
    }
  }
  return nearest == nullptr ? "" : fmt::format("; did you mean '{}'?", *nearest);
}

}  // namespace peerscope
