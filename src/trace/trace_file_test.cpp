// Writer and reader together.
#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trace/output_file.hpp"
#include "trace/reader.hpp"
#include "trace/trace_parts.hpp"
#include "trace/workload_for_test.hpp"
#include "trace/writer.hpp"

namespace peerscope {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class TraceFile : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::temp_directory_path() / fmt::format("peerscope-trace-{}", getpid());
    fs::remove_all(dir_);
    fs::create_directories(dir_);
    path_ = dir_ / "run.pscope";
  }
  void TearDown() override { fs::remove_all(dir_); }

  static std::vector<Op> read_ops(const TraceReader& reader, const OpFilter& filter = {}) {
    std::vector<Op> all;
    const Status read = reader.for_each_ops(filter, [&](std::span<const Op> ops) {
      all.insert(all.end(), ops.begin(), ops.end());
      return true;
    });
    EXPECT_TRUE(read);
    return all;
  }

  std::string slurp() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void spit(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }

  fs::path dir_;
  std::string path_;
};

// To the nanosecond: so that what comes back can be compared.
TraceWriter create(const std::string& path, TraceWriterOptions options = {}) {
  options.time_step_ns = 1;
  auto writer = TraceWriter::create(path, options);
  EXPECT_TRUE(writer) << (writer ? "" : writer.error().message);
  return std::move(*writer);
}

