// peerscope profile compare: which of several is faster, operation by operation and size by size.
#include <algorithm>
#include <cstdio>
#include <deque>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/profile_open.hpp"
#include "cli/profile_views.hpp"
#include "cli/state_dir.hpp"
#include "session/profile_json.hpp"
#include "session/settings.hpp"

namespace peerscope {
namespace {

struct CompareArguments {
  std::vector<std::string> items;
  std::string by = "session", in, html;
  bool json = false;
};

bool is_backend(const std::string& text) {
  for (unsigned i = 1; i < PSCOPE_BACKEND_COUNT; ++i) {
    if (name(static_cast<Backend>(i)) == text) return true;
  }
  return false;
}

// "run.pscope:decode" is session decode of that file, "run.pscope" all of it, with --in each item is a session.
struct CompareItem {
  std::string label, source, session;
};
CompareItem item_of(const std::string& text, const CompareArguments& arguments) {
  if (!arguments.in.empty()) return {text, arguments.in, text};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return {text, text, ""};
  return {text, text.substr(0, colon), text.substr(colon + 1)};
}

// Splits what is written on the command line into sources and the names of groups.
Result<std::vector<CompareItem>> read_items(const CompareArguments& arguments,
                                            ProfileCompareOptions& options) {
  std::vector<CompareItem> items;
  for (const std::string& text : arguments.items) {
    const bool is_group = options.by == CompareBy::algorithm ? parse_algorithm(text).has_value()
                          : options.by == CompareBy::backend ? is_backend(text)
                                                             : false;
    if (is_group) {
      options.only.push_back(text);
      continue;
    }
    items.push_back(item_of(text, arguments));
    for (std::size_t i = 0; i + 1 < items.size(); ++i) {
      if (items[i].label == text)
        return Error{ErrorCode::invalid_argument,
                     fmt::format("{} is given twice: it does not differ from itself", text)};
    }
  }
  if (options.by == CompareBy::session && items.size() < 2)
    return Error{ErrorCode::invalid_argument,
                 "give two or more to compare: files, sessions, or FILE:NAME for a marked session "
                 "(--by algorithm compares within one)"};
  if (options.only.size() == 1)
    return Error{ErrorCode::invalid_argument,
                 fmt::format("give two or more {}s, or none for all; there is only {}",
                             name(options.by), options.only.front())};
  if (items.empty()) items.push_back({"the newest session", arguments.in, ""});
  return items;
}

Result<ProfileComparison> compare_items(const std::vector<CompareItem>& items,
                                        const ProfileCompareOptions& options,
                                        const Config& config) {
  std::deque<Profiled> profiles;  // whose samples the comparison looks at
  std::vector<CompareSource> sources;
  for (const CompareItem& item : items) {
    Result<OpenedSource> opened = open_profile_source(item.source, config);
    if (!opened) return opened.error();
    Result<Profiled> made =
        profile(*opened->source, {item.session, {}, {}}, opened->monitor.aggregate);
    if (!made) return made.error();
    profiles.push_back(std::move(*made));
    sources.push_back({item.label, &profiles.back().profiler.samples()});
  }
  return compare_profiles(sources, options);
}

int compare_profiles_main(Args& args) {
  CompareArguments arguments;
  args.positionals("what", arguments.items,
                   "files or sessions, each with :NAME for a session marked in it; with --by "
                   "algorithm or backend also which of those (default: all)");
  args.choice("--by", arguments.by, {"session", "algorithm", "backend"}, "what is compared");
  args.text("--in", arguments.in, "a file or session: then the others are names marked in it");
  args.flag("--json", arguments.json, "print one JSON object");
  args.text("--html", arguments.html, "write a page with charts to this file");
  if (const auto status = args.parse()) return *status;
  const auto refuse = [](const Error& error) {
    fmt::print(stderr, "peerscope profile compare: {}\n", error.message);
    return 2;
  };
  ProfileCompareOptions options = compare_options(args.config());
  options.by = arguments.by == "algorithm" ? CompareBy::algorithm
               : arguments.by == "backend" ? CompareBy::backend
                                           : CompareBy::session;
  const auto items = read_items(arguments, options);
  if (!items) return refuse(items.error());
  const auto comparison = compare_items(*items, options, args.config());
  if (!comparison) return refuse(comparison.error());
  if (!arguments.html.empty()) {
    if (const Status written = write_file(arguments.html, comparison_html(*comparison)); !written)
      return refuse(written.error());
  }
  if (arguments.json) {
    fmt::print("{}\n",
               to_json(*comparison).dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    fmt::print("{}", comparison_text(*comparison, terminal_style()));
  }
  return 0;
}

}  // namespace

const Command kProfileCompareCommand{
    {"profile compare", "which session, algorithm or backend is faster, and how sure that is",
     "  peerscope profile compare before.pscope after.pscope\n"
     "  peerscope profile compare --in run.pscope prefill decode\n"
     "  peerscope profile compare run.pscope --by algorithm        all that were used\n"
     "  peerscope profile compare run.pscope ring direct --by algorithm\n",
     ""},
    compare_profiles_main};

}  // namespace peerscope
