// A MetricSet as OTLP's ExportMetricsServiceRequest, by proto3's mapping to JSON: whole numbers of 64 bits are strings,
// names are lowerCamelCase, enumerations numbers.
#include <algorithm>
#include <cmath>
#include <set>

#include <nlohmann/json.hpp>

#include "metrics/collect.hpp"
#include "metrics/otlp.hpp"

namespace peerscope {
namespace metrics {
namespace {

using nlohmann::json;

constexpr int kCumulative = 2;  // AGGREGATION_TEMPORALITY_CUMULATIVE

json attribute(const std::string& key, const std::string& value) {
  return {{"key", key}, {"value", {{"stringValue", value}}}};
}

struct Times {
  std::string start, now;  // ns since 1970
};

json point_of(const Group& group, const Row& row, const Times& times, bool since_start) {
  json point = {{"attributes", json::array()}, {"timeUnixNano", times.now}};
  if (since_start) point["startTimeUnixNano"] = times.start;
  for (std::size_t i = 0; i < group.labels.size(); ++i) {
    if (!row.labels[i].empty())
      point["attributes"].push_back(attribute(group.labels[i], row.labels[i]));
  }
  return point;
}

// Proto3 writes what JSON has no number for as a string.
json real(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

void put_number(json& point, const Value& value) {
  if (const auto* whole = std::get_if<std::uint64_t>(&value)) {
    // A number of theirs has a sign.
    if (*whole <= INT64_MAX) {
      point["asInt"] = std::to_string(*whole);
    } else {
      point["asDouble"] = static_cast<double>(*whole);
    }
  }
  if (const auto* number = std::get_if<double>(&value)) point["asDouble"] = real(*number);
}

void put_histogram(json& point, const DurationCounts& durations) {
  point["count"] = std::to_string(durations.count());
  point["sum"] = static_cast<double>(durations.sum_ns) / 1e9;
  for (const std::uint64_t count : durations.counts)
    point["bucketCounts"].push_back(std::to_string(count));
  for (std::size_t i = 0; i < kDurationBounds; ++i)
    point["explicitBounds"].push_back(static_cast<double>(duration_bound_ns(i)) / 1e9);
}

void put_summary(json& point, const Quantiles& quantiles) {
  point["count"] = std::to_string(quantiles.count);
  point["sum"] = real(quantiles.sum);
  point["quantileValues"] = json::array();
  if (quantiles.p50 >= 0)
    point["quantileValues"].push_back({{"quantile", 0.5}, {"value", real(quantiles.p50)}});
  if (quantiles.p99 >= 0)
    point["quantileValues"].push_back({{"quantile", 0.99}, {"value", real(quantiles.p99)}});
}

// Of the Unified Code for Units of Measure.
const char* ucum(const std::string& unit) {
  constexpr std::pair<const char*, const char*> kUnits[] = {
      {"seconds", "s"}, {"bytes", "By"}, {"bytes_per_second", "By/s"},
      {"ratio", "1"},   {"watts", "W"},  {"celsius", "Cel"},
      {"hertz", "Hz"}};
  for (const auto& [name, code] : kUnits) {
    if (unit == name) return code;
  }
  return "1";
}

json points_of(const Group& group, std::size_t family, const Times& times) {
  const FamilyType type = group.families[family].type;
  const bool since_start =
      type == FamilyType::counter || type == FamilyType::histogram || type == FamilyType::summary;
  json points = json::array();
  for (const Row& row : group.rows) {
    const Value& value = row.values[family];
    if (std::holds_alternative<std::monostate>(value)) continue;
    json point = point_of(group, row, times, since_start);
    put_number(point, value);
    if (const auto* durations = std::get_if<Durations>(&value)) put_histogram(point, **durations);
    if (const auto* quantiles = std::get_if<Quantiles>(&value)) put_summary(point, *quantiles);
    points.push_back(std::move(point));
  }
  return points;
}

json metric_of(const Group& group, std::size_t index, const Times& times) {
  const Family& family = group.families[index];
  json data = {{"dataPoints", points_of(group, index, times)}};
  if (data["dataPoints"].empty()) return nullptr;
  json metric = {{"name", family.name + (family.type == FamilyType::info ? "_info" : "")},
                 {"description", family.help},
                 {"unit", ucum(unit_of(family))}};
  if (family.type == FamilyType::counter || family.type == FamilyType::histogram)
    data["aggregationTemporality"] = kCumulative;
  if (family.type == FamilyType::counter) data["isMonotonic"] = true;
  const char* kind = family.type == FamilyType::counter     ? "sum"
                     : family.type == FamilyType::histogram ? "histogram"
                     : family.type == FamilyType::summary   ? "summary"
                                                            : "gauge";
  metric[kind] = std::move(data);
  return metric;
}

json resource_of(const Snapshot& snapshot, const MetricsOptions& options) {
  json attributes = {attribute("service.name", "peerscope"),
                     attribute("service.version", PSCOPE_VERSION)};
  if (!options.host.empty()) attributes.push_back(attribute("host.name", options.host));
  std::set<std::string> sessions;
  for (const ProcessView& process : snapshot.processes) sessions.insert(process.session);
  std::string all;
  for (const std::string& session : sessions) all += (all.empty() ? "" : ",") + session;
  if (!all.empty()) attributes.push_back(attribute("peerscope.session", all));
  return {{"attributes", std::move(attributes)}};
}

}  // namespace
}  // namespace metrics

std::string otlp_json(const Snapshot& snapshot, const MetricsOptions& options,
                      const ServerFigures& server, std::int64_t start_real_ns,
                      SeriesChoice* choice) {
  using namespace metrics;
  const MetricSet set = collect(snapshot, options, server, choice);
  const Times times{
      std::to_string(start_real_ns),
      std::to_string(std::max(start_real_ns, snapshot.now_ns + snapshot.real_offset_ns))};
  json metrics = json::array();
  for (const Group& group : set.groups) {
    for (std::size_t i = 0; i < group.families.size(); ++i) {
      if (json metric = metric_of(group, i, times); !metric.is_null())
        metrics.push_back(std::move(metric));
    }
  }
  const json scope = {{"scope", {{"name", "peerscope"}, {"version", PSCOPE_VERSION}}},
                      {"metrics", std::move(metrics)}};
  const json request = {
      {"resourceMetrics",
       {{{"resource", resource_of(snapshot, options)}, {"scopeMetrics", json::array({scope})}}}}};
  return request.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace peerscope
