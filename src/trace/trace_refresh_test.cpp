// A reader that looks again at a file that grows.
#include <filesystem>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "trace/reader.hpp"
#include "trace/workload_for_test.hpp"
#include "trace/writer.hpp"

namespace peerscope {
namespace {

namespace fs = std::filesystem;

class TraceRefresh : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fs::temp_directory_path() / fmt::format("peerscope-refresh-{}", getpid());
    fs::remove_all(dir_);
    fs::create_directories(dir_);
    path_ = dir_ / "run.pscope";
  }
  void TearDown() override { fs::remove_all(dir_); }

  [[nodiscard]] TraceWriter writer(std::uint64_t max_bytes = 0) const {
    TraceWriterOptions options;
    options.chunk_operations = 100;
    options.max_bytes = max_bytes;
    return std::move(*TraceWriter::create(path_, options));
  }
  [[nodiscard]] TraceReader open() const { return std::move(*TraceReader::open(path_)); }

  // As if it had been opened just now.
  void expect_as_new(const TraceReader& reader) const {
    const TraceReader fresh = open();
    EXPECT_EQ(reader.operations(), fresh.operations());
    EXPECT_EQ(reader.marks(), fresh.marks());
    EXPECT_EQ(reader.file_bytes(), fresh.file_bytes());
    EXPECT_EQ(reader.cut_bytes(), fresh.cut_bytes());
    EXPECT_EQ(reader.damaged(), fresh.damaged());
    EXPECT_EQ(reader.parts(), fresh.parts());
    EXPECT_EQ(reader.closed(), fresh.closed());
    EXPECT_EQ(reader.meta().session, fresh.meta().session);
    EXPECT_EQ(reader.summary(), fresh.summary());
    ASSERT_EQ(reader.chunks().size(), fresh.chunks().size());
    for (std::size_t i = 0; i < fresh.chunks().size(); ++i) {
      EXPECT_EQ(reader.chunk_id(i), fresh.chunk_id(i));
      auto a = reader.chunk(i), b = fresh.chunk(i);
      ASSERT_TRUE(a && b);
      ASSERT_EQ(a->ops().size(), b->ops().size());
      EXPECT_EQ(a->ops().back().sequence, b->ops().back().sequence);
    }
  }
  static TraceReader again(const TraceReader& reader) {
    auto newer = reader.refreshed();
    EXPECT_TRUE(newer);
    EXPECT_TRUE(*newer);
    return std::move(**newer);
  }

  fs::path dir_;
  std::string path_;
};

TEST_F(TraceRefresh, SeesWhatWasAddedAndThatNothingWas) {
  TraceWriter out = writer();
  TraceWorkload work(false);
  TraceReader reader = open();
  EXPECT_FALSE(*reader.refreshed());
  for (int round = 0; round < 5; ++round) {
    out.add(work.take(250));
    Mark mark;
    mark.at_ns = round;
    out.add(mark);
    TraceMeta meta;
    meta.session = fmt::format("round {}", round);
    out.set_meta(meta);
    out.set_summary(fmt::format("{{\"round\": {}}}", round));
    reader = again(reader);
    expect_as_new(reader);
    EXPECT_FALSE(*reader.refreshed());
  }
  ASSERT_TRUE(out.close());
  reader = again(reader);
  EXPECT_TRUE(reader.closed());
  EXPECT_EQ(reader.operations(), 1250u);
  expect_as_new(reader);
}

TEST_F(TraceRefresh, TheOldReaderStaysAsItWas) {
  TraceWriter out = writer();
  TraceWorkload work(false);
  out.add(work.take(300));
  const TraceReader old = open();
  out.add(work.take(300));
  {
    const TraceReader newer = again(old);
    EXPECT_EQ(newer.operations(), 600u);
  }
  EXPECT_EQ(old.operations(), 300u);
  EXPECT_EQ(old.chunks().size(), 3u);
  EXPECT_TRUE(old.chunk(2)->ops().size() == 100);  // the newer one has not closed the file
}

TEST_F(TraceRefresh, ATornTailIsReadOnceItIsWhole) {
  {
    TraceWriter out = writer();
    out.add(TraceWorkload(false).take(500));
    ASSERT_TRUE(out.close());
  }
  std::string bytes(fs::file_size(path_), '\0');
  FILE* in = fopen(path_.c_str(), "rb");
  ASSERT_EQ(fread(bytes.data(), 1, bytes.size(), in), bytes.size());
  fclose(in);
  fs::resize_file(path_, 64);
  TraceReader reader = open();
  // Grows by pieces that end anywhere.
  FILE* out = fopen(path_.c_str(), "ab");
  for (std::size_t at = 64; at < bytes.size(); at += 777) {
    const std::size_t n = std::min<std::size_t>(777, bytes.size() - at);
    ASSERT_EQ(fwrite(bytes.data() + at, 1, n, out), n);
    fflush(out);
    reader = again(reader);
    if (!reader.closed()) expect_as_new(reader);
  }
  fclose(out);
  expect_as_new(reader);
  EXPECT_EQ(reader.operations(), 500u);
  EXPECT_EQ(reader.damaged(), 0u);
}

TEST_F(TraceRefresh, FollowsPartsThatComeAndGo) {
  TraceWriter out = writer(60'000);
  TraceWorkload work(true);
  TraceReader reader = open();
  std::uint64_t last_id = 0;
  std::size_t most_parts = 0;
  for (int round = 0; round < 120; ++round) {
    out.add(work.take(130));
    auto newer = reader.refreshed();
    ASSERT_TRUE(newer);
    if (!*newer) continue;
    reader = std::move(**newer);
    expect_as_new(reader);
    for (std::size_t i = 1; i < reader.chunks().size(); ++i)
      ASSERT_LT(reader.chunk_id(i - 1), reader.chunk_id(i));
    if (!reader.chunks().empty()) {
      ASSERT_GE(reader.chunk_id(reader.chunks().size() - 1), last_id);
      last_id = reader.chunk_id(reader.chunks().size() - 1);
    }
    most_parts = std::max(most_parts, reader.parts());
  }
  EXPECT_GT(most_parts, 2u);
  EXPECT_GT(out.status().parts_removed, 0u);
}

TEST_F(TraceRefresh, AnotherTraceInItsPlaceIsReadAnew) {
  TraceWriter first = writer();
  first.add(TraceWorkload(false).take(500));
  ASSERT_TRUE(first.close());
  const TraceReader old = open();
  TraceWriter second = writer();
  second.add(TraceWorkload(false).take(200));
  ASSERT_TRUE(second.close());
  const TraceReader newer = again(old);
  EXPECT_NE(newer.trace_id(), old.trace_id());
  expect_as_new(newer);
}

TEST_F(TraceRefresh, AFileThatIsGoneIsAnErrorAndTheOldReaderStillReads) {
  TraceWriter out = writer();
  out.add(TraceWorkload(false).take(200));
  const TraceReader reader = open();
  fs::remove(path_);
  EXPECT_EQ(reader.refreshed().error().code, ErrorCode::not_found);
  EXPECT_EQ(reader.chunk(1)->ops().size(), 100u);
}

}  // namespace
}  // namespace peerscope
