// peerscope doctor sources: what can be attached on this machine, and what stands in the way.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/doctor_sources.hpp"
#include "cli/render.hpp"

namespace peerscope {
namespace {

using nlohmann::json;

const char* mark(CheckState state) {
  constexpr const char* kMarks[] = {"●", "?", "–", "■"};
  return kMarks[static_cast<int>(state)];
}

const char* colour_of(CheckState state) {
  constexpr const char* kCodes[] = {"32;1", "33;1", "33", "31;1"};
  return kCodes[static_cast<int>(state)];
}

void print(const std::vector<Check>& checks, const Style& style) {
  std::vector<std::string> can, cannot;
  for (const auto& [source, state] : states_of(checks)) {
    if (state == CheckState::ok)
      can.push_back(source);
    else
      cannot.push_back(fmt::format("{} ({})", source, name(state)));
  }
  fmt::print("  Can be attached here: {}\n",
             can.empty() ? "nothing" : fmt::format("{}", fmt::join(can, ", ")));
  if (!cannot.empty()) fmt::print("  Not now: {}\n", fmt::join(cannot, ", "));
  std::string source;
  for (const Check& check : checks) {
    if (check.source != source) fmt::print("\n  {}\n", check.source);
    source = check.source;
    const std::string sign =
        style.colour ? fmt::format("\x1b[{}m{}\x1b[0m", colour_of(check.state), mark(check.state))
                     : std::string(mark(check.state));
    fmt::print("  {} {:<8} {}\n", sign, name(check.state), check.sentence);
    if (!check.action.empty()) fmt::print("               → {}\n", check.action);
  }
}

int doctor_sources_main(Args& args) {
  bool as_json = false;
  args.flag("--json", as_json, "print one JSON object");
  if (const auto status = args.parse()) return *status;
  const std::vector<Check> checks = check_sources(this_host_for_doctor());
  if (as_json) {
    fmt::print("{}\n", checks_json(checks).dump(2));
  } else {
    print(checks, terminal_style());
  }
  return 0;
}

}  // namespace

nlohmann::json checks_json(const std::vector<Check>& checks) {
  json sources = json::object();
  for (const auto& [source, state] : states_of(checks)) sources[source] = name(state);
  json all = json::array();
  for (const Check& check : checks) {
    json facts = json::object();
    for (const auto& [key, value] : check.facts)
      facts[key] = value.empty() ? json(nullptr) : json(value);
    all.push_back({{"source", check.source},
                   {"check", check.name},
                   {"state", name(check.state)},
                   {"sentence", check.sentence},
                   {"action", check.action.empty() ? json(nullptr) : json(check.action)},
                   {"facts", facts}});
  }
  return {{"sources", sources}, {"checks", all}};
}

const Command kDoctorSourcesCommand{
    {"doctor sources", "what can be watched on this machine, and what stands in the way",
     "  peerscope doctor sources                                  one line a check\n"
     "  peerscope doctor sources --json | jq .sources.nccl        \"ok\", \"missing\", "
     "\"blocked\"\n",
     ""},
    doctor_sources_main};

}  // namespace peerscope
