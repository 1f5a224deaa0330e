// The layers, in their order.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "config/toml_file.hpp"

extern "C" char** environ;

namespace peerscope {
namespace {

constexpr std::size_t kMostBytes = 1 << 20;  // of a file: more is a mistake

// Names under PEERSCOPE_ that are no settings: of a job, of tests and benchmarks, of a command that an alert runs.
constexpr std::string_view kPlainNames[] = {
    "PEERSCOPE_SESSION",         "PEERSCOPE_NCCL_CHAIN",     "PEERSCOPE_FUZZ_SECONDS",
    "PEERSCOPE_BENCH_NAMESPACE", "PEERSCOPE_BUILD",          "PEERSCOPE_CUPTI",
    "PEERSCOPE_CUDA_KERNELS",    "PEERSCOPE_CUDA_LOG",       "PEERSCOPE_STATE_DIR",
    "PEERSCOPE_ALERT_ID",        "PEERSCOPE_ALERT_RULE",     "PEERSCOPE_ALERT_STATE",
    "PEERSCOPE_ALERT_SEVERITY",  "PEERSCOPE_ALERT_SENTENCE", "PEERSCOPE_ALERT_ACTION",
    "PEERSCOPE_ALERT_REASON"};

Error cannot_read(const std::string& path, int error) {
  return {error == ENOENT ? ErrorCode::not_found : ErrorCode::io,
          fmt::format("cannot read {}: {}", path, std::strerror(error))};
}

Result<std::string> read_file(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return cannot_read(path, errno);
  std::string text(kMostBytes + 1, '\0');
  std::size_t used = 0;
  ssize_t got = 1;
  while (got > 0 && used < text.size()) {
    got = read(file, text.data() + used, text.size() - used);
    if (got > 0) used += static_cast<std::size_t>(got);
  }
  const int error = errno;
  close(file);
  if (got < 0) return cannot_read(path, error);
  if (used > kMostBytes)
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{}: larger than 1 MiB: this is no configuration", path)};
  text.resize(used);
  return text;
}

Result<std::vector<Assignment>> read_layer(const std::string& path) {
  const Result<std::string> text = read_file(path);
  if (!text) return text.error();
  return read_toml(*text, path);
}

// A layer that is not there says nothing.
Result<std::vector<Assignment>> read_layer_if_there(const std::string& path) {
  if (path.empty()) return std::vector<Assignment>{};
  Result<std::vector<Assignment>> layer = read_layer(path);
  if (!layer && access(path.c_str(), F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
    return std::vector<Assignment>{};
  return layer;
}

struct Variable {
  std::string_view name, value;
};

std::optional<Variable> find_variable(const Sources& sources, std::string_view name) {
  for (const std::string& each : sources.environment) {
    const std::string_view line = each;
    if (line.size() > name.size() && line[name.size()] == '=' &&
        line.substr(0, name.size()) == name)
      return Variable{line.substr(0, name.size()), line.substr(name.size() + 1)};
  }
  return std::nullopt;
}

std::optional<Error> unknown_name(const Sources& sources) {
  std::vector<std::string> known(std::begin(kPlainNames), std::end(kPlainNames));
  for (const KeySpec& key : schema()) {
    known.push_back(environment_name(key.name));
    for (std::string& alias : words_of(key.aliases)) known.push_back(std::move(alias));
  }
  for (const std::string& each : sources.environment) {
    const std::string name = each.substr(0, each.find('='));
    const bool ours = name.rfind("PEERSCOPE_", 0) == 0;
    if (!ours || std::find(known.begin(), known.end(), name) != known.end()) continue;
    return Error{ErrorCode::invalid_argument, fmt::format("{}: peerscope knows no such variable{}",
                                                          name, did_you_mean(name, known))};
  }
  return std::nullopt;
}

// Our own name first, then the others. An alias that is empty is as good as not set.
Result<std::vector<Assignment>> read_environment(const Sources& sources) {
  if (const auto error = unknown_name(sources)) return *error;
  std::vector<Assignment> layer;
  for (const KeySpec& key : schema()) {
    std::optional<Variable> found = find_variable(sources, environment_name(key.name));
    for (const std::string& alias : words_of(key.aliases)) {
      if (!found) found = find_variable(sources, alias);
      if (found && found->value.empty() && found->name == alias) found.reset();
    }
    if (found)
      layer.push_back({key.name, raw_of(found->value), true, std::string(found->name), {}, {}});
  }
  return layer;
}

Assignment assignment_of(const Override& given) {
  return {given.key, raw_of(given.value), true, given.origin, {}, {}};
}

}  // namespace

std::string system_file(const Sources& sources) {
  return sources.etc.empty() ? "" : sources.etc + "/peerscope/config.toml";
}
std::string user_file(const Sources& sources) {
  return sources.config_home.empty() ? "" : sources.config_home + "/peerscope/config.toml";
}
std::string local_file(const Sources& sources) {
  return sources.cwd.empty() ? "" : sources.cwd + "/peerscope.toml";
}

Sources system_sources() {
  Sources sources;
  const char* config_home = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  if (config_home != nullptr && *config_home == '/') {
    sources.config_home = config_home;  // a relative one is to be ignored
  } else if (home != nullptr && *home != '\0') {
    sources.config_home = std::string(home) + "/.config";
  }
  for (char** each = environ; each != nullptr && *each != nullptr; ++each)
    sources.environment.emplace_back(*each);
  return sources;
}

Result<Config> load(const Sources& sources) {
  Config config;
  for (const std::string& path : {system_file(sources), user_file(sources), local_file(sources)}) {
    const auto layer = read_layer_if_there(path);
    if (!layer) return layer.error();
    if (const Status done = config.assign(*layer); !done) return done.error();
  }
  for (const std::string& path : sources.files) {
    const auto layer = read_layer(path);
    if (!layer) return layer.error();
    if (const Status done = config.assign(*layer); !done) return done.error();
  }
  const auto environment = read_environment(sources);
  if (!environment) return environment.error();
  if (const Status done = config.assign(*environment); !done) return done.error();
  for (const Override& given : sources.overrides) {
    if (const Status done = config.assign(assignment_of(given)); !done) return done.error();
  }
  if (const Status fits = config.check(); !fits) return fits.error();
  return config;
}

Result<Config> load_text(std::string_view toml, const std::string& name) {
  const auto layer = read_toml(toml, name);
  if (!layer) return layer.error();
  Config config;
  if (const Status done = config.assign(*layer); !done) return done.error();
  if (const Status fits = config.check(); !fits) return fits.error();
  return config;
}

Result<Config> load_file(const std::string& path) {
  const Result<std::string> text = read_file(path);
  if (!text) return text.error();
  return load_text(*text, path);
}

Result<Config> Config::with(const Override& change) const {
  Config changed = *this;
  if (const Status done = changed.assign(assignment_of(change)); !done) return done.error();
  if (const Status fits = changed.check(); !fits) return fits.error();
  return changed;
}

}  // namespace peerscope
