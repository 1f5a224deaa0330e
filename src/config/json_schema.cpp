// The schema as JSON Schema, for editors.
#include <nlohmann/json.hpp>

#include "config/assignment.hpp"
#include "config/document.hpp"
#include "config/quantity.hpp"

namespace peerscope {
namespace {

using json = nlohmann::ordered_json;

constexpr const char* kDurationPattern = "^ *[0-9]*\\.?[0-9]+ *(ns|us|µs|ms|s|min|h|d)? *$";
constexpr const char* kSizePattern = "^ *[0-9]+ *([KMGTkmgt]?[Bb]?|[KMGTkmgt][Ii][Bb]) *$";
constexpr const char* kPercentPattern = "^ *[0-9]*\\.?[0-9]+ *% *$";

json number(const char* type, const KeySpec& key, double unit) {
  json out{{"type", type}, {"minimum", key.least / unit}};
  if (!key.is_open_ended()) out["maximum"] = key.most / unit;
  return out;
}

json text_with(const char* pattern) { return {{"type", "string"}, {"pattern", pattern}}; }

json items_of(const KeySpec& key) {
  if (key.has_range()) return number("integer", key, 1);
  json items{{"type", "string"}};
  if (*key.choices != '\0') items["enum"] = words_of(key.choices);
  return items;
}

json type_of(const KeySpec& key) {
  switch (key.type) {
    case ValueType::boolean:
      return {{"type", "boolean"}};
    case ValueType::integer:
      return number("integer", key, 1);
    case ValueType::real:
      return number("number", key, 1);
    case ValueType::text:
      return {{"type", "string"}};
    case ValueType::choice:
      return {{"type", "string"}, {"enum", words_of(key.choices)}};
    case ValueType::duration:
      return {{"anyOf", json::array({number("number", key, unit_ns(key.unit)),
                                     text_with(kDurationPattern)})}};
    case ValueType::bytes:
      return {{"anyOf", json::array({number("integer", key, 1), text_with(kSizePattern)})}};
    case ValueType::percent:
      return text_with(kPercentPattern);
    case ValueType::list:
      return {{"type", "array"}, {"items", items_of(key)}};
  }
  return {};
}

json as_json(const KeySpec& key, const Config& config) {
  const Value& value = config.value(key.name);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) return *list;
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* share = std::get_if<double>(&value))
    return key.type == ValueType::percent ? json(write_percent(*share)) : json(*share);
  const std::int64_t whole = std::get<std::int64_t>(value);
  if (key.type == ValueType::duration && whole != 0) return write_duration(whole);
  if (key.type == ValueType::bytes && whole != 0) return write_size(whole);
  return whole;
}

}  // namespace

std::string json_schema() {
  const Config built_in;
  json root{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
            {"title", "peerscope configuration"},
            {"type", "object"},
            {"additionalProperties", false},
            {"properties", json::object()}};
  for (const SectionSpec& section : sections()) {
    root["properties"][section.name] = {{"description", section.help},
                                        {"type", "object"},
                                        {"additionalProperties", false},
                                        {"properties", json::object()}};
  }
  for (const KeySpec& key : schema()) {
    const std::string name = key.name;
    const std::size_t dot = name.find('.');
    json property = type_of(key);
    property["description"] = key.help;
    property["default"] = as_json(key, built_in);
    root["properties"][name.substr(0, dot)]["properties"][name.substr(dot + 1)] =
        std::move(property);
  }
  return root.dump(2) + "\n";
}

}  // namespace peerscope
