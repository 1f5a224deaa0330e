#include "cli/exllama_view.hpp"

#include <algorithm>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "record/ticks.hpp"
#include "session/json.hpp"

namespace peerscope {
namespace {

using nlohmann::json;
using namespace exllama;

std::int64_t now_ns() { return static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)); }

// Nobody has it mapped and nothing moved. (Another container's processes are not to be seen, but move.)
bool left_behind(const WatchedContext& watched) {
  return watched.mappers.processes.empty() && watched.summary.rows().empty();
}

std::vector<Finding> findings_of(const WatchedContext& watched) {
  const Tracker* tracker = watched.sampler->tracker();
  const std::string name = name_of(watched.found.path);
  if (left_behind(watched)) {
    Finding found = death(*tracker, name);
    if (watched.mappers.unreadable > 0) found.confidence = 0.7;  // one of those may have it
    return {found};
  }
  return findings(*tracker, name, now_ns());
}

std::string process_line(const Mappers& mappers) {
  if (mappers.processes.empty()) {
    return mappers.unreadable == 0
               ? "no process that can be seen here has it mapped"
               : fmt::format("no process that can be looked at has it mapped; {} cannot",
                             mappers.unreadable);
  }
  std::string out;
  for (const Mapper& mapper : mappers.processes) {
    if (!out.empty()) out += ", ";
    out += fmt::format("{} {}", mapper.pid, mapper.process);
    if (mapper.role == Role::main) out += " (main)";
    if (mapper.role == Role::cpu_helper) out += " (adds up on the CPU)";
    if (mapper.gpu >= 0) out += fmt::format(" (GPU {})", mapper.gpu);
    if (mapper.started_s > 0)
      out +=
          fmt::format(" since {:%H:%M:%S}", fmt::localtime(static_cast<time_t>(mapper.started_s)));
  }
  return out;
}

// What is smaller than its own uncertainty is bounded only.
std::string pair_text(double value_ns, double error_ns) {
  if (value_ns < 0) return "–";
  if (error_ns < 0) return format_duration(value_ns);
  if (error_ns >= value_ns * 0.9) return "< " + format_duration(value_ns + error_ns);
  return fmt::format("{} ±{}", format_duration(value_ns), format_duration(error_ns));
}

std::string rows_table(const WatchedContext& watched, double seconds, const Style& style) {
  std::vector<std::vector<std::string>> rows{
      {"operation", "size", "count", "per s", "last to come, where samples tell", "late by"}};
  for (const Row& row : watched.summary.rows()) {
    if (rows.size() > 12) break;
    const auto last = std::max_element(row.last.begin(), row.last.end());
    const std::string who = row.told == 0
                                ? "–"
                                : fmt::format("GPU {} in {} of {}", last - row.last.begin(),
                                              format_percent(static_cast<double>(*last) /
                                                             static_cast<double>(row.told)),
                                              format_count(row.told));
    rows.push_back({std::string(name(row.kind)), size_in_words(row), format_count(row.count),
                    format_rate(static_cast<double>(row.count) / seconds), who,
                    pair_text(median_of(row.late_ns), median_of(row.unsure_ns))});
  }
  return rows.size() == 1 ? std::string() : table(rows, 1, style);
}

std::string gpus_table(const Tracker& tracker, const Style& style) {
  const ContextTotals& totals = tracker.totals();
  if (totals.released == 0) return {};
  std::vector<std::vector<std::string>> rows{
      {"GPU", "others wait for it", "for it alone", "share of time"}};
  for (std::size_t i = 0; i < kMaxDevices; ++i) {
    if ((totals.devices >> i & 1) == 0) continue;
    const Mean waited = mean_of(totals.waited_for[i], totals);
    const Mean last = mean_of(totals.last[i], totals);
    rows.push_back({std::to_string(i), pair_text(waited.ns, waited.error_ns),
                    pair_text(last.ns, last.error_ns),
                    format_percent(totals.last[i].ns / std::max(totals.sampled_ns, 1.0))});
  }
  const Mean sum = mean_of(totals.summing, totals);
  return table(rows, 1, style) +
         fmt::format(
             "  mean per all_reduce, host clock; adding up on the CPU once all are there: {}\n",
             pair_text(sum.ns, sum.error_ns));
}

