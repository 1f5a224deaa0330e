#include "cli/render.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string_view>
#include <tuple>

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "analyze/detect/words.hpp"
#include "base/units.hpp"
#include "model/size_class.hpp"

namespace peerscope {
namespace {

constexpr const char* kUnknownText = "–";
constexpr std::size_t kMostRows = 12;

std::string duration_or_dash(double ns) { return ns < 0 ? kUnknownText : format_duration(ns); }

std::string pad(const std::string& text, std::size_t width, bool left) {
  const std::size_t have = columns(text);
  const std::string space(width > have ? width - have : 0, ' ');
  return left ? text + space : space + text;
}

const char* mark(Severity severity) {
  constexpr const char* kMarks[] = {"●", "▲", "■"};
  return kMarks[static_cast<int>(severity)];
}
const char* colour_of(Severity severity) {
  constexpr const char* kCodes[] = {"36", "33;1", "31;1"};
  return kCodes[static_cast<int>(severity)];
}

// "transfer_p50_host_ns" 12300 -> "transfer p50 host 12.3 µs"
std::string evidence_text(const std::string& key, double value) {
  const auto ends = [&key](std::string_view tail) {
    return key.size() > tail.size() &&
           key.compare(key.size() - tail.size(), tail.size(), tail) == 0;
  };
  std::string words = key;
  std::string figure;
  if (ends("_ns")) {
    words.resize(words.size() - 3);
    figure = format_duration(value);
  } else if (ends("_share") || ends("_rate") || ends("_fraction")) {
    figure = format_percent(value);
  } else if (ends("_bytes_per_s")) {
    words.resize(words.size() - 12);
    figure = format_bandwidth(value);
  } else if (ends("_per_s")) {
    words.resize(words.size() - 6);
    figure = format_rate(value);
  } else if (ends("_bytes")) {
    words.resize(words.size() - 6);
    figure = format_bytes(static_cast<std::uint64_t>(std::max(value, 0.0)));
  } else {
    figure = value == static_cast<double>(static_cast<std::int64_t>(value))
                 ? format_count(static_cast<std::uint64_t>(std::max(value, 0.0)))
                 : fmt::format("{:.3g}", value);
  }
  std::replace(words.begin(), words.end(), '_', ' ');
  return words + " " + figure;
}

}  // namespace

Style terminal_style() {
  Style style;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) style.width = size.ws_col;
  const char* no_colour = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  const bool dumb = term != nullptr && std::string_view(term) == "dumb";
  style.colour =
      isatty(STDOUT_FILENO) != 0 && (no_colour == nullptr || *no_colour == '\0') && !dumb;
  return style;
}

std::string paint(const Style& style, const char* code, const std::string& text) {
  return style.colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
}

std::string wrap(const std::string& text, std::size_t width, const std::string& indent) {
  std::string out;
  std::string line;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    if (!line.empty() && columns(line) + 1 + columns(word) > width) {
      out += line + "\n" + indent;
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
    at = end + 1;
  }
  return out + line;
}

std::string time_of_day(std::int64_t real_ns) {
  const std::time_t seconds = real_ns / 1'000'000'000;
  return fmt::format("{:%H:%M:%S}.{:03}", fmt::localtime(seconds), real_ns / 1'000'000 % 1000);
}

