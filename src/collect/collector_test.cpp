// What a process records comes back exactly: values, sequences, levels, what is open, what the user
// measures.
#include "collect/collector.hpp"

#include <algorithm>
#include <thread>

#include <gtest/gtest.h>

#include "collect/collector_for_test.hpp"
#include "record/finished.hpp"

namespace peerscope {
namespace {

TEST(Collector, GivesBackWhatWasRecorded) {
  const RuntimeDir dir;
  const TestSession session(dir);
  pscope_op op{};
  op.bytes = 123'456'789'012;
  op.sequence = 0x0000'1234'5678'9ABC;
  op.comm = session.comm(0xFEED'0000'BEEF, 3, 8, 5);
  op.stream = pscope_stream_register(session, 0x77, 5, "nccl");
  op.peer = 6;
  op.kind = PSCOPE_KIND_REDUCE_SCATTER;
  op.algorithm = PSCOPE_ALGORITHM_NVLS_TREE;
  op.protocol = PSCOPE_PROTOCOL_LL128;
  op.dtype = PSCOPE_DTYPE_F8E5M2;
  record(session, op, PSCOPE_STATUS_PEER_LOST);
  Reader reader(dir);
  reader.poll_all();
  ASSERT_EQ(reader.keeper.ops.size(), 1u);
  const Op& back = reader.keeper.ops[0];
  EXPECT_EQ(back.bytes, op.bytes);
  EXPECT_EQ(back.sequence, op.sequence);
  EXPECT_EQ(back.comm, 0xFEED'0000'BEEFu);
  EXPECT_EQ(back.rank, 3);
  EXPECT_EQ(back.ranks, 8);
  EXPECT_EQ(back.device, 5);
  EXPECT_EQ(back.backend, Backend::host);
  EXPECT_EQ(back.stream, op.stream);
  EXPECT_EQ(back.peer, 6);
  EXPECT_EQ(back.kind, Kind::reduce_scatter);
  EXPECT_EQ(back.algorithm, Algorithm::nvls_tree);
  EXPECT_EQ(back.protocol, Protocol::ll128);
  EXPECT_EQ(back.dtype, Dtype::f8e5m2);
  EXPECT_EQ(back.status, OpStatus::peer_lost);
  EXPECT_EQ(back.weight, 1u);
  EXPECT_FALSE(back.async);
  EXPECT_FALSE(back.device_only);
  EXPECT_EQ(back.device_duration_ns, kUnknownNs);
}

TEST(Collector, SaysWhoTheProcessIs) {
  const RuntimeDir dir;
  const TestSession session(dir, PSCOPE_LEVEL_COMPREHENSIVE);
  record(session, operation(PSCOPE_KIND_SEND, 0, 100), PSCOPE_STATUS_ERROR);
  Reader reader(dir);
  reader.poll_all();
  const ProcessStatus status = reader.status();
  EXPECT_EQ(status.pid, static_cast<std::uint32_t>(getpid()));
  EXPECT_EQ(status.name, "test");
  EXPECT_EQ(status.session, "job");
  EXPECT_EQ(status.path, pscope_segment_path(session));
  EXPECT_EQ(status.state, ProcessState::live);
  EXPECT_EQ(status.level, Level::comprehensive);
  EXPECT_EQ(status.operations, 1u);
  EXPECT_EQ(status.bytes, 100u);
  EXPECT_EQ(status.errors, 1u);
  EXPECT_EQ(status.threads, 1u);
  EXPECT_GT(status.pair_cost_ns, 0);
  EXPECT_TRUE(reader.collector.any_live());
}

TEST(Collector, TimesOperationsOnTheMonotonicClock) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const auto before = static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC));
  const pscope_op op = operation(PSCOPE_KIND_SEND);
  const pscope_token token = pscope_op_begin(session, &op);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  pscope_op_end(session, token, PSCOPE_STATUS_OK);
  const auto after = static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC));
  Reader reader(dir);
  reader.poll_all();
  const Op& back = reader.keeper.ops.at(0);
  EXPECT_GE(back.begin_ns, before - 200'000);
  EXPECT_LE(back.begin_ns + back.host_duration_ns, after + 200'000);
  EXPECT_GE(back.host_duration_ns, 4'950'000);
}

TEST(Collector, TimesAreTheSameByTheKernelsClock) {
  const RuntimeDir dir;
  setenv("PEERSCOPE_CLOCK", "monotonic", 1);
  const TestSession kernel(dir);
  unsetenv("PEERSCOPE_CLOCK");
  const TestSession counter(dir);
  const pscope_op op = operation(PSCOPE_KIND_SEND);
  record(kernel, op);
  record(counter, op);
  const pscope_token outer = pscope_op_begin(kernel, &op);
  const pscope_token inner = pscope_op_begin(counter, &op);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  pscope_op_end(counter, inner, PSCOPE_STATUS_OK);
  pscope_op_end(kernel, outer, PSCOPE_STATUS_OK);
  Reader reader(dir);
  reader.poll_all();
  std::int64_t duration[2] = {};
  std::int64_t begin[2] = {};
  for (const Op& back : reader.keeper.ops) {
    const bool kernels = reader.status(back.process).clock == ClockSource::monotonic;
    duration[kernels ? 0 : 1] = std::max(duration[kernels ? 0 : 1], back.host_duration_ns);
    begin[kernels ? 0 : 1] = std::max(begin[kernels ? 0 : 1], back.begin_ns);
  }
  // Within the time that the thread may have been off the processor between the two calls.
  EXPECT_NEAR(static_cast<double>(duration[0]), static_cast<double>(duration[1]), 10e6);
  EXPECT_NEAR(static_cast<double>(begin[0]), static_cast<double>(begin[1]), 10e6);
  EXPECT_GE(duration[1], 19'900'000);
}

TEST(Sequence, IsCountedPerCommunicatorCollectivesAndOthersApart) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const std::uint16_t first = session.comm(1);
  const std::uint16_t second = session.comm(2);
  for (const int kind : {PSCOPE_KIND_ALL_REDUCE, PSCOPE_KIND_SEND, PSCOPE_KIND_BARRIER}) {
    record(session, operation(kind, first));
  }
  for (const int kind : {PSCOPE_KIND_BROADCAST, PSCOPE_KIND_COMPUTE})
    record(session, operation(kind, second));
  record(session, operation(PSCOPE_KIND_RECV, first));
  Reader reader(dir);
  reader.poll_all();
  std::vector<std::uint64_t> sequences;
  for (const Op& op : reader.keeper.ops) sequences.push_back(op.sequence);
  EXPECT_EQ(sequences, (std::vector<std::uint64_t>{0, 0, 1, 0, 0, 1}));
}