std::string cost_line(const WatchedContext& watched) {
  const SamplerCost cost = watched.sampler->cost();
  const ContextTotals& totals = watched.sampler->tracker()->totals();
  std::string out = fmt::format("  sampled {} times", format_count(totals.samples));
  if (cost.spacing_p50_ns > 0) {
    out += fmt::format(", every {} (p99 {}) while something happened",
                       format_duration(static_cast<double>(cost.spacing_p50_ns)),
                       format_duration(static_cast<double>(cost.spacing_p99_ns)));
  }
  out += fmt::format(", for {} of a processor\n",
                     format_percent(cost.cpu_s / std::max(cost.wall_s, 1e-9)));
  out +=
      "  Of a single collective, what is shorter than that is unknown; means come from how often\n"
      "  samples meet a state. A GPU has come when its data lie in host memory. A barrier ends "
      "each\n"
      "  broadcast over 2 KB and each gather, too: those too short to be seen count as barriers.\n";
  if (totals.lost + totals.inconsistent > 0)
    out +=
        fmt::format("  {} all_reduces were not followed, {} samples did not fit the one before\n",
                    format_count(totals.lost), format_count(totals.inconsistent));
  return out;
}

}  // namespace

void print(const WatchedContext& watched, const Style& style) {
  const Tracker* tracker = watched.sampler->tracker();
  if (tracker == nullptr) {
    fmt::print("  {}\n", watched.found.path);
  } else {
    fmt::print("  ExLlamaV3 {} · {} · {}\n", watched.sampler->file().layout()->releases,
               devices_in_words(tracker->totals().devices), watched.found.path);
  }
  fmt::print("  {}\n\n", process_line(watched.mappers));
  if (!watched.ended.empty()) fmt::print("  {}\n\n", watched.ended);
  if (tracker == nullptr) {
    if (watched.ended.empty())
      fmt::print("  – Nothing has happened there yet that tells which release it is.\n");
    return;
  }
  Snapshot snapshot;
  snapshot.findings = findings_of(watched);
  const ContextTotals& totals = tracker->totals();
  if (!snapshot.findings.empty()) {
    fmt::print("{}\n", verdict(snapshot, style));
  } else if (watched.summary.rows().empty()) {
    fmt::print("  – No collective in {}: the model is idle, or it is loading.\n\n",
               format_duration(totals.sampled_ns));
  } else {
    fmt::print("  ● Nothing stands out: no GPU is waited for more than the noise explains.\n\n");
  }
  const std::string rows = rows_table(watched, std::max(totals.sampled_ns / 1e9, 1e-9), style);
  if (!rows.empty()) fmt::print("{}\n{}\n", rows, gpus_table(*tracker, style));
  fmt::print("{}", cost_line(watched));
  if (watched.sampler->file().removed()) fmt::print("  Its job has ended meanwhile.\n");
}

