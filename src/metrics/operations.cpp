// What operations were done, how long they took, and how many failed.
#include <fmt/format.h>

#include "analyze/flat_index.hpp"
#include "metrics/collect.hpp"
#include "model/size_class.hpp"

namespace peerscope::metrics {
namespace {

using enum FamilyType;

struct Work {
  const CellRow* first = nullptr;  // of those it adds up
  Counts counts;
};

// Cells by operation, algorithm, communicator and rank: sizes, devices and peers together.
std::vector<Work> work_by_rank(const std::vector<CellRow>& cells) {
  std::vector<Work> works;
  FlatIndex index;
  for (const CellRow& cell : cells) {
    const FlatKey key{static_cast<std::uint64_t>(cell.kind) |
                          static_cast<std::uint64_t>(cell.algorithm) << 8 |
                          std::uint64_t{cell.rank} << 16 | std::uint64_t{cell.other} << 32,
                      cell.comm};
    std::uint32_t at = index.find(key);
    if (at == FlatIndex::kAbsent) {
      at = static_cast<std::uint32_t>(works.size());
      index.insert(key, at);
      works.push_back({&cell, {}});
    }
    Counts& sum = works[at].counts;
    sum.count += cell.count;
    sum.bytes += cell.bytes;
    sum.errors += cell.errors;
  }
  return works;
}

void add_histogram(const Source& source, Group& group, const DurationRow& row,
                   const DurationCounts& counts, const char* clock) {
  const std::uint64_t count = counts.count();
  if (count == 0) return;
  group.rows.push_back({{std::string(name(row.kind)), std::string(name(row.algorithm)), clock},
                        static_cast<double>(count),
                        {Durations(source.snapshot.aggregates, &counts)},
                        row.other});
}

Group histogram_group(const char* group_name, Family family) {
  return {group_name, Rest::sum, {"operation", "algorithm", "clock"}, {std::move(family)}, {}};
}

}  // namespace

void add_operations(const Source& source, MetricSet& out) {
  Group group{"operations",
              Rest::sum,
              {"operation", "algorithm", "communicator", "rank"},
              {{"peerscope_operations", counter, "Operations done, as each rank counts them."},
               {"peerscope_operation_bytes", counter, "Bytes of these operations."},
               {"peerscope_operation_errors", counter, "Operations that did not end well."}},
              {}};
  if (source.snapshot.aggregates) {
    for (const Work& work : work_by_rank(source.snapshot.aggregates->cells)) {
      const CellRow& cell = *work.first;
      group.rows.push_back(
          {{std::string(name(cell.kind)), std::string(name(cell.algorithm)),
            source.communicator(cell.comm), number(cell.rank, kNoRank)},
           static_cast<double>(work.counts.bytes) + static_cast<double>(work.counts.count),
           {work.counts.count, work.counts.bytes, work.counts.errors},
           cell.other});
    }
  }
  out.groups.push_back(std::move(group));
}

void add_durations(const Source& source, MetricSet& out) {
  Group duration = histogram_group(
      "durations",
      {"peerscope_operation_duration_seconds", histogram,
       "How long operations took. Clock host: around the call, of an asynchronous one its enqueue; "
       "device: on the device."});
  Group transfer = histogram_group("transfers", {"peerscope_collective_transfer_seconds", histogram,
                                                 "Collectives from the last rank's arrival to the "
                                                 "end; clock device: the shortest rank's time."});
  Group skew = histogram_group("skews", {"peerscope_collective_arrival_skew_seconds", histogram,
                                         "Collectives from the first rank's arrival to the last; "
                                         "clock device: what ranks waited there."});
  if (source.snapshot.aggregates) {
    for (const DurationRow& row : source.snapshot.aggregates->durations) {
      add_histogram(source, duration, row, row.host, "host");
      add_histogram(source, duration, row, row.device, "device");
      add_histogram(source, transfer, row, row.transfer, "host");
      add_histogram(source, transfer, row, row.device_transfer, "device");
      add_histogram(source, skew, row, row.skew, "host");
      add_histogram(source, skew, row, row.device_wait, "device");
    }
  }
  for (Group* group : {&duration, &transfer, &skew}) out.groups.push_back(std::move(*group));
}

void add_bandwidths(const Source& source, MetricSet& out) {
  Group group{
      "bandwidths",
      Rest::drop,
      {"operation", "algorithm", "size", "clock"},
      {{"peerscope_algbw_bytes_per_second", gauge,
        "Size over median time, of the last 10 s, as nccl-tests define it. size: at most so "
        "many bytes."},
       {"peerscope_busbw_bytes_per_second", gauge,
        "The same times nccl-tests' factor of the operation."}},
      {}};
  if (source.snapshot.aggregates) {
    for (const OperationRow& row : source.snapshot.aggregates->operations) {
      const OperationStats& stats = row.windows.in(Window::ten_seconds);
      if (row.other || stats.bandwidth_clock == Clock::none) continue;
      group.rows.push_back(
          {{std::string(name(row.kind)), std::string(name(row.algorithm)),
            std::to_string(size_class_top(row.size_class)), name(stats.bandwidth_clock)},
           static_cast<double>(stats.bytes),
           {rate(stats.algbw_bytes_per_s), rate(stats.busbw_bytes_per_s)}});
    }
  }
  out.groups.push_back(std::move(group));
}

void add_failures(const Source& source, MetricSet& out) {
  Group group{"failures",
              Rest::sum,
              {"operation", "status", "communicator", "rank"},
              {{"peerscope_operation_failures", counter,
                "Operations that did not end well, by how they ended."}},
              {}};
  if (source.snapshot.aggregates) {
    for (const ErrorRow& row : source.snapshot.aggregates->errors) {
      const std::uint64_t count = row.windows.in(Window::all).count;
      group.rows.push_back({{std::string(name(row.kind)), std::string(name(row.status)),
                             source.communicator(row.comm), number(row.rank, kNoRank)},
                            static_cast<double>(count),
                            {count}});
    }
  }
  out.groups.push_back(std::move(group));
}

void add_totals(const Source& source, MetricSet& out) {
  Group group{"totals",
              Rest::drop,
              {},
              {{"peerscope_collectives", counter,
                "Collectives of which all ranks were joined, or given up."},
               {"peerscope_operations_without_cell", counter,
                "Operations whose key found no row of its own (monitor.max_cells): in row other."}},
              {}};
  if (source.snapshot.aggregates) {
    const Totals& totals = source.snapshot.aggregates->totals;
    group.rows.push_back({{}, 0, {totals.collectives, totals.overflowed}});
  }
  out.groups.push_back(std::move(group));
}

}  // namespace peerscope::metrics