TEST(Level, BasicSamplesTheSameSequencesOnAllRanksWithTheirWeight) {
  const RuntimeDir dir;
  const TestSession session(dir, PSCOPE_LEVEL_BASIC);
  const std::uint16_t ranks[2] = {session.comm(1, 0), session.comm(1, 1)};
  for (int i = 0; i < 640; ++i) {
    for (const std::uint16_t rank : ranks) record(session, operation(PSCOPE_KIND_ALL_REDUCE, rank));
  }
  Reader reader(dir);
  reader.poll_all();
  EXPECT_EQ(reader.status().operations, 1280u);
  ASSERT_EQ(reader.keeper.ops.size(), 20u);
  for (const Op& op : reader.keeper.ops) EXPECT_EQ(op.weight, 64u);
  ASSERT_EQ(reader.keeper.collectives.size(), 10u);
  for (const JoinedCollective& c : reader.keeper.collectives) {
    EXPECT_TRUE(c.head.complete);
    EXPECT_EQ(c.head.weight, 64u);
    EXPECT_EQ(c.head.sequence % 64, 0u);
  }
}

TEST(Level, ComprehensiveAddsPhasesAndCallSites) {
  const RuntimeDir dir;
  const TestSession session(dir, PSCOPE_LEVEL_COMPREHENSIVE);
  const std::uint16_t reduce = pscope_name(session, "reduce");
  const std::uint16_t gather = pscope_name(session, "gather");
  pscope_op op = operation(PSCOPE_KIND_ALL_REDUCE, session.comm(4, 1));
  op.sequence = 9;
  op.call_site =
      reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(&pscope_version) + 1);
  const pscope_token token = pscope_op_begin(session, &op);
  pscope_op_phase(session, token, reduce);
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  pscope_op_phase(session, token, gather);
  pscope_op_end(session, token, PSCOPE_STATUS_OK);
  Reader reader(dir);
  reader.poll_all();
  ASSERT_EQ(reader.keeper.phases.size(), 2u);
  const PhaseMark& first = reader.keeper.phases[0];
  const PhaseMark& second = reader.keeper.phases[1];
  EXPECT_EQ(reader.collector.text(0, first.name), "reduce");
  EXPECT_EQ(reader.collector.text(0, second.name), "gather");
  EXPECT_EQ(second.sequence, 9u);
  EXPECT_EQ(second.comm, 4u);
  EXPECT_EQ(second.rank, 1);
  EXPECT_EQ(second.kind, Kind::all_reduce);
  EXPECT_NEAR(static_cast<double>(first.begin_ns + first.duration_ns),
              static_cast<double>(second.begin_ns), 2);
  EXPECT_GE(second.duration_ns, 1'900'000);
  ASSERT_EQ(reader.keeper.call_sites.size(), 1u);
  const std::string site = reader.collector.text(0, reader.keeper.call_sites[0].name);
  EXPECT_TRUE(site.starts_with("collect_test!")) << site;
  EXPECT_NE(site.find("+0x"), std::string::npos) << site;
}

