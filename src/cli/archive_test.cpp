#include "cli/archive.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace peerscope {
namespace {

TEST(Archive, BlocksAreWholeAndSumsAreRight) {
  const std::string tar =
      tar_of({{"a.txt", "hello"}, {"b", std::string(512, 'x')}, {"empty", ""}}, 1);
  EXPECT_EQ(tar.size() % 512, 0u);
  EXPECT_EQ(tar.size(), 512u * (2 + 2 + 1 + 2));
  EXPECT_EQ(tar.substr(257, 5), "ustar");
  EXPECT_EQ(tar.substr(512, 5), "hello");
  unsigned sum = 0;
  for (std::size_t i = 0; i < 512; ++i)
    sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(tar[i]);
  EXPECT_EQ(std::stoul(tar.substr(148, 6), nullptr, 8), sum);
  EXPECT_EQ(std::stoul(tar.substr(124, 11), nullptr, 8), 5u);
}

TEST(Archive, StoredGzipCarriesItsSumAndSize) {
  const std::string zip = gzip_stored("123456789");
  EXPECT_EQ(zip.substr(0, 3), "\x1f\x8b\x08");
  EXPECT_EQ(zip.substr(zip.size() - 8),
            std::string("\x26\x39\xf4\xcb\x09\0\0\0", 8));  // CRC-32's check value
  EXPECT_GT(gzip_stored(std::string(200'000, 'x')).size(), 200'000u);
  EXPECT_FALSE(gzip_stored("").empty());
}

TEST(Archive, ItsNameSaysHowItIsPacked) {
  for (const char* name : {"a.tar", "a.tar.gz", "a.tgz", "a.tar.zst"})
    EXPECT_EQ(archive_problem(name), "");
  for (const char* name : {"a", "a.zip", "a.gz", ".tar"})
    EXPECT_NE(archive_problem(name), "") << name;
  EXPECT_FALSE(write_archive("/no/such/dir/x.tar", {}, 0));
}

}  // namespace
}  // namespace peerscope
