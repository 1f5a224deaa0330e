#include "base/units.hpp"

#include <gtest/gtest.h>

namespace peerscope {
namespace {

TEST(Units, GiveThreeSignificantDigitsAndAUnit) {
  EXPECT_EQ(format_duration(412), "412 ns");
  EXPECT_EQ(format_duration(13'100), "13.1 µs");
  EXPECT_EQ(format_duration(999'700), "1.00 ms");
  EXPECT_EQ(format_duration(214'000), "214 µs");
  EXPECT_EQ(format_duration(1.5e9), "1.50 s");
  EXPECT_EQ(format_bandwidth(182e9), "182 GB/s");
  EXPECT_EQ(format_bandwidth(6.1e6), "6.10 MB/s");
  EXPECT_EQ(format_rate(1.2e6), "1.20 M/s");
  EXPECT_EQ(format_percent(0.003), "0.3 %");
  EXPECT_EQ(format_percent(0.714), "71 %");
  EXPECT_EQ(format_percent(0.000123), "0.012 %");
  EXPECT_EQ(format_percent(0), "0.0 %");
}

TEST(Units, SayBytesAsPeopleDo) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(16384), "16 KB");
  EXPECT_EQ(format_bytes(1536 * 1024), "1.50 MB");
  EXPECT_EQ(format_count(48211), "48 211");
  EXPECT_EQ(format_count(301), "301");
  EXPECT_EQ(format_count(1234567), "1 234 567");
}

TEST(Units, ReadSizesAsNcclTestsDoes) {
  EXPECT_EQ(parse_bytes("8"), 8u);
  EXPECT_EQ(parse_bytes("64K"), 65536u);
  EXPECT_EQ(parse_bytes("1m"), 1048576u);
  EXPECT_EQ(parse_bytes("2GiB"), 2147483648u);
  EXPECT_EQ(parse_bytes("8B"), 8u);
  EXPECT_FALSE(parse_bytes("lots"));
  EXPECT_FALSE(parse_bytes("8Q"));
  EXPECT_FALSE(parse_bytes("-1"));
  EXPECT_FALSE(parse_bytes("99999999999999G"));
}

}  // namespace
}  // namespace peerscope