TEST(Level, ComprehensiveNamesTheCallerWhoGivesNoCallSiteAlsoFromAnotherThread) {
  const RuntimeDir dir;
  const TestSession session(dir, PSCOPE_LEVEL_COMPREHENSIVE);
  const pscope_op op = operation(PSCOPE_KIND_SEND);
  record(session, op);
  const pscope_token token = pscope_op_begin(session, &op);
  std::thread([&] { pscope_op_end(session, token, PSCOPE_STATUS_OK); }).join();
  Reader reader(dir);
  reader.poll_all();
  ASSERT_EQ(reader.keeper.call_sites.size(), 2u);
  for (const CallSite& site : reader.keeper.call_sites) {
    EXPECT_TRUE(reader.collector.text(0, site.name).starts_with("collect_test!"));
  }
}

TEST(Level, DetailedAddsNeither) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const pscope_op op = operation(PSCOPE_KIND_SEND);
  const pscope_token token = pscope_op_begin(session, &op);
  pscope_op_phase(session, token, 1);
  pscope_op_end(session, token, PSCOPE_STATUS_OK);
  Reader reader(dir);
  reader.poll_all();
  EXPECT_EQ(reader.keeper.ops.size(), 1u);
  EXPECT_TRUE(reader.keeper.phases.empty());
  EXPECT_TRUE(reader.keeper.call_sites.empty());
}

TEST(Level, CanBeSetFromOutside) {
  const RuntimeDir dir;
  const TestSession session(dir, PSCOPE_LEVEL_OFF);
  Reader reader(dir);
  record(session, operation(PSCOPE_KIND_SEND));
  EXPECT_EQ(reader.collector.set_level(Level::detailed), 1);
  EXPECT_EQ(pscope_get_level(session), PSCOPE_LEVEL_DETAILED);
  record(session, operation(PSCOPE_KIND_RECV));
  reader.poll_all();
  ASSERT_EQ(reader.keeper.ops.size(), 1u);
  EXPECT_EQ(reader.keeper.ops[0].kind, Kind::recv);
}

