#include "trace/export/export.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "trace/small_trace_for_test.hpp"

namespace peerscope {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class StringSink final : public ByteSink {
 public:
  void write(std::string_view bytes) override { text += bytes; }
  Status finish() override { return Done{}; }
  std::string text;
};

struct Exported {
  std::string text;
  ExportCounts counts;
};

Exported run(const SmallTrace& trace, const char* format, const OpFilter& filter = {}) {
  StringSink sink;
  ExportOptions options;
  options.filter = filter;
  const auto counts = find_exporter(format)->run(trace.open(), options, sink);
  EXPECT_TRUE(counts) << (counts ? "" : counts.error().message);
  return {sink.text, counts ? *counts : ExportCounts{}};
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    all.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return all;
}

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
    if (std::string(exporter.name) == "parquet") continue;
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
    if (event["ph"] == "s" || event["ph"] == "f") ++flows;
    if (event["ph"] != "X") continue;
    const std::string category = event["cat"];
    calls += category == "cpu_op" ? 1 : 0;
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

// ---- Perfetto, read by a decoder of its own ----------------------------------------------------

struct Field {
  unsigned number = 0;
  std::uint64_t value = 0;
  std::string_view bytes;
};

std::vector<Field> decode(std::string_view in) {
  std::vector<Field> fields;
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(in[0]);
      in.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7Fu} << shift;
      if ((byte & 0x80) == 0) return value;
    }
  };
  while (!in.empty()) {
    Field field;
    const std::uint64_t key = varint();
    field.number = static_cast<unsigned>(key >> 3);
    if ((key & 7) == 0) field.value = varint();
    if ((key & 7) == 1) {
      std::memcpy(&field.value, in.data(), 8);
      in.remove_prefix(8);
    }
    if ((key & 7) == 2) {
      const std::uint64_t n = varint();
      field.bytes = in.substr(0, n);
      in.remove_prefix(n);
    }
    fields.push_back(field);
  }
  return fields;
}

const Field* find(const std::vector<Field>& fields, unsigned number) {
  const auto at = std::find_if(fields.begin(), fields.end(),
                               [&](const Field& f) { return f.number == number; });
  return at != fields.end() ? &*at : nullptr;
}

struct Slice {
  std::int64_t begin = 0, end = 0;
  std::uint64_t flow = 0;
};

struct Decoded {
  std::map<std::uint64_t, std::vector<Slice>> slices;  // by track
  std::map<std::uint64_t, std::uint64_t> parents;
  std::size_t counters = 0, instants = 0;
};

Decoded decode_trace(const std::string& text) {
  Decoded out;
  std::map<std::uint64_t, std::vector<Slice>> open;
  for (const Field& packet : decode(text)) {
    EXPECT_EQ(packet.number, 1u);
    const auto body = decode(packet.bytes);
    if (const Field* track = find(body, 60)) {
      const auto descriptor = decode(track->bytes);
      const Field* parent = find(descriptor, 5);
      out.parents[find(descriptor, 1)->value] = parent != nullptr ? parent->value : 0;
    }
    const Field* event_field = find(body, 11);
    if (event_field == nullptr) continue;
    const auto event = decode(event_field->bytes);
    const auto at = static_cast<std::int64_t>(find(body, 8)->value);
    const std::uint64_t track = find(event, 11)->value;
    EXPECT_TRUE(out.parents.contains(track)) << "a track that nobody described";
    const Field* flow = find(event, 47);
    switch (find(event, 9)->value) {
      case 1:
        open[track].push_back({at, 0, flow != nullptr ? flow->value : 0});
        break;
      case 2:
        EXPECT_FALSE(open[track].empty());
        open[track].back().end = at;
        out.slices[track].push_back(open[track].back());
        open[track].pop_back();
        break;
      case 3:
        ++out.instants;
        break;
      default:
        ++out.counters;
    }
  }
  for (const auto& [track, left] : open) EXPECT_TRUE(left.empty());
  return out;
}

TEST(ExportPerfetto, SlicesTimesAndFlowsAreThoseOfTheTrace) {
  const std::vector<Op> ops = SmallTrace::collectives(30);
  const Exported exported = run(SmallTrace(ops), "perfetto");
  const Decoded decoded = decode_trace(exported.text);
  std::multiset<std::pair<std::int64_t, std::int64_t>> expected, got;
  for (const Op& op : ops) {
    expected.insert({op.begin_ns, op.begin_ns + op.host_duration_ns});
    if (op.device_duration_ns >= 0)
      expected.insert({op.device_begin_ns, op.device_begin_ns + op.device_duration_ns});
  }
  for (const Mark& mark : SmallTrace::marks()) {
    if (mark.duration_ns >= 0) expected.insert({mark.at_ns, mark.at_ns + mark.duration_ns});
  }
  std::map<std::uint64_t, std::size_t> flows;
  for (const auto& [track, slices] : decoded.slices) {
    std::int64_t end = INT64_MIN;
    for (const Slice& slice : slices) {
      got.insert({slice.begin, slice.end});
      EXPECT_GE(slice.begin, end) << "slices of one track overlap";
      end = slice.end;
      if (slice.flow != 0) ++flows[slice.flow];
    }
  }
  EXPECT_EQ(got, expected);
  EXPECT_EQ(flows.size(), 30u);  // one a collective, through its four ranks
  for (const auto& [id, count] : flows) EXPECT_EQ(count, 4u);
  EXPECT_EQ(exported.counts.flows, ops.size());
  EXPECT_EQ(decoded.counters, ops.size());
  EXPECT_EQ(decoded.instants, 1u);
}

}  // namespace
}  // namespace peerscope
