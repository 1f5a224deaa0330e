#include "metrics/openmetrics.hpp"

#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "metrics/collect.hpp"
#include "metrics/document.hpp"
#include "metrics/scene_for_test.hpp"
#include "metrics/settings.hpp"
#include "metrics/words.hpp"

namespace peerscope {
namespace {

using testing::HasSubstr;
using testing::Not;

// Sample lines: "name{labels}" -> value.
std::map<std::string, double> samples(const std::string& text) {
  std::map<std::string, double> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with('#')) continue;
    const std::size_t space = line.rfind(' ');
    EXPECT_TRUE(out.emplace(line.substr(0, space), std::stod(line.substr(space + 1))).second)
        << "twice: " << line;
  }
  return out;
}

bool is_counter(const std::string& sample) {
  const std::string name = sample.substr(0, sample.find('{'));
  for (const char* end : {"_total", "_bucket", "_count", "_sum"}) {
    if (name.ends_with(end)) return true;
  }
  return false;
}

void expect_no_counter_falls(const std::map<std::string, double>& before,
                             const std::map<std::string, double>& now) {
  for (const auto& [sample, value] : before) {
    if (!is_counter(sample)) continue;
    const auto later = now.find(sample);
    ASSERT_NE(later, now.end()) << sample << " is gone";
    EXPECT_GE(later->second, value) << sample;
  }
}

std::string text_of(const Snapshot& snapshot, MetricsOptions options = {}) {
  return openmetrics(snapshot, options, {});
}

double value_of(const std::string& text, const std::string& sample) {
  const auto all = samples(text);
  const auto found = all.find(sample);
  EXPECT_NE(found, all.end()) << sample;
  return found == all.end() ? -1 : found->second;
}

