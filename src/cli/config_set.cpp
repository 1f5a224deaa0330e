#include "cli/config_set.hpp"

#include <cstdio>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cli/recorder_environment.hpp"
#include "cli/select.hpp"
#include "config/assignment.hpp"
#include "config/edit.hpp"
#include "session/live.hpp"

namespace peerscope {
namespace {

struct SetOptions {
  std::string key, file, session;
  std::string value = std::string(1, '\0');  // not given: no argument can be that
  bool live = false, json = false;
};

int refuse(const std::string& why) {
  fmt::print(stderr, "peerscope config set: {}\n", why);
  return 2;
}

std::string not_live(const std::string& key) {
  std::vector<std::string> live;
  for (const KeySpec& each : schema()) {
    if (each.live) live.emplace_back(each.name);
  }
  return fmt::format("{} cannot be changed in running processes; these can: {}", key,
                     fmt::join(live, ", "));
}

int set_live(const SetOptions& options, const Args& args) {
  if (!find_key(options.key)->live) return refuse(not_live(options.key));
  const Result<Config> loaded = load(args.sources());  // other parts of a filter come from here
  if (!loaded) return refuse(loaded.error().message);
  tell_recorders(*loaded);
  const Result<Config> config = loaded->with({options.key, options.value, std::string(kAtRunTime)});
  if (!config) return refuse(config.error().message);
  const auto sessions = select_sessions(options.session);
  if (!sessions) return refuse(sessions.error().message);
  const LiveChange done = change_live(*sessions, *config, options.key);
  const std::string written = config->written(options.key);
  if (options.json) {
    fmt::print("{}\n",
               nlohmann::ordered_json{
                   {"key", options.key}, {"value", written}, {"processes", done.processes}}
                   .dump(2));
  } else {
    fmt::print("  {} = {} in {} running process{}\n", options.key, written, done.processes,
               done.processes == 1 ? "" : "es");
  }
  if (done.processes > 0 && done.matches_none)
    fmt::print(
        stderr,
        "peerscope config set: no process knows such a communicator: nothing is recorded now\n");
  return done.processes > 0 ? 0 : 1;
}

std::string file_to_change(const SetOptions& options, const Sources& sources) {
  if (!options.file.empty()) return options.file;
  const std::string local = local_file(sources);
  return access(local.c_str(), F_OK) == 0 ? local : user_file(sources);
}

int set_file(const SetOptions& options, const Args& args) {
  const std::string path = file_to_change(options, args.sources());
  if (path.empty()) return refuse("there is no home directory; name a file: --file FILE");
  if (const Status done = edit_file(path, options.key, options.value); !done)
    return refuse(done.error().message);
  const Result<Config> config = load_file(path);
  if (!config) return refuse(config.error().message);
  const std::string written = config->written(options.key);
  if (options.json) {
    fmt::print(
        "{}\n",
        nlohmann::ordered_json{{"key", options.key}, {"value", written}, {"file", path}}.dump(2));
  } else {
    fmt::print("  {} = {} in {}\n", options.key, written, path);
  }
  const Result<Config> in_force = load(args.sources());
  if (options.file.empty() && in_force &&
      in_force->value(options.key) != config->value(options.key))
    fmt::print(stderr, "peerscope config set: not in force here: {} says {}\n",
               in_force->origin(options.key), in_force->written(options.key));
  return 0;
}

}  // namespace

std::string unknown_key(const std::string& key) {
  if (key.empty()) return "which key? See: peerscope config show";
  std::vector<std::string> known;
  for (const KeySpec& each : schema()) known.emplace_back(each.name);
  return fmt::format("unknown key '{}'{}", key, did_you_mean(key, known));
}

int config_set_main(Args& args) {
  SetOptions options;
  args.positional("key", options.key, "such as monitor.level");
  args.positional("value", options.value,
                  "such as basic, '10 min', '64 MiB', '1 %' or all_reduce,broadcast");
  args.positional("session", options.session,
                  "with --live: id or the beginning of one, or 'all' (default: the newest)");
  args.flag("--live", options.live, "change running processes, at once; no file");
  args.text("--file", options.file,
            "the file to change (default: ./peerscope.toml if there is one, else the user's)");
  args.flag("--json", options.json, "print one JSON object");
  args.leave_config();  // what is wrong in another layer must not keep one from mending this one
  if (const auto status = args.parse()) return *status;
  if (find_key(options.key) == nullptr) return refuse(unknown_key(options.key));
  if (options.value == SetOptions().value) {
    return refuse(
        fmt::format("{} to what? Write {}", options.key, expectation(*find_key(options.key))));
  }
  if (options.live && !options.file.empty()) return refuse("either --live or --file, not both");
  if (!options.live && !options.session.empty())
    return refuse(fmt::format("a session ('{}') is for --live", options.session));
  return options.live ? set_live(options, args) : set_file(options, args);
}

}  // namespace peerscope
