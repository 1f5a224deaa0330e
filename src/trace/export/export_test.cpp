#include "trace/export/export.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "trace/export/export_for_test.hpp"

namespace peerscope {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

// Fields of one line of CSV.
std::vector<std::string> fields(const std::string& line) {
  std::vector<std::string> all(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      all.back() += line[++i];
    } else if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == ',' && !quoted) {
      all.emplace_back();
    } else if (line[i] != '\r') {
      all.back() += line[i];
    }
  }
  return all;
}

TEST(Export, EveryFormatWritesEveryOperationThatItCanHold) {
  const std::vector<Op> ops = SmallTrace::collectives(40);
  const SmallTrace trace(ops, 37);
  for (const Exporter& exporter : exporters()) {
    if (std::string(exporter.name) == "parquet") continue;  // needs DuckDB
    EXPECT_EQ(run(trace, exporter.name).counts.operations, ops.size()) << exporter.name;
  }
  EXPECT_EQ(find_exporter("nonsense"), nullptr);
}

TEST(Export, FiltersAsTheReaderDoes) {
  const SmallTrace trace(SmallTrace::collectives(40));
  OpFilter filter;
  filter.rank = 2;
  filter.kinds = 1U << static_cast<unsigned>(Kind::all_gather);
  for (const char* format : {"csv", "json", "jsonl", "xml", "chrome", "perfetto", "inspector"})
    EXPECT_EQ(run(trace, format, filter).counts.operations, 8u) << format;
}

TEST(Export, CsvHoldsEveryFieldAndLeavesTheUnknownEmpty) {
  const std::vector<Op> ops = SmallTrace::collectives(4);
  const SmallTrace trace(ops);
  const auto all = lines(run(trace, "csv").text);
  ASSERT_EQ(all.size(), ops.size() + 1);
  const auto heads = fields(all[0]);
  const auto column = [&](const char* name) {
    return static_cast<std::size_t>(std::find(heads.begin(), heads.end(), name) - heads.begin());
  };
  std::multiset<std::string> expected, got;
  for (const Op& op : ops)
    expected.insert(
        fmt::format("{} {} {} {} {}", op.begin_ns, op.rank, op.host_duration_ns, op.sequence,
                    op.device_duration_ns < 0 ? "" : std::to_string(op.device_duration_ns)));
  for (std::size_t i = 1; i < all.size(); ++i) {
    const auto row = fields(all[i]);
    ASSERT_EQ(row.size(), heads.size());
    EXPECT_EQ(row[column("communicator")], "tp, \"main\"");
    EXPECT_EQ(row[column("peer")], "");
    got.insert(fmt::format("{} {} {} {} {}", row[column("begin_ns")], row[column("rank")],
                           row[column("host_duration_ns")], row[column("sequence")],
                           row[column("device_duration_ns")]));
  }
  EXPECT_EQ(got, expected);
}

TEST(Export, JsonFormsAgree) {
  const SmallTrace trace(SmallTrace::collectives(10));
  const json whole = json::parse(run(trace, "json").text);
  std::vector<json> ops, marks;
  for (const std::string& line : lines(run(trace, "jsonl").text)) {
    json object = json::parse(line);
    const std::string type = object["type"];
    object.erase("type");
    if (type == "op") ops.push_back(object);
    if (type == "mark") marks.push_back(object);
  }
  EXPECT_EQ(whole["operations"], json(ops));
  EXPECT_EQ(whole["marks"], json(marks));
  EXPECT_EQ(marks.size(), 3u);
  EXPECT_EQ(whole["meta"]["session"], "small \"trace\" <&>");
  EXPECT_TRUE(whole["operations"][0]["peer"].is_null());
  EXPECT_EQ(whole["operations"][0]["comm_id"], "0x7470");
}

TEST(Export, XmlEscapesWhatItMust) {
  const std::string text = run(SmallTrace(SmallTrace::collectives(2)), "xml").text;
  EXPECT_THAT(text, HasSubstr("id=\"small &quot;trace&quot; &lt;&amp;&gt;\""));
  EXPECT_THAT(text, HasSubstr("name=\"bad \xEF\xBF\xBD utf-8 &#10; &lt;x&gt;\""));
  EXPECT_THAT(text, HasSubstr("</trace>\n"));
}

TEST(Export, ChromeHasWhatKinetoWrites) {
  const std::vector<Op> ops = SmallTrace::collectives(10);
  const json whole = json::parse(run(SmallTrace(ops), "chrome").text);
  std::size_t kernels = 0, calls = 0, flows = 0;
  for (const json& event : whole["traceEvents"]) {
    if (event["ph"] == "s" || event["ph"] == "t" || event["ph"] == "f") ++flows;
    if (event["ph"] != "X") continue;
    const std::string category = event["cat"];
    calls += category == "cuda_runtime" ? 1 : 0;
    if (category != "kernel") continue;
    ++kernels;
    EXPECT_EQ(event["name"].get<std::string>().rfind("ncclDevKernel_", 0), 0u);
    const json& args = event["args"];
    EXPECT_EQ(args["Group size"], 4);
    EXPECT_EQ(args["Process Group Ranks"], "[0, 1, 2, 3]");
    EXPECT_EQ(args["dtype"], "BFloat16");
    const std::uint64_t in = args["In msg nelems"], out = args["Out msg nelems"],
                        bytes = args["bytes"];
    EXPECT_EQ(out * 2, bytes);
    EXPECT_EQ(in, args["Collective name"] == "_allgather_base" ? out / 4 : out);
  }
  EXPECT_EQ(kernels, ops.size());
  EXPECT_EQ(calls, ops.size() / 2);  // those that have a device time
  EXPECT_EQ(flows, ops.size());
}

