#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/units.hpp"
#include "cli/profile_views.hpp"
#include "html/chart.hpp"

namespace peerscope {
namespace {

constexpr std::size_t kMostHtmlRows = 200;
constexpr std::uint16_t kMostHtmlRanks = 64;

std::string known_time(double ns) { return ns < 0 ? "–" : format_duration(ns); }
std::string known_rate(double v) { return v > 0 ? format_bandwidth(v) : "–"; }

std::string section_html(const std::string& title, const std::string& body) {
  return body.empty() ? std::string()
                      : fmt::format("<section><h2>{}</h2>\n{}</section>\n", escaped(title), body);
}

std::string times_html(const ProfileRow& row, const std::string& head) {
  std::string out;
  for (const bool device : {true, false}) {
    const Distribution& d = device ? row.device : row.host;
    if (!d.known()) continue;
    const Distribution& transfer = device ? row.device_transfer : row.transfer;
    const Distribution& wait = device ? row.device_wait : row.skew;
    const bool bandwidth = row.bandwidth_clock == (device ? Clock::device : Clock::host);
    out += fmt::format(
        "<tr>{}<td>{}</td><td{}>{}</td><td class=\"l\">{}</td><td>{}</td><td>{}</td><td>{}</td>"
        "<td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        head, format_count(row.count), row.errors > 0 ? " class=\"bad\"" : "",
        format_count(row.errors),
        device      ? "device"
        : row.async ? "enqueue"
                    : "host",
        known_time(d.p50_ns), known_time(d.p90_ns), known_time(d.p99_ns), known_time(d.p999_ns),
        known_time(d.max_ns), known_time(transfer.p50_ns), known_time(wait.p50_ns),
        bandwidth ? known_rate(row.algbw_bytes_per_s) : "–",
        bandwidth ? known_rate(row.busbw_bytes_per_s) : "–");
  }
  return out;
}

std::string times_table(const ProfileReport& report, const std::vector<ProfileRow>& rows,
                        bool pairs) {
  if (rows.empty()) return {};
  std::string out = fmt::format(
      "<div class=\"scroll\"><table>\n<tr>{}<th class=\"l\">operation</th><th "
      "class=\"l\">algorithm</th><th>size</th><th>count</th><th>errors</th><th "
      "class=\"l\">clock</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>max</th>"
      "<th>transfer</th><th>wait</th><th>algbw</th><th>busbw</th></tr>\n",
      pairs ? "<th class=\"l\">pair</th>" : "");
  std::size_t shown = 0;
  for (const ProfileRow& row : rows) {
    if (shown++ >= kMostHtmlRows) break;
    std::string head =
        pairs ? fmt::format("<td class=\"l\">{} {} → {}</td>",
                            escaped(communicator_name(report, row.comm)), row.from, row.to)
              : std::string();
    head += fmt::format("<td class=\"l\">{}</td><td class=\"l\">{}</td><td>{}</td>",
                        row.other ? "other" : name(row.kind),
                        row.algorithm == Algorithm::unknown ? "–" : name(row.algorithm),
                        format_bytes(size_class_top(row.size_class)));
    out += times_html(row, head);
  }
  return out + "</table></div>\n";
}

// Bandwidth and time over the size, a curve for each operation and algorithm.
std::string curves_html(const ProfileReport& report) {
  Chart time{.title = "Median time of one operation",
             .unit = "µs",
             .log_y = true,
             .series = {},
             .marks = {},
             .roof = {},
             .roof_text = {}};
  Chart bandwidth{.title = "Bus bandwidth",
                  .unit = "GB/s",
                  .series = {},
                  .marks = {},
                  .roof = {},
                  .roof_text = {}};
  std::map<std::pair<Kind, Algorithm>, std::map<std::uint8_t, const ProfileRow*>> curves;
  for (const ProfileRow& row : report.rows) {
    if (!row.other && row.size_class > 0 && row.bandwidth_clock != Clock::none)
      curves[{row.kind, row.algorithm}][row.size_class] = &row;
  }
  int style = 0;
  for (const auto& [key, points] : curves) {
    const std::string curve = key.second == Algorithm::unknown
                                  ? std::string(name(key.first))
                                  : fmt::format("{} {}", name(key.first), name(key.second));
    ChartSeries times{curve, style, {}}, rates{curve, style, {}};
    for (const auto& [size, row] : points) {
      const bool device = row->bandwidth_clock == Clock::device;
      const double us = (device ? row->device.p50_ns : row->host.p50_ns) / 1e3;
      const auto bytes = static_cast<double>(size_class_top(size));
      const std::string note =
          fmt::format("{} up to {}: {} ({}), n = {}", curve, format_bytes(size_class_top(size)),
                      format_duration(us * 1e3), name(row->bandwidth_clock), row->count);
      if (us > 0) times.points.push_back({bytes, us, note});
      if (row->busbw_bytes_per_s >= 0)
        rates.points.push_back({bytes, row->busbw_bytes_per_s / 1e9, note});
    }
    ++style;
    if (times.points.empty()) continue;
    time.series.push_back(std::move(times));
    bandwidth.series.push_back(std::move(rates));
  }
  if (time.series.empty()) return {};
  return legend(time) + "<div class=\"charts\">" + svg(time) + svg(bandwidth) + "</div>\n";
}

std::string timeline_html(const ProfileReport& report) {
  const PhaseReport& phases = report.phases;
  if (phases.slices.size() < 2) return {};
  Chart rate{.title = "Operations over time",
             .unit = "/s",
             .x = ChartAxis::seconds,
             .series = {},
             .marks = {},
             .roof = {},
             .roof_text = {}};
  Chart moved{.title = "Bytes over time",
              .unit = "GB/s",
              .x = ChartAxis::seconds,
              .series = {},
              .marks = {},
              .roof = {},
              .roof_text = {}};
  ChartSeries operations{"operations", 0, {}}, bytes{"bytes", 1, {}};
  const double width_s = static_cast<double>(phases.slice_ns) / 1e9;
  for (const TimeSlice& slice : phases.slices) {
    const double at_s = static_cast<double>(slice.begin_ns - report.origin_ns) / 1e9;
    const double per_s = static_cast<double>(slice.operations) / width_s;
    const double gbs = static_cast<double>(slice.bytes) / width_s / 1e9;
    operations.points.push_back({at_s, per_s, format_rate(per_s)});
    bytes.points.push_back({at_s, gbs, fmt::format("{:.3g} GB/s", gbs)});
  }
  rate.series.push_back(std::move(operations));
  moved.series.push_back(std::move(bytes));
  if (phases.stretches.size() > 1 && phases.stretches.size() <= 12) {
    for (const PhaseStretch& stretch : phases.stretches)
      rate.marks.push_back({static_cast<double>(stretch.begin_ns - report.origin_ns) / 1e9,
                            phases.kinds[stretch.kind].label});
  }
  std::string table =
      "<table><tr><th class=\"l\">phase</th><th>times</th><th>in all</th>"
      "<th>operations</th><th>rate</th><th>moved</th></tr>\n";
  for (const PhaseKind& kind : phases.kinds)
    table += fmt::format(
        "<tr><td class=\"l\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        escaped(kind.label), kind.stretches, format_duration(static_cast<double>(kind.span_ns)),
        format_count(kind.operations),
        kind.operations > 0 ? format_rate(kind.per_s(static_cast<double>(kind.operations))) : "–",
        kind.operations > 0 ? known_rate(kind.per_s(static_cast<double>(kind.bytes))) : "–");
  return "<div class=\"charts\">" + svg(rate) + svg(moved) + "</div>\n" + table + "</table>\n";
}

std::string sizes_html(const ProfileReport& report) {
  if (report.sizes.empty()) return {};
  std::vector<Bar> counts, moved;
  for (const SizeBin& bin : report.sizes) {
    const std::string text = format_bytes(size_class_top(bin.size_class));
    counts.push_back({text, static_cast<double>(bin.count),
                      fmt::format("{}: {} operations", text, format_count(bin.count))});
    moved.push_back({text, static_cast<double>(bin.bytes),
                     fmt::format("{}: {}", text, format_bytes(bin.bytes))});
  }
  return "<div class=\"charts\">" + svg_bars("Operations by size", "count", counts) +
         svg_bars("Bytes by size", "sum", moved) + "</div>\n";
}

std::string matrix_html(const ProfileReport& report, std::uint64_t comm) {
  std::uint16_t ranks = 0;
  double most = 0;
  std::map<std::pair<std::uint16_t, std::uint16_t>, double> cells;
  for (const ProfilePair& pair : report.matrix) {
    if (pair.comm != comm || pair.from >= kMostHtmlRanks || pair.to >= kMostHtmlRanks) continue;
    const double mb = static_cast<double>(pair.bytes) / 1e6;
    cells[{pair.from, pair.to}] = mb;
    most = std::max(most, mb);
    ranks = std::max<std::uint16_t>(ranks,
                                    static_cast<std::uint16_t>(std::max(pair.from, pair.to) + 1));
  }
  std::string out = fmt::format(
      "<figure><figcaption>{}<span class=\"soft\">MB; row: from, column: to</span></figcaption>"
      "<div class=\"scroll\"><table class=\"matrix\">\n<tr><th></th>",
      escaped(communicator_name(report, comm)));
  for (std::uint16_t to = 0; to < ranks; ++to) out += fmt::format("<th>{}</th>", to);
  out += "</tr>\n";
  for (std::uint16_t from = 0; from < ranks; ++from) {
    out += fmt::format("<tr><th>{}</th>", from);
    for (std::uint16_t to = 0; to < ranks; ++to) {
      const auto found = cells.find({from, to});
      out += heat_cell(found == cells.end() ? -1 : found->second, most);
    }
    out += "</tr>\n";
  }
  return out + "</table></div></figure>\n";
}

std::string matrices_html(const ProfileReport& report) {
  std::set<std::uint64_t> comms;
  for (const ProfilePair& pair : report.matrix) comms.insert(pair.comm);
  std::string out;
  for (const std::uint64_t comm : comms) out += matrix_html(report, comm);
  return out.empty() ? out : "<div class=\"matrices\">" + out + "</div>\n";
}

std::string sites_html(const ProfileReport& report) {
  if (report.call_sites.empty()) return {};
  std::string out =
      "<table><tr><th class=\"l\">called from</th><th class=\"l\">operation</th>"
      "<th>count</th></tr>\n";
  std::size_t shown = 0;
  for (const CallSiteView& site : report.call_sites) {
    if (shown++ >= 30) break;
    out += fmt::format("<tr><td class=\"l\">{}</td><td class=\"l\">{}</td><td>{}</td></tr>\n",
                       escaped(site.site), name(site.kind), format_count(site.count));
  }
  return out + "</table>\n";
}

std::string header_html(const ProfileReport& report) {
  std::string out =
      fmt::format("<header><h1>{}</h1>\n<p class=\"soft\">{}</p>\n",
                  escaped("peerscope profile: " + report.title), escaped(profile_heading(report)));
  out += fmt::format("<p>{} operations, {}, {} errors.</p>\n", format_count(report.operations),
                     format_bytes(report.bytes), format_count(report.errors));
  if (report.operations > 0) {
    const double waiting = report.split.waiting_share();
    if (waiting >= 0)
      out += fmt::format(
          "<p>{} of the time in collectives is waiting for the last rank (host "
          "clock).</p>\n",
          format_percent(waiting));
    out += fmt::format("<p>{}.</p>\n<p>{}.</p>\n", escaped(exposed_text(report)),
                       escaped(period_text(report.period)));
  }
  for (const std::string& note : report.notes)
    out += fmt::format("<p class=\"bad\">▲ {}.</p>\n", escaped(note));
  return out + "</header>\n";
}

}  // namespace

std::string profile_html(const ProfileReport& report) {
  std::string body = header_html(report);
  body += section_html("Over size", curves_html(report));
  body += section_html("Over time", timeline_html(report));
  body += section_html("Operations", times_table(report, report.rows, false));
  body += section_html("Pairs", matrices_html(report) + times_table(report, report.pairs, true));
  body += section_html("Sizes", sizes_html(report));
  body += section_html("Call sites", sites_html(report));
  body +=
      "<footer>Times are of the clock that stands beside them; of an asynchronous operation the "
      "host knows the enqueue only. Transfer: all ranks there until done; wait: the first rank "
      "for the last; medians. Quantiles are off by at most 1/16. GB/s is 10⁹ bytes per second; "
      "busbw as nccl-tests defines it.</footer>\n";
  return html_document("peerscope profile: " + report.title, body);
}

std::string comparison_html(const ProfileComparison& comparison) {
  std::string body =
      fmt::format("<header><h1>peerscope profile: comparison by {}</h1>\n<p>{}.</p></header>\n",
                  name(comparison.by), escaped(verdict_line(comparison)));
  std::map<std::pair<Kind, std::uint16_t>, std::vector<const CompareRow*>> by_operation;
  for (const CompareRow& row : comparison.rows) by_operation[{row.kind, row.ranks}].push_back(&row);
  for (const auto& [key, rows] : by_operation) {
    Chart chart{.title = "Median time",
                .unit = "µs",
                .log_y = true,
                .series = {},
                .marks = {},
                .roof = {},
                .roof_text = {}};
    int style = 0;
    for (const std::string& group_name : comparison.group_names) {
      ChartSeries series{group_name, style++, {}};
      for (const CompareRow* row : rows) {
        for (const CompareGroup& group : row->groups) {
          if (group.name == group_name && group.median_ns > 0 && row->size_class > 0)
            series.points.push_back({static_cast<double>(size_class_top(row->size_class)),
                                     group.median_ns / 1e3,
                                     group_name + ": " + median_text(group)});
        }
      }
      if (!series.points.empty()) chart.series.push_back(std::move(series));
    }
    std::string table =
        "<div class=\"scroll\"><table><tr><th>size</th><th class=\"l\">clock</th>"
        "<th class=\"l\">medians, 95 % interval</th><th class=\"l\">faster</th>"
        "<th class=\"l\">why</th></tr>\n";
    for (const CompareRow* row : rows) {
      std::vector<std::string> medians;
      for (const CompareGroup& group : row->groups)
        medians.push_back(escaped(group.name + " " + median_text(group)));
      table += fmt::format(
          "<tr><td>{}</td><td class=\"l\">{}</td><td class=\"l\">{}</td>"
          "<td class=\"l\">{}</td><td class=\"l\">{}</td></tr>\n",
          format_bytes(size_class_top(row->size_class)), name(row->basis),
          fmt::join(medians, "<br>"), row->winner ? escaped(row->groups[*row->winner].name) : "–",
          escaped(row->why));
    }
    const std::string charts =
        chart.series.empty() ? std::string()
                             : legend(chart) + "<div class=\"charts\">" + svg(chart) + "</div>\n";
    body += section_html(fmt::format("{}{}", name(key.first),
                                     key.second > 0 ? fmt::format(", {} ranks", key.second) : ""),
                         charts + table + "</table></div>\n");
  }
  for (const std::string& alone : comparison.alone)
    body += fmt::format("<p class=\"soft\">{}</p>\n", escaped(alone));
  body +=
      "<footer>A winner is faster beyond the noise floor, by the rank test after Holm's "
      "correction, and not negligibly. The intervals are of the medians, by "
      "bootstrap.</footer>\n";
  return html_document("peerscope profile: comparison", body);
}

}  // namespace peerscope