std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string table(const std::vector<std::vector<std::string>>& rows, std::size_t left,
                  const Style& style) {
  if (rows.empty()) return {};
  std::vector<std::size_t> widths(rows[0].size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  // Two spaces between columns where there is room, else one.
  std::size_t whole = 2;
  for (const std::size_t width : widths) whole += width + 2;
  const bool roomy = whole <= static_cast<std::size_t>(std::max(style.width, 40)) + 2;
  std::string out;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::string line = " ";
    for (std::size_t i = 0; i < rows[r].size(); ++i) {
      line += (roomy && i > 0 ? "  " : " ") + pad(rows[r][i], widths[i], i < left);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += (r == 0 ? paint(style, "2", line) : line) + "\n";
  }
  return out;
}

std::string finding_text(const Finding& finding, const Style& style) {
  const std::size_t width = static_cast<std::size_t>(std::max(style.width, 40)) - 5;
  std::string out = "  " + paint(style, colour_of(finding.severity), mark(finding.severity)) + " " +
                    paint(style, "1", wrap(finding.sentence, width, "    ")) + "\n";
  std::string evidence;
  for (const auto& [key, value] : finding.evidence)
    evidence += (evidence.empty() ? "" : " · ") + evidence_text(key, value);
  evidence += fmt::format("{}confidence {:.0f} %", evidence.empty() ? "" : " · ",
                          finding.confidence * 100.0);
  out += "    " + paint(style, "2", wrap(evidence, width, "    ")) + "\n";
  if (!finding.action.empty()) out += "    → " + wrap(finding.action, width - 2, "      ") + "\n";
  return out;
}

std::string verdict(const Snapshot& snapshot, const Style& style) {
  std::string out;
  for (const Finding& finding : snapshot.findings) out += finding_text(finding, style);
  if (!out.empty()) return out;
  const bool any = snapshot.aggregates && snapshot.aggregates->totals.operations > 0;
  if (!any) return "  – No operation was recorded, so there is nothing to judge.\n";
  return "  " + paint(style, "32;1", "●") +
         " Nothing stands out: no rank waits for another more than the noise explains.\n";
}

namespace {

// What is known of how long operations took, and by which clock. Of asynchronous ones the host knows the enqueue only,
// which says nothing: theirs is the device's time, or none.
struct Times {
  double p50_ns = kUnknown, p99_ns = kUnknown, transfer_ns = kUnknown, wait_ns = kUnknown;
  std::string clock = kUnknownText;
};
Times times_of(const OperationStats& s) {
  Times t;
  t.wait_ns = s.device_wait.known() ? s.device_wait.p50_ns : s.skew.p50_ns;
  if (s.device.known()) {
    t.p50_ns = s.device.p50_ns;
    t.p99_ns = s.device.p99_ns;
    t.transfer_ns = s.device_transfer.p50_ns;
    t.clock = fmt::format("device {}", format_count(s.device.count));
  } else if (s.bandwidth_clock == Clock::host || s.transfer.known()) {
    t.p50_ns = s.host.p50_ns;
    t.p99_ns = s.host.p99_ns;
    t.transfer_ns = s.transfer.p50_ns;
    t.clock = "host";
  }
  return t;
}

bool any_errors(const std::vector<OperationRow>& rows) {
  return std::any_of(rows.begin(), rows.end(), [](const OperationRow& row) {
    return row.windows.in(Window::all).errors > 0;
  });
}

}  // namespace

std::string operations_table(const Snapshot& snapshot, const Style& style) {
  if (!snapshot.aggregates || snapshot.aggregates->operations.empty()) return {};
  const bool wide = style.width >= 100;
  const bool errors = any_errors(snapshot.aggregates->operations);
  std::vector<std::vector<std::string>> rows{
      {"operation", "size", "count", "p50", "p99", "transfer", "wait", "busbw", "clock"}};
  if (errors) rows[0].emplace_back("errors");
  if (wide) rows[0].insert(rows[0].begin() + 1, "algorithm");
  std::size_t hidden = 0;
  for (const OperationRow& row : snapshot.aggregates->operations) {
    if (rows.size() > kMostRows) {
      ++hidden;
      continue;
    }
    const OperationStats& s = row.windows.in(Window::all);
    const Times t = times_of(s);
    rows.push_back({row.other ? "other" : std::string(name(row.kind)),
                    row.other ? "other" : format_bytes(size_class_top(row.size_class)),
                    format_count(s.count), duration_or_dash(t.p50_ns), duration_or_dash(t.p99_ns),
                    duration_or_dash(t.transfer_ns), duration_or_dash(t.wait_ns),
                    s.busbw_bytes_per_s > 0 ? format_bandwidth(s.busbw_bytes_per_s) : kUnknownText,
                    t.clock});
    if (errors) rows.back().push_back(format_count(s.errors));
    const bool known = row.algorithm != Algorithm::unknown;
    if (wide) {
      rows.back().insert(rows.back().begin() + 1,
                         known ? std::string(name(row.algorithm)) : kUnknownText);
    }
  }
  std::string out = table(rows, wide ? 2 : 1, style);
  if (hidden > 0) out += fmt::format("  and {} more: see --json\n", hidden);
  return out +
         paint(style, "2",
               "  since start; medians. transfer: all ranks there until done; wait: of the first\n"
               "  rank for the last; size: up to, in powers of two; clock: the host's, or of so\n"
               "  many operations the device's (a sample, within the overhead budget)\n");
}

std::string ranks_table(const Snapshot& snapshot, const Style& style) {
  if (!snapshot.aggregates || snapshot.aggregates->ranks.empty()) return {};
  std::vector<std::vector<std::string>> rows{
      {"rank", "collectives", "late p50", "late p99", "came last", "waits", "is waited for"}};
  std::size_t hidden = 0;
  for (const RankRow& row : snapshot.aggregates->ranks) {
    const RankStats& s = row.windows.in(Window::all);
    if (s.collectives == 0) continue;
    if (rows.size() > kMostRows + 4) {
      ++hidden;
      continue;
    }
    const double whole = s.communication_ns > 0 ? s.communication_ns : 1;
    const bool known = s.lateness_samples > 0;
    rows.push_back(
        {fmt::format("{} {}", communicator_name(snapshot, row.comm), row.rank),
         format_count(s.collectives), known ? format_duration(s.lateness_p50_ns) : kUnknownText,
         known ? format_duration(s.lateness_p99_ns) : kUnknownText, format_percent(s.last_share()),
         format_percent(s.wait_ns / whole), format_percent(s.waiting_share)});
  }
  if (rows.size() == 1) return {};
  std::string out = table(rows, 1, style);
  if (hidden > 0) out += fmt::format("  and {} more: see --json\n", hidden);
  return out +
         paint(style, "2",
               "  late: its arrival against the median of the others; waits: share of its own\n"
               "  communication time; is waited for: share of all ranks'; host clock\n");
}

std::string pairs_matrix(const Snapshot& snapshot, const Style& style) {
  if (!snapshot.aggregates || snapshot.aggregates->pairs.empty()) return {};
  const std::uint64_t comm = snapshot.aggregates->pairs[0].comm;
  std::uint16_t most = 0;
  std::map<std::pair<std::uint16_t, std::uint16_t>, const PairRow*> cells;
  for (const PairRow& row : snapshot.aggregates->pairs) {
    if (row.comm != comm || row.from > 8 || row.to > 8) continue;
    cells[{row.from, row.to}] = &row;
    most = std::max({most, row.from, row.to});
  }
  std::vector<std::vector<std::string>> rows{{"from \\ to"}};
  for (std::uint16_t to = 0; to <= most; ++to) rows[0].push_back(fmt::format("{}", to));
  for (std::uint16_t from = 0; from <= most; ++from) {
    rows.push_back({fmt::format("{}", from)});
    for (std::uint16_t to = 0; to <= most; ++to) {
      const auto cell = cells.find({from, to});
      const bool known = cell != cells.end() && cell->second->bandwidth_bytes_per_s > 0;
      rows.back().push_back(from == to ? "·"
                            : known    ? format_bandwidth(cell->second->bandwidth_bytes_per_s)
                                       : kUnknownText);
    }
  }
  return fmt::format("  pairs of {} (bytes over the median time)\n",
                     communicator_name(snapshot, comm)) +
         table(rows, 1, style);
}

std::string in_flight_table(const Snapshot& snapshot, const Style& style) {
  if (snapshot.in_flight.empty()) return {};
  std::vector<std::vector<std::string>> rows{
      {"in flight", "communicator", "rank", "sequence", "size", "for", "since", "process"}};
  for (const InFlight& entry : snapshot.in_flight) {
    if (rows.size() > kMostRows) break;
    const Op& op = entry.op;
    const bool known = op.process < snapshot.processes.size();
    const std::string state = known ? name(snapshot.processes[op.process].state) : "?";
    rows.push_back({std::string(name(op.kind)), communicator_name(snapshot, op.comm),
                    op.rank == kNoRank ? kUnknownText : fmt::format("{}", op.rank),
                    fmt::format("#{}", op.sequence), format_bytes(op.bytes),
                    format_duration(static_cast<double>(entry.age_ns)),
                    time_of_day(op.begin_ns + snapshot.real_offset_ns),
                    fmt::format("{} ({})", entry.pid, state)});
  }
  std::string out = table(rows, 2, style);
  if (snapshot.in_flight.size() + 1 > rows.size()) {
    out += fmt::format("  and {} more: see --json\n", snapshot.in_flight.size() + 1 - rows.size());
  }
  return out;
}

std::string details(const Snapshot& snapshot, const Style& style) {
  std::string out;
  if (!snapshot.phases.empty()) {
    std::vector<std::vector<std::string>> rows{
        {"operation", "phase", "count", "p50 host", "p99 host", "total"}};
    for (const PhaseView& p : snapshot.phases) {
      if (rows.size() > kMostRows) break;
      rows.push_back({std::string(name(p.kind)), p.name, format_count(p.count),
                      format_duration(p.p50_ns), format_duration(p.p99_ns),
                      format_duration(p.total_ns)});
    }
    out += table(rows, 2, style) + "\n";
  }
  if (!snapshot.call_sites.empty()) {
    std::vector<std::vector<std::string>> rows{{"called from", "operation", "count"}};
    for (const CallSiteView& c : snapshot.call_sites) {
      if (rows.size() > 6) break;
      rows.push_back({c.site.size() > 56 ? c.site.substr(0, 55) + "…" : c.site,
                      std::string(name(c.kind)), format_count(c.count)});
    }
    out += table(rows, 2, style) + "\n";
  }
  if (!snapshot.metrics.empty()) {
    std::vector<std::vector<std::string>> rows{{"metric", "type", "value", "count", "p50", "p99"}};
    for (const MetricView& m : snapshot.metrics) {
      if (m.type == MetricType::counter && m.value == 0) continue;  // nothing to say: see --json
      const auto quantile = [](double v) {
        return v < 0 ? std::string(kUnknownText) : fmt::format("{:.4g}", v);
      };
      const bool bytes = (m.unit == "B" || m.unit == "bytes") && m.value >= 0;
      rows.push_back({m.name, name(m.type),
                      bytes ? format_bytes(static_cast<std::uint64_t>(m.value))
                            : fmt::format("{:.6g} {}", m.value, m.unit),
                      format_count(m.count), quantile(m.p50), quantile(m.p99)});
    }
    if (rows.size() > 1) out += table(rows, 2, style) + "\n";
  }
  return out;
}

std::string monitor_line(const Snapshot& snapshot) {
  std::string level = "–";
  if (!snapshot.processes.empty()) level = name(snapshot.processes.front().level);
  return fmt::format("  monitor: level {} · overhead {} · lost {} · dropped {}\n", level,
                     format_percent(snapshot.overhead_fraction), format_count(snapshot.lost),
                     format_count(snapshot.dropped));
}

std::string sessions_table(const Snapshot& snapshot, const Style& style) {
  std::vector<std::vector<std::string>> rows{
      {"session", "process", "pid", "state", "level", "operations", "started"}};
  std::vector<ProcessView> processes = snapshot.processes;
  std::sort(processes.begin(), processes.end(), [](const ProcessView& a, const ProcessView& b) {
    return std::tie(a.created_ns, a.pid) < std::tie(b.created_ns, b.pid);
  });
  for (const ProcessView& p : processes) {
    rows.push_back({p.session, p.name, fmt::format("{}", p.pid), name(p.state),
                    std::string(name(p.level)), format_count(p.operations),
                    time_of_day(p.created_real_ns)});
  }
  return table(rows, 2, style);
}

std::string report(const Snapshot& snapshot, const Style& style) {
  std::string out = verdict(snapshot, style) + "\n";
  for (const std::string& part : {in_flight_table(snapshot, style),
                                  operations_table(snapshot, style), ranks_table(snapshot, style),
                                  pairs_matrix(snapshot, style), machine_table(snapshot, style)}) {
    if (!part.empty()) out += part + "\n";
  }
  return out + details(snapshot, style) + monitor_line(snapshot);
}

}  // namespace peerscope
