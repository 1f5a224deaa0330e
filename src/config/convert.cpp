// What a key makes of what was written.
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/assignment.hpp"
#include "config/quantity.hpp"

namespace peerscope {
namespace {

Error bad(std::string message) { return {ErrorCode::invalid_argument, std::move(message)}; }

std::string shown(const Raw& raw) {
  if (const auto* flag = std::get_if<bool>(&raw)) return *flag ? "true" : "false";
  if (const auto* whole = std::get_if<std::int64_t>(&raw)) return fmt::format("{}", *whole);
  if (const auto* number = std::get_if<double>(&raw)) return fmt::format("{}", *number);
  if (const auto* text = std::get_if<std::string>(&raw))
    return text->size() > 60 ? fmt::format("'{}...'", text->substr(0, 57))
                             : fmt::format("'{}'", *text);
  if (const auto* list = std::get_if<std::vector<std::string>>(&raw))
    return fmt::format("a list of {}", list->size());
  return std::get<Unfit>(raw).what;
}

// Not inlined: where it sees which alternative is moved, GCC 12 warns of members that the others have.
[[gnu::noinline]] Result<Value> kept(Value value) { return value; }

Error wrong_type(const KeySpec& key, const Raw& raw) {
  return bad(fmt::format("{} is {}; write {}", key.name, shown(raw), expectation(key)));
}

std::optional<bool> parse_boolean(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (text == "true" || text == "1" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "0" || text == "no" || text == "off") return false;
  return std::nullopt;
}

std::optional<double> parse_whole(std::string_view text) {
  const auto number = parse_number(text);
  if (!number || *number != std::floor(*number)) return std::nullopt;
  return number;
}

std::optional<double> number_in(const KeySpec& key, const std::string& text, bool plain) {
  switch (key.type) {
    case ValueType::duration:
      return parse_duration(text, key.unit);
    case ValueType::bytes:
      return parse_size(text);
    case ValueType::percent:
      return parse_percent(text);
    case ValueType::integer:
      return plain ? parse_whole(text) : std::nullopt;
    case ValueType::real:
      return plain ? parse_number(text) : std::nullopt;
    default:
      return std::nullopt;
  }
}

// Numbers of TOML are in the key's unit. A percentage has no plain number.
std::optional<double> number_in(const KeySpec& key, const Raw& raw, bool plain) {
  const double unit = key.type == ValueType::duration ? unit_ns(key.unit) : 1;
  if (const auto* text = std::get_if<std::string>(&raw)) return number_in(key, *text, plain);
  if (key.type == ValueType::percent) return std::nullopt;
  if (const auto* whole = std::get_if<std::int64_t>(&raw))
    return static_cast<double>(*whole) * unit;
  const bool fractions = key.type == ValueType::duration || key.type == ValueType::real;
  const auto* number = std::get_if<double>(&raw);
  if (number == nullptr || !fractions || !std::isfinite(*number)) return std::nullopt;
  return *number * unit;
}

Result<Value> convert_number(const KeySpec& key, const Assignment& given) {
  const auto number = number_in(key, given.raw, given.plain);
  if (!number) return wrong_type(key, given.raw);
  if (*number < key.least || *number > key.most) {
    return bad(fmt::format(
        "{} is {}; it must {} {}{}", key.name, shown(given.raw), key.is_open_ended() ? "be" : "lie",
        range_of(key),
        key.type == ValueType::integer && *key.unit != '\0' ? fmt::format(" {}", key.unit) : ""));
  }
  if (key.type == ValueType::real || key.type == ValueType::percent) return kept(*number);
  return kept(static_cast<std::int64_t>(std::llround(*number)));
}

Result<Value> convert_boolean(const KeySpec& key, const Assignment& given) {
  if (const auto* flag = std::get_if<bool>(&given.raw)) return kept(*flag);
  const auto* text = std::get_if<std::string>(&given.raw);
  const auto flag = given.plain && text != nullptr ? parse_boolean(*text) : std::nullopt;
  if (!flag) return wrong_type(key, given.raw);
  return kept(*flag);
}

Result<Value> convert_text(const KeySpec& key, const Assignment& given) {
  const auto* text = std::get_if<std::string>(&given.raw);
  if (text == nullptr) return wrong_type(key, given.raw);
  const std::vector<std::string> choices = words_of(key.choices);
  const bool fits =
      choices.empty() || std::find(choices.begin(), choices.end(), *text) != choices.end();
  if (!fits) return wrong_type(key, given.raw);
  if (text->find('\0') != std::string::npos)
    return bad(fmt::format("{} has a character that no name can have", key.name));
  return kept(*text);
}

// Where each ( is closed; one that never is goes to the end, so that what is wrong is said of the whole rule.
std::vector<std::size_t> ends_of_parentheses(const std::string& text) {
  std::vector<std::size_t> ends(text.size(), text.size() - 1), open;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t close = text[at] == '"' ? text.find('"', at + 1) : std::string::npos;
    if (close != std::string::npos) at = close;
    if (text[at] == '(') open.push_back(at);
    if (text[at] != ')' || open.empty()) continue;
    ends[open.back()] = at;
    open.pop_back();
  }
  return ends;
}

// At commas, but for those in double quotes that are closed; of rules, also in parentheses: "p99(all_reduce, device) >
// 1ms" is one.
std::vector<std::string> split_list(const std::string& text, bool rules) {
  std::vector<std::size_t> ends;
  if (rules) ends = ends_of_parentheses(text);
  std::vector<std::string> items;
  std::size_t begin = 0;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    if (at < text.size() && text[at] != ',') {
      const std::size_t close = text[at] == '"' ? text.find('"', at + 1) : std::string::npos;
      if (close != std::string::npos) at = close;
      if (rules && text[at] == '(') at = ends[at];
      continue;
    }
    std::string item = text.substr(begin, at - begin);
    item.erase(0, item.find_first_not_of(' '));
    item.erase(item.find_last_not_of(' ') + 1);
    if (!item.empty()) items.push_back(std::move(item));
    begin = at + 1;
  }
  return items;
}

Result<Value> convert_list(const KeySpec& key, const Assignment& given) {
  std::vector<std::string> items;
  const auto* text = std::get_if<std::string>(&given.raw);
  if (const auto* list = std::get_if<std::vector<std::string>>(&given.raw)) {
    items = *list;
  } else if (text != nullptr && given.plain) {
    items = split_list(*text, std::string_view(key.name) == "alert.rules");
  } else {
    return wrong_type(key, given.raw);
  }
  const std::vector<std::string> choices = words_of(key.choices);
  for (const std::string& item : items) {
    if (!choices.empty() && std::find(choices.begin(), choices.end(), item) == choices.end()) {
      std::string hint = did_you_mean(item, choices);
      if (hint.empty()) hint = fmt::format("; there are: {}", fmt::join(choices, ", "));
      return bad(fmt::format("{} has '{}'{}", key.name, item, hint));
    }
    const auto number = parse_whole(item);
    if (key.has_range() && (!number || *number < key.least || *number > key.most))
      return bad(fmt::format("{} has '{}'; write whole numbers {}", key.name, item, range_of(key)));
  }
  return kept(std::move(items));
}

}  // namespace

Result<Value> convert(const KeySpec& key, const Assignment& given) {
  switch (key.type) {
    case ValueType::boolean:
      return convert_boolean(key, given);
    case ValueType::text:
    case ValueType::choice:
      return convert_text(key, given);
    case ValueType::list:
      return convert_list(key, given);
    default:
      return convert_number(key, given);
  }
}

}  // namespace peerscope
