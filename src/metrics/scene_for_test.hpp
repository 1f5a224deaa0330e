// A job with a bit of everything, for tests: what a Snapshot of it says moves on with each step.
#pragma once

#include <memory>

#include "analyze/machine.hpp"
#include "analyze/snapshot.hpp"
#include "analyze/workload_for_test.hpp"

namespace peerscope {

class MetricsScene {
 public:
  explicit MetricsScene(const AggregatorOptions& options = {})
      : aggregator_(options), workload_({.compute_ns = 2'000'000}, 1) {}

  // Half a second more of it.
  std::shared_ptr<const Snapshot> step() {
    ++steps_;
    workload_.run(aggregator_, 500'000'000);
    add_nccl();
    add_pairs();
    tally_.add(reading());
    return snapshot();
  }
  [[nodiscard]] Aggregator& aggregator() { return aggregator_; }
  [[nodiscard]] std::int64_t now_ns() const { return workload_.now_ns(); }

  std::shared_ptr<Snapshot> snapshot() {
    auto out = std::make_shared<Snapshot>();
    out->now_ns = now_ns();
    out->real_offset_ns = 1'700'000'000'000'000'000;
    out->aggregates = aggregator_.snapshot(now_ns());
    out->machine = std::make_shared<MachineSummary>(tally_.summary());
    out->communicators = {{7, "tp"}, {9, "nccl \"world\""}, {11, "tp"}};
    ProcessView live;
    live.pid = 101;
    live.name = "python3";
    live.session = "s1";
    live.operations = live.recorded = 1000 * steps_;
    live.delivered = 998 * steps_;
    live.lost = 2 * steps_;
    live.bytes = 16384 * steps_;
    live.overhead_fraction = 0.003;
    ProcessView dead = live;
    dead.pid = 102;
    dead.state = ProcessState::dead;
    out->processes = {live, dead};
    out->in_flight = {
        {.op = {.comm = 7, .rank = 2, .kind = Kind::all_reduce}, .age_ns = 1'500'000'000}};
    const auto steps = static_cast<double>(steps_);
    const auto metric = [&](const char* name, const char* unit, MetricType type, double value) {
      MetricView& view = out->metrics.emplace_back();
      view.name = name;
      view.unit = unit;
      view.type = type;
      view.value = value;
    };
    metric("tokens", "", MetricType::counter, 128 * steps);
    metric("queue.depth", "requests", MetricType::gauge, 3);
    metric("batch size", "", MetricType::histogram, 8);
    out->metrics.back().count = 10 * steps_;
    out->metrics.back().p50 = 8;
    out->metrics.back().p99 = 16;
    metric("pool.used_bytes", "B", MetricType::gauge, 985);
    out->metrics.back().rank = 1;
    metric("pool.rank3.tp.used_bytes", "B", MetricType::gauge, 1024);
    metric("pool.rank3.tp.capacity_bytes", "B", MetricType::gauge, 4096);
    out->phases = {{Kind::all_reduce, "wait", 40 * steps_, 2'000, 9'000, 90'000.0 * steps}};
    out->trace = {"run.pscope", 1000 * steps_, 4000 * steps_, 0, false, kUnknownNs, ""};
    out->overhead_fraction = 0.003;
    out->delivered = 998 * steps_;
    out->lost = 2 * steps_;
    Finding finding;
    finding.kind = "straggler";
    finding.subject.rank = 2;
    finding.subject.communicator = "tp";
    finding.sentence = "Rank 2 arrives late.";
    finding.confidence = 0.99;
    finding.impact = 0.4;
    out->findings = {finding};
    return out;
  }

 private:
  void add_nccl() {
    std::vector<Op> ops;
    for (std::uint16_t rank = 0; rank < 2; ++rank) {
      for (std::uint64_t i = 0; i < 50; ++i) {
        ops.push_back(
            {.begin_ns = now_ns() - 400'000'000 + static_cast<std::int64_t>(i) * 1'000'000,
             .host_duration_ns = 4'000,
             .device_begin_ns = now_ns() - 399'000'000 + static_cast<std::int64_t>(i) * 1'000'000,
             .device_duration_ns = 40'000,
             .bytes = 4'500'000,
             .sequence = sequence_ + i,
             .comm = 9,
             .rank = rank,
             .ranks = 2,
             .device = rank,
             .kind = Kind::all_reduce,
             .algorithm = Algorithm::ring,
             .backend = Backend::nccl,
             .async = true});
      }
    }
    aggregator_.add(ops);
    sequence_ += 50;
  }

  void add_pairs() {
    std::vector<Op> ops;
    for (std::uint16_t from = 0; from < 4; ++from) {
      for (std::uint16_t to = 0; to < 4; ++to) {
        if (from == to) continue;
        const bool fails = from == 1 && to == 3;
        ops.push_back({.begin_ns = now_ns() - 100'000'000,
                       .host_duration_ns = 20'000,
                       .bytes = 65'536,
                       .comm = 11,
                       .rank = from,
                       .ranks = 4,
                       .peer = to,
                       .kind = Kind::send,
                       .algorithm = Algorithm::direct,
                       .status = fails ? OpStatus::timeout : OpStatus::ok,
                       .backend = Backend::host});
      }
    }
    aggregator_.add(ops);
  }

  [[nodiscard]] MachineReading reading() const {
    MachineReading out;
    out.at_ns = now_ns();
    out.took_ns = 3'000'000;
    out.driver_version = "570.86";
    for (int i = 0; i < 2; ++i) {
      DeviceReading device;
      device.index = i;
      device.name = "NVIDIA H100 80GB HBM3";
      device.uuid = "GPU-" + std::to_string(i);
      device.pci_bus_id = "00000000:0" + std::to_string(i + 4) + ":00.0";
      device.minor = static_cast<unsigned>(i);
      device.links.resize(2);
      device.links[0].active = true;
      device.links[1].active = i == 0;
      device.links[0].errors.replay = steps_ - 1;
      device.nvlink = {2e9, 1e9, RateSource::counters};
      device.pcie.rate = {1e8, 2e8, RateSource::driver};
      device.pcie.generation = 5;
      device.pcie.width = 16;
      device.pcie.max_width = 16;
      device.power_w = 310.5;
      device.temperature_c = 61;
      device.sm_clock_mhz = 1980;
      device.utilisation_percent = 87;
      device.memory_used_bytes = 1ull << 34;
      device.memory_total_bytes = 80ull << 30;
      device.clock_reasons = 0;
      out.devices.push_back(std::move(device));
    }
    if (steps_ == 2) out.xids.push_back({1, 79, out.at_ns, 0});
    return out;
  }

  Aggregator aggregator_;
  Workload workload_;
  MachineTally tally_;
  std::uint64_t steps_ = 0, sequence_ = 0;
};

}  // namespace peerscope
