#include "trace/import/import.hpp"

#include <algorithm>
#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace peerscope {
namespace {

using testing::HasSubstr;

class Collected final : public ImportSink {
 public:
  void on_ops(std::span<const Op> more) override {
    ops.insert(ops.end(), more.begin(), more.end());
  }
  void on_mark(const Mark&) override {}
  void on_meta(const TraceMeta& m) override { meta = m; }
  std::vector<Op> ops;
  TraceMeta meta;
};

Result<ImportCounts> import_text(const char* format, std::string_view text, Collected& into,
                                 const std::string& name = "file") {
  std::size_t at = 0;
  const ByteSource source = [&](std::span<char> out) {
    const std::size_t n =
        std::min({out.size(), text.size() - at, std::size_t{7}});  // in small pieces
    std::memcpy(out.data(), text.data() + at, n);
    at += n;
    return n;
  };
  return find_importer(format)->run(source, {name}, into);
}

// As NCCL 2.30's Inspector writes them.
constexpr const char* kInspector =
    R"({"header":{"id":"0x7f8f496ae9f661","rank":2,"n_ranks":8,"nnodes":1},"metadata":{"inspector_output_format_version":"v4.0","git_rev":"","rec_mechanism":"nccl_profiler_interface","dump_timestamp_us":1748030377748202,"hostname":"node-1","pid":1639453},"coll_perf":{"coll":"AllReduce","coll_sn":1407,"coll_msg_size_bytes":17179869184,"coll_exec_time_us":61974,"coll_timing_source":"kernel_gpu","coll_algobw_gbs":277.2,"coll_busbw_gbs":485.1}})"
    "\n"
    R"({"header":{"id":"0x7f8f496ae9f661","rank":3,"n_ranks":8,"nnodes":1},"metadata":{"dump_timestamp_us":1748030377748300,"hostname":"node-1","pid":1639454},"coll_perf":{"coll":"AllGather","coll_sn":1408,"coll_msg_size_bytes":1024,"coll_exec_time_us":12.5,"coll_timing_source":"collective_cpu","coll_algobw_gbs":0.6,"coll_busbw_gbs":0.5}})"
    "\n"
    R"({"header":{"id":"0x7f8f496ae9f661","rank":3,"n_ranks":8,"nnodes":1},"metadata":{"dump_timestamp_us":1748030377748400,"hostname":"node-1","pid":1639454},"p2p_perf":{"p2p":"Send","p2p_sn":5,"p2p_peer":1,"p2p_msg_size_bytes":4096,"p2p_exec_time_us":9,"p2p_timing_source":"kernel_gpu","p2p_algobw_gbs":0.4,"p2p_busbw_gbs":0.4}})"
    "\n";

TEST(ImportInspector, ReadsCollectivesAndTransfers) {
  Collected got;
  const auto counts = import_text("inspector", kInspector, got);
  ASSERT_TRUE(counts) << counts.error().message;
  ASSERT_EQ(got.ops.size(), 3u);
  EXPECT_EQ(got.ops[0].kind, Kind::all_reduce);
  EXPECT_EQ(got.ops[0].comm, 0x7f8f496ae9f661u);
  EXPECT_EQ(got.ops[0].sequence, 1407u);
  EXPECT_EQ(got.ops[0].device_duration_ns, 61'974'000);
  EXPECT_EQ(got.ops[0].host_duration_ns, kUnknownNs);
  EXPECT_EQ(got.ops[0].begin_ns, 1748030377748202000);
  EXPECT_EQ(got.ops[1].bytes, 8192u);  // NCCL counts a rank's share, nccl-tests the whole
  EXPECT_EQ(got.ops[1].host_duration_ns, 12'500);
  EXPECT_EQ(got.ops[1].device_duration_ns, kUnknownNs);
  EXPECT_EQ(got.ops[2].kind, Kind::send);
  EXPECT_EQ(got.ops[2].peer, 1u);
  EXPECT_EQ(got.meta.processes.size(), 2u);
  EXPECT_EQ(got.meta.comm(0x7f8f496ae9f661)->members.size(), 2u);
}

TEST(ImportInspector, CountsBadLinesAndSaysTheFirst) {
  Collected got;
  const auto counts =
      import_text("inspector", std::string("rubbish\n\n{\"header\":3}\n") + kInspector, got);
  ASSERT_TRUE(counts);
  EXPECT_EQ(counts->bad, 2u);
  EXPECT_THAT(counts->first_problem, HasSubstr("line 1: it is no JSON object"));
  EXPECT_EQ(got.ops.size(), 3u);
}

// As nccl-tests 2.13 and later print it (out-of-place and in-place, #wrong).
constexpr const char* kTable =
    "mpirun -np 2 ./build/all_reduce_perf -b 8 -e 32M -f 2\n"
    "# nThread 1 nGpus 2 minBytes 8 maxBytes 33554432 step: 2(factor) warmup iters: 5 iters: 20 "
    "agg iters: 1 validation: 1 graph: 0\n"
    "#\n# Using devices\n"
    "#  Rank  0 Group  0 Pid   6899 on node-1 device  0 [0000:04:00] NVIDIA H200\n"
    "#  Rank  1 Group  0 Pid   6899 on node-1 device  1 [0000:05:00] NVIDIA H200\n"
    "#\n#                                                              out-of-place                "
    "       in-place          \n"
    "#       size         count      type   redop    root     time   algbw   busbw #wrong     time "
    "  algbw   busbw #wrong\n"
    "#        (B)    (elements)                               (us)  (GB/s)  (GB/s)            (us) "
    " (GB/s)  (GB/s)       \n"
    "           8             2     float     sum      -1    13.05    0.00    0.00      0    12.87 "
    "   0.00    0.00      0\n"
    "    33554432       8388608     float     sum      -1    158.1  212.24  212.24      3    157.9 "
    " 212.50  212.50    N/A\n"
    "# Out of bounds values : 0 OK\n# Avg bus bandwidth    : 106.2\n";

TEST(ImportNcclTests, ReadsTheTable) {
  Collected got;
  const auto counts = import_text("nccl-tests", kTable, got);
  ASSERT_TRUE(counts) << counts.error().message;
  ASSERT_EQ(got.ops.size(), 4u);
  EXPECT_EQ(got.ops[0].kind, Kind::all_reduce);
  EXPECT_EQ(got.ops[0].host_duration_ns, 13'050);
  EXPECT_EQ(got.ops[0].weight, 20u);
  EXPECT_EQ(got.ops[0].ranks, 2u);
  EXPECT_EQ(got.ops[0].dtype, Dtype::f32);
  EXPECT_EQ(got.ops[2].bytes, 33'554'432u);
  EXPECT_EQ(got.ops[2].status, OpStatus::error);  // 3 wrong values
  EXPECT_EQ(got.ops[3].status, OpStatus::ok);
  EXPECT_EQ(got.meta.devices.size(), 2u);
  EXPECT_EQ(got.meta.devices[1].pci_bus_id, "0000:05:00");
  EXPECT_EQ(got.meta.measurements.size(), 8u);
  EXPECT_LT(got.ops[0].begin_ns, got.ops[1].begin_ns);
}

// Older ones have no root column for all_gather and a column "error".
TEST(ImportNcclTests, ReadsTheOldTableToo) {
  Collected got;
  const auto counts = import_text("nccl-tests",
                                  "# nThread: 1 nGpus: 4 minBytes: 1024\n"
                                  "#       size         count    type    time   algbw   busbw  "
                                  "error    time   algbw   busbw  error\n"
                                  "        1024           64   float   25.38    0.04    0.03  "
                                  "1e-07   24.90    0.04    0.03  0e+00\n",
                                  got, "results/all_gather_perf.txt");
  ASSERT_TRUE(counts) << counts.error().message;
  ASSERT_EQ(got.ops.size(), 2u);
  EXPECT_EQ(got.ops[0].kind, Kind::all_gather);
  EXPECT_EQ(got.ops[0].status, OpStatus::ok);
  EXPECT_EQ(got.ops[1].host_duration_ns, 24'900);
}

constexpr const char* kTestsJson =
    R"({"version":1,"nccl_version":"2.28.9","args":["./all_reduce_perf","-J","x"],"config":{"iters":50},
        "devices":[{"device":0,"name":"NVIDIA H200"},{"device":1,"name":"NVIDIA H200"}],
        "results":[{"size":1024,"count":256,"type":"float","redop":"sum","root":-1,
          "out_of_place":{"time":10.5,"alg_bw":0.1,"bus_bw":0.1,"nwrong":0},
          "in_place":{"time":"9.5","alg_bw":0.1,"bus_bw":0.1,"nwrong":"N/A"}}],
        "average_bus_bandwidth":{"bandwidth":0.1}})";

TEST(ImportNcclTestsJson, ReadsResults) {
  Collected got;
  const auto counts = import_text("nccl-tests-json", kTestsJson, got);
  ASSERT_TRUE(counts) << counts.error().message;
  ASSERT_EQ(got.ops.size(), 2u);
  EXPECT_EQ(got.ops[0].kind, Kind::all_reduce);
  EXPECT_EQ(got.ops[0].weight, 50u);
  EXPECT_EQ(got.ops[1].host_duration_ns, 9'500);
  EXPECT_EQ(got.meta.devices.size(), 2u);
  EXPECT_EQ(got.meta.measurements.back().test, "average busbw");
}

constexpr const char* kNvbandwidth =
    R"x(nvbandwidth Version: v0.8
{"nvbandwidth":{"CUDA Runtime Version":13000,"Driver Version":"580.1","git_version":"v0.8",
  "GPU Device list":["0: NVIDIA H200 (00000000:04:00)","1: NVIDIA H200 (00000000:05:00)"],
  "testcases":[
   {"name":"device_to_device_memcpy_read_ce","status":"Passed","bandwidth_description":"memcpy CE GPU(row) -> GPU(column) bandwidth (GB/s)",
    "bandwidth_matrix":[["N/A","390.1"],["391.2","N/A"]]},
   {"name":"host_to_device_memcpy_ce","status":"Passed","bandwidth_matrix":[["55.6","55.7"]]},
   {"name":"multinode_x","status":"Waived"}]}})x";

TEST(ImportNvbandwidth, ReadsMatricesAsMeasurementsAndLinks) {
  Collected got;
  const auto counts = import_text("nvbandwidth", kNvbandwidth, got);
  ASSERT_TRUE(counts) << counts.error().message;
  EXPECT_EQ(counts->records, 4u);
  EXPECT_EQ(counts->skipped, 1u);
  ASSERT_EQ(got.meta.links.size(), 2u);
  EXPECT_EQ(got.meta.links[0].from, 1u);  // a read: the row's device pulls from the column's
  EXPECT_EQ(got.meta.links[0].to, 0u);
  EXPECT_DOUBLE_EQ(got.meta.links[0].measured_bytes_per_s, 390.1e9);
  EXPECT_EQ(got.meta.measurements[2].from, -1);
  EXPECT_EQ(got.meta.devices[1].pci_bus_id, "00000000:05:00");
}

// As PyTorch 2.4's profiler writes it, shortened.
constexpr const char* kKineto =
    R"x({"schemaVersion":1,"distributedInfo":{"backend":"nccl","rank":3,"world_size":8},
 "traceEvents":[
  {"ph":"X","cat":"cuda_runtime","name":"cudaLaunchKernelExC","pid":1,"tid":1,"ts":1000.5,"dur":6.25,"args":{"correlation":77}},
  {"ph":"X","cat":"kernel","name":"ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)","pid":3,"tid":24,"ts":1010.125,"dur":32.5,
   "args":{"stream":24,"device":3,"correlation":77,"Collective name":"allreduce","In msg nelems":8192,"Out msg nelems":8192,"Group size":8,"dtype":"BFloat16","Process Group Name":"1","Process Group Description":"tp","Process Group Ranks":"[0, 1, 2, 3, 4, 5, 6, 7]"}},
  {"ph":"X","cat":"kernel","name":"ampere_bf16_s16816gemm","ts":1050,"dur":100,"args":{"stream":7}},
  {"ph":"X","cat":"gpu_memcpy","name":"Memcpy PtoP (Device -> Device)","ts":1200,"dur":4,"args":{"bytes":65536,"device":3,"fromDevice":3,"toDevice":1,"stream":9,"correlation":90}},
  {"ph":"X","cat":"cuda_runtime","name":"cudaMemcpyAsync","ts":1190,"dur":3,"args":{"correlation":90}},
  {"ph":"M","name":"process_name","pid":3,"args":{"name":"python"}}]})x";

