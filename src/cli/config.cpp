// peerscope config: what is configured, where it comes from, and whether it is right.
#include <cstdio>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/config_set.hpp"
#include "cli/render.hpp"
#include "config/document.hpp"
#include "session/alerts/settings.hpp"

namespace peerscope {
namespace {

using json = nlohmann::ordered_json;

// Without the quotes of a TOML string.
std::string shown_text(const Config& config, std::string_view key) {
  const std::string text = shown(config, key);
  const bool is_quoted = text.size() >= 2 && text.front() == '"';
  return is_quoted ? text.substr(1, text.size() - 2) : text;
}

// Numbers in the base unit: ns, bytes, a share.
json value_json(const Config& config, const char* key) {
  if (shown(config, key) != config.written(key)) return json(shown_text(config, key));
  return std::visit([](const auto& value) { return json(value); }, config.value(key));
}

json setting_json(const Config& config, const char* key) {
  return {{"value", value_json(config, key)},
          {"written", shown(config, key)},
          {"origin", config.origin(key)}};
}

void print_settings(const Config& config, bool with_origin) {
  std::string section;
  for (const KeySpec& key : schema()) {
    const std::string name = key.name;
    const std::size_t dot = name.find('.');
    if (name.substr(0, dot) != section) {
      fmt::print("{}[{}]\n", section.empty() ? "" : "\n", name.substr(0, dot));
      section = name.substr(0, dot);
    }
    const std::string line = fmt::format("{} = {}", name.substr(dot + 1), shown(config, name));
    fmt::print("{}{}\n", line,
               with_origin
                   ? fmt::format("{:{}}  # {}", "", columns(line) < 44 ? 44 - columns(line) : 0,
                                 config.origin(name))
                   : "");
  }
}

int show_main(Args& args) {
  bool origin = false, as_json = false;
  args.flag("--origin", origin, "say where each value comes from");
  args.flag("--json", as_json, "print one JSON object: value, written, origin");
  if (const auto status = args.parse()) return *status;
  if (!as_json) {
    print_settings(args.config(), origin);
    return 0;
  }
  json out = json::object();
  for (const KeySpec& key : schema()) out[key.name] = setting_json(args.config(), key.name);
  fmt::print("{}\n", out.dump(2));
  return 0;
}

int get_main(Args& args) {
  std::string key;
  bool as_json = false;
  args.positional("key", key, "such as monitor.level");
  args.flag("--json", as_json, "print one JSON object: key, value, written, origin");
  if (const auto status = args.parse()) return *status;
  const KeySpec* spec = find_key(key);
  if (spec == nullptr) {
    fmt::print(stderr, "peerscope config get: {}\n", unknown_key(key));
    return 2;
  }
  if (as_json) {
    json out{{"key", key}};
    out.update(setting_json(args.config(), spec->name));
    fmt::print("{}\n", out.dump(2));
    return 0;
  }
  const bool is_plain = spec->type == ValueType::text || spec->type == ValueType::choice;
  const bool is_open = is_plain && !is_secret(key) && !key.ends_with("_url");
  fmt::print("{}\n", is_open ? args.config().text(key) : shown_text(args.config(), key));
  return 0;
}

int validate_main(Args& args) {
  std::string file;
  bool as_json = false;
  args.positional("file", file, "a configuration file (default: all layers that are in force)");
  args.flag("--json", as_json, "print one JSON object: valid, error");
  args.leave_config();
  if (const auto status = args.parse()) return *status;
  const Result<Config> config = file.empty() ? load(args.sources()) : load_file(file);
  std::string problem = config ? "" : config.error().message;
  if (config) {  // rules are texts to the schema
    if (const auto alerts = alert_settings(*config, ""); !alerts) problem = alerts.error().message;
  }
  if (as_json) {
    fmt::print("{}\n", json{{"valid", problem.empty()},
                            {"error", problem.empty() ? json(nullptr) : json(problem)}}
                           .dump(2));
  } else if (problem.empty()) {
    fmt::print("  {} right\n", file.empty() ? "all layers are" : file + " is");
  }
  if (problem.empty()) return 0;
  if (!as_json) fmt::print(stderr, "peerscope config validate: {}\n", problem);
  return 2;
}

int diff_main(Args& args) {
  std::string file;
  bool as_json = false;
  args.positional("file", file, "compare with this file (default: with the built-in values)");
  args.flag("--json", as_json, "print one JSON array: key, from, to, origin");
  if (const auto status = args.parse()) return *status;
  const Result<Config> other = file.empty() ? Result<Config>(Config()) : load_file(file);
  if (!other) {
    fmt::print(stderr, "peerscope config diff: {}\n", other.error().message);
    return 2;
  }
  json out = json::array();
  for (const KeySpec& key : schema()) {
    if (args.config().value(key.name) == other->value(key.name)) continue;
    const std::string from = shown(*other, key.name), to = shown(args.config(), key.name);
    const std::string& origin = args.config().origin(key.name);
    if (!as_json) fmt::print("{}: {} -> {}  # {}\n", key.name, from, to, origin);
    out.push_back({{"key", key.name}, {"from", from}, {"to", to}, {"origin", origin}});
  }
  if (as_json) fmt::print("{}\n", out.dump(2));
  return 0;
}

// Documents need no configuration that is right.
template <std::string (*kDocument)()>
int print_main(Args& args) {
  bool ignored = false;
  args.flag("--json", ignored, "accepted by all commands; changes nothing here");
  args.leave_config();
  if (const auto status = args.parse()) return *status;
  fmt::print("{}", kDocument());
  return 0;
}

}  // namespace

const Command kConfigCommands[] = {
    {{"config show", "all settings in force",
      "  peerscope config show --origin\n"
      "  peerscope config show --set monitor.level=basic --json\n",
      ""},
     show_main},
    {{"config get", "one setting", "  peerscope config get trace.max_bytes\n", ""}, get_main},
    {{"config set", "change a setting in a file, or in running processes",
      "  peerscope config set monitor.level basic               in ./peerscope.toml, else the "
      "user's file\n"
      "  peerscope config set trace.max_bytes '2 GiB' --file /etc/peerscope/config.toml\n"
      "  peerscope config set filter.operations all_reduce --live\n"
      "  peerscope config set overhead.budget '0.5 %' --live demo-4711\n",
      "1 with --live: no live process was reached"},
     config_set_main},
    {{"config validate", "is it right?",
      "  peerscope config validate\n"
      "  peerscope config validate peerscope.toml\n",
      ""},
     validate_main},
    {{"config diff", "what differs from the built-in values, or from a file",
      "  peerscope config diff\n"
      "  peerscope config diff /etc/peerscope/config.toml\n",
      ""},
     diff_main},
    {{"config default", "the built-in configuration, explained, as TOML",
      "  peerscope config default > peerscope.toml\n", ""},
     print_main<default_toml>},
    {{"config schema", "JSON Schema of a configuration file, for editors",
      "  peerscope config schema > peerscope.schema.json\n", ""},
     print_main<json_schema>},
    {{"config markdown", "", "  peerscope config markdown > docs/configuration.md\n", ""},
     print_main<configuration_markdown>},
};
const int kConfigCommandCount = static_cast<int>(std::size(kConfigCommands));

}  // namespace peerscope
