#include "analyze/alert/reading.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include <fmt/format.h>

#include "analyze/alert/figures.hpp"
#include "base/units.hpp"
#include "model/size_class.hpp"

namespace peerscope {
namespace {

// One row of a snapshot, whatever sort: what it is about, and where its figures are.
struct Row {
  std::optional<Kind> operation = std::nullopt;
  Algorithm algorithm = Algorithm::unknown;
  std::optional<std::uint8_t> size_class = std::nullopt;
  std::optional<int> rank = std::nullopt, peer = std::nullopt, device = std::nullopt;
  std::optional<std::uint64_t> comm = std::nullopt;
  const Traffic* traffic = nullptr;
  const OperationStats* operation_stats = nullptr;
  const CellRow* cell = nullptr;
  const PairRow* pair = nullptr;
  const CommunicatorStats* communicator = nullptr;
  const RankStats* rank_stats = nullptr;
  const DeviceMoment* device_moment = nullptr;
  double own = kUnknown;  // of rows with one figure only
};

using Visit = std::function<void(const Row&)>;

template <class T>
std::optional<int> known(T id, T none) {
  return id == none ? std::nullopt : std::optional(static_cast<int>(id));
}

void visit_aggregates(const Term& term, const Aggregates& all, const Visit& visit) {
  const Window window = term.window.value_or(Window::all);
  if (term.source == RowSource::operations) {
    for (const OperationRow& r : all.operations) {
      Row row{.operation = r.kind, .algorithm = r.algorithm, .size_class = r.size_class};
      if (r.other) row = {};
      row.traffic = row.operation_stats = &r.windows.in(window);
      visit(row);
    }
  } else if (term.source == RowSource::ranks) {
    for (const RankRow& r : all.ranks) {
      Row row{.rank = known(r.rank, kNoRank), .comm = r.comm};
      row.traffic = row.rank_stats = &r.windows.in(window);
      visit(row);
    }
  } else if (term.source == RowSource::pairs) {
    for (const PairRow& r : all.pairs) {
      Row row{.size_class = r.size_class,
              .rank = known(r.from, kNoRank),
              .peer = known(r.to, kNoRank),
              .comm = r.comm,
              .traffic = &r.windows.in(window),
              .pair = &r};
      visit(row);
    }
  } else if (term.source == RowSource::devices) {
    for (const DeviceRow& r : all.devices)
      visit({.device = known(r.device, kNoDevice), .traffic = &r.windows.in(window)});
  } else if (term.source == RowSource::communicators) {
    for (const CommunicatorRow& r : all.communicators) {
      Row row{.comm = r.id};
      row.traffic = row.communicator = &r.windows.in(window);
      visit(row);
    }
  } else if (term.source == RowSource::cells) {
    for (const CellRow& r : all.cells) {
      if (r.other) continue;
      visit({.operation = r.kind,
             .algorithm = r.algorithm,
             .size_class = r.size_class,
             .rank = known(r.rank, kNoRank),
             .peer = known(r.peer, kNoPeer),
             .device = known(r.device, kNoDevice),
             .comm = r.comm,
             .cell = &r});
    }
  }
}

void visit_in_flight(const Term& term, const Snapshot& snapshot, const Visit& visit) {
  // That nothing is open is known, too: 0 of them, and no age.
  if (term.group == Group::none) visit({.own = 0});
  for (const InFlight& open : snapshot.in_flight) {
    visit({.operation = open.op.kind,
           .algorithm = open.op.algorithm,
           .size_class = size_class(open.op.bytes),
           .rank = known(open.op.rank, kNoRank),
           .peer = known(open.op.peer, kNoPeer),
           .comm = open.op.comm,
           .own = term.figure == Figure::in_flight ? 1.0 : static_cast<double>(open.age_ns)});
  }
}

// "pool.rank3.tp.used_bytes" or "pool.used_bytes" of a rank, beside the same name's capacity.
void visit_pools(const Snapshot& snapshot, const Visit& visit) {
  constexpr std::string_view kUsed = ".used_bytes";
  for (const MetricView& used : snapshot.metrics) {
    if (!used.name.starts_with("pool.") || !used.name.ends_with(kUsed)) continue;
    const std::string capacity_name =
        used.name.substr(0, used.name.size() - kUsed.size()) + ".capacity_bytes";
    std::optional<int> rank = used.rank;
    int in_name = 0;
    if (!rank && std::sscanf(used.name.c_str(), "pool.rank%d.", &in_name) == 1) rank = in_name;
    for (const MetricView& capacity : snapshot.metrics) {
      if (capacity.name != capacity_name || capacity.rank != used.rank) continue;
      const bool has_size = capacity.value > 0 && std::isfinite(capacity.value);
      visit({.rank = rank, .own = has_size ? used.value / capacity.value : kUnknown});
    }
  }
}

void visit_metrics(const Term& term, const Snapshot& snapshot, const Visit& visit) {
  for (const MetricView& m : snapshot.metrics) {
    if (m.name != term.metric) continue;
    visit({.rank = m.rank, .own = m.value});
  }
}

void visit_machine(const Snapshot& snapshot, const Visit& visit) {
  if (snapshot.machine == nullptr) return;
  for (const DeviceSummary& device : snapshot.machine->devices) {
    if (!device.history.empty())
      visit({.device = device.index, .device_moment = &device.history.back()});
  }
}

void visit_rows(const Term& term, const Snapshot& snapshot, const Visit& visit) {
  if (term.source == RowSource::in_flight) return visit_in_flight(term, snapshot, visit);
  if (term.source == RowSource::machine) return visit_machine(snapshot, visit);
  if (term.source == RowSource::metrics)
    return term.figure == Figure::pool_share ? visit_pools(snapshot, visit)
                                             : visit_metrics(term, snapshot, visit);
  if (term.source == RowSource::monitor) {
    const double own = term.figure == Figure::overhead ? snapshot.overhead_fraction
                       : term.figure == Figure::lost   ? static_cast<double>(snapshot.lost)
                                                       : static_cast<double>(snapshot.dropped);
    return visit({.own = own});
  }
  if (snapshot.aggregates != nullptr) visit_aggregates(term, *snapshot.aggregates, visit);
}

const Counts* counts_of(const Row& row) {
  if (row.traffic != nullptr) return row.traffic;
  return row.cell;
}

double quantile(const Distribution& d, Figure figure) {
  if (!d.known()) return kUnknown;
  switch (figure) {
    case Figure::mean:
      return d.mean_ns;
    case Figure::p50:
      return d.p50_ns;
    case Figure::p90:
      return d.p90_ns;
    case Figure::p99:
      return d.p99_ns;
    case Figure::p999:
      return d.p999_ns;
    default:
      return d.max_ns;
  }
}

double part_time(const Term& term, const Row& row, Part part) {
  if (row.operation_stats != nullptr) {
    const OperationStats& s = *row.operation_stats;
    const Distribution* const kParts[] = {
        &s.host, &s.host, &s.device, &s.transfer, &s.skew, &s.device_transfer, &s.device_wait};
    if (term.figure != Figure::mean || part > Part::device)
      return quantile(*kParts[static_cast<int>(part)], term.figure);
  }
  if (row.cell != nullptr)
    return quantile(part == Part::device ? row.cell->device_time : row.cell->host, term.figure);
  return part == Part::device ? row.traffic->mean_device_ns : row.traffic->mean_host_ns;
}

double time_of(const Term& term, const Row& row, const char** clock) {
  if (term.part != Part::best) return part_time(term, row, term.part);
  const double device = part_time(term, row, Part::device);
  *clock = device >= 0 ? "device" : "host";
  return device >= 0 ? device : part_time(term, row, Part::host);
}

double of_device(Figure figure, const DeviceMoment& moment) {
  if (figure == Figure::nvlink) return moment.nvlink_bytes_per_s.value_or(kUnknown);
  if (figure == Figure::pcie) return moment.pcie_bytes_per_s.value_or(kUnknown);
  return figure == Figure::links_active ? moment.links_active : static_cast<double>(moment.errors);
}

double of_rank(Figure figure, const RankStats& s) {
  if (s.collectives == 0) return kUnknown;
  if (figure == Figure::waiting_share) return s.waiting_share;
  if (figure == Figure::last_share) return s.last_share();
  return s.lateness_samples > 0 ? s.lateness_p50_ns : kUnknown;
}

double of_communicator(Figure figure, const CommunicatorStats& s) {
  if (figure == Figure::waiting_share) return s.waiting_share();
  if (figure == Figure::incomplete) return static_cast<double>(s.incomplete);
  if (figure == Figure::mismatched) return static_cast<double>(s.mismatched);
  return figure == Figure::skew ? s.skew_p50_ns : s.transfer_p50_ns;
}

// Of one row. kUnknown and below: unknown, but for lateness, which may be negative.
std::optional<double> any_value_of(const Term& term, const Row& row, const char** clock) {
  const Counts* counts = counts_of(row);
  double value = row.own;
  switch (term.figure) {
    case Figure::count:
      value = static_cast<double>(counts->count);
      break;
    case Figure::errors:
      value = static_cast<double>(counts->errors);
      break;
    case Figure::bytes:
      value = static_cast<double>(counts->bytes);
      break;
    case Figure::success_rate:
      value = counts->success_rate();
      break;
    case Figure::busbw:
      value = row.operation_stats->busbw_bytes_per_s;
      break;
    case Figure::algbw:
      value = row.operation_stats->algbw_bytes_per_s;
      break;
    case Figure::bandwidth:
      value = row.pair->bandwidth_bytes_per_s;
      break;
    case Figure::lateness:
      if (row.rank_stats->lateness_samples == 0) return std::nullopt;
      return row.rank_stats->lateness_p50_ns;
    case Figure::metric:
      return row.own;
    default:
      if (term.part != Part::whole)
        value = time_of(term, row, clock);
      else if (row.device_moment != nullptr)
        value = of_device(term.figure, *row.device_moment);
      else if (row.rank_stats != nullptr)
        value = of_rank(term.figure, *row.rank_stats);
      else if (row.communicator != nullptr)
        value = of_communicator(term.figure, *row.communicator);
      else if (row.operation_stats != nullptr)
        value = quantile(
            term.figure == Figure::skew ? row.operation_stats->skew : row.operation_stats->transfer,
            Figure::p50);
  }
  return value < 0 ? std::nullopt : std::optional(value);
}

// Programs set gauges to whatever they like: what is no number is unknown, and worse than nothing else.
std::optional<double> value_of(const Term& term, const Row& row, const char** clock) {
  const std::optional<double> value = any_value_of(term, row, clock);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

std::string comm_text(const Snapshot& snapshot, std::uint64_t id) {
  for (const CommView& comm : snapshot.communicators) {
    if (comm.id == id && !comm.name.empty()) return comm.name;
  }
  return id == 0 ? std::string() : fmt::format("{:x}", id);
}

bool passes(const Term& term, const Row& row, const Snapshot& snapshot) {
  if (term.operation && row.operation != term.operation) return false;
  if (term.algorithm && row.algorithm != *term.algorithm) return false;
  if (term.min_bytes > 0 && (!row.size_class || size_class_top(*row.size_class) < term.min_bytes))
    return false;
  if (term.rank && row.rank != term.rank) return false;
  if (term.peer && row.peer != term.peer) return false;
  if (term.device && row.device != term.device) return false;
  if (term.communicator.empty()) return true;
  return row.comm && (comm_text(snapshot, *row.comm) == term.communicator ||
                      fmt::format("{:x}", *row.comm) == term.communicator);
}

// False: the row belongs to no group.
bool name_group(const Term& term, const Row& row, const Snapshot& snapshot, Subject& out) {
  if (term.operation) out.operation = name(*term.operation);
  if (term.rank) out.rank = term.rank;
  if (term.peer) out.peer = term.peer;
  if (term.device) out.device = term.device;
  out.communicator = term.communicator;
  switch (term.group) {
    case Group::none:
      return true;
    case Group::operation:
      if (row.operation) out.operation = name(*row.operation);
      return row.operation.has_value();
    case Group::rank:
      out.rank = row.rank;
      // Ranks are numbered by communicator: the first of two is not the first of the other.
      if (row.comm) out.communicator = comm_text(snapshot, *row.comm);
      return row.rank.has_value();
    case Group::pair:
      out.rank = row.rank;
      out.peer = row.peer;
      if (row.comm) out.communicator = comm_text(snapshot, *row.comm);
      return row.rank && row.peer;
    case Group::device:
      out.device = row.device;
      return row.device.has_value();
    case Group::communicator:
      if (row.comm) out.communicator = comm_text(snapshot, *row.comm);
      return row.comm && *row.comm != 0;
  }
  return false;
}

struct Sum {
  TermReading reading;
  Counts counts;
};

void add(Sum& into, const Term& term, const Row& row, bool high_is_bad) {
  const char* clock = "";
  const std::optional<double> value = value_of(term, row, &clock);
  if (const Counts* counts = counts_of(row)) {
    into.counts.count += counts->count;
    into.counts.errors += counts->errors;
  }
  if (row.traffic != nullptr)
    into.reading.span_ns = std::max(into.reading.span_ns, row.traffic->span_ns);
  if (!value) return;
  std::optional<double>& kept = into.reading.value;
  if (spec_of(term.figure).adds_up) {
    kept = kept.value_or(0) + *value;
    return;
  }
  if (kept && (high_is_bad ? *kept >= *value : *kept <= *value)) return;
  kept = value;
  into.reading.clock = clock;
  into.reading.detail.clear();
  if (row.size_class && row.operation) {
    into.reading.detail = fmt::format("{} of {}", name(*row.operation),
                                      format_bytes(size_class_top(*row.size_class)));
    if (row.algorithm != Algorithm::unknown)
      into.reading.detail += fmt::format(", {}", name(row.algorithm));
  }
}

}  // namespace

bool absence_is_zero(const Term& term) { return term.source == RowSource::in_flight; }

std::string subject_key(const Subject& s) {
  const auto number = [](const std::optional<int>& value) {
    return value ? fmt::format("{}", *value) : std::string("-");
  };
  // Lengths first: no name can pretend to be two.
  return fmt::format("{}/{}/{}/{}:{}/{}:{}/{}:{}", number(s.rank), number(s.peer), number(s.device),
                     s.link.size(), s.link, s.communicator.size(), s.communicator,
                     s.operation.size(), s.operation);
}

std::vector<TermReading> read_term(const Term& term, bool high_is_bad, const Snapshot& snapshot) {
  std::map<std::string, Sum> groups;
  visit_rows(term, snapshot, [&](const Row& row) {
    const bool counts_all = term.source == RowSource::in_flight && !row.operation;  // the 0
    Subject subject;
    if ((!counts_all && !passes(term, row, snapshot)) || !name_group(term, row, snapshot, subject))
      return;
    Sum& group = groups[subject_key(subject)];
    group.reading.subject = std::move(subject);
    add(group, term, row, high_is_bad);
  });
  std::vector<TermReading> out;
  for (auto& [key, group] : groups) {
    // Of all its operations, not of its worst row.
    if (term.figure == Figure::success_rate)
      group.reading.value =
          group.counts.count > 0 ? std::optional(group.counts.success_rate()) : std::nullopt;
    out.push_back(std::move(group.reading));
  }
  return out;
}

}  // namespace peerscope