TEST(InFlight, ShowsWhatHasBegunAndNotEnded) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const pscope_op op = operation(PSCOPE_KIND_ALL_REDUCE, session.comm(8, 1), 4096);
  const pscope_token token = pscope_op_begin(session, &op);
  Reader reader(dir);
  reader.poll_all();
  const auto now = static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC));
  const std::vector<InFlight> open = reader.collector.in_flight(now);
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(open[0].op.kind, Kind::all_reduce);
  EXPECT_EQ(open[0].op.rank, 1);
  EXPECT_EQ(open[0].op.bytes, 4096u);
  EXPECT_EQ(open[0].op.host_duration_ns, kUnknownNs);
  EXPECT_EQ(open[0].pid, static_cast<std::uint32_t>(getpid()));
  EXPECT_NE(open[0].tid, 0u);
  EXPECT_NEAR(static_cast<double>(open[0].op.begin_ns + open[0].age_ns), static_cast<double>(now),
              1.0);
  EXPECT_FALSE(open[0].enqueued);
  pscope_op_end(session, token, PSCOPE_STATUS_OK);
  EXPECT_TRUE(reader.collector.in_flight(now).empty());
}

TEST(InFlight, KeepsAnAsynchronousOperationUntilItCompletesOnAnyThread) {
  const RuntimeDir dir;
  const TestSession session(dir);
  pscope_op op = operation(PSCOPE_KIND_ALL_REDUCE, session.comm(8));
  op.async = 1;
  Reader reader(dir);
  for (int round = 0; round < 2; ++round) {
    const pscope_token token = pscope_op_begin(session, &op);
    EXPECT_FALSE(reader.collector.in_flight(0).at(0).enqueued);
    pscope_op_end(session, token, PSCOPE_STATUS_OK);
    EXPECT_TRUE(reader.collector.in_flight(0).at(0).enqueued);
    const auto complete = [&] { pscope_op_complete(session, token, PSCOPE_STATUS_TIMEOUT); };
    round == 0 ? complete() : std::thread(complete).join();
    EXPECT_TRUE(reader.collector.in_flight(0).empty());
  }
  reader.poll_all();
  ASSERT_EQ(reader.keeper.ops.size(), 2u);
  EXPECT_TRUE(reader.keeper.ops[0].async);
  ASSERT_EQ(reader.keeper.completions.size(), 2u);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(reader.keeper.completions[i].sequence, i);
    EXPECT_EQ(reader.keeper.completions[i].comm, 8u);
    EXPECT_EQ(reader.keeper.completions[i].status, OpStatus::timeout);
    EXPECT_EQ(reader.keeper.completions[i].begin_ns, reader.keeper.ops[i].begin_ns);
    EXPECT_GE(reader.keeper.completions[i].duration_ns, reader.keeper.ops[i].host_duration_ns);
  }
  EXPECT_EQ(reader.status().errors, 2u);
}

// As NCCL's host events are: the source learns of the enqueue only.
TEST(InFlight, ShowsWhoWaitsInAnEnqueuedCollectiveForARankThatHasNotCome) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const std::uint16_t comms[]{session.comm(8, 0, 2, 4), session.comm(8, 1, 2, 5)};
  const auto enqueue = [&](std::size_t rank) {
    pscope_op op = operation(PSCOPE_KIND_ALL_REDUCE, comms[rank], 4096);
    op.async = 1;
    const pscope_token token = pscope_op_begin(session, &op);
    pscope_op_end(session, token, PSCOPE_STATUS_OK);
    pscope_op_complete(session, token, PSCOPE_STATUS_OK);
  };
  Reader reader(dir);
  enqueue(0);
  enqueue(1);
  enqueue(0);
  reader.poll_all();
  const auto later_ns = static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)) + 2'000'000'000;
  const std::vector<InFlight> open = reader.collector.in_flight(later_ns);
  ASSERT_EQ(open.size(), 1u);
  EXPECT_EQ(open[0].op.rank, 0);
  EXPECT_EQ(open[0].op.sequence, 1u);
  EXPECT_EQ(open[0].op.bytes, 4096u);
  EXPECT_EQ(open[0].op.device, 4);
  EXPECT_EQ(open[0].pid, static_cast<std::uint32_t>(getpid()));
  EXPECT_TRUE(open[0].enqueued);
  EXPECT_GE(open[0].age_ns, 2'000'000'000);
  enqueue(1);
  reader.poll_all();
  EXPECT_TRUE(reader.collector.in_flight(later_ns).empty());
}

