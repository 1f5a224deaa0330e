#include "trace/query/small_tables.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

namespace peerscope {
namespace {

using Add = std::function<void(Row)>;

SqlValue number(std::uint64_t value) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(value, INT64_MAX));
}
SqlValue number(std::int64_t value) { return value; }
template <class T>
SqlValue known(T value, T unknown) {
  return value == unknown ? SqlValue() : SqlValue(static_cast<std::int64_t>(value));
}
SqlValue hex(std::uint64_t id) { return fmt::format("{:#x}", id); }

void chunk_rows(const TraceReader& trace, const Add& add) {
  for (std::size_t i = 0; i < trace.chunks().size(); ++i) {
    const ChunkInfo& chunk = trace.chunks()[i];
    add({number(i), number(std::uint64_t{chunk.operations}), number(std::uint64_t{chunk.shapes}),
         chunk.first_ns, chunk.last_ns, number(chunk.bytes_on_disk),
         number(chunk.not_written_before)});
  }
}

void process_rows(const TraceReader& trace, const Add& add) {
  for (const TraceProcess& p : trace.meta().processes) {
    add({number(std::uint64_t{p.index}), number(std::uint64_t{p.host}),
         number(std::uint64_t{p.pid}), p.name, p.session, std::string(name(p.state)),
         std::string(name(p.level)), known(p.created_ns, kUnknownNs), number(p.operations),
         number(p.bytes), number(p.errors), number(p.lost), number(p.dropped),
         p.overhead_fraction});
  }
}

void communicator_rows(const TraceReader& trace, const Add& add) {
  for (const TraceComm& c : trace.meta().communicators)
    add({hex(c.id), trace.meta().comm_name(c.id), number(std::uint64_t{c.ranks}),
         std::string(name(c.backend))});
}

void member_rows(const TraceReader& trace, const Add& add) {
  for (const TraceComm& c : trace.meta().communicators) {
    for (const TraceMember& m : c.members)
      add({hex(c.id), known(m.rank, kNoRank), number(std::uint64_t{m.process}),
           known(m.device, kNoDevice)});
  }
}

void host_rows(const TraceReader& trace, const Add& add) {
  std::int64_t index = 0;
  for (const TraceHost& h : trace.meta().hosts)
    add({index++, h.name, h.os, number(h.shift_ns), number(h.shift_uncertainty_ns)});
}

void device_rows(const TraceReader& trace, const Add& add) {
  for (const TraceDevice& d : trace.meta().devices)
    add({number(std::uint64_t{d.host}), known(d.index, kNoDevice), d.name, d.uuid, d.pci_bus_id});
}

void link_rows(const TraceReader& trace, const Add& add) {
  const auto gbs = [](double bytes_per_s) {
    return bytes_per_s < 0 ? SqlValue() : SqlValue(bytes_per_s / 1e9);
  };
  for (const TraceLink& l : trace.meta().links)
    add({number(std::uint64_t{l.host}), known(l.from, kNoDevice), known(l.to, kNoDevice), l.type,
         gbs(l.bandwidth_bytes_per_s), gbs(l.measured_bytes_per_s), l.source});
}

void name_rows(const TraceReader& trace, const Add& add) {
  for (const TraceName& n : trace.meta().names)
    add({number(std::uint64_t{n.process}), number(std::uint64_t{n.id}), n.text});
}

void setting_rows(const TraceReader& trace, const Add& add) {
  for (const TraceSetting& s : trace.meta().settings) add({s.key, s.value, s.origin});
}

void version_rows(const TraceReader& trace, const Add& add) {
  for (const TraceSetting& s : trace.meta().versions) add({s.key, s.value});
}

void measurement_rows(const TraceReader& trace, const Add& add) {
  for (const TraceMeasurement& m : trace.meta().measurements)
    add({m.tool, m.test, known(m.from, -1), known(m.to, -1), number(m.bytes), m.value, m.unit});
}

constexpr const char* kMarkTypes[] = {"?", "phase", "completion", "event", "call_site", "control"};

