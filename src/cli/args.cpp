#include "cli/args.hpp"

#include <algorithm>
#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/units.hpp"
#include "cli/recorder_environment.hpp"

namespace peerscope {

struct Args::Impl {
  CommandInfo info;
  std::vector<std::string> words;
  std::vector<std::string> rest_words;
  std::vector<std::string>* rest = nullptr;
  std::string rest_name;
  CLI::App app;
  std::vector<std::string> sets;   // --set, in their order
  std::vector<Override> settings;  // options that are settings
  Sources sources;
  Config config;
  bool loads_config = true;
};

namespace {

std::string footer(const CommandInfo& info) {
  std::string text =
      fmt::format("\nExamples:\n{}\nExit status: 0 success, 2 bad input", info.examples);
  if (*info.exits != '\0') text += fmt::format(", {}", info.exits);
  return text + ".";
}

// "a.b=c". Empty, and a sentence, if it is not.
std::optional<Override> read_set(const std::string& word, std::string& problem) {
  const std::size_t equals = word.find('=');
  if (equals != std::string::npos && equals > 0)
    return Override{word.substr(0, equals), word.substr(equals + 1), "--set"};
  problem =
      fmt::format("--set {}: write section.key=value, such as --set monitor.level=basic", word);
  return std::nullopt;
}

}  // namespace

Args::Args(const CommandInfo& info, std::vector<std::string> words)
    : impl_(std::make_unique<Impl>()) {
  impl_->info = info;
  const auto dashes = std::find(words.begin(), words.end(), "--");
  if (dashes != words.end()) impl_->rest_words.assign(dashes + 1, words.end());
  impl_->words.assign(words.begin(), dashes);
  impl_->app.name(fmt::format("peerscope {}", info.path));
  impl_->app.description(info.summary);
  impl_->app.footer(footer(info));
  impl_->app.get_formatter()->column_width(34);
  impl_->app.add_option("--set", impl_->sets, "a setting: section.key=value; repeatable")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE")
      ->group("Configuration");
  impl_->app.add_option("--config", impl_->sources.files, "read this file, too; repeatable")
      ->allow_extra_args(false)
      ->type_name("FILE")
      ->group("Configuration");
}

Args::~Args() = default;

void Args::flag(const char* names, bool& out, const char* help) {
  impl_->app.add_flag(names, out, help);
}

void Args::text(const char* names, std::string& out, const char* help) {
  impl_->app.add_option(names, out, help);
}

void Args::texts(const char* names, std::vector<std::string>& out, const char* help) {
  impl_->app.add_option(names, out, help)->allow_extra_args(false);
}

void Args::choice(const char* names, std::string& out, const std::vector<std::string>& allowed,
                  const char* help) {
  impl_->app.add_option(names, out, help)->check(CLI::IsMember(allowed))->capture_default_str();
}

void Args::integer(const char* names, int& out, int least, int most, const char* help) {
  impl_->app.add_option(names, out, help)->check(CLI::Range(least, most))->capture_default_str();
}

void Args::real(const char* names, double& out, double least, double most, const char* help) {
  impl_->app.add_option(names, out, help)->check(CLI::Range(least, most))->capture_default_str();
}

void Args::bytes(const char* names, std::uint64_t& out, const char* help) {
  const auto take = [&out](const std::string& text) {
    const auto size = parse_bytes(text);
    if (!size)
      throw CLI::ValidationError(fmt::format("'{}' is no size; write 8, 64K, 1M or 2G", text));
    out = *size;
  };
  impl_->app.add_option_function<std::string>(names, take, help)
      ->default_str(format_bytes(out))
      ->type_name("SIZE");
}

void Args::positional(const char* name, std::string& out, const char* help) {
  impl_->app.add_option(name, out, help);
}

void Args::positionals(const char* name, std::vector<std::string>& out, const char* help) {
  impl_->app.add_option(name, out, help);
}

void Args::rest(const char* name, std::vector<std::string>& out, const char* help) {
  impl_->rest = &out;
  impl_->rest_name = name;
  impl_->app.footer(fmt::format("\n{} (after --): {}\n{}", name, help, footer(impl_->info)));
}

void Args::setting(const char* names, const char* key) {
  const std::string name = names;
  const std::string origin = name.substr(name.find("--"));
  const auto take = [this, key, origin](const std::string& text) {
    impl_->settings.push_back({key, text, origin});
  };
  const KeySpec* spec = find_key(key);
  impl_->app.add_option_function<std::string>(names, take, fmt::format("{} ({})", spec->help, key))
      ->default_str(spec->fallback)
      ->type_name(spec->choices[0] != '\0' ? fmt::format("{{{}}}", spec->choices) : "TEXT");
}

void Args::leave_config() { impl_->loads_config = false; }
const Config& Args::config() const { return impl_->config; }
const Sources& Args::sources() const { return impl_->sources; }

std::string Args::command() const {
  std::string text = impl_->info.path;
  for (const std::string& word : impl_->words) text += " " + word;
  return text;
}

// A sentence if something is wrong.
std::string Args::load_config() {
  Sources from = system_sources();
  from.files = impl_->sources.files;
  for (const std::string& word : impl_->sets) {
    std::string problem;
    const auto given = read_set(word, problem);
    if (!given) return problem;
    from.overrides.push_back(*given);
  }
  from.overrides.insert(from.overrides.end(), impl_->settings.begin(), impl_->settings.end());
  impl_->sources = std::move(from);
  if (!impl_->loads_config) return "";
  Result<Config> loaded = load(impl_->sources);
  if (!loaded) return loaded.error().message;
  impl_->config = std::move(*loaded);
  tell_recorders(impl_->config);
  return "";
}

std::optional<int> Args::parse() {
  try {
    std::vector<std::string> reversed(impl_->words.rbegin(),
                                      impl_->words.rend());  // CLI11 takes them from the back
    impl_->app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", impl_->app.help());
    return 0;
  } catch (const CLI::Error& error) {
    fmt::print(stderr, "peerscope {}: {}. See: peerscope {} --help\n", impl_->info.path,
               error.what(), impl_->info.path);
    return 2;
  }
  if (impl_->rest != nullptr) {
    *impl_->rest = impl_->rest_words;
  } else if (!impl_->rest_words.empty()) {
    fmt::print(stderr, "peerscope {}: takes nothing after --, but got '{}'\n", impl_->info.path,
               impl_->rest_words[0]);
    return 2;
  }
  if (const std::string problem = load_config(); !problem.empty()) {
    fmt::print(stderr, "peerscope {}: {}\n", impl_->info.path, problem);
    return 2;
  }
  return std::nullopt;
}

}  // namespace peerscope