TEST(DeviceTimes, AreTiedToTheHostsClock) {
  const RuntimeDir dir;
  const TestSession session(dir);
  // The device's clock began 5 s later and runs at half the speed.
  pscope_device_clock(session, 2, 1'000'000, 5'000'000'000, 5'000'000'000);
  pscope_device_clock(session, 2, 2'000'000, 5'002'000'000, 5'002'000'000);
  const pscope_device_times times{17,
                                  1'500'000,
                                  1'600'000,
                                  4096,
                                  session.comm(3, 1),
                                  2,
                                  PSCOPE_KIND_ALL_REDUCE,
                                  PSCOPE_ALGORITHM_RING,
                                  11};
  pscope_op_device_times(session, &times);
  Reader reader(dir);
  reader.poll_all();
  const Op& op = reader.keeper.ops.at(0);
  EXPECT_TRUE(op.device_only);
  EXPECT_EQ(op.device_begin_ns, 5'001'000'000);
  EXPECT_EQ(op.device_duration_ns, 100'000);
  EXPECT_EQ(op.host_duration_ns, kUnknownNs);
  EXPECT_EQ(op.sequence, 17u);
  EXPECT_EQ(op.comm, 3u);
  EXPECT_EQ(op.rank, 1);
  EXPECT_EQ(op.bytes, 4096u);
  EXPECT_EQ(op.channel, 11);
  EXPECT_EQ(op.algorithm, Algorithm::ring);
  EXPECT_TRUE(reader.keeper.collectives.empty());
}

// What only the device has told of: counted, with no time of the host's.
TEST(DeviceTimes, OfACopyNameItsDestinationAndAnObservedOperationHasNoHostTime) {
  const RuntimeDir dir;
  const TestSession session(dir);
  Recorder& recorder = *as_recorder(session);
  pscope_op op{};
  op.bytes = 64;
  op.sequence = 9;
  op.comm = session.comm(3, 1);
  op.peer = 2;
  op.kind = PSCOPE_KIND_COPY;
  record_observed(recorder, op, ticks_now(recorder.clock));
  const pscope_device_times times{9, 1000, 3000, 64, op.comm, 0, PSCOPE_KIND_COPY, 0, 2};
  pscope_op_device_times(session, &times);
  Reader reader(dir);
  reader.poll_all();
  ASSERT_EQ(reader.keeper.ops.size(), 2u);
  const Op& observed = reader.keeper.ops[0];
  EXPECT_FALSE(observed.device_only);
  EXPECT_TRUE(observed.async);
  EXPECT_EQ(observed.host_duration_ns, kUnknownNs);
  EXPECT_EQ(observed.peer, 2);
  const Op& device = reader.keeper.ops[1];
  EXPECT_TRUE(device.device_only);
  EXPECT_EQ(device.peer, 2);
  EXPECT_EQ(device.channel, 0);
  EXPECT_EQ(device.device_duration_ns, 2000);
}

TEST(Event, CarriesNameSeverityCommunicatorAndValue) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const std::uint16_t comm = session.comm(3);
  pscope_event(session, PSCOPE_SEVERITY_WARNING, pscope_name(session, "retry"), comm, -42);
  Reader reader(dir);
  reader.poll_all();
  const Event& event = reader.keeper.events.at(0);
  EXPECT_EQ(reader.collector.text(0, event.name), "retry");
  EXPECT_EQ(event.severity, PSCOPE_SEVERITY_WARNING);
  EXPECT_EQ(event.comm, comm);
  EXPECT_EQ(event.value, -42);
  EXPECT_NEAR(static_cast<double>(event.at_ns), static_cast<double>(clock_ns(CLOCK_MONOTONIC)),
              5e9);
}

TEST(Metrics, ComeBackWithNameUnitAndValue) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const pscope_metric counter = pscope_counter(session, "requests", "1");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10'000; ++n) pscope_counter_add(session, counter, 3);
    });
  }
  for (std::thread& thread : threads) thread.join();
  pscope_gauge_set(session, pscope_gauge(session, "load", "%"), -2.25);
  Reader reader(dir);
  const std::vector<MetricValue> metrics = reader.collector.metrics();
  ASSERT_EQ(metrics.size(), 2u);
  EXPECT_EQ(metrics[0].name, "requests");
  EXPECT_EQ(metrics[0].unit, "1");
  EXPECT_EQ(metrics[0].value, 120'000);
  EXPECT_EQ(metrics[1].type, MetricKind::gauge);
  EXPECT_EQ(metrics[1].value, -2.25);
}