TEST(OpenMetrics, OfNothingSaysNothingThatIsUnknown) {
  const std::string text = text_of({});
  EXPECT_THAT(text, testing::EndsWith("# EOF\n"));
  EXPECT_THAT(text, Not(HasSubstr("peerscope_overhead_ratio")));
  EXPECT_THAT(text, Not(HasSubstr("peerscope_operations_total")));
  EXPECT_THAT(text, Not(HasSubstr("peerscope_in_flight_oldest_age_seconds")));
  EXPECT_THAT(text, HasSubstr("\npeerscope_findings{severity=\"critical\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("\npeerscope_in_flight 0\n"));
}

TEST(OpenMetrics, CountsWhatTheAggregatesCount) {
  MetricsScene scene;
  scene.step();
  const auto snapshot = scene.step();
  const auto all = samples(text_of(*snapshot));
  double operations = 0, errors = 0, pair_bytes = 0;
  for (const auto& [sample, value] : all) {
    if (sample.starts_with("peerscope_operations_total{")) operations += value;
    if (sample.starts_with("peerscope_operation_errors_total{")) errors += value;
    if (sample.starts_with("peerscope_pair_bytes_total{")) pair_bytes += value;
  }
  EXPECT_EQ(operations, static_cast<double>(snapshot->aggregates->totals.operations));
  EXPECT_EQ(errors, static_cast<double>(snapshot->aggregates->totals.errors));
  EXPECT_EQ(errors, 2);
  EXPECT_EQ(pair_bytes, 2 * 12 * 65'536);
}

TEST(OpenMetrics, HistogramsAreCumulativeAndAgreeWithTheirCount) {
  MetricsScene scene;
  const auto snapshot = scene.step();
  const std::string text = text_of(*snapshot);
  const std::string labels = "operation=\"all_reduce\",algorithm=\"ring\",clock=\"device\"";
  const std::string name = "peerscope_operation_duration_seconds";
  // 100 operations of 40 us on the device: between 32.767 and 65.535 us.
  EXPECT_EQ(value_of(text, name + "_bucket{" + labels + ",le=\"3.2767e-05\"}"), 0);
  EXPECT_EQ(value_of(text, name + "_bucket{" + labels + ",le=\"6.5535e-05\"}"), 100);
  EXPECT_EQ(value_of(text, name + "_bucket{" + labels + ",le=\"+Inf\"}"), 100);
  EXPECT_EQ(value_of(text, name + "_count{" + labels + "}"), 100);
  EXPECT_DOUBLE_EQ(value_of(text, name + "_sum{" + labels + "}"), 0.004);
}

TEST(OpenMetrics, CountersNeverFallFromOneSnapshotToTheNext) {
  MetricsScene scene;
  SeriesChoice choice;
  std::map<std::string, double> before;
  for (int i = 0; i < 160; ++i) {  // 80 s: everything passes through all windows
    const auto now = samples(openmetrics(*scene.step(), {}, {}, &choice));
    expect_no_counter_falls(before, now);
    before = now;
  }
}

// Which rank is busiest changes all the time, and new ones come.
void add_busy_ranks(Aggregator& aggregator, int step, std::int64_t now_ns) {
  std::vector<Op> ops;
  for (int i = 0; i < 400; ++i) {
    const int rank = (i * (7 + step) + step * 131) % (64 * (step + 1)) % 1024;
    Op op{.begin_ns = now_ns,
          .host_duration_ns = 1'000 + 997 * i,
          .bytes = std::uint64_t(1) << (i % 20)};
    op.comm = 11 + static_cast<std::uint64_t>(i % 3);
    op.rank = static_cast<std::uint16_t>(rank);
    op.peer = static_cast<std::uint16_t>((rank + 1) % 1024);
    op.kind = i % 2 == 0 ? Kind::send : static_cast<Kind>(i % 17);
    op.algorithm = static_cast<Algorithm>(i % 5);
    ops.push_back(op);
  }
  aggregator.add(ops);
}

TEST(OpenMetrics, GroupsOfOneNameKeepTheirSeriesApart) {
  SeriesChoice choice;
  const auto named = [&](bool rising) {
    metrics::MetricSet set;
    for (const auto& [family, rows] :
         {std::pair("peerscope_user_a", 3), {"peerscope_user_b", 100}}) {
      metrics::Group group{"user", metrics::Rest::drop, {"rank"}, {{family, {}, "."}}, {}};
      for (int i = 0; i < rows; ++i)
        group.rows.push_back({{std::to_string(i)}, double(rising ? i : rows - i), {1.0}});
      set.groups.push_back(std::move(group));
    }
    metrics::limit(set, 1000, &choice);
    std::set<std::string> out;
    for (const metrics::Row& row : set.groups[1].rows) out.insert(row.labels[0]);
    return out;
  };
  const std::set<std::string> first = named(true);
  EXPECT_FALSE(first.empty());
  EXPECT_LT(first.size(), 50U);
  EXPECT_EQ(named(false), first);
}

TEST(OpenMetrics, CountersNeverFallWhileSeriesAreLeftOut) {
  MetricsScene scene;
  SeriesChoice choice;
  MetricsOptions options;
  options.max_series = 600;
  std::map<std::string, double> before;
  for (int i = 0; i < 16; ++i) {
    add_busy_ranks(scene.aggregator(), i, scene.now_ns());
    const auto now = samples(openmetrics(*scene.step(), options, {}, &choice));
    EXPECT_LE(now.size(), 600U);
    expect_no_counter_falls(before, now);
    before = now;
  }
  EXPECT_GT(before.at("peerscope_series_left_out"), 1000);
}

// 4,096 cells and 1,024 ranks of a large job.
std::shared_ptr<const Snapshot> large_job(std::size_t findings) {
  Aggregator aggregator;
  std::vector<Op> ops;
  std::vector<Arrival> arrivals;
  for (std::uint16_t rank = 0; rank < 1024; ++rank) {
    for (std::uint64_t size = 0; size < 4; ++size) {
      Op op{.begin_ns = 1'000'000, .host_duration_ns = 5'000, .bytes = std::uint64_t{4096} << size};
      op.comm = 1;
      op.rank = rank;
      op.ranks = 1024;
      op.peer = static_cast<std::uint16_t>(rank ^ 1);
      op.kind = size % 2 == 0 ? Kind::send : Kind::all_reduce;
      ops.push_back(op);
    }
    arrivals.push_back({1'000'000 + rank, 2'000'000, rank, OpStatus::ok});
  }
  aggregator.advance(3'000'000);
  aggregator.add(ops);
  aggregator.add({.comm = 1,
                  .bytes = 4096,
                  .first_ns = 1'000'000,
                  .last_ns = 1'001'023,
                  .end_ns = 2'000'000,
                  .ranks = 1024,
                  .first_rank = 0,
                  .last_rank = 1023,
                  .kind = Kind::all_reduce,
                  .complete = true,
                  .arrivals = arrivals});
  auto snapshot = std::make_shared<Snapshot>();
  snapshot->aggregates = aggregator.snapshot(4'000'000);
  for (std::size_t i = 0; i < findings; ++i) {
    Finding finding;
    finding.kind = "straggler";
    finding.subject.rank = static_cast<int>(i);
    finding.severity = i % 100 == 0 ? Severity::critical : Severity::warning;
    snapshot->findings.push_back(finding);
    ProcessView process;
    process.pid = static_cast<std::uint32_t>(i);
    process.session = "s" + std::to_string(i);
    snapshot->processes.push_back(process);
    MetricView metric;
    metric.name = "m" + std::to_string(i);
    snapshot->metrics.push_back(metric);
  }
  return snapshot;
}

TEST(OpenMetrics, SeriesStayInBoundsWhateverTheJobDoes) {
  const auto snapshot = large_job(3000);
  EXPECT_EQ(snapshot->aggregates->cells.size(), 4096U);
  EXPECT_EQ(snapshot->aggregates->ranks.size(), 1024U);
  for (const std::size_t most : {200, 2'000, 50'000}) {
    MetricsOptions options;
    options.max_series = most;
    options.nccl_names = options.dcgm_names = true;
    const std::string text = text_of(*snapshot, options);
    const auto all = samples(text);
    EXPECT_LE(all.size(), most);
    EXPECT_EQ(all.at("peerscope_series_limit"), static_cast<double>(most));
    EXPECT_GT(all.at("peerscope_series_left_out"), 0);
  }
}

MachineReading eight_gpus() {
  MachineReading reading;
  for (int i = 0; i < 8; ++i) {
    DeviceReading device;
    device.index = i;
    device.uuid = std::to_string(i);
    device.nvlink = {1e9, 1e9, RateSource::counters};
    device.pcie.rate = {1e9, 1e9, RateSource::driver};
    device.power_w = 300;
    reading.devices.push_back(device);
  }
  return reading;
}

// Tensor and data parallel, and every pair.
void add_training(Aggregator& aggregator) {
  constexpr std::tuple<std::uint64_t, Kind, Algorithm> kCalls[] = {
      {1, Kind::all_reduce, Algorithm::ring},
      {1, Kind::all_gather, Algorithm::ring},
      {1, Kind::reduce_scatter, Algorithm::ring},
      {2, Kind::all_reduce, Algorithm::nvls},
      {2, Kind::broadcast, Algorithm::tree}};
  std::vector<Op> ops;
  Op op{.begin_ns = 1'000'000, .host_duration_ns = 5'000, .bytes = 4096};
  op.ranks = 8;
  for (op.rank = 0; op.rank < 8; ++op.rank) {
    op.device = op.rank;
    op.device_duration_ns = 9'000;
    for (const auto& [comm, kind, algorithm] : kCalls) {
      op.comm = comm;
      op.kind = kind;
      op.algorithm = algorithm;
      ops.push_back(op);
    }
    op.kind = Kind::send;
    op.algorithm = Algorithm::direct;
    for (op.peer = 0; op.peer < 8; ++op.peer)
      if (op.peer != op.rank) ops.push_back(op);
    op.peer = kNoPeer;
  }
  aggregator.add(ops);
}

TEST(OpenMetrics, AMachineOfEightGpusHasAllItsSeries) {
  Aggregator aggregator;
  aggregator.advance(3'000'000);
  add_training(aggregator);
  MachineTally tally;
  MachineReading reading = eight_gpus();
  tally.add(reading);
  reading.at_ns = 1'000'000'000;
  tally.add(reading);
  Snapshot snapshot;
  snapshot.aggregates = aggregator.snapshot(4'000'000);
  snapshot.machine = std::make_shared<MachineSummary>(tally.summary());
  for (std::uint32_t pid = 1; pid <= 8; ++pid) {
    snapshot.processes.emplace_back().pid = pid;
    snapshot.processes.back().session = "s";
  }
  const auto all = samples(text_of(snapshot));
  EXPECT_EQ(all.at("peerscope_series_left_out"), 0);
  EXPECT_TRUE(all.contains("peerscope_pair_bytes_total{communicator=\"2\",from=\"7\",to=\"6\"}"));
  EXPECT_TRUE(all.contains("peerscope_device_power_watts{device=\"7\"}"));
}

TEST(OpenMetrics, WhatIsLeftOutAddsUpInOther) {
  const auto snapshot = large_job(0);
  const auto all = samples(text_of(*snapshot));
  double operations = 0;
  for (const auto& [sample, value] : all)
    if (sample.starts_with("peerscope_operations_total{")) operations += value;
  EXPECT_EQ(operations, 4096);
  EXPECT_GT(all.at("peerscope_operations_total{operation=\"other\",algorithm=\"other\","
                   "communicator=\"other\",rank=\"other\"}"),
            3000);
}

TEST(OpenMetrics, TheWorstFindingsAreKept) {
  const auto snapshot = large_job(3000);
  std::size_t critical = 0;
  for (const auto& [sample, value] : samples(text_of(*snapshot)))
    critical +=
        sample.starts_with("peerscope_finding{") && sample.find("critical") != std::string::npos;
  EXPECT_GE(critical, 10U);
}

TEST(OpenMetrics, LabelsFromOutsideAreEscapedAndValid) {
  Snapshot snapshot;
  Finding finding;
  finding.kind = "a\"b\\c\nd\r<script>";
  finding.subject.communicator = "bad \xC3( \xED\xA0\x80 good \xC3\xA9";
  finding.subject.operation = std::string(1000, 'x');
  snapshot.findings = {finding};
  const std::string text = text_of(snapshot);
  EXPECT_THAT(text, HasSubstr("kind=\"a\\\"b\\\\c\\nd\xEF\xBF\xBD<script>\""));
  EXPECT_THAT(
      text,
      HasSubstr(
          "communicator=\"bad \xEF\xBF\xBD( \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD good \xC3\xA9\""));
  EXPECT_THAT(text, Not(HasSubstr(std::string(300, 'x'))));
}

TEST(Words, LabelValuesAreUtf8OfBoundedLength) {
  for (int seed = 0; seed < 2000; ++seed) {
    std::uint32_t state = static_cast<std::uint32_t>(seed) * 2654435761u + 1;
    std::string text;
    for (int i = 0; i < seed % 400; ++i) {
      state = state * 1664525u + 1013904223u;
      text += static_cast<char>(state >> 24);
    }
    const std::string value = metrics::label_value(text);
    EXPECT_LE(value.size(), metrics::kLongestLabel);
    EXPECT_EQ(metrics::label_value(value), value) << "what is valid stays as it is";
  }
}

TEST(OpenMetrics, UserMetricsThatReadAlikeStayApart) {
  Snapshot snapshot;
  for (const char* name : {"a.b", "a_b", "A b", "a_b_total"}) {
    MetricView metric;
    metric.name = name;
    metric.value = 1;
    snapshot.metrics.push_back(metric);
  }
  snapshot.metrics.back().type = MetricType::counter;
  snapshot.metrics.push_back({});
  const auto all = samples(text_of(snapshot));
  for (const char* sample :
       {"peerscope_user_a_b{metric=\"a.b\"}", "peerscope_user_a_b{metric=\"a_b\"}",
        "peerscope_user_a_b{metric=\"A b\"}",
        "peerscope_user_a_b_as_counter_total{metric=\"a_b_total\"}", "peerscope_user_unnamed"})
    EXPECT_TRUE(all.contains(sample)) << sample;
}

TEST(OpenMetrics, CommunicatorsOfOneNameStayApart) {
  MetricsScene scene;
  const std::string text = text_of(*scene.step());
  EXPECT_THAT(text, HasSubstr("communicator=\"tp\""));
  EXPECT_THAT(text, HasSubstr("communicator=\"tp (b)\""));
}

TEST(OpenMetrics, NamesOfOthersOnlyWhereTheyAreWanted) {
  MetricsScene scene;
  const auto snapshot = scene.step();
  EXPECT_THAT(text_of(*snapshot), Not(HasSubstr("nccl_bus")));
  EXPECT_THAT(text_of(*snapshot), Not(HasSubstr("DCGM")));
  MetricsOptions options;
  options.nccl_names = options.dcgm_names = true;
  options.host = "node7";
  const std::string text = text_of(*snapshot, options);
  // 4.5 MB in 40 us, two ranks: 112.5 GB/s times 2(n-1)/n = 1.
  EXPECT_NEAR(
      value_of(
          text,
          "nccl_bus_bandwidth_gbs{version=\"peerscope\",slurm_job_id=\"unknown\","
          "node=\"node7\",gpu=\"GPU1\",comm_name=\"nccl \\\"world\\\"\",n_nodes=\"1\",nranks=\"2\","
          "collective=\"AllReduce\",message_size=\"4-5MB\",algo_proto=\"RING_UNKNOWN\"}"),
      112.5, 1e-9);
  EXPECT_EQ(value_of(text,
                     "DCGM_FI_PROF_NVLINK_TX_BYTES{gpu=\"1\",UUID=\"GPU-1\","
                     "pci_bus_id=\"00000000:05:00.0\",device=\"nvidia1\","
                     "modelName=\"NVIDIA H100 80GB HBM3\",Hostname=\"node7\"}"),
            2e9);
}

TEST(OpenMetrics, PoolsAreNamedByRankAndPool) {
  MetricsScene scene;
  const std::string text = text_of(*scene.step());
  EXPECT_EQ(value_of(text, "peerscope_pool_used_bytes{rank=\"1\"}"), 985);
  EXPECT_EQ(value_of(text, "peerscope_pool_capacity_bytes{pool=\"tp\",rank=\"3\"}"), 4096);
  EXPECT_THAT(text, Not(HasSubstr("peerscope_user_pool")));
}

TEST(OpenMetrics, WhatTheServerDoesNotKnowIsAbsent) {
  ServerFigures server;
  server.streams = 4;
  server.requests = {{200, 10}, {404, 2}};
  const std::string text = openmetrics({}, {}, server);
  EXPECT_EQ(value_of(text, "peerscope_server_streams"), 4);
  EXPECT_EQ(value_of(text, "peerscope_server_requests_total{code=\"404\"}"), 2);
  EXPECT_THAT(text, Not(HasSubstr("peerscope_server_memory_bytes")));
  EXPECT_THAT(text, Not(HasSubstr("peerscope_push")));
}

TEST(PrometheusText, NamesSamplesInsteadOfFamilies) {
  MetricsScene scene;
  const auto snapshot = scene.step();
  const std::string text = prometheus_text(*snapshot, {}, {});
  EXPECT_THAT(text, HasSubstr("# TYPE peerscope_operations_total counter\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE peerscope_session_info gauge\n"));
  EXPECT_THAT(text, Not(HasSubstr("# UNIT")));
  EXPECT_EQ(samples(text), samples(text_of(*snapshot)));
}

TEST(Metrics, EachFamilyIsNamedOnceAndHasHelp) {
  MetricsOptions options;
  options.nccl_names = options.dcgm_names = true;
  std::set<std::string> names;
  for (const metrics::Group& group : metrics::collect({}, options, {}, nullptr).groups) {
    for (const metrics::Family& family : group.families) {
      EXPECT_TRUE(names.insert(family.name).second) << family.name;
      EXPECT_THAT(family.help, testing::EndsWith(".")) << family.name;
      EXPECT_FALSE(family.name.ends_with("_total")) << family.name;
    }
  }
  EXPECT_GT(names.size(), 80U);
}

TEST(Metrics, TheirPageIsUpToDate) {
  std::ostringstream page;
  page << std::ifstream(PSCOPE_SOURCE_DIR "/docs/metrics.md").rdbuf();
  EXPECT_TRUE(page.str() == metrics_markdown())
      << "docs/metrics.md differs from the code; run ./dev docs";
}

TEST(Metrics, DefaultsAreTheSchemas) {
  const MetricsOptions options = metrics_options(Config(), "host", "12");
  EXPECT_EQ(options.max_series, MetricsOptions().max_series);
  EXPECT_FALSE(options.nccl_names || options.dcgm_names);
  EXPECT_EQ(options.host, "host");
  const auto push = otlp_options(Config(), options);
  ASSERT_TRUE(push);
  EXPECT_FALSE(*push);
  const auto config = load_text(
      "[metrics]\notlp_url = \"http://c:4318\"\notlp_headers = [\"authorization=Bearer a=b\"]",
      "t");
  ASSERT_TRUE(config) << config.error().message;
  const auto wanted = otlp_options(*config, options);
  ASSERT_TRUE(wanted && *wanted);
  EXPECT_EQ((*wanted)->interval_ns, OtlpOptions().interval_ns);
  EXPECT_EQ((*wanted)->headers[0],
            std::pair(std::string("authorization"), std::string("Bearer a=b")));
  const auto wrong =
      otlp_options(*config->with({"metrics.otlp_headers", "s3cret", "test"}), options);
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, Not(HasSubstr("s3cret")));
}

}  // namespace
}  // namespace peerscope
