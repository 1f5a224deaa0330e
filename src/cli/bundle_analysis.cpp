// A bundle's part that says what was found.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "analyze/debug/given_up.hpp"
#include "analyze/debug/redact.hpp"
#include "cli/bundle_parts.hpp"
#include "cli/debug_hang.hpp"
#include "cli/render.hpp"
#include "session/debug_json.hpp"
#include "session/json.hpp"

namespace peerscope {
namespace {

using nlohmann::json;

std::string dump(const json& value, int indent = 2) {
  return without_secrets(value.dump(indent, ' ', false, json::error_handler_t::replace)) + "\n";
}

json in_flight_json(const DebugSource& source) {
  json groups = json::array(), ends = json::array();
  for (const InFlightGroup& group : in_flight_groups(*source.snapshot))
    groups.push_back(group_json(group, source));
  for (const GivenUp& end : given_up(source.watch->last_seen()))
    ends.push_back(to_json(end, *source.snapshot));
  return {{"groups", groups}, {"given_up", ends}};
}

}  // namespace

std::vector<BundlePart> analysis_parts(const DebugSource& source) {
  const Snapshot& snapshot = *source.snapshot;
  Style plain;
  plain.width = 100;
  json findings = json::array();
  for (const Finding& finding : snapshot.findings) findings.push_back(to_json(finding));
  std::string events;
  for (const DebugEvent& event : in_order(source.watch->log()))
    events += dump(to_json(event, snapshot.real_offset_ns), -1);
  return {
      {{"report.txt",
        without_secrets(sessions_table(snapshot, plain) + "\n" + report(snapshot, plain))},
       "the report, for people"},
      {{"report.json", dump(to_json(snapshot))}, "the same, for programs"},
      {{"findings.json", dump(findings)}, "what is wrong"},
      {{"in_flight.json", dump(in_flight_json(source))},
       "operations that are open, or were given up"},
      {{"events.jsonl", events}, "what happened, one event a line"},
      {{"errors.json", dump(errors_json(source.watch->errors(), snapshot))},
       "operations that failed, and whether they recovered"},
  };
}

}  // namespace peerscope