bool same(const Op& a, const Op& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

void expect_same(const std::vector<Op>& expected, const std::vector<Op>& got) {
  ASSERT_EQ(expected.size(), got.size());
  for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_TRUE(same(expected[i], got[i])) << i;
}

TEST_F(TraceFile, HoldsWhatWasWritten) {
  const std::vector<Op> ops = TraceWorkload(false).take(200'000);
  std::vector<Mark> marks;
  for (int i = 0; i < 20'000; ++i) {
    Mark mark;
    mark.at_ns = 1000 * i - 5;
    mark.duration_ns = i % 3 == 0 ? kUnknownNs : i;
    mark.value = -i;
    mark.comm = 7;
    mark.sequence = static_cast<std::uint64_t>(i) << 40;
    mark.name = static_cast<std::uint16_t>(i);
    mark.type = static_cast<MarkType>(1 + i % 5);
    mark.severity = 3;
    marks.push_back(mark);
  }
  TraceMeta meta;
  meta.session = "s";
  meta.communicators.push_back({0x7470, "tp", 8, Backend::host, {{3, 1, 2}}});
  meta.names.push_back({1, 5, "copy \xff in"});
  {
    TraceWriter writer = create(path_);
    writer.set_meta(meta);
    writer.add(ops);
    for (const Mark& mark : marks) writer.add(mark);
    writer.set_summary("{\"a\":1}");
    EXPECT_TRUE(writer.close());
    EXPECT_EQ(writer.status().operations, ops.size());
    EXPECT_EQ(writer.status().bytes, fs::file_size(path_));
  }
  const auto reader = TraceReader::open(path_);
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_TRUE(reader->closed());
  EXPECT_EQ(reader->note(), "");
  EXPECT_EQ(reader->operations(), ops.size());
  EXPECT_EQ(reader->chunks().size(), 4u);
  expect_same(ops, read_ops(*reader));
  std::vector<Mark> got;
  EXPECT_TRUE(reader->for_each_marks([&](std::span<const Mark> m) {
    got.insert(got.end(), m.begin(), m.end());
    return true;
  }));
  EXPECT_EQ(got, marks);
  EXPECT_EQ(reader->summary(), "{\"a\":1}");
  EXPECT_EQ(reader->summary_operations(), ops.size());
  EXPECT_EQ(reader->meta().comm_name(0x7470), "tp");
  EXPECT_EQ(reader->meta().comm(0x7470)->members[0].process, 1u);
  EXPECT_EQ(reader->meta().name(1, 5), "copy \xEF\xBF\xBD in");
  ASSERT_NE(reader->rollup(), nullptr);
  std::uint64_t count = 0;
  for (const ChunkCell& cell : reader->rollup()->cells) count += cell.count;
  EXPECT_EQ(count, ops.size());
}

TEST_F(TraceFile, IsReadableWhileItGrows) {
  TraceWriter writer = create(path_);
  TraceWorkload work(false);
  std::vector<Op> ops;
  for (int i = 1; i <= 5; ++i) {
    const std::vector<Op> more = work.take(1000);
    ops.insert(ops.end(), more.begin(), more.end());
    writer.add(more);
    writer.tick(i * 2'000'000'000LL);
    const auto reader = TraceReader::open(path_);
    ASSERT_TRUE(reader);
    EXPECT_FALSE(reader->closed());
    EXPECT_FALSE(reader->truncated());
    // The first tick starts the clock.
    expect_same({ops.begin(), ops.begin() + (i == 1 ? 0 : i * 1000)}, read_ops(*reader));
  }
}

TEST_F(TraceFile, FiltersAsEachOperationWould) {
  const std::vector<Op> ops = TraceWorkload(true).take(100'000);
  {
    TraceWriter writer = create(path_, {.chunk_operations = 10'000});
    writer.add(ops);
  }
  const auto reader = TraceReader::open(path_);
  std::vector<OpFilter> filters(6);
  filters[0].kinds = 1U << static_cast<unsigned>(Kind::copy);
  filters[1].from_ns = ops[30'000].begin_ns;
  filters[1].to_ns = ops[31'000].begin_ns;
  filters[2].rank = 3;
  filters[2].peer = 5;
  filters[3].only_errors = true;
  filters[4].min_bytes = 1 << 20;
  filters[4].max_bytes = 1 << 22;
  filters[5].comm = 99;
  for (const OpFilter& filter : filters) {
    std::vector<Op> expected;
    std::copy_if(ops.begin(), ops.end(), std::back_inserter(expected),
                 [&](const Op& op) { return filter.passes(op); });
    expect_same(expected, read_ops(*reader, filter));
  }
}

// Every length that a killed writer can leave behind: what is complete is there, nothing else.
TEST_F(TraceFile, CutAnywhereKeepsEveryCompleteChunk) {
  const std::vector<Op> ops = TraceWorkload(false).take(4000);
  {
    TraceWriter writer = create(path_, {.chunk_operations = 500});
    writer.set_meta({});
    writer.add(ops);
    writer.set_summary("{}");
  }
  const std::string whole = slurp();
  std::mt19937 random(1);
  std::uint64_t last = 0;
  for (int i = 0; i < 300; ++i) {
    const std::size_t length =
        64 + (whole.size() - 64) * static_cast<std::size_t>(i) / 300 + random() % 20;
    spit(whole.substr(0, length));
    const auto reader = TraceReader::open(path_);
    ASSERT_TRUE(reader) << length;
    EXPECT_EQ(reader->operations() % 500, 0u);
    EXPECT_GE(reader->operations(), last);
    last = reader->operations();
    expect_same({ops.begin(), ops.begin() + static_cast<std::ptrdiff_t>(last)}, read_ops(*reader));
    if (reader->truncated()) {
      EXPECT_THAT(reader->note(), HasSubstr("left out"));
    }
  }
  EXPECT_EQ(last, 4000u);
  spit(whole.substr(0, 63));
  EXPECT_FALSE(TraceReader::open(path_));
}

TEST_F(TraceFile, AWriterKilledAtAnyPointLeavesWhatItHasWritten) {
  std::mt19937 random(2);
  const std::vector<Op> ops = TraceWorkload(false).take(400'000);
  std::size_t with_operations = 0;
  for (int round = 0; round < 200; ++round) {
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
      TraceWriter writer = create(path_, {.chunk_operations = 1024});
      if (write(ready[1], "x", 1) != 1) _exit(1);
      for (std::size_t at = 0; at < ops.size(); at += 100) writer.add({&ops[at], 100});
      for (;;) pause();
    }
    char byte = 0;
    ASSERT_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    usleep(static_cast<useconds_t>(random() % 15'000));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const auto reader = TraceReader::open(path_);
    ASSERT_TRUE(reader);
    EXPECT_FALSE(reader->closed());
    const auto n = static_cast<std::ptrdiff_t>(reader->operations());
    expect_same({ops.begin(), ops.begin() + n}, read_ops(*reader));
    with_operations += n > 0 ? 1 : 0;
  }
  EXPECT_GT(with_operations, 10u);  // most of them, on an idle machine
}

TEST_F(TraceFile, StepsOverADamagedChunkInTheMiddle) {
  const std::vector<Op> ops = TraceWorkload(false).take(3000);
  {
    TraceWriter writer = create(path_, {.chunk_operations = 1000});
    writer.add(ops);
  }
  std::string bytes = slurp();
  const std::size_t second = bytes.find("PSEC", bytes.find("PSEC") + 4);
  bytes[second + 9] = static_cast<char>(bytes[second + 9] ^ 1);  // its length
  bytes.resize(bytes.size() - 16);                               // no index
  spit(bytes);
  const auto reader = TraceReader::open(path_);
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->operations(), 2000u);
  EXPECT_EQ(reader->damaged(), 1u);
  EXPECT_THAT(reader->note(), HasSubstr("damaged"));
}

TEST_F(TraceFile, SaysWhatIsWrongWithAFileThatIsNone) {
  EXPECT_THAT(TraceReader::open(path_).error().message, HasSubstr("No such file"));
  spit("hello, this is no trace at all, but it is long enough to hold a header of a trace......");
  EXPECT_THAT(TraceReader::open(path_).error().message, HasSubstr("is no peerscope trace"));
  EXPECT_THAT(TraceReader::open(dir_).error().message, HasSubstr("it is no file"));
  EXPECT_THAT(TraceWriter::create("/nonexistent/x.pscope", {}).error().message,
              HasSubstr("cannot make /nonexistent/x.pscope"));
}

TEST_F(TraceFile, TwoWritersDoNotShareAFile) {
  const TraceWriter writer = create(path_);
  const auto second = TraceWriter::create(path_, {});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("is being written by another process"));
}

std::uint64_t bytes_of(const fs::path& dir) {
  std::uint64_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(dir)) bytes += entry.file_size();
  return bytes;
}

TEST_F(TraceFile, StaysWithinItsBudgetAndKeepsTheNewest) {
  constexpr std::uint64_t kBudget = 2'000'000;
  TraceWriter writer = create(path_, {.max_bytes = kBudget, .chunk_operations = 8192});
  TraceMeta meta;
  meta.session = "kept";
  writer.set_meta(meta);
  TraceWorkload work(false);
  Op last;
  for (int i = 0; i < 300; ++i) {
    const std::vector<Op> ops = work.take(10'000);
    last = ops.back();
    writer.add(ops);
    ASSERT_LE(bytes_of(dir_), kBudget);
    EXPECT_EQ(bytes_of(dir_), writer.status().bytes);
  }
  EXPECT_TRUE(writer.close());
  EXPECT_GT(writer.status().parts_removed, 20u);
  EXPECT_LE(bytes_of(dir_), kBudget);
  const auto reader = TraceReader::open(path_);
  ASSERT_TRUE(reader);
  EXPECT_GT(reader->parts(), 5u);
  EXPECT_GE(reader->file_bytes(), kBudget * 6 / 10);
  EXPECT_EQ(reader->meta().session, "kept");
  EXPECT_TRUE(reader->closed());
  const std::vector<Op> got = read_ops(*reader);
  ASSERT_FALSE(got.empty());
  EXPECT_TRUE(same(got.back(), last));
  for (std::size_t i = 1; i < got.size(); ++i) ASSERT_EQ(got[i].sequence, got[i - 1].sequence + 1);
}

TEST_F(TraceFile, ForgetsWhatIsTooOld) {
  constexpr std::int64_t kHour = 3'600'000'000'000;
  TraceWriter writer = create(path_, {.max_age_ns = 10 * kHour, .flush_interval_ns = 1});
  TraceWorkload work(false);
  for (int hour = 1; hour <= 168; ++hour) {  // a week
    writer.add(work.take(100));
    writer.tick(hour * kHour);
  }
  const auto reader = TraceReader::open(path_);
  ASSERT_TRUE(reader);
  EXPECT_GE(reader->operations(), 900u);
  EXPECT_LE(reader->operations(), 1500u);
}

// A disk that can be full.
class SmallDisk final : public FileSystem {
 public:
  std::uint64_t room = UINT64_MAX;
  Result<std::unique_ptr<OutputFile>> create(const std::string& path) override {
    auto file = real_file_system().create(path);
    if (!file) return file;
    return std::unique_ptr<OutputFile>(std::make_unique<Limited>(*this, std::move(*file)));
  }
  void remove(const std::string& path) override { real_file_system().remove(path); }

 private:
  struct Limited final : OutputFile {
    Limited(SmallDisk& d, std::unique_ptr<OutputFile> f) : disk(d), file(std::move(f)) {}
    Status append(std::span<const std::uint8_t> bytes) override {
      if (file->size() + bytes.size() > disk.room)
        return Error{ErrorCode::io, "cannot write to it: No space left on device"};
      return file->append(bytes);
    }
    [[nodiscard]] std::uint64_t size() const override { return file->size(); }
    Status rename(const std::string& path) override { return file->rename(path); }
    SmallDisk& disk;
    std::unique_ptr<OutputFile> file;
  };
};

TEST_F(TraceFile, AFullDiskStopsWritingAndRoomResumesIt) {
  SmallDisk disk;
  auto writer = TraceWriter::create(path_, {.chunk_operations = 1000}, disk);
  ASSERT_TRUE(writer);
  writer->set_meta({});
  TraceWorkload work(false);
  std::int64_t now_ns = 1;
  writer->tick(now_ns);
  writer->add(work.take(5000));
  disk.room = fs::file_size(path_) + 100;
  for (int i = 0; i < 50; ++i) {
    writer->add(work.take(1000));
    writer->tick(now_ns += 100'000'000);
  }
  EXPECT_TRUE(writer->status().suspended);
  EXPECT_THAT(writer->status().why, HasSubstr("No space left"));
  EXPECT_EQ(writer->status().not_written, 50'000u);
  EXPECT_EQ(writer->status().operations, 5000u);
  disk.room = UINT64_MAX;
  for (int i = 0; i < 20; ++i) {
    writer->add(work.take(1000));
    writer->tick(now_ns += 100'000'000);
  }
  EXPECT_FALSE(writer->status().suspended);
  EXPECT_TRUE(writer->close());
  const auto reader = TraceReader::open(path_);
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->operations(), writer->status().operations);
  EXPECT_EQ(reader->operations() + writer->status().not_written, 75'000u);
  std::uint64_t missed = 0;
  for (const ChunkInfo& chunk : reader->chunks()) missed += chunk.not_written_before;
  EXPECT_EQ(missed, writer->status().not_written);
}

TEST_F(TraceFile, MetaSurvivesTheRoundTripAndRefusesNonsense) {
  TraceMeta meta;
  meta.session = "x";
  meta.hosts.push_back({"h", "Linux", "b", -5, 3});
  meta.processes.push_back({});
  meta.processes[0].lost = 17;
  meta.devices.push_back({0, 1, "H200", "GPU-1", "0000:03:00.0"});
  meta.links.push_back({0, 0, 1, "NV18", 478e9, 450e9, "nvbandwidth"});
  meta.settings.push_back({"trace.max_bytes", "0", "built-in"});
  meta.measurements.push_back({"nvbandwidth", "d2d", "GB/s", 400.5, 0, 1, 1 << 20});
  meta.clock.real_offset_ns = -77;
  const auto back = parse_meta(to_json_text(meta));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(to_json_text(*back), to_json_text(meta));
  EXPECT_FALSE(parse_meta("[]"));
  EXPECT_FALSE(parse_meta("{\"hosts\":3}"));
  EXPECT_FALSE(parse_meta("{\"processes\":[{\"pid\":-1}]}"));
  EXPECT_TRUE(parse_meta("{\"unknown\":3}"));
}

}  // namespace
}  // namespace peerscope