namespace {

json known(double value) { return value < 0 ? json(nullptr) : json(value); }

json devices_json(std::uint32_t devices) {
  json out = json::array();
  for (int i = 0; i < kMaxDevices; ++i) {
    if ((devices >> i & 1) != 0) out.push_back(i);
  }
  return out;
}

json rows_json(const WatchedContext& watched, double seconds) {
  json out = json::array();
  const auto size = [](std::uint64_t bytes) {
    return bytes == kUnknownBytes ? json(nullptr) : json(bytes);
  };
  for (const Row& row : watched.summary.rows()) {
    json last = json::object();
    for (std::size_t i = 0; i < row.last.size(); ++i) {
      if (row.last[i] > 0) last[std::to_string(i)] = row.last[i];
    }
    out.push_back(
        {{"operation", name(row.kind)},
         {"wire_bytes", size(row.bytes)},
         {"wire_bytes_at_least",
          row.bytes == kUnknownBytes ? json(row.least_bytes) : json(row.bytes)},
         {"wire_bytes_at_most",
          row.bytes == kUnknownBytes ? size(row.most_bytes) : json(row.bytes)},
         {"count", row.count},
         {"per_s", seconds > 0 ? json(static_cast<double>(row.count) / seconds) : json(nullptr)},
         {"order_known", row.told},
         {"last", last},
         {"late_p50_host_ns", known(median_of(row.late_ns))},
         {"late_uncertainty_p50_ns", known(median_of(row.unsure_ns))}});
  }
  return out;
}

json gpus_json(const Tracker& tracker) {
  const ContextTotals& totals = tracker.totals();
  json out = json::array();
  for (std::size_t i = 0; i < kMaxDevices; ++i) {
    if ((totals.devices >> i & 1) == 0) continue;
    const Mean waited = mean_of(totals.waited_for[i], totals);
    const Mean last = mean_of(totals.last[i], totals);
    out.push_back(
        {{"gpu", i},
         {"waited_for_mean_host_ns", known(waited.ns)},
         {"waited_for_error_ns", known(waited.error_ns)},
         {"alone_mean_host_ns", known(last.ns)},
         {"alone_error_ns", known(last.error_ns)},
         {"alone_share",
          totals.sampled_ns > 0 ? json(totals.last[i].ns / totals.sampled_ns) : json(nullptr)},
         {"seen_last", totals.last[i].seen}});
  }
  return out;
}

json in_flight_json(const Tracker& tracker) {
  json out = json::array();
  for (const Waiting& waiting : tracker.waiting()) {
    out.push_back(
        {{"operation", name(waiting.kind)},
         {"there", devices_json(waiting.there)},
         {"missing", devices_json(waiting.missing)},
         {"missing_assumes_all_take_part", waiting.guess},
         {"wire_bytes", waiting.bytes == kUnknownBytes ? json(nullptr) : json(waiting.bytes)},
         {"age_ns", now_ns() - waiting.since_ns}});
  }
  return out;
}

json processes_json(const Mappers& mappers) {
  json out = json::array();
  for (const Mapper& m : mappers.processes) {
    out.push_back({{"pid", m.pid},
                   {"name", m.process},
                   {"role", m.role == Role::unknown ? json(nullptr) : json(exllama::name(m.role))},
                   {"gpu", m.gpu < 0 ? json(nullptr) : json(m.gpu)},
                   {"started", m.started_s == 0 ? json(nullptr) : json(m.started_s)}});
  }
  return out;
}

}  // namespace

json to_json(const WatchedContext& watched) {
  json out = {{"path", watched.found.path},
              {"owner", watched.found.owner},
              {"processes", processes_json(watched.mappers)},
              {"layout", nullptr},
              {"error", watched.ended.empty() ? json(nullptr) : json(watched.ended)},
              {"left_behind", left_behind(watched)},
              {"ended", watched.sampler->file().removed()}};
  const Tracker* tracker = watched.sampler->tracker();
  if (tracker == nullptr) return out;
  const ContextTotals& totals = tracker->totals();
  const SamplerCost cost = watched.sampler->cost();
  const Mean sum = mean_of(totals.summing, totals);
  out["layout"] = watched.sampler->file().layout()->releases;
  out["gpus"] = gpus_json(*tracker);
  out["seconds"] = totals.sampled_ns / 1e9;
  out["passes"] = totals.passes;
  out["all_reduces"] = totals.released;
  out["collectives"] = rows_json(watched, totals.sampled_ns / 1e9);
  out["summing_mean_host_ns"] = known(sum.ns);
  out["in_flight"] = in_flight_json(*tracker);
  out["sync_timeout"] = totals.timeout;
  out["samples"] = totals.samples;
  out["samples_unsteady"] = totals.unsteady;
  out["samples_inconsistent"] = totals.inconsistent;
  out["not_followed"] = totals.lost;
  out["resolution_p50_ns"] = cost.spacing_p50_ns > 0 ? json(cost.spacing_p50_ns) : json(nullptr);
  out["resolution_p99_ns"] = cost.spacing_p99_ns > 0 ? json(cost.spacing_p99_ns) : json(nullptr);
  out["read_p50_ns"] = cost.read_p50_ns > 0 ? json(cost.read_p50_ns) : json(nullptr);
  out["cpu_share"] = cost.wall_s > 0 ? json(cost.cpu_s / cost.wall_s) : json(nullptr);
  out["findings"] = json::array();
  for (const Finding& finding : findings_of(watched)) out["findings"].push_back(to_json(finding));
  return out;
}

}  // namespace peerscope
