#include "config/document.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/assignment.hpp"

namespace peerscope {
namespace {

std::string section_of(const KeySpec& key) {
  const std::string name = key.name;
  return name.substr(0, name.find('.'));
}
std::string leaf_of(const KeySpec& key) {
  const std::string name = key.name;
  return name.substr(name.find('.') + 1);
}

// "one of ..." beside what every value of the type looks like.
std::string takes(const KeySpec& key) {
  std::string choices = fmt::format("{}", fmt::join(words_of(key.choices), ", "));
  switch (key.type) {
    case ValueType::boolean:
      return "true, false";
    case ValueType::integer:
    case ValueType::real:
      return fmt::format("{} {}", key.type == ValueType::real ? "number" : "whole number",
                         range_of(key));
    case ValueType::text:
      return "text";
    case ValueType::choice:
      return choices;
    case ValueType::duration:
      return fmt::format("duration {}; plain: {}", range_of(key), key.unit);
    case ValueType::bytes:
      return fmt::format("size {}; plain: bytes", range_of(key));
    case ValueType::percent:
      return fmt::format("percentage {}", range_of(key));
    case ValueType::list:
      if (key.has_range()) return fmt::format("list of whole numbers {}", range_of(key));
      return choices.empty() ? "list of text" : fmt::format("list of: {}", choices);
  }
  return "";
}

std::string row(const Config& built_in, const KeySpec& key) {
  std::string means = key.help;
  if (key.live) means += " *Run time.*";
  if (*key.aliases != '\0')
    means += fmt::format(" Also `{}`.", fmt::join(words_of(key.aliases), "`, `"));
  return fmt::format("| `{}` | `{}` | {} | {} |\n", leaf_of(key), built_in.written(key.name),
                     takes(key), means);
}

constexpr const char* kHead = R"(# Configuration

This page is made from the schema (`src/config/schema.cpp`) by `./dev docs`. `peerscope config --help` lists what one can do with it.

## Layers

Later wins. Each value knows its origin: `peerscope config show --origin`.

1. built-in
2. `/etc/peerscope/config.toml`
3. `$XDG_CONFIG_HOME/peerscope/config.toml`, else `~/.config/peerscope/config.toml`
4. `./peerscope.toml`
5. `--config FILE`, of every command, repeatable: has to be there
6. the environment: `PEERSCOPE_SECTION__KEY`, such as `PEERSCOPE_TRACE__MAX_BYTES=2G`
7. `--set section.key=value`, of every command, repeatable; and options that are settings, such as `--level`
8. a change at run time: `peerscope config set KEY VALUE --live [SESSION]`, for the keys marked *run time*

Loading is all or nothing. An unknown key or variable, a value of the wrong type or out of its range, a file that is no TOML or cannot
be read end every command with one sentence and exit status 2. Further names in the environment are given with their keys; our own name
wins over them, and the first over the second. The `P2P_*` names are those of the monitor that this one replaces. An empty one counts as
not set.

## Values

- **Duration**: `"100 ms"`, `"1s"`, `"1.5 h"`, `"10 min"`, `"7 d"` (ns, us, ms, s, min, h, d). A plain number is in the key's unit.
- **Size**: `"64 MiB"`, `"64M"`, `"2G"`, in binary steps. A plain number is in bytes.
- **Percentage**: always text with its sign, `"1 %"` or `"0.1%"`. A plain number is refused: nobody could tell a share from a percentage.
- **List**: `["all_reduce", "broadcast"]`; in the environment and with `--set` also `all_reduce,broadcast`; a comma
  in double quotes, which stay, parts nothing there, nor does one in the parentheses of a rule. A later layer replaces it.
- **Boolean**: `true`, `false`; in the environment and with `--set` also 1, 0, yes, no, on, off.

## At run time

`config set --live` and `level` write into the segments of running processes, which notice at their next operation. Each
change is one line in `changes.jsonl` in the runtime directory (time, who, session, key, old, new; at 1 MiB it becomes
`changes.jsonl.old`), and an event in every monitor that watches. With `run` and the dashboard, filter and budget hold for processes that appear
later, too, and so does the level that `run` was given or that was set in the dashboard: a process may record up to 20 ms before the filter reaches
it. A communicator that a filter names is looked up in each process; while a process does not know it, nothing there passes. Operations
without a communicator do not pass a filter of communicators, and pass one of devices. A program that names its level when it opens
keeps it, unless the dashboard has changed the level since. What is changed past a dashboard (`config set --live`, `level`) it does not
tell to processes that appear later.
)";

}  // namespace

std::string default_toml() {
  const Config built_in;
  std::string out =
      "# peerscope's built-in configuration. What is left out stays as it is here.\n"
      "# Explained in docs/configuration.md; layers: peerscope config show --origin\n";
  for (const SectionSpec& section : sections()) {
    out += fmt::format("\n# {}\n[{}]\n", section.help, section.name);
    for (const KeySpec& key : schema()) {
      if (section_of(key) != section.name) continue;
      out += fmt::format("# {} ({}){}\n{} = {}\n", key.help, takes(key),
                         key.live ? " Run time." : "", leaf_of(key), built_in.written(key.name));
    }
  }
  return out;
}

std::string configuration_markdown() {
  const Config built_in;
  std::string out = kHead;
  for (const SectionSpec& section : sections()) {
    out += fmt::format("\n## {}\n\n{}\n\n| key | built-in | takes | means |\n|---|---|---|---|\n",
                       section.name, section.help);
    for (const KeySpec& key : schema()) {
      if (section_of(key) == section.name) out += row(built_in, key);
    }
  }
  return out;
}

bool is_secret(std::string_view key) {
  return key.ends_with("_secret") || key.ends_with("_password") || key.ends_with("_headers");
}

std::string without_login(std::string url) {
  const std::size_t begin = url.find("//");
  if (begin == std::string::npos) return url;
  const std::size_t end = url.find_first_of("/?#", begin + 2);
  const std::size_t user = url.rfind('@', end);
  if (user == std::string::npos || user < begin) return url;
  return url.replace(begin + 2, user - begin - 2, "(set)");
}

std::string without_path(std::string url) {
  url = without_login(std::move(url));
  const std::size_t begin = url.find("//");
  if (begin == std::string::npos) return url;
  return url.substr(0, url.find_first_of("/?#", begin + 2));
}

bool is_loopback(std::string_view url) {
  const std::size_t scheme = url.find("//");
  std::string_view host = scheme == std::string_view::npos ? url : url.substr(scheme + 2);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const std::size_t user = host.rfind('@'); user != std::string_view::npos)
    host.remove_prefix(user + 1);
  if (host.starts_with("[::1]")) return true;
  host = host.substr(0, host.find(':'));
  return host == "localhost" || (host.starts_with("127.") &&
                                 host.find_first_not_of("0123456789.") == std::string_view::npos);
}

std::string shown(const Config& config, std::string_view key) {
  std::string written = config.written(key);
  if (is_secret(key)) return written == "\"\"" || written == "[]" ? written : "(set)";
  // Chat services take whoever knows the path.
  if (key.ends_with("webhook_url"))
    return peerscope::written(*find_key(key), without_path(config.text(key)));
  return key.ends_with("_url") ? without_login(std::move(written)) : written;
}

}  // namespace peerscope
