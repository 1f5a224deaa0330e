// A moment that never was: four ranks, one of them late, a slow pair, a GPU that is not read.
#pragma once

#include <memory>

#include "tui/pages.hpp"

namespace peerscope::tui {

inline Distribution times(double p50_ns) {
  Distribution d;
  d.count = 1000;
  d.mean_ns = d.p50_ns = p50_ns;
  d.p90_ns = 1.5 * p50_ns;
  d.p99_ns = 4 * p50_ns;
  d.p999_ns = 9 * p50_ns;
  return d;
}

inline OperationRow operation(Kind kind, std::uint8_t size, double p50_ns, std::uint64_t count) {
  OperationRow row;
  row.kind = kind;
  row.size_class = size;
  row.algorithm = Algorithm::ring;
  row.ranks = 4;
  for (OperationStats& s : row.windows) {
    s.count = count;
    s.bytes = count << (size - 1);
    s.span_ns = 10'000'000'000;
    s.host = times(p50_ns);
    s.transfer = times(p50_ns / 2);
    s.skew = times(p50_ns / 4);
    s.bandwidth_clock = Clock::host;
    s.busbw_bytes_per_s = 1.5e9;
  }
  return row;
}

inline void add_ranks(Aggregates& all) {
  for (std::uint16_t rank = 0; rank < 4; ++rank) {
    RankRow row;
    row.comm = 7;
    row.rank = rank;
    for (RankStats& s : row.windows) {
      s.count = 48'000;
      s.span_ns = 10'000'000'000;
      s.collectives = s.lateness_samples = 12'000;
      s.last = rank == 2 ? 11'500 : 160;
      s.lateness_p50_ns = rank == 2 ? 214'000 : -1'200;
      s.lateness_p99_ns = rank == 2 ? 380'000 : 9'000;
      s.communication_ns = 5e9;
      s.wait_ns = rank == 2 ? 2e7 : 3.6e9;
      s.waiting_share = rank == 2 ? 0.71 : 0.004;
    }
    if (rank == 2) row.late_since_ns = 3'000'000'000;
    all.ranks.push_back(row);
  }
}

inline void add_pairs(Aggregates& all, std::uint16_t ranks) {
  for (std::uint16_t from = 0; from < ranks; ++from) {
    for (std::uint16_t to = 0; to < ranks; ++to) {
      if (from == to) continue;
      PairRow row;
      row.comm = 7;
      row.from = from;
      row.to = to;
      row.kind = Kind::send;
      row.samples = 500;
      row.p50_ns = 20'000;
      row.clock = Clock::host;
      row.bandwidth_bytes_per_s = from == 1 && to == 3 ? 6.1e9 : 24e9;
      for (Traffic& t : row.windows) {
        t.count = 500;
        t.span_ns = 10'000'000'000;
        t.bytes = from == 1 && to == 3 ? 61'000'000'000
                                       : 230'000'000'000 + 3'000'000'000ULL * (from + to);
      }
      all.pairs.push_back(row);
    }
  }
}

inline std::shared_ptr<const Aggregates> aggregates_for_test(std::uint16_t pair_ranks) {
  auto all = std::make_shared<Aggregates>();
  all->totals.operations = 192'844;
  for (Traffic& t : all->totals.windows) {
    t.count = 192'844;
    t.bytes = 12'000'000'000;
    t.span_ns = 10'000'000'000;
  }
  all->operations = {operation(Kind::all_reduce, 15, 228'000, 191'540),
                     operation(Kind::gather, 17, 240'000, 1'204),
                     operation(Kind::barrier, 0, 9'000, 100)};
  all->operations[1].windows.in(Window::ten_seconds).errors = 3;
  CommunicatorRow comm;
  comm.id = 7;
  comm.ranks = 4;
  for (CommunicatorStats& s : comm.windows) {
    s.communication_ns = 20e9;
    s.waiting_ns = 14.2e9;
  }
  all->communicators.push_back(comm);
  add_ranks(*all);
  add_pairs(*all, pair_ranks);
  return all;
}

inline std::vector<Finding> findings_for_test() {
  Finding late;
  late.kind = "straggler";
  late.subject.rank = 2;
  late.sentence =
      "Rank 2 arrives 214 µs late since 1.2 s ago: 71 % of communication time is waiting for it.";
  late.action = "peerscope debug trace --rank 2";
  late.confidence = 0.99;
  late.impact = 0.71;
  late.since_ns = 3'000'000'000;
  late.evidence = {{"skew_p50_host_ns", 214'000}, {"waiting_share", 0.71}};
  Finding slow;
  slow.kind = "low_bandwidth_pair";
  slow.severity = Severity::critical;
  slow.subject.rank = 1;
  slow.subject.peer = 3;
  slow.sentence = "Rank 1 sends to rank 3 at 6.1 GB/s, the other pairs at 24 GB/s.";
  slow.action = "peerscope devices";
  slow.confidence = 0.9;
  slow.evidence = {{"bandwidth_bytes_per_s", 6.1e9}};
  return {slow, late};
}

inline std::shared_ptr<const MachineReading> reading_for_test() {
  auto reading = std::make_shared<MachineReading>();
  DeviceReading good;
  good.index = 0;
  good.name = "NVIDIA H200";
  good.utilisation_percent = 87;
  good.memory_used_bytes = 96ULL << 30;
  good.memory_total_bytes = 141ULL << 30;
  good.links.resize(18);
  for (LinkReading& link : good.links) {
    link.active = true;
    link.errors.replay = 0;
  }
  good.nvlink = {182e9, 180e9, RateSource::counters};
  good.pcie.rate = {1.2e9, 0.4e9, RateSource::driver};
  good.pcie.replays = 2;
  good.power_w = 612;
  good.temperature_c = 61;
  good.sm_clock_mhz = 1980;
  good.clock_reasons = 0;
  DeviceReading lost;
  lost.index = 1;
  lost.trouble = "nvmlDeviceGetHandleByIndex: GPU is lost (15)";
  reading->devices = {good, lost};
  return reading;
}

inline void add_processes(Snapshot& snapshot) {
  for (std::uint32_t rank = 0; rank < 4; ++rank) {
    ProcessView p;
    p.pid = 4711 + rank;
    p.name = "train.py";
    p.session = "llama-4711";
    p.level = Level::detailed;
    p.operations = 48'211;
    p.delivered = 48'211;
    p.lost = rank == 3 ? 12 : 0;
    p.overhead_fraction = 0.003;
    p.pair_cost_ns = 41;
    p.threads = 2;
    p.segment_bytes = 3 << 20;
    p.created_real_ns = 1'700'000'000'000'000'000;
    p.last_sign_ns = 4'000'000'000;
    snapshot.processes.push_back(p);
  }
  snapshot.lost = 12;
}

inline void add_in_flight(Snapshot& snapshot) {
  for (std::uint16_t rank = 0; rank < 3; ++rank) {
    InFlight open;
    open.op.kind = Kind::all_reduce;
    open.op.comm = 7;
    open.op.sequence = 12'001;
    open.op.rank = rank;
    open.op.ranks = 4;
    open.op.bytes = 16'384;
    open.op.process = rank;
    open.op.begin_ns = 2'000'000'000;
    open.pid = 4711U + rank;
    open.age_ns = 2'200'000'000;
    snapshot.in_flight.push_back(open);
  }
  snapshot.events = {{1'000'000'000, 2, "checkpoint written", 4711, 12},
                     {3'500'000'000, 3, "loss is rising", 4713, 0}};
}

inline Scene scene_for_test(std::uint16_t pair_ranks = 4) {
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->now_ns = 4'200'000'000;
  snapshot->real_offset_ns = 1'700'000'000'000'000'000;
  snapshot->aggregates = aggregates_for_test(pair_ranks);
  snapshot->communicators = {{7, "tp"}};
  snapshot->findings = findings_for_test();
  snapshot->overhead_fraction = 0.003;
  add_processes(*snapshot);
  add_in_flight(*snapshot);
  return {snapshot, reading_for_test(), "llama-4711"};
}

// Rates that rose and fell again.
inline History history_for_test(const Scene& scene) {
  History history;
  for (int i = 0; i < 60; ++i) {
    Snapshot past = *scene.snapshot;
    auto all = std::make_shared<Aggregates>(*past.aggregates);
    const auto level = static_cast<std::uint64_t>(i < 40 ? i : 80 - i);
    Traffic& total = all->totals.windows.in(Window::second);
    total.bytes = level * 1'000'000'000;
    total.count = level * 1'000;
    for (OperationRow& row : all->operations) row.windows.in(Window::second).count = 100 + level;
    past.aggregates = all;
    history.add(past);
  }
  return history;
}

}  // namespace peerscope::tui
