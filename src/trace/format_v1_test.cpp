// A file of version 1 as it was when the version was made: it has to stay readable, to the last
// field. It was written by the disabled test below.
#include <cstring>
#include <filesystem>

#include <gtest/gtest.h>

#include "trace/small_trace_for_test.hpp"

namespace peerscope {
namespace {

const std::string kPath = PSCOPE_SOURCE_DIR "/tests/data/v1.pscope";

std::vector<Op> content() {
  std::vector<Op> ops = SmallTrace::collectives(120);
  const std::vector<Op> random = TraceWorkload(true).take(1500);
  ops.insert(ops.end(), random.begin(), random.end());
  return ops;
}

TEST(FormatV1, DISABLED_WritesTheStoredFile) {
  const SmallTrace trace(content(), 1000);
  std::filesystem::copy_file(trace.path(), kPath,
                             std::filesystem::copy_options::overwrite_existing);
}

TEST(FormatV1, TheStoredFileStaysReadable) {
  const auto trace = TraceReader::open(kPath);
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_TRUE(trace->closed());
  EXPECT_EQ(trace->note(), "");
  EXPECT_EQ(trace->meta().session, "small \"trace\" <&>");
  EXPECT_EQ(trace->meta().communicators.at(0).members.size(), 8u);
  ASSERT_NE(trace->rollup(), nullptr);
  std::vector<Op> expected = content();
  const auto by_begin = [](const Op& a, const Op& b) { return a.begin_ns < b.begin_ns; };
  std::vector<Op> got;
  EXPECT_TRUE(trace->for_each_ops({}, [&](std::span<const Op> ops) {
    got.insert(got.end(), ops.begin(), ops.end());
    return true;
  }));
  std::stable_sort(expected.begin(), expected.end(), by_begin);
  std::stable_sort(got.begin(), got.end(), by_begin);
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_EQ(std::memcmp(&got[i], &expected[i], sizeof(Op)), 0) << i;
  std::vector<Mark> marks;
  EXPECT_TRUE(trace->for_each_marks([&](std::span<const Mark> more) {
    marks.insert(marks.end(), more.begin(), more.end());
    return true;
  }));
  EXPECT_EQ(marks, SmallTrace::marks());
}

}  // namespace
}  // namespace peerscope
