// Pages about things that are: findings, GPUs, what is open, processes.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "analyze/debug/event.hpp"
#include "analyze/debug/in_flight.hpp"
#include "base/units.hpp"
#include "tui/pages.hpp"

namespace peerscope::tui {
namespace {

Cell rate_cell(const std::optional<double>& bytes_per_s) {
  return bytes_per_s ? figure(*bytes_per_s, format_bandwidth(*bytes_per_s)) : Cell{};
}
template <class T>
Cell number_cell(const std::optional<T>& value, const char* unit) {
  return value ? figure(static_cast<double>(*value),
                        fmt::format("{:.0f}{}", static_cast<double>(*value), unit))
               : Cell{};
}
Cell time_cell(const Snapshot& snapshot, std::int64_t at_ns) {
  return at_ns < 0
             ? Cell{}
             : figure(static_cast<double>(at_ns), time_of_day(at_ns + snapshot.real_offset_ns));
}

// "transfer_p50_host_ns" 12300 -> "transfer p50 host 12.3 µs"
std::string evidence_text(std::string key, double value) {
  const auto cut = [&key](std::string_view tail) {
    if (!key.ends_with(tail)) return false;
    key.resize(key.size() - tail.size());
    return true;
  };
  std::string text;
  if (key.ends_with("_share") || key.ends_with("_rate") || key.ends_with("_fraction")) {
    text = format_percent(value);
  } else if (cut("_bytes_per_s")) {
    text = format_bandwidth(value);
  } else if (cut("_per_s")) {
    text = format_rate(value);
  } else if (cut("_ns")) {
    text = format_duration(value);
  } else if (cut("_bytes")) {
    text = format_bytes(static_cast<std::uint64_t>(std::max(value, 0.0)));
  } else {
    text = fmt::format("{:.6g}", value);
  }
  std::replace(key.begin(), key.end(), '_', ' ');
  return key + " " + text;
}

Cell memory_cell(const DeviceReading& device) {
  if (!device.memory_used_bytes) return {};
  const std::string used = format_bytes(*device.memory_used_bytes);
  return figure(static_cast<double>(*device.memory_used_bytes),
                device.memory_total_bytes
                    ? fmt::format("{} of {}", used, format_bytes(*device.memory_total_bytes))
                    : used);
}

Cell links_cell(const DeviceReading& device) {
  if (device.links.empty()) return {};
  const auto active = std::count_if(device.links.begin(), device.links.end(),
                                    [](const LinkReading& l) { return l.active.value_or(false); });
  return figure(static_cast<double>(active), fmt::format("{} of {}", active, device.links.size()));
}

// Errors that cost something, since the driver was loaded. Unknown where no counter could be read.
Cell errors_cell(const DeviceReading& device) {
  std::optional<std::uint64_t> sum = device.pcie.replays;
  const auto add = [&sum](const std::optional<std::uint64_t>& more) {
    if (more) sum = sum.value_or(0) + *more;
  };
  add(device.ecc_uncorrected);
  for (const auto& [kind, member, costs] : kLinkErrors) {
    if (costs) add(total_errors(device, member));
  }
  return sum ? count_cell(*sum) : Cell{};
}

Row device_row(const DeviceReading& d) {
  Cell held;
  if (d.clock_reasons) {
    const auto names = clock_reason_names(*d.clock_reasons);
    held = words(names.empty() ? "nothing" : fmt::format("{}", fmt::join(names, ", ")));
  }
  Row row{fmt::format("gpu {}", d.index),
          {figure(d.index, fmt::format("GPU{}", d.index)), words(d.name),
           number_cell(d.utilisation_percent, " %"), memory_cell(d), rate_cell(d.nvlink.tx),
           rate_cell(d.nvlink.rx), rate_cell(d.pcie.rate.tx), rate_cell(d.pcie.rate.rx),
           links_cell(d), errors_cell(d), number_cell(d.power_w, " W"),
           number_cell(d.temperature_c, " °C"), number_cell(d.sm_clock_mhz, " MHz"), held}};
  if (!d.trouble.empty()) {
    row.mark = Severity::warning;
    row.notes.push_back(fmt::format("GPU{} was not read: {}", d.index, d.trouble));
  }
  for (const Absence& absence : d.absent)
    row.notes.push_back(
        fmt::format("GPU{}: {} is unknown: {}", d.index, absence.metric, absence.reason));
  return row;
}

// "rank 3", "ranks 0, 1, 2", "ranks 0, 1, 2, 3, 4, 5, 6, 7 and 24 more"
std::string ranks_text(const std::vector<int>& ranks) {
  constexpr std::size_t kMost = 8;
  const auto end = ranks.begin() + static_cast<std::ptrdiff_t>(std::min(kMost, ranks.size()));
  std::string out = ranks.size() == 1 ? "rank " : "ranks ";
  out += fmt::format("{}", fmt::join(ranks.begin(), end, ", "));
  if (ranks.size() > kMost) out += fmt::format(" and {} more", ranks.size() - kMost);
  return out;
}

Row open_row(const Snapshot& snapshot, const InFlightGroup& group) {
  std::vector<int> in, missing;
  for (const Entered& e : group.entered) {
    if (e.entry.op.rank != kNoRank) in.push_back(e.entry.op.rank);
  }
  for (const Absent& a : group.missing) missing.push_back(a.rank);
  std::string where =
      group.communicator.empty() ? communicator_name(snapshot, group.op.comm) : group.communicator;
  if (!in.empty()) where += (where.empty() ? "" : ": ") + ranks_text(in);
  std::string detail = missing.empty() ? "" : "missing: " + ranks_text(missing);
  if (group.dead()) detail += detail.empty() ? "its process died" : "; its process died";
  if (!group.mismatch.empty()) detail += (detail.empty() ? "" : "; ") + group.mismatch;
  Row row{fmt::format("open {:x} {} {}", group.op.comm, static_cast<int>(group.op.kind),
                      group.op.sequence),
          {words("in flight"),
           figure(static_cast<double>(group.age_ns),
                  "for " + format_duration(static_cast<double>(group.age_ns))),
           words(fmt::format("{} #{} {}", name(group.op.kind), group.op.sequence,
                             format_bytes(group.op.bytes))),
           words(where), words(detail)}};
  if (group.hang) {
    row.mark = group.hang->severity;
    row.notes = {group.hang->sentence, group.hang->action};
  }
  return row;
}

Row event_row(const Snapshot& snapshot, const EventView& event, std::size_t at) {
  const EventSeverity severity = event_severity(event.severity);
  Row row{
      fmt::format("event {} {} {}", event.at_ns, event.pid, at),
      {words(name(severity)), time_cell(snapshot, event.at_ns), words(event.name),
       words(fmt::format("pid {}", event.pid)),
       event.value != 0 ? figure(static_cast<double>(event.value), fmt::format("{}", event.value))
                        : Cell{}}};
  if (severity >= EventSeverity::error)
    row.mark = Severity::critical;
  else if (severity == EventSeverity::warning)
    row.mark = Severity::warning;
  return row;
}

Row process_row(const Snapshot& snapshot, const ProcessView& p) {
  const char* state = p.stopped ? "stopped" : name(p.state);
  Row row{fmt::format("pid {} {}", p.pid, p.created_real_ns),
          {figure(p.pid, fmt::format("{}", p.pid)), words(p.name), words(p.session), words(state),
           words(std::string(name(p.level))), count_cell(p.operations),
           unless_negative(p.overhead_fraction, format_percent), count_cell(p.lost),
           count_cell(p.dropped), count_cell(p.before),
           p.pair_cost_ns > 0 ? figure(p.pair_cost_ns, format_duration(p.pair_cost_ns)) : Cell{},
           count_cell(p.errors), count_cell(p.threads),
           figure(static_cast<double>(p.segment_bytes), format_bytes(p.segment_bytes)),
           p.created_real_ns > 0
               ? figure(static_cast<double>(p.created_real_ns), time_of_day(p.created_real_ns))
               : Cell{},
           time_cell(snapshot, p.last_sign_ns), words(p.path)}};
  if (p.state == ProcessState::dead)
    row.mark = Severity::critical;
  else if (p.lost + p.dropped > 0 || p.stopped)
    row.mark = Severity::warning;
  return row;
}

}  // namespace

std::string evidence_line(const Finding& finding) {
  std::string out;
  for (const auto& [key, value] : finding.evidence) out += evidence_text(key, value) + " · ";
  return out + fmt::format("confidence {:.0f} %", finding.confidence * 100.0);
}

std::string finding_key(const std::vector<Finding>& findings, std::size_t at) {
  const Finding& f = findings[at];
  const Subject& s = f.subject;
  return fmt::format("finding {} {} {} {} {} {}", f.kind, s.rank.value_or(-1), s.peer.value_or(-1),
                     s.device.value_or(-1), s.communicator + s.operation + s.link, at);
}

Table findings_table(const Scene& scene) {
  Table table{{{"severity", "severity", true, 2},
               {"finding", "finding", true, 0},
               {"action", "what to do", true, 3},
               {"impact_share", "impact", false, 4},
               {"confidence_share", "sure", false, 5},
               {"since_ns", "since", false, 6},
               {"kind", "kind", true, 7}},
              {},
              ""};
  const std::vector<Finding>& findings = scene.snapshot->findings;
  for (std::size_t at = 0; at < findings.size(); ++at) {
    const Finding& f = findings[at];
    table.rows.push_back({finding_key(findings, at),
                          {words(name(f.severity)), words(f.sentence), words(f.action),
                           figure(f.impact, format_percent(f.impact)),
                           figure(f.confidence, format_percent(f.confidence)),
                           time_cell(*scene.snapshot, f.since_ns), words(f.kind)},
                          f.severity,
                          {evidence_line(f)}});
  }
  return table;
}

Table devices_table(const Scene& scene) {
  Table table{{{"gpu", "GPU", true, 0},
               {"name", "name", true, 9},
               {"utilisation_percent", "busy", false, 0},
               {"memory_used_bytes", "memory", false, 2},
               {"nvlink_tx_bytes_per_s", "NVLink out", false, 1},
               {"nvlink_rx_bytes_per_s", "NVLink in", false, 1},
               {"pcie_tx_bytes_per_s", "PCIe out", false, 3},
               {"pcie_rx_bytes_per_s", "PCIe in", false, 3},
               {"nvlinks_active", "NVLinks", false, 5},
               {"errors", "errors", false, 4},
               {"power_w", "power", false, 6},
               {"temperature_c", "temp", false, 7},
               {"sm_clock_mhz", "SM clock", false, 10},
               {"clocks_held_by", "clocks held by", true, 11}},
              {},
              "The GPUs have not been read yet."};
  if (scene.reading) {
    for (const DeviceReading& device : scene.reading->devices)
      table.rows.push_back(device_row(device));
    table.empty = "NVML knows no GPU here.";
  } else if (scene.snapshot->machine && !scene.snapshot->machine->missing.empty()) {
    table.empty = "No reading of GPUs: " + scene.snapshot->machine->missing;
  } else if (!scene.snapshot->machine) {
    table.empty = "Nobody reads the GPUs: source.nvml is off, or this is a recording without them.";
  }
  return table;
}

Table events_table(const Scene& scene) {
  const Snapshot& snapshot = *scene.snapshot;
  Table table{{{"what", "", true, 3},
               {"at_or_age_ns", "when", false, 0},
               {"text", "operation or event", true, 0},
               {"where", "where", true, 2},
               {"detail", "detail", true, 1}},
              {},
              "Nothing is in flight, and no event was recorded."};
  for (const InFlightGroup& group : in_flight_groups(snapshot))
    table.rows.push_back(open_row(snapshot, group));
  for (std::size_t i = snapshot.events.size(); i-- > 0;)
    table.rows.push_back(event_row(snapshot, snapshot.events[i], i));
  return table;
}

Table processes_table(const Scene& scene) {
  Table table{{{"pid", "pid", false, 0},
               {"name", "process", true, 1},
               {"session", "session", true, 6},
               {"state", "state", true, 0},
               {"level", "level", true, 2},
               {"operations", "operations", false, 4},
               {"overhead_fraction", "overhead", false, 0},
               {"lost", "lost", false, 1},
               {"dropped", "dropped", false, 3},
               {"before", "before", false, 8},
               {"pair_cost_ns", "an operation costs", false, 7},
               {"errors", "errors", false, 5},
               {"threads", "threads", false, 9},
               {"segment_bytes", "segment", false, 10},
               {"created_real_ns", "started", false, 11},
               {"last_sign_ns", "last sign", false, 12},
               {"path", "file", true, 13}},
              {},
              "No process has recorded anything here."};
  for (const ProcessView& process : scene.snapshot->processes)
    table.rows.push_back(process_row(*scene.snapshot, process));
  return table;
}

}  // namespace peerscope::tui