void mark_rows(const TraceReader& trace, const Add& add) {
  static_cast<void>(trace.for_each_marks([&](std::span<const Mark> marks) {
    for (const Mark& m : marks) {
      const auto type = static_cast<std::size_t>(m.type);
      add({std::string(type < std::size(kMarkTypes) ? kMarkTypes[type] : "?"), m.at_ns,
           known(m.duration_ns, kUnknownNs), m.value,
           std::string(trace.meta().name(m.process, m.name)),
           m.comm == 0 ? SqlValue() : hex(m.comm), number(operation_sequence(m)),
           number(std::uint64_t{m.process}), known(m.rank, kNoRank), std::string(name(m.kind)),
           number(std::uint64_t{m.severity}), std::string(name(m.status))});
    }
    return true;
  }));
}

constexpr SmallTable kTables[] = {
    {"chunks",
     "chunk INTEGER, operations INTEGER, shapes INTEGER, first_ns INTEGER, last_ns INTEGER, "
     "bytes_on_disk INTEGER, not_written_before INTEGER",
     chunk_rows},
    {"processes",
     "process INTEGER, host INTEGER, pid INTEGER, name TEXT, session TEXT, state TEXT, level TEXT, "
     "created_ns INTEGER, operations INTEGER, bytes INTEGER, errors INTEGER, lost INTEGER, dropped "
     "INTEGER, overhead REAL",
     process_rows},
    {"communicators", "comm_id TEXT, name TEXT, ranks INTEGER, backend TEXT", communicator_rows},
    {"members", "comm_id TEXT, rank INTEGER, process INTEGER, device INTEGER", member_rows},
    {"hosts", "host INTEGER, name TEXT, os TEXT, shift_ns INTEGER, shift_uncertainty_ns INTEGER",
     host_rows},
    {"devices", "host INTEGER, device INTEGER, name TEXT, uuid TEXT, pci_bus_id TEXT", device_rows},
    {"links",
     "host INTEGER, from_device INTEGER, to_device INTEGER, type TEXT, expected_gbs REAL, "
     "measured_gbs REAL, source TEXT",
     link_rows},
    {"names", "process INTEGER, id INTEGER, text TEXT", name_rows},
    {"settings", "key TEXT, value TEXT, origin TEXT", setting_rows},
    {"versions", "name TEXT, version TEXT", version_rows},
    {"measurements",
     "tool TEXT, test TEXT, from_device INTEGER, to_device INTEGER, bytes INTEGER, value REAL, "
     "unit TEXT",
     measurement_rows},
    {"marks",
     "type TEXT, at_ns INTEGER, duration_ns INTEGER, value INTEGER, name TEXT, comm_id TEXT, "
     "sequence INTEGER, process INTEGER, rank INTEGER, operation TEXT, severity INTEGER, status "
     "TEXT",
     mark_rows},
};

}  // namespace

std::span<const SmallTable> small_tables() { return kTables; }

bool mentions(const std::string& sql, std::string_view table) {
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  return std::search(sql.begin(), sql.end(), table.begin(), table.end(), same) != sql.end();
}

// The rank that came last: begin and rank as text that sorts by begin.
const char* const kCollectivesView =
    "CREATE TEMP VIEW collectives AS SELECT comm_id, max(communicator) AS communicator, sequence, "
    "operation, "
    "max(ranks) AS ranks, count(*) AS arrived, max(bytes) AS bytes, min(begin_ns) AS first_ns, "
    "max(begin_ns) AS last_ns, max(end_ns) AS end_ns, max(begin_ns) - min(begin_ns) AS skew_ns, "
    "max(max(end_ns) - max(begin_ns), 0) AS transfer_ns, "
    "CAST(substr(max(printf('%020d%05d', begin_ns, rank)), 21) AS INTEGER) AS last_rank "
    "FROM ops WHERE device_only = 0 AND comm_id IS NOT NULL AND operation IN "
    "('broadcast','reduce','all_reduce','all_gather','reduce_scatter','gather','scatter','all_to_"
    "all','barrier') "
    "GROUP BY comm_id, sequence, operation";

}  // namespace peerscope