TEST(ImportChrome, ReadsKernelsCopiesAndTheirLaunches) {
  Collected got;
  const auto counts = import_text("chrome", kKineto, got);
  ASSERT_TRUE(counts) << counts.error().message;
  ASSERT_EQ(got.ops.size(), 2u);
  const Op& reduce = got.ops[0].kind == Kind::all_reduce ? got.ops[0] : got.ops[1];
  const Op& copy = got.ops[0].kind == Kind::all_reduce ? got.ops[1] : got.ops[0];
  EXPECT_EQ(reduce.kind, Kind::all_reduce);
  EXPECT_EQ(reduce.algorithm, Algorithm::ring);
  EXPECT_EQ(reduce.protocol, Protocol::ll);
  EXPECT_EQ(reduce.bytes, 16'384u);
  EXPECT_EQ(reduce.rank, 3u);
  EXPECT_EQ(reduce.device_begin_ns, 1'010'125);
  EXPECT_EQ(reduce.device_duration_ns, 32'500);
  EXPECT_EQ(reduce.begin_ns, 1'000'500);  // of the launch
  EXPECT_EQ(reduce.host_duration_ns, 6'250);
  EXPECT_TRUE(reduce.async);
  EXPECT_EQ(copy.kind, Kind::copy);
  EXPECT_EQ(copy.peer, 1u);
  EXPECT_EQ(copy.host_duration_ns, 3'000);  // its launch came later in the file
  EXPECT_EQ(got.meta.communicators[0].name, "tp");
}

TEST(ImportChrome, ReadsTheArrayFormEvenIfItWasCutOff) {
  const std::string whole = kKineto;
  const std::string events =
      whole.substr(whole.find('['), whole.rfind("  {\"ph\":\"M\"") - whole.find('['));
  Collected got;
  const auto counts = import_text("chrome", events, got);
  ASSERT_TRUE(counts) << counts.error().message;
  EXPECT_EQ(got.ops.size(), 2u);
  EXPECT_EQ(counts->bad, 1u);
  EXPECT_THAT(counts->first_problem, HasSubstr("byte "));
}

TEST(Import, TellsFormatsApart) {
  EXPECT_STREQ(recognise(kInspector)->name, "inspector");
  EXPECT_STREQ(recognise(kTable)->name, "nccl-tests");
  EXPECT_STREQ(recognise(kTestsJson)->name, "nccl-tests-json");
  EXPECT_STREQ(recognise(kNvbandwidth)->name, "nvbandwidth");
  EXPECT_STREQ(recognise(kKineto)->name, "chrome");
  EXPECT_EQ(recognise("hello"), nullptr);
}

TEST(Import, AnyPrefixAndAnyRubbishIsAnsweredNotFallenOver) {
  const std::pair<const char*, std::string> inputs[] = {{"inspector", kInspector},
                                                        {"nccl-tests", kTable},
                                                        {"nccl-tests-json", kTestsJson},
                                                        {"nvbandwidth", kNvbandwidth},
                                                        {"chrome", kKineto}};
  for (const auto& [format, text] : inputs) {
    for (std::size_t n = 0; n < text.size(); n += 3) {
      Collected got;
      static_cast<void>(import_text(format, text.substr(0, n), got));
    }
    for (const std::string& rubbish :
         {std::string(), std::string(100, '\0'), std::string(3000, '['),
          std::string("{\"traceEvents\":3}"), std::string("\xEF\xBB\xBF"),
          std::string("{\"results\":[1,{\"size\":-5}]}"),
          std::string(
              "{\"nvbandwidth\":{\"testcases\":[{\"bandwidth_matrix\":[[1e999,\"x\"]]}]}}")}) {
      Collected got;
      const auto counts = import_text(format, rubbish, got);
      if (!counts) {
        EXPECT_FALSE(counts.error().message.empty());
      }
    }
  }
}

}  // namespace
}  // namespace peerscope
