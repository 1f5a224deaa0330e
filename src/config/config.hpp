// The configuration: layers of settings, checked against the schema, each value with its origin.
//
// A Config is a value: it never changes. Loading is all or nothing. Layers, later wins: built-in,
// ETC/peerscope/config.toml, CONFIG_HOME/peerscope/config.toml, CWD/peerscope.toml, `--config` files,
// the environment, `--set` and options of a command, a change at run time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "config/schema.hpp"

namespace peerscope {

// One value as text, and who says so: "--set", "--level".
struct Override {
  std::string key, value, origin;
};

// Where layers come from. Tests point them elsewhere.
struct Sources {
  std::string etc = "/etc";
  std::string config_home;  // $XDG_CONFIG_HOME, else ~/.config; "": none
  std::string cwd = ".";
  std::vector<std::string> files;        // --config: have to be there
  std::vector<std::string> environment;  // "NAME=value"
  std::vector<Override> overrides;       // the command line, in its order
};
Sources system_sources();  // of this process

// What a layer's file is called. "" if the layer has none.
std::string system_file(const Sources& sources);
std::string user_file(const Sources& sources);
std::string local_file(const Sources& sources);

// bool; integer, duration in ns, bytes; real, share of a percentage; text, choice; list.
using Value = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

inline constexpr std::string_view kBuiltIn = "built-in";
inline constexpr std::string_view kAtRunTime =
    "run time";  // the origin of what was changed since the start

struct Assignment;  // assignment.hpp

class Config {
 public:
  Config();  // built-in values

  // By key. A key that is not in the schema, or is of another type, is a fault of the caller: aborts.
  [[nodiscard]] bool boolean(std::string_view key) const;
  [[nodiscard]] std::int64_t integer(std::string_view key) const;
  [[nodiscard]] double real(std::string_view key) const;
  [[nodiscard]] const std::string& text(std::string_view key) const;  // and choices
  [[nodiscard]] std::int64_t duration_ns(std::string_view key) const;
  [[nodiscard]] std::uint64_t bytes(std::string_view key) const;
  [[nodiscard]] double share(std::string_view key) const;  // of a percentage: 0.01 for "1 %"
  [[nodiscard]] const std::vector<std::string>& list(std::string_view key) const;

  [[nodiscard]] const Value& value(std::string_view key) const;
  // "built-in", "/etc/peerscope/config.toml:12", "PEERSCOPE_TRACE__MAX_BYTES", "--set", "run time"
  [[nodiscard]] const std::string& origin(std::string_view key) const;
  [[nodiscard]] bool is_built_in(std::string_view key) const { return origin(key) == kBuiltIn; }
  [[nodiscard]] std::string written(std::string_view key) const;  // as one would write it in TOML

  // This with one value changed: checked as a whole.
  [[nodiscard]] Result<Config> with(const Override& change) const;

 private:
  friend Result<Config> load(const Sources& sources);
  friend Result<Config> load_text(std::string_view toml, const std::string& name);
  struct Setting {
    Value value;
    std::string origin;
  };
  [[nodiscard]] const Setting& setting(std::string_view key) const;
  Status assign(const Assignment& assignment);
  Status assign(const std::vector<Assignment>& layer);
  [[nodiscard]] Status check() const;  // what no value says alone

  std::vector<Setting> settings_;  // as schema() orders them
};

// All layers, or the first thing that is wrong, in one sentence.
Result<Config> load(const Sources& sources);
// One file over the built-in values. `name` is what errors call it.
Result<Config> load_file(const std::string& path);
Result<Config> load_text(std::string_view toml, const std::string& name);

}  // namespace peerscope
