// Communicators, their ranks, and what goes from rank to rank.
#include <algorithm>

#include "analyze/direction.hpp"
#include "analyze/flat_index.hpp"
#include "metrics/collect.hpp"

namespace peerscope::metrics {
namespace {

using enum FamilyType;

struct PairSums {
  std::uint64_t comm = 0;
  std::uint16_t from = kNoRank, to = kNoRank;
  Counts sent, received;  // as its two ends recorded it
};

// From cells: a PairRow shows the end that recorded more, and may change from one end to the other.
std::vector<PairSums> pair_sums(const std::vector<CellRow>& cells) {
  std::vector<PairSums> pairs;
  FlatIndex index;
  for (const CellRow& cell : cells) {
    const Direction way = direction(cell.kind, cell.rank, cell.peer);
    if (cell.other || !way.known()) continue;
    const FlatKey key{std::uint64_t{way.from} | std::uint64_t{way.to} << 16, cell.comm};
    std::uint32_t at = index.find(key);
    if (at == FlatIndex::kAbsent) {
      at = static_cast<std::uint32_t>(pairs.size());
      index.insert(key, at);
      pairs.push_back({cell.comm, way.from, way.to, {}, {}});
    }
    Counts& sum = way.by_sender ? pairs[at].sent : pairs[at].received;
    sum.count += cell.count;
    sum.bytes += cell.bytes;
    sum.errors += cell.errors;
  }
  return pairs;
}

Group pair_counters() {
  return {"pairs",
          Rest::sum,
          {"communicator", "from", "to"},
          {{"peerscope_pair_bytes", counter, "Bytes from one rank to another."},
           {"peerscope_pair_operations", counter, "Operations between them."}},
          {}};
}

Group pair_gauges() {
  return {"pair_rates",
          Rest::drop,
          {"communicator", "from", "to", "clock"},
          {{"peerscope_pair_throughput_bytes_per_second", gauge,
            "Bytes from one rank to another over time, of the last 10 s."},
           {"peerscope_pair_bandwidth_bytes_per_second", gauge,
            "Of the pair's transfers that moved most: mean size over median time, since start."}},
          {}};
}

}  // namespace

void add_communicators(const Source& source, MetricSet& out) {
  Group group{"communicators",
              Rest::drop,
              {"communicator", "backend"},
              {{"peerscope_communicator_ranks", gauge, "Ranks of a communicator."},
               {"peerscope_communicator_complete_collectives", counter,
                "Collectives of which all ranks were seen."},
               {"peerscope_communicator_incomplete_collectives", counter,
                "Collectives given up because ranks were not seen in them."},
               {"peerscope_communicator_mismatched_collectives", counter,
                "Collectives in which ranks called different operations or sizes."},
               {"peerscope_communicator_communication_seconds", counter,
                "What all ranks together spent in collectives, host clock."},
               {"peerscope_communicator_waiting_seconds", counter,
                "Of that: until the last rank had arrived."},
               {"peerscope_communicator_waiting_ratio", gauge,
                "Waiting over communication, of the last 10 s."},
               {"peerscope_communicator_arrival_skew_median_seconds", gauge,
                "Median time from first to last arrival, of the last 10 s, host clock."},
               {"peerscope_communicator_transfer_median_seconds", gauge,
                "Median time from last arrival to the end, of the last 10 s, host clock."}},
              {}};
  if (source.snapshot.aggregates) {
    for (const CommunicatorRow& row : source.snapshot.aggregates->communicators) {
      const CommunicatorStats& all = row.windows.in(Window::all);
      const CommunicatorStats& now = row.windows.in(Window::ten_seconds);
      const Value ranks = row.ranks > 0 ? Value(std::uint64_t{row.ranks}) : Value();
      group.rows.push_back(
          {{source.communicator(row.id), std::string(name(row.backend))},
           static_cast<double>(all.bytes) + static_cast<double>(all.count),
           {ranks, all.complete, all.incomplete, all.mismatched,
            seconds_since_start(all.communication_ns), seconds_since_start(all.waiting_ns),
            ratio(now.waiting_share()), seconds(now.skew_p50_ns), seconds(now.transfer_p50_ns)}});
    }
  }
  out.groups.push_back(std::move(group));
}

void add_ranks(const Source& source, MetricSet& out) {
  Group group{
      "ranks",
      Rest::sum,
      {"communicator", "rank"},
      {{"peerscope_rank_last_arrivals", counter,
        "Collectives in which a rank alone was the last to arrive."},
       {"peerscope_rank_missing_collectives", counter,
        "Collectives given up in which it was not seen."},
       {"peerscope_rank_waited_for_seconds", counter,
        "What other ranks waited while it was the last."},
       {"peerscope_rank_waiting_seconds", counter, "What it waited for others."},
       {"peerscope_rank_communication_seconds", counter,
        "What it spent in collectives, host clock."},
       {"peerscope_rank_lateness_median_seconds", gauge,
        "Its arrival less the others' median arrival, of the last moments; negative: early."}},
      {}};
  if (source.snapshot.aggregates) {
    for (const RankRow& row : source.snapshot.aggregates->ranks) {
      const RankStats& all = row.windows.in(Window::all);
      if (all.collectives + all.missing == 0) continue;
      const Value lateness =
          row.recent.lateness_samples > 0 ? Value(row.recent.lateness_p50_ns / 1e9) : Value();
      group.rows.push_back({{source.communicator(row.comm), number(row.rank, kNoRank)},
                            all.waited_for_ns,
                            {all.last, all.missing, seconds_since_start(all.waited_for_ns),
                             seconds_since_start(all.wait_ns),
                             seconds_since_start(all.communication_ns), lateness}});
    }
  }
  out.groups.push_back(std::move(group));
}

void add_pairs(const Source& source, MetricSet& out) {
  Group counters = pair_counters(), gauges = pair_gauges();
  if (source.snapshot.aggregates) {
    for (const PairSums& pair : pair_sums(source.snapshot.aggregates->cells)) {
      const std::uint64_t bytes = std::max(pair.sent.bytes, pair.received.bytes);
      const std::uint64_t count = std::max(pair.sent.count, pair.received.count);
      counters.rows.push_back(
          {{source.communicator(pair.comm), std::to_string(pair.from), std::to_string(pair.to)},
           static_cast<double>(bytes),
           {bytes, count}});
    }
    for (const PairRow& row : source.snapshot.aggregates->pairs) {
      const Traffic& now = row.windows.in(Window::ten_seconds);
      gauges.rows.push_back(
          {{source.communicator(row.comm), std::to_string(row.from), std::to_string(row.to),
            row.clock == Clock::none ? "" : name(row.clock)},
           static_cast<double>(row.windows.in(Window::all).bytes),
           {rate(now.bytes_per_s()), rate(row.bandwidth_bytes_per_s)}});
    }
  }
  out.groups.push_back(std::move(counters));
  out.groups.push_back(std::move(gauges));
}

void add_device_traffic(const Source& source, MetricSet& out) {
  Group group{"device_traffic",
              Rest::drop,
              {"device"},
              {{"peerscope_device_operation_bytes", counter, "Bytes of operations on a device."},
               {"peerscope_device_operations", counter, "Operations on a device."}},
              {}};
  if (source.snapshot.aggregates) {
    for (const DeviceRow& row : source.snapshot.aggregates->devices) {
      const Traffic& all = row.windows.in(Window::all);
      group.rows.push_back({{number(row.device, kNoDevice)},
                            static_cast<double>(all.bytes),
                            {all.bytes, all.count}});
    }
  }
  out.groups.push_back(std::move(group));
}

}  // namespace peerscope::metrics
