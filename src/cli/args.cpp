#include "cli/args.hpp"

#include <algorithm>
#include <cstdio>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/units.hpp"

namespace peerscope {

struct Args::Impl {
  CommandInfo info;
  std::vector<std::string> words;
  std::vector<std::string> rest_words;
  std::vector<std::string>* rest = nullptr;
  std::string rest_name;
  CLI::App app;
};

namespace {

std::string footer(const CommandInfo& info) {
  std::string text =
      fmt::format("\nExamples:\n{}\nExit status: 0 success, 2 bad input", info.examples);
  if (*info.exits != '\0') text += fmt::format(", {}", info.exits);
  return text + ".";
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
}

Args::~Args() = default;

void Args::flag(const char* names, bool& out, const char* help) {
  impl_->app.add_flag(names, out, help);
}

void Args::text(const char* names, std::string& out, const char* help) {
  impl_->app.add_option(names, out, help);
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

void Args::rest(const char* name, std::vector<std::string>& out, const char* help) {
  impl_->rest = &out;
  impl_->rest_name = name;
  impl_->app.footer(fmt::format("\n{} (after --): {}\n{}", name, help, footer(impl_->info)));
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
  return std::nullopt;
}

}  // namespace peerscope
