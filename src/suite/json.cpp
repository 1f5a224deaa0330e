#include <fstream>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "suite/format.hpp"

namespace peerscope {
namespace {

using nlohmann::json;

template <class T>
json or_null(const std::optional<T>& value) {
  return value ? json(*value) : json(nullptr);
}

json to_json(const Timing& timing) {
  const auto& interval = timing.interval_us;
  return {{"time_us", timing.median_us},
          {"min_us", timing.least_us},
          {"max_us", timing.most_us},
          {"mad_us", timing.mad_us},
          {"ci_low_us", interval ? json(interval->low) : json(nullptr)},
          {"ci_high_us", interval ? json(interval->high) : json(nullptr)},
          {"samples", timing.us.size()},
          {"warm_up", timing.warm_up},
          {"outliers", timing.outliers},
          {"device_us", or_null(timing.device_us)},
          {"algbw_gbs", timing.algbw_gbs},
          {"busbw_gbs", timing.busbw_gbs},
          {"wrong", or_null(timing.wrong)},
          {"checked", or_null(timing.checked)},
          {"samples_us", timing.us}};
}

// A field that may be absent or null.
template <class T>
T get(const json& object, const char* name, T fallback) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? std::move(fallback) : found->get<T>();
}

template <class T>
std::optional<T> maybe(const json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() || found->is_null() ? std::nullopt : std::optional(found->get<T>());
}

Timing timing_from(const json& object) {
  Timing timing = timing_of(get(object, "samples_us", std::vector<double>{}));
  if (timing.us.empty()) {  // figures only
    timing.median_us = object.at("time_us").get<double>();
    timing.least_us = get(object, "min_us", timing.median_us);
    timing.most_us = get(object, "max_us", timing.median_us);
    timing.mad_us = get(object, "mad_us", 0.0);
  }
  timing.device_us = maybe<double>(object, "device_us");
  timing.algbw_gbs = get(object, "algbw_gbs", 0.0);
  timing.busbw_gbs = get(object, "busbw_gbs", 0.0);
  timing.wrong = maybe<std::uint64_t>(object, "wrong");
  timing.checked = maybe<std::uint64_t>(object, "checked");
  return timing;
}

BenchRow row_from(const json& object) {
  BenchRow row;
  row.bytes = object.at("bytes").get<std::uint64_t>();
  row.algorithm = object.at("algorithm").get<std::string>();
  row.backend = object.at("backend").get<std::string>();
  row.dtype = object.at("dtype").get<std::string>();
  row.operation = get(object, "operation", std::string("all_reduce"));
  if (row.operation == "send") row.operation = "sendrecv";
  row.redop = get(object, "redop", std::string("none"));
  row.count = get(object, "count", row.bytes);
  row.ranks = get(object, "ranks", 0);
  row.root = get(object, "root", -1);
  row.graph = get(object, "graph", false);
  row.out = timing_from(object);
  if (const auto in = object.find("in_place"); in != object.end() && in->is_object())
    row.in = timing_from(*in);
  return row;
}

ResultSet set_from(const json& document) {
  ResultSet set;
  set.command = get(document, "command", std::string());
  set.created = get(document, "created", std::string());
  if (const auto machine = document.find("machine"); machine != document.end()) {
    set.machine.text = get(*machine, "text", std::string());
    set.machine.fingerprint = get(*machine, "fingerprint", std::string());
  }
  for (const json& ceiling : get(document, "ceilings", json::array()))
    set.ceilings.push_back({ceiling.at("backend").get<std::string>(),
                            get(ceiling, "text", std::string()), get(ceiling, "gbs", 0.0)});
  for (const json& row : document.at("rows")) set.rows.push_back(row_from(row));
  set.skipped = get(document, "skipped", std::vector<std::string>{});
  return set;
}

}  // namespace

json to_json(const BenchRow& row) {
  json out = to_json(row.out);
  out.update({{"bytes", row.bytes},
              {"count", row.count},
              {"operation", row.operation},
              {"algorithm", row.algorithm},
              {"backend", row.backend},
              {"dtype", row.dtype},
              {"redop", row.redop},
              {"root", row.root},
              {"ranks", row.ranks},
              {"graph", row.graph},
              {"in_place", row.in ? to_json(*row.in) : json(nullptr)}});
  return out;
}

json to_json(const ResultSet& set) {
  json out{{"command", set.command},
           {"created", set.created},
           {"machine", {{"text", set.machine.text}, {"fingerprint", set.machine.fingerprint}}},
           {"skipped", set.skipped},
           {"ceilings", json::array()},
           {"rows", json::array()}};
  for (const Ceiling& c : set.ceilings)
    out["ceilings"].push_back({{"backend", c.backend}, {"text", c.text}, {"gbs", c.gbs}});
  for (const BenchRow& row : set.rows) out["rows"].push_back(to_json(row));
  return out;
}

Result<ResultSet> results_from_json(std::string_view text) {
  const json document = json::parse(text, nullptr, false);
  if (document.is_discarded()) return Error{ErrorCode::corrupt, "it is no JSON"};
  if (!document.is_object() || !document.contains("rows") || !document["rows"].is_array())
    return Error{ErrorCode::corrupt, "it has no list 'rows': is it the --json of a sweep?"};
  try {
    return set_from(document);
  } catch (const json::exception& error) {
    return Error{ErrorCode::corrupt, fmt::format("a row is not right: {}", error.what())};
  }
}

Result<ResultSet> read_results(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad())
    return Error{ErrorCode::not_found, fmt::format("{} cannot be read", path)};
  Result<ResultSet> set = results_from_json(text);
  if (!set) return Error{set.error().code, fmt::format("{}: {}", path, set.error().message)};
  return set;
}

}  // namespace peerscope