TEST(Metrics, QuantilesOfAHistogramAreWithinASixteenth) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const pscope_metric histogram = pscope_histogram(session, "wait", "ns");
  std::vector<std::uint64_t> values;
  std::uint64_t state = 1;
  for (int i = 0; i < 10'000; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    values.push_back((state >> 33) >> (state >> 60));
    pscope_histogram_observe(session, histogram, values.back());
  }
  std::sort(values.begin(), values.end());
  Reader reader(dir);
  const MetricValue metric = reader.collector.metrics().at(0);
  EXPECT_EQ(metric.count, 10'000u);
  const auto p50 = static_cast<double>(values[4999]);
  const auto p99 = static_cast<double>(values[9899]);
  EXPECT_NEAR(metric.p50, p50, p50 / 16 + 1);
  EXPECT_NEAR(metric.p99, p99, p99 / 16 + 1);
}

TEST(Collector, ReadsOnlyTheSessionAndProcessAskedFor) {
  const RuntimeDir dir;
  const TestSession session(dir);
  const auto own = static_cast<std::uint32_t>(getpid());
  const auto count = [&](const std::vector<std::string>& names, std::uint32_t pid) {
    Reader reader(CollectorOptions{.dirs = {dir.path()}, .sessions = names, .pid = pid});
    return reader.collector.process_count();
  };
  EXPECT_EQ(count({}, 0), 1u);
  EXPECT_EQ(count({"x", "job"}, own), 1u);
  EXPECT_EQ(count({"another"}, 0), 0u);
  EXPECT_EQ(count({}, own + 1), 0u);
}

TEST(Collector, ListsEachCommunicatorOnce) {
  const RuntimeDir dir;
  const TestSession session(dir);
  session.comm(5, 0);
  session.comm(5, 1);
  session.comm(6, 0, 4);
  Reader reader(dir);
  const std::vector<CommInfo> comms = reader.collector.communicators();
  ASSERT_EQ(comms.size(), 2u);
  EXPECT_EQ(comms[0].id, 5u);
  EXPECT_EQ(comms[0].name, "tp");
  EXPECT_EQ(comms[1].ranks, 4);
}

TEST(Collector, JoinsRanksOfOneProcess) {
  const RuntimeDir dir;
  const TestSession session(dir);
  std::vector<std::thread> ranks;
  for (std::uint32_t rank = 0; rank < 4; ++rank) {
    const std::uint16_t comm = session.comm(1, rank, 4);
    ranks.emplace_back(
        [&session, comm] { record(session, operation(PSCOPE_KIND_ALL_REDUCE, comm), 0, 500); });
  }
  for (std::thread& rank : ranks) rank.join();
  Reader reader(dir);
  reader.poll_all();
  ASSERT_EQ(reader.keeper.collectives.size(), 500u);
  for (const JoinedCollective& c : reader.keeper.collectives)
    EXPECT_TRUE(c.head.complete && !c.head.mismatch);
}

TEST(Collector, EndsAPollThoughTheWriterGoesOn) {
  const RuntimeDir dir;
  const TestSession session(dir);
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&] {
      while (!stop.load()) record(session, operation(PSCOPE_KIND_SEND));
    });
  }
  Reader reader(dir);
  for (int i = 0; i < 20; ++i) {
    reader.keeper.ops.clear();
    reader.collector.poll();
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
  reader.poll_all();
  const ProcessStatus status = reader.status();
  EXPECT_EQ(status.delivered + status.lost + status.before, status.recorded);
}

}  // namespace
}  // namespace peerscope
