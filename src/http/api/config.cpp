// Every key of the configuration, and changes to those that can change now.
#include <algorithm>

#include <fmt/format.h>

#include "config/document.hpp"
#include "http/api/parameters.hpp"
#include "http/api/resources.hpp"

namespace peerscope::http {

using nlohmann::json;

namespace {

constexpr const char* kTypes[] = {"boolean",  "integer", "real",    "text", "choice",
                                  "duration", "bytes",   "percent", "list"};

json setting_json(const Config& config, const KeySpec& key, bool live) {
  json value = std::visit([](const auto& plain) { return json(plain); }, config.value(key.name));
  const std::string written = shown(config, key.name);
  if (written != config.written(key.name)) value = written;  // a secret stays one
  return {{"key", key.name},
          {"value", value},
          {"written", written},
          {"origin", config.origin(key.name)},
          {"type", kTypes[static_cast<int>(key.type)]},
          {"choices", words_of(key.choices)},
          {"unit", key.unit},
          {"help", key.help},
          {"live", live},
          {"default", key.fallback}};
}

Response all_settings(const Api& api) {
  const auto config = api.config->now();
  json items = json::array();
  for (const KeySpec& key : schema())
    items.push_back(setting_json(*config, key, api.config->can_change(key.name)));
  return answer({{"items", items}});
}

// As `--set` takes it: a list of plain values as TOML has it.
std::optional<std::string> plain_text(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  const auto is_plain = [](const json& item) { return item.is_string() || item.is_number(); };
  if (value.is_array() && std::all_of(value.begin(), value.end(), is_plain)) return written(value);
  return value.is_number() || value.is_boolean() ? std::optional(written(value)) : std::nullopt;
}

}  // namespace

Response get_config(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  if (const auto refusal = parameters.refusal()) return *refusal;
  return all_settings(api);
}

Response patch_config(const Api& api, const Request& request, const Captures&) {
  Parameters parameters(request);
  if (const auto refusal = parameters.refusal()) return *refusal;
  const auto body = parse_body(request);
  if (!body || !body->is_object() || body->empty())
    return refuse(400, R"(write a JSON object of keys and values: {"monitor.level": "basic"})");
  std::vector<std::pair<std::string, std::string>> settings;
  for (const auto& [key, value] : body->items()) {
    auto text = plain_text(value);
    if (!text)
      return refuse(400, fmt::format("{}: a value is text, a number, true, false, or a list of "
                                     "texts or numbers",
                                     key));
    settings.emplace_back(key, std::move(*text));
  }
  if (const Status changed = api.config->change(settings); !changed) return refuse(changed.error());
  return all_settings(api);
}

}  // namespace peerscope::http
