#include "session/profile_json.hpp"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "session/json.hpp"

namespace peerscope {
namespace {

using nlohmann::json;

json figure(double value) {
  return value < 0 || !std::isfinite(value) ? json(nullptr) : json(value);
}
json id_or_null(std::uint16_t id, std::uint16_t none) {
  return id == none ? json(nullptr) : json(id);
}
json gbs(double bytes_per_s) { return bytes_per_s < 0 ? json(nullptr) : figure(bytes_per_s / 1e9); }

json times(const Distribution& d) {
  if (!d.known()) return nullptr;
  return {{"count", d.count},
          {"mean_ns", figure(d.mean_ns)},
          {"min_ns", figure(d.min_ns)},
          {"p50_ns", figure(d.p50_ns)},
          {"p90_ns", figure(d.p90_ns)},
          {"p99_ns", figure(d.p99_ns)},
          {"p999_ns", figure(d.p999_ns)},
          {"max_ns", figure(d.max_ns)},
          {"p50_low_ns", figure(d.p50_low_ns)},
          {"p50_high_ns", figure(d.p50_high_ns)}};
}

std::string communicator(const ProfileReport& report, std::uint64_t id) {
  for (const CommView& comm : report.communicators) {
    if (comm.id == id && !comm.name.empty()) return comm.name;
  }
  return id == 0 ? std::string() : fmt::format("{:x}", id);
}

json counts(const Counts& c) {
  return {{"count", c.count}, {"bytes", c.bytes}, {"errors", c.errors}};
}

json row_json(const ProfileRow& row) {
  json out = counts(row);
  out["operation"] = row.other ? "other" : name(row.kind);
  out["algorithm"] =
      row.algorithm == Algorithm::unknown ? json(nullptr) : json(name(row.algorithm));
  out["size_bytes"] = size_class_top(row.size_class);
  out["asynchronous"] = row.async;
  out["ranks"] = row.ranks > 0 ? json(row.ranks) : json(nullptr);
  out["host"] = times(row.host);
  out["device"] = times(row.device);
  out["algbw_gbs"] = gbs(row.algbw_bytes_per_s);
  out["busbw_gbs"] = gbs(row.busbw_bytes_per_s);
  out["bandwidth_clock"] =
      row.bandwidth_clock == Clock::none ? json(nullptr) : json(name(row.bandwidth_clock));
  return out;
}

json rows_json(const ProfileReport& report) {
  json all = json::array();
  for (const ProfileRow& row : report.rows) {
    json out = row_json(row);
    out["transfer_host"] = times(row.transfer);
    out["skew_host"] = times(row.skew);
    out["transfer_device"] = times(row.device_transfer);
    out["wait_device"] = times(row.device_wait);
    all.push_back(std::move(out));
  }
  return all;
}

json pairs_json(const ProfileReport& report) {
  json all = json::array();
  for (const ProfileRow& row : report.pairs) {
    json out = row_json(row);
    out["communicator"] = communicator(report, row.comm);
    out["from"] = row.from;
    out["to"] = row.to;
    out["recorded_by"] = row.by_sender ? "sender" : "receiver";
    all.push_back(std::move(out));
  }
  return all;
}

json split_json(const WaitSplit& s) {
  return {
      {"communication_host_ns", s.communication_ns},
      {"waiting_host_ns", s.waiting_ns},
      {"waiting_share", figure(s.waiting_share())},
      {"transfer_device_ns", s.device_collectives > 0 ? json(s.device_transfer_ns) : json(nullptr)},
      {"wait_device_ns", s.device_collectives > 0 ? json(s.device_wait_ns) : json(nullptr)},
      {"device_waiting_share", figure(s.device_waiting_share())}};
}

json overlap_json(const OverlapStats& o) {
  const bool known = o.clock != Clock::none;
  return {{"clock", known ? json(name(o.clock)) : json(nullptr)},
          {"communication_ns", known ? json(o.communication_ns) : json(nullptr)},
          {"compute_ns", known ? json(o.compute_ns) : json(nullptr)},
          {"exposed_ns", figure(o.exposed_ns)},
          {"exposed_share", figure(o.exposed_share())},
          {"concurrent_share", figure(o.concurrent_share())},
          {"why_unknown", o.why_unknown.empty() ? json(nullptr) : json(o.why_unknown)}};
}

json period_json(const Periodicity& p) {
  return {{"found", p.found},
          {"operations", p.found ? json(p.period_ops) : json(nullptr)},
          {"period_ns", figure(p.period_ns)},
          {"period_mad_ns", figure(p.period_mad_ns)},
          {"confidence", p.confidence},
          {"iterations_seen", p.iterations},
          {"operations_looked_at", p.operations},
          {"basis", p.found ? json(p.basis) : json(nullptr)},
          {"why_not", p.why_not.empty() ? json(nullptr) : json(p.why_not)}};
}

json phases_json(const ProfileReport& report) {
  const PhaseReport& p = report.phases;
  json out = {{"kinds", json::array()}, {"stretches", json::array()}, {"slice_ns", p.slice_ns}};
  for (const PhaseKind& kind : p.kinds) {
    out["kinds"].push_back(
        {{"label", kind.label},
         {"stretches", kind.stretches},
         {"operations", kind.operations},
         {"bytes", kind.bytes},
         {"span_ns", kind.span_ns},
         {"operations_per_s", figure(kind.per_s(static_cast<double>(kind.operations)))},
         {"bytes_per_s", figure(kind.per_s(static_cast<double>(kind.bytes)))}});
  }
  for (const PhaseStretch& stretch : p.stretches) {
    out["stretches"].push_back({{"begin_ns", stretch.begin_ns - report.origin_ns},
                                {"end_ns", stretch.end_ns - report.origin_ns},
                                {"label", p.kinds[stretch.kind].label}});
  }
  return out;
}

json links_json(const ProfileReport& report) {
  return report.machine ? to_json(*report.machine) : json(nullptr);
}

json patterns_json(const ProfileReport& report) {
  json out = {{"pairs", json::array()}, {"sizes", json::array()}, {"call_sites", json::array()}};
  for (const ProfilePair& pair : report.matrix) {
    json row = counts(pair);
    row["communicator"] = communicator(report, pair.comm);
    row["from"] = pair.from;
    row["to"] = pair.to;
    out["pairs"].push_back(std::move(row));
  }
  for (const SizeBin& bin : report.sizes) {
    json row = counts(bin);
    row["size_bytes"] = size_class_top(bin.size_class);
    out["sizes"].push_back(std::move(row));
  }
  for (const CallSiteView& site : report.call_sites)
    out["call_sites"].push_back(
        {{"operation", name(site.kind)}, {"site", site.site}, {"count", site.count}});
  out["period"] = period_json(report.period);
  out["phases"] = phases_json(report);
  out["overlap"] = overlap_json(report.overlap);
  return out;
}

json group_json(const CompareGroup& group) {
  return {{"name", group.name},
          {"operations", group.operations},
          {"samples", group.samples},
          {"samples_of", group.seen},
          {"mean_bytes", group.mean_bytes},
          {"median_ns", group.samples > 0 ? json(group.median_ns) : json(nullptr)},
          {"median_low_ns", group.interval ? json(group.interval->low) : json(nullptr)},
          {"median_high_ns", group.interval ? json(group.interval->high) : json(nullptr)},
          {"drift", group.drift},
          {"with", group.with}};
}

json pair_json(const CompareRow& row, const ComparePair& pair) {
  const Contrast& c = pair.contrast;
  return {{"faster", row.groups[pair.first].name},
          {"slower", row.groups[pair.second].name},
          {"ratio", c.test ? json(c.ratio) : json(nullptr)},
          {"ratio_low", c.interval ? json(c.interval->low) : json(nullptr)},
          {"ratio_high", c.interval ? json(c.interval->high) : json(nullptr)},
          {"p", c.test ? json(c.test->p) : json(nullptr)},
          {"p_adjusted", c.test ? json(pair.p_adjusted) : json(nullptr)},
          {"delta", c.test ? json(c.test->delta) : json(nullptr)},
          {"significant", c.verdict == ContrastVerdict::larger},
          {"doubt", c.doubt == Doubt::none ? json(nullptr) : json(name(c.doubt))}};
}

}  // namespace

json to_json(const ProfileReport& report) {
  const std::int64_t origin = report.origin_ns;
  const bool any = report.to_ns > report.from_ns;
  json out = {{"title", report.title},
              {"source", report.source},
              {"from_ns", any ? json(report.from_ns - origin) : json(nullptr)},
              {"to_ns", any ? json(report.to_ns - origin) : json(nullptr)},
              {"covered_ns", report.covered_ns},
              {"spans", report.spans},
              {"totals",
               {{"operations", report.operations},
                {"bytes", report.bytes},
                {"errors", report.errors},
                {"collectives", report.collectives},
                {"incomplete", report.incomplete},
                {"mismatched", report.mismatched}}},
              {"operations", rows_json(report)},
              {"pairs", pairs_json(report)},
              {"split", split_json(report.split)},
              {"patterns", patterns_json(report)},
              {"ranks", json::array()},
              {"pools", json::array()},
              {"machine", links_json(report)},
              {"notes", report.notes},
              {"other_sessions", report.other_sessions}};
  for (const RankCount& rank : report.ranks) {
    json row = counts(rank);
    row["communicator"] = communicator(report, rank.comm);
    row["rank"] = id_or_null(rank.rank, kNoRank);
    row["wait_share"] = figure(rank.wait_share);
    row["waited_for_share"] = figure(rank.waited_for_share);
    out["ranks"].push_back(std::move(row));
  }
  for (const MetricView& pool : report.pools)
    out["pools"].push_back({{"name", pool.name},
                            {"rank", pool.rank ? json(*pool.rank) : json()},
                            {"unit", pool.unit},
                            {"value", figure(pool.value)}});
  return out;
}

json to_json(const ProfileSurvey& survey) {
  json out = {{"sessions", json::array()}};
  for (const ProfileSession& session : survey.sessions) {
    std::int64_t open_ns = 0;
    for (const ProfileSpan& span : session.spans) open_ns += span.end_ns - span.begin_ns;
    const bool any = !session.spans.empty();
    out["sessions"].push_back(
        {{"name", session.name},
         {"spans", session.spans.size()},
         {"open", session.open()},
         {"processes", session.processes()},
         {"open_ns", open_ns},
         {"first_ns", any ? json(session.first_ns() - survey.first_ns) : json(nullptr)},
         {"last_ns", any ? json(session.last_ns() - survey.first_ns) : json(nullptr)},
         {"backwards", session.backwards}});
  }
  const bool any = survey.last_ns >= survey.first_ns;
  out["duration_ns"] = any ? json(survey.last_ns - survey.first_ns) : json(nullptr);
  return out;
}

json to_json(const ProfileComparison& comparison) {
  json out = {{"by", name(comparison.by)},
              {"groups", json::array()},
              {"rows", json::array()},
              {"undecided", comparison.undecided()},
              {"alone", comparison.alone}};
  for (const std::string& group : comparison.group_names)
    out["groups"].push_back({{"name", group}, {"wins", comparison.wins(group)}});
  for (const CompareRow& row : comparison.rows) {
    json each = {{"operation", name(row.kind)},
                 {"size_bytes", size_class_top(row.size_class)},
                 {"ranks", row.ranks > 0 ? json(row.ranks) : json(nullptr)},
                 {"clock", name(row.basis)},
                 {"noise_floor", row.noise_floor},
                 {"winner", row.winner ? json(row.groups[*row.winner].name) : json(nullptr)},
                 {"verdict", row.winner ? "winner" : "inconclusive"},
                 {"speedup", row.winner ? json(row.speedup) : json(nullptr)},
                 {"why", row.why},
                 {"groups", json::array()},
                 {"pairs", json::array()}};
    for (const CompareGroup& group : row.groups) each["groups"].push_back(group_json(group));
    for (const ComparePair& pair : row.pairs) each["pairs"].push_back(pair_json(row, pair));
    out["rows"].push_back(std::move(each));
  }
  return out;
}

}  // namespace peerscope
