// Holds an answer against openapi.json: types, required fields, enumerations. As much of JSON Schema as that file uses.
#pragma once

#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "http/api/api.hpp"

namespace peerscope::http {

class Contract {
 public:
  Contract() : doc_(nlohmann::json::parse(openapi_json())) {}

  [[nodiscard]] const nlohmann::json& doc() const { return doc_; }

  // The first thing that is not as the contract says; "" if all is.
  [[nodiscard]] std::string fault(const nlohmann::json& schema, const nlohmann::json& value,
                                  const std::string& where = "$") const {
    if (schema.contains("$ref")) return fault(at(schema["$ref"].get<std::string>()), value, where);
    if (schema.contains("oneOf")) return fault_of_any(schema["oneOf"], value, where);
    if (schema.contains("type") && !is_of(schema["type"], value))
      return fmt::format("{} is {} and not {}", where, value.dump().substr(0, 60),
                         schema["type"].dump());
    if (value.is_null()) return {};
    if (schema.contains("enum") && !contains(schema["enum"], value))
      return fmt::format("{} is {} and not one of {}", where, value.dump(), schema["enum"].dump());
    if (value.is_object()) return fault_of_object(schema, value, where);
    if (value.is_array() && schema.contains("items")) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        if (std::string found = fault(schema["items"], value[i], fmt::format("{}[{}]", where, i));
            !found.empty())
          return found;
      }
    }
    return {};
  }

 private:
  [[nodiscard]] const nlohmann::json& at(const std::string& ref) const {
    return doc_.at(nlohmann::json::json_pointer(ref.substr(1)));
  }
  static bool contains(const nlohmann::json& list, const nlohmann::json& value) {
    return std::find(list.begin(), list.end(), value) != list.end();
  }
  static bool is_of(const nlohmann::json& type, const nlohmann::json& value) {
    if (type.is_array()) {
      return std::any_of(type.begin(), type.end(),
                         [&](const auto& one) { return is_of(one, value); });
    }
    const std::string name = type.get<std::string>();
    if (name == "integer") return value.is_number_integer();
    if (name == "number") return value.is_number();
    return name == value.type_name();
  }
  [[nodiscard]] std::string fault_of_any(const nlohmann::json& schemas, const nlohmann::json& value,
                                         const std::string& where) const {
    std::string first;
    for (const nlohmann::json& one : schemas) {
      const std::string found = fault(one, value, where);
      if (found.empty()) return {};
      if (first.empty()) first = found;
    }
    return first;
  }
  [[nodiscard]] std::string fault_of_object(const nlohmann::json& schema,
                                            const nlohmann::json& value,
                                            const std::string& where) const {
    if (schema.contains("required")) {
      for (const nlohmann::json& key : schema["required"]) {
        if (!value.contains(key.get<std::string>()))
          return fmt::format("{} lacks {}", where, key.dump());
      }
    }
    const nlohmann::json none = nlohmann::json::object();
    const nlohmann::json& known = schema.contains("properties") ? schema["properties"] : none;
    for (const auto& [key, item] : value.items()) {
      const nlohmann::json* inner = known.contains(key) ? &known[key] : nullptr;
      if (inner == nullptr && schema.contains("additionalProperties"))
        inner = &schema["additionalProperties"];
      if (inner == nullptr) continue;
      if (std::string found = fault(*inner, item, where + "." + key); !found.empty()) return found;
    }
    return {};
  }

  nlohmann::json doc_;
};

}  // namespace peerscope::http