TEST(Export, InspectorCountsSizesAsNcclDoes) {
  const std::vector<Op> ops = SmallTrace::collectives(5);
  const auto all = lines(run(SmallTrace(ops), "inspector").text);
  ASSERT_EQ(all.size(), ops.size());
  std::size_t gathers = 0;
  for (const std::string& line : all) {
    const json object = json::parse(line);
    const json& perf = object["coll_perf"];
    EXPECT_EQ(object["header"]["id"], "0x7470");
    EXPECT_EQ(object["metadata"]["hostname"], "host-a");
    if (perf["coll"] != "AllGather") continue;
    ++gathers;
    EXPECT_EQ(perf["coll_msg_size_bytes"], (4096 << 1) / 4);
  }
  EXPECT_EQ(gathers, 4u);
}

TEST(Export, ChromeArrowsRunThroughTheRanksInTheOrderOfTheirTimes) {
  const json whole = json::parse(run(SmallTrace(SmallTrace::collectives(3)), "chrome").text);
  std::map<std::uint64_t, std::vector<std::pair<double, std::string>>> arrows;
  for (const json& event : whole["traceEvents"]) {
    if (event.value("cat", "") == "collective")
      arrows[event["id"]].emplace_back(event["ts"], event["ph"]);
  }
  ASSERT_EQ(arrows.size(), 3u);
  for (const auto& [id, points] : arrows) {
    ASSERT_EQ(points.size(), 4u);
    EXPECT_TRUE(std::is_sorted(points.begin(), points.end()));
    EXPECT_EQ(points[0].second + points[1].second + points[2].second + points[3].second, "sttf");
  }
}

TEST(Export, ChromeJoinsALaunchToDeviceTimesThatComeByThemselves) {
  const json whole = json::parse(run(SmallTrace(mixed_operations()), "chrome").text);
  std::map<std::uint64_t, std::string> seen;
  for (const json& event : whole["traceEvents"]) {
    if (event["ph"] != "X" || event["args"]["Seq"] != 8) continue;
    seen[event["args"]["correlation"]] += event["cat"].get<std::string>() + ";";
    EXPECT_EQ(event["cat"] == "kernel", event["args"].contains("stream"));  // HTA tells them by it
  }
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen.begin()->second, "cuda_runtime;kernel;");
}

TEST(Export, InspectorLeavesOutWhatHasNoPlaceThere) {
  const Exported exported = run(SmallTrace(mixed_operations()), "inspector");
  // All but the enqueue, whose time nobody knows, and the copy.
  EXPECT_EQ(exported.counts.operations, mixed_operations().size() - 2);
  EXPECT_EQ(lines(exported.text).size(), mixed_operations().size() - 2);
  EXPECT_THAT(exported.text, HasSubstr(R"("p2p_perf":{"p2p":"Send","p2p_sn":7,"p2p_peer":1,)"));
}

TEST(Export, LosesNoDigit) {
  const SmallTrace trace(mixed_operations());
  EXPECT_THAT(run(trace, "csv").text, HasSubstr("9007199254740993,9007199254740994,1,,,copy"));
  for (const char* format : {"json", "jsonl"}) {
    EXPECT_THAT(run(trace, format).text, AllOf(HasSubstr(R"("begin_ns":9007199254740993,)"),
                                               HasSubstr(R"("bytes":18446744073709551615,)")))
        << format;
  }
  EXPECT_THAT(run(trace, "chrome").text, HasSubstr(R"("ts":9007199254740.993,"dur":0.001)"));
}

TEST(Export, MarksAreFilteredWithTheirOperations) {
  const SmallTrace trace(SmallTrace::collectives(4));
  OpFilter filter;
  filter.rank = 1;
  EXPECT_EQ(run(trace, "jsonl", filter).counts.marks, 2u);  // rank 1's, and the process's event
  filter.from_ns = 1150;
  EXPECT_EQ(run(trace, "jsonl", filter).counts.marks, 1u);
}

TEST(Export, TellsItsProgressAndGivesTheSinkLargeBlocks) {
  class Blocks final : public ByteSink {
   public:
    void write(std::string_view bytes) override { sizes.push_back(bytes.size()); }
    Status finish() override { return Done{}; }
    std::vector<std::size_t> sizes;
  };
  const SmallTrace trace(SmallTrace::collectives(2000), 1000);
  for (const char* format : {"csv", "json", "jsonl", "xml", "chrome", "perfetto", "inspector"}) {
    Blocks blocks;
    ExportOptions options;
    std::vector<std::uint64_t> done;
    options.progress = [&](std::uint64_t operations) { done.push_back(operations); };
    ASSERT_TRUE(find_exporter(format)->run(trace.open(), options, blocks)) << format;
    EXPECT_EQ(done.size(), 8u) << format;
    EXPECT_EQ(done.back(), 8000u) << format;
    blocks.sizes.pop_back();
    for (const std::size_t size : blocks.sizes) EXPECT_GT(size, 60u * 1024) << format;
  }
}

}  // namespace
}  // namespace peerscope
