#include "comm/tuned_choices.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace peerscope {
namespace {

using testing::HasSubstr;

constexpr const char* kFile = R"({"version": 1, "fingerprint": "abc", "choices": [
  {"backend": "host", "operation": "all_reduce", "ranks": 4, "bytes": 65536, "algorithm": "ring"},
  {"backend": "host", "operation": "all_reduce", "ranks": 4, "bytes": 1024, "algorithm": "direct", "us": 5},
  {"backend": "cuda", "operation": "all_reduce", "ranks": 4, "bytes": 1024, "algorithm": "two_shot"}]})";

TEST(TunedChoices, FindsTheNearestSizeByRatio) {
  const auto tuned = TunedChoices::parse(kFile);
  ASSERT_TRUE(tuned) << tuned.error().message;
  EXPECT_EQ(tuned->find("host", Kind::all_reduce, 4, 8), Algorithm::direct);
  EXPECT_EQ(tuned->find("host", Kind::all_reduce, 4, 8000), Algorithm::direct);
  EXPECT_EQ(tuned->find("host", Kind::all_reduce, 4, 9000), Algorithm::ring);
  EXPECT_EQ(tuned->find("host", Kind::all_reduce, 4, 1 << 30), Algorithm::ring);
  EXPECT_EQ(tuned->find("cuda", Kind::all_reduce, 4, 1 << 30), Algorithm::two_shot);
  EXPECT_EQ(tuned->find("host", Kind::all_reduce, 2, 1024), std::nullopt);
  EXPECT_EQ(tuned->find("host", Kind::broadcast, 4, 1024), std::nullopt);
  EXPECT_EQ(TunedChoices().find("host", Kind::all_reduce, 4, 1), std::nullopt);
}

TEST(TunedChoices, SaysWhatIsNotRight) {
  for (const auto& [text, why] : {std::pair{"", "no JSON"},
                                  {"[]", "no JSON object"},
                                  {"{}", "version"},
                                  {R"({"version": 1})", "choices"},
                                  {R"({"version": 1, "choices": [3]})", "choice 0"},
                                  {R"({"version": 1, "choices": [{"backend": "host", "operation":
                                    "all_reduce", "ranks": 4, "bytes": 1, "algorithm": "no"}]})",
                                   "choice 0"}}) {
    const auto tuned = TunedChoices::parse(text);
    ASSERT_FALSE(tuned) << text;
    EXPECT_THAT(tuned.error().message, HasSubstr(why));
  }
  EXPECT_THAT(TunedChoices::read("/nowhere/tuned.json").error().message, HasSubstr("/nowhere"));
}

}  // namespace
}  // namespace peerscope
