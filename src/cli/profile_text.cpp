#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/units.hpp"
#include "cli/profile_views.hpp"

namespace peerscope {
namespace {

constexpr const char* kNone = "–";
constexpr std::size_t kMostProfileRows = 14, kMostPairs = 8, kMostStretches = 10, kMostSites = 6;
constexpr int kWide = 110;
constexpr std::uint16_t kMatrixRanks = 9;  // of a matrix that fits

std::string dim(const Style& style, const std::string& text) {
  return style.colour ? "\x1b[2m" + text + "\x1b[0m" : text;
}
std::string strong(const Style& style, const std::string& text) {
  return style.colour ? "\x1b[1m" + text + "\x1b[0m" : text;
}

std::string time_or_dash(double ns) { return ns < 0 ? kNone : format_duration(ns); }
std::string rate_or_dash(double v) { return v > 0 ? format_bandwidth(v) : kNone; }

std::string at(const ProfileReport& report, std::int64_t ns) {
  return format_duration(static_cast<double>(ns - report.origin_ns));
}

// One line a clock: a host time of an asynchronous operation is the enqueue's and says so.
void add_times(const ProfileRow& row, bool wide, std::vector<std::vector<std::string>>& rows,
               const std::vector<std::string>& head) {
  bool first = true;
  for (const bool device : {true, false}) {
    const Distribution& d = device ? row.device : row.host;
    if (!d.known() && !(first && !device)) continue;
    const bool bandwidth = row.bandwidth_clock == (device ? Clock::device : Clock::host);
    const double transfer = device ? row.device_transfer.p50_ns : row.transfer.p50_ns;
    const double wait = device ? row.device_wait.p50_ns : row.skew.p50_ns;
    std::vector<std::string> line;
    for (const std::string& cell : head) line.push_back(first ? cell : "");
    line.push_back(d.known() ? format_count(device ? d.count : row.count)
                             : format_count(row.count));
    line.push_back(time_or_dash(d.p50_ns));
    if (wide) line.push_back(time_or_dash(d.p90_ns));
    line.push_back(time_or_dash(d.p99_ns));
    if (wide) line.push_back(time_or_dash(d.p999_ns));
    line.push_back(time_or_dash(d.max_ns));
    if (wide) line.push_back(time_or_dash(transfer));
    if (wide) line.push_back(time_or_dash(wait));
    line.push_back(bandwidth ? rate_or_dash(row.busbw_bytes_per_s) : kNone);
    line.push_back(!d.known() ? kNone : device ? "device" : row.async ? "enqueue" : "host");
    if (row.errors > 0 && first) line.push_back(format_count(row.errors) + " errors");
    while (line.size() < rows[0].size()) line.emplace_back();
    line.resize(rows[0].size());
    rows.push_back(std::move(line));
    first = false;
  }
}

std::vector<std::string> time_heading(std::vector<std::string> head, bool wide, bool errors) {
  const std::vector<std::string> more =
      wide ? std::vector<std::string>{"count", "p50",      "p90",  "p99",   "p99.9",
                                      "max",   "transfer", "wait", "busbw", "clock"}
           : std::vector<std::string>{"count", "p50", "p99", "max", "busbw", "clock"};
  head.insert(head.end(), more.begin(), more.end());
  if (errors) head.emplace_back("");
  return head;
}

std::string algorithm_text(const ProfileRow& row) {
  return row.algorithm == Algorithm::unknown ? kNone : std::string(name(row.algorithm));
}

std::string rows_table(const ProfileReport& report, const Style& style) {
  if (report.rows.empty()) return {};
  const bool wide = style.width >= kWide;
  const bool errors = report.errors > 0;
  std::vector<std::vector<std::string>> rows{
      time_heading({"operation", "algorithm", "size"}, wide, errors)};
  std::size_t shown = 0;
  for (const ProfileRow& row : report.rows) {
    if (shown++ >= kMostProfileRows) break;
    add_times(row, wide, rows,
              {row.other ? "other" : std::string(name(row.kind)), algorithm_text(row),
               row.other ? kNone : format_bytes(size_class_top(row.size_class))});
  }
  std::string out = table(rows, 2, style);
  if (report.rows.size() > kMostProfileRows)
    out += fmt::format("  and {} more: see --json\n", report.rows.size() - kMostProfileRows);
  return out +
         dim(style, wide ? "  size: up to, in powers of two; transfer: all ranks there until done, "
                           "wait: first rank for the last (medians)\n"
                         : "  size: up to, in powers of two; more columns in a window of 110\n");
}

std::string pairs_table(const ProfileReport& report, const Style& style) {
  if (report.pairs.empty()) return {};
  const bool wide = style.width >= kWide;
  std::vector<std::vector<std::string>> rows{
      time_heading({"pair", "operation", "size"}, wide, false)};
  std::size_t shown = 0;
  for (const ProfileRow& row : report.pairs) {
    if (shown++ >= kMostPairs) break;
    add_times(row, wide, rows,
              {fmt::format("{} {}→{}", communicator_name(report, row.comm), row.from, row.to),
               std::string(name(row.kind)), format_bytes(size_class_top(row.size_class))});
  }
  std::string out = table(rows, 2, style);
  if (report.pairs.size() > kMostPairs)
    out += fmt::format("  and {} more: see --json\n", report.pairs.size() - kMostPairs);
  return out;
}

std::string matrix_text(const ProfileReport& report, const Style& style) {
  if (report.matrix.empty()) return {};
  const std::uint64_t comm = report.matrix.front().comm;
  std::uint16_t most = 0;
  std::map<std::pair<std::uint16_t, std::uint16_t>, const ProfilePair*> cells;
  for (const ProfilePair& pair : report.matrix) {
    if (pair.comm != comm || pair.from >= kMatrixRanks || pair.to >= kMatrixRanks) continue;
    cells[{pair.from, pair.to}] = &pair;
    most = std::max({most, pair.from, pair.to});
  }
  std::vector<std::vector<std::string>> rows{{"from \\ to"}};
  for (std::uint16_t to = 0; to <= most; ++to) rows[0].push_back(fmt::format("{}", to));
  for (std::uint16_t from = 0; from <= most; ++from) {
    rows.push_back({fmt::format("{}", from)});
    for (std::uint16_t to = 0; to <= most; ++to) {
      const auto cell = cells.find({from, to});
      rows.back().push_back(from == to            ? "·"
                            : cell != cells.end() ? format_bytes(cell->second->bytes)
                                                  : kNone);
    }
  }
  return fmt::format("  bytes between ranks of {}\n", communicator_name(report, comm)) +
         table(rows, 1, style);
}

std::string sizes_text(const ProfileReport& report, const Style& style) {
  if (report.sizes.size() < 2) return {};
  std::uint64_t most = 1;
  for (const SizeBin& bin : report.sizes) most = std::max(most, bin.count);
  std::vector<std::vector<std::string>> rows{{"size", "", "count", "bytes"}};
  for (const SizeBin& bin : report.sizes) {
    std::string bar;
    const auto filled = std::max<std::uint64_t>(bin.count * 24 / most, 1);
    for (std::uint64_t i = 0; i < filled; ++i) bar += "█";
    rows.push_back({format_bytes(size_class_top(bin.size_class)), bar, format_count(bin.count),
                    format_bytes(bin.bytes)});
  }
  return table(rows, 2, style);
}

std::string phases_text(const ProfileReport& report, const Style& style) {
  const PhaseReport& phases = report.phases;
  if (phases.kinds.size() < 2) return {};
  std::vector<std::vector<std::string>> rows{
      {"phase", "times", "in all", "operations", "rate", "mean size", "moved"}};
  for (const PhaseKind& kind : phases.kinds) {
    const bool busy = kind.operations > 0;
    rows.push_back({kind.label, format_count(kind.stretches),
                    format_duration(static_cast<double>(kind.span_ns)),
                    format_count(kind.operations),
                    busy ? format_rate(kind.per_s(static_cast<double>(kind.operations))) : kNone,
                    busy ? format_bytes(kind.bytes / kind.operations) : kNone,
                    busy ? rate_or_dash(kind.per_s(static_cast<double>(kind.bytes))) : kNone});
  }
  std::string out = table(rows, 1, style);
  std::string order = "in order:";
  std::size_t shown = 0;
  for (const PhaseStretch& stretch : phases.stretches) {
    if (shown++ >= kMostStretches) {
      order += fmt::format(" … and {} more", phases.stretches.size() - kMostStretches);
      break;
    }
    order += fmt::format("{} {} {}–{}", shown > 1 ? "," : "", phases.kinds[stretch.kind].label,
                         at(report, stretch.begin_ns), at(report, stretch.end_ns));
  }
  out += "  " + wrap(order, static_cast<std::size_t>(std::max(style.width, 40)) - 4, "    ");
  return out + "\n";
}

std::string sites_text(const ProfileReport& report, const Style& style) {
  if (report.call_sites.empty()) return {};
  std::vector<std::vector<std::string>> rows{{"called from", "operation", "count"}};
  for (const CallSiteView& site : report.call_sites) {
    if (rows.size() > kMostSites) break;
    rows.push_back({site.site.size() > 56 ? site.site.substr(0, 55) + "…" : site.site,
                    std::string(name(site.kind)), format_count(site.count)});
  }
  return table(rows, 2, style);
}

std::string counters_text(const ProfileReport& report) {
  std::string out;
  for (const MetricView& pool : report.pools)
    out +=
        fmt::format("  {}{} {}\n", pool.name, pool.rank ? fmt::format(" rank {}", *pool.rank) : "",
                    (pool.unit == "B" || pool.unit == "bytes") && pool.value >= 0
                        ? format_bytes(static_cast<std::uint64_t>(pool.value))
                        : fmt::format("{:.6g} {}", pool.value, pool.unit));
  if (!report.machine) return out;
  for (const DeviceSummary& device : report.machine->devices) {
    const auto moved = [](const RateSummary& rate) {
      return rate.seconds > 0 ? format_bytes(static_cast<std::uint64_t>(std::max(rate.bytes, 0.0)))
                              : std::string(kNone);
    };
    out += fmt::format("  device {}: NVLink out {} in {} · PCIe out {} in {} (the whole run)\n",
                       device.index, moved(device.nvlink_tx), moved(device.nvlink_rx),
                       moved(device.pcie_tx), moved(device.pcie_rx));
  }
  return out;
}

std::string fitted(const std::string& text, const Style& style) {
  return wrap(text, static_cast<std::size_t>(std::max(style.width, 40)) - 4, "    ");
}

std::string summary_lines(const ProfileReport& report, const Style& style) {
  std::string out =
      "  " +
      strong(style, fmt::format("{} operations, {}, {} errors", format_count(report.operations),
                                format_bytes(report.bytes), format_count(report.errors)));
  const double waiting = report.split.device_collectives > 0 ? report.split.device_waiting_share()
                                                             : report.split.waiting_share();
  const char* clock = report.split.device_collectives > 0 ? "device" : "host";
  if (waiting >= 0)
    out += fmt::format("\n  {} of the time in collectives is waiting for the last rank ({} clock)",
                       format_percent(waiting), clock);
  out += "\n  " + fitted(exposed_text(report), style);
  return out + "\n  " + fitted(period_text(report.period), style) + "\n";
}

}  // namespace

std::string communicator_name(const ProfileReport& report, std::uint64_t id) {
  for (const CommView& comm : report.communicators) {
    if (comm.id == id && !comm.name.empty()) return comm.name;
  }
  return id == 0 ? kNone : fmt::format("{:x}", id);
}

std::string profile_heading(const ProfileReport& report) {
  std::string out = fmt::format("{} · {}", report.title, report.source);
  if (report.spans > 0)
    out +=
        fmt::format(" · {} {}", format_count(report.spans), report.spans == 1 ? "span" : "spans");
  return out + fmt::format(" · {}", format_duration(static_cast<double>(report.covered_ns)));
}

std::string exposed_text(const ProfileReport& report) {
  const OverlapStats& o = report.overlap;
  if (o.exposed_share() < 0) return "exposed share unknown: " + o.why_unknown;
  std::string out =
      fmt::format("{} of {} in communication is exposed: nothing computed meanwhile",
                  format_percent(o.exposed_share()), format_duration(o.communication_ns));
  out += fmt::format(" ({} clock", name(o.clock));
  if (o.clock == Clock::host) out += "; the calling thread waits";
  return out + ")";
}

std::string period_text(const Periodicity& p) {
  if (!p.found) return fmt::format("no iteration found: {}", p.why_not);
  return fmt::format("an iteration is {} {}, {} ±{} ({} seen, confidence {:.0f} %)",
                     format_count(p.period_ops), p.period_ops == 1 ? "operation" : "operations",
                     format_duration(p.period_ns), format_duration(p.period_mad_ns),
                     format_count(p.iterations), p.confidence * 100);
}

std::string profile_text(const ProfileReport& report, const Style& style) {
  std::string out = "  " + profile_heading(report) + "\n\n";
  if (report.operations == 0) {
    out += "  – No operation began in it, so there is nothing to say.\n";
  } else {
    out += summary_lines(report, style) + "\n";
    for (const std::string& part :
         {rows_table(report, style), pairs_table(report, style), matrix_text(report, style),
          sizes_text(report, style), phases_text(report, style), sites_text(report, style),
          counters_text(report)}) {
      if (!part.empty()) out += part + "\n";
    }
  }
  for (const std::string& note : report.notes) out += fmt::format("  ▲ {}.\n", fitted(note, style));
  if (!report.other_sessions.empty()) {
    out += fmt::format("  sessions marked {}: {}\n", report.spans > 0 ? "beside it" : "in it",
                       fmt::join(report.other_sessions, ", "));
  }
  return out;
}

std::string survey_text(const ProfileSurvey& survey, const std::string& source,
                        const Style& style) {
  if (survey.sessions.empty())
    return fmt::format(
        "  No profile session is marked in {}. Mark one with pscope_profile_begin or\n"
        "  peerscope::ScopedProfile; --from and --to take a window of time.\n",
        source);
  std::vector<std::vector<std::string>> rows{
      {"session", "spans", "processes", "open for", "first", "last", "state"}};
  for (const ProfileSession& session : survey.sessions) {
    std::int64_t open_ns = 0;
    for (const ProfileSpan& span : session.spans) open_ns += span.end_ns - span.begin_ns;
    const auto since = [&](std::int64_t ns) {
      return session.spans.empty() ? std::string(kNone)
                                   : format_duration(static_cast<double>(ns - survey.first_ns));
    };
    rows.push_back({session.name, format_count(session.spans.size()),
                    format_count(session.processes()),
                    format_duration(static_cast<double>(open_ns)), since(session.first_ns()),
                    since(session.last_ns()), session.open() > 0 ? "open" : "closed"});
  }
  return table(rows, 1, style) +
         dim(style, "  times since the first operation; spans of several processes add up\n");
}

}  // namespace peerscope
