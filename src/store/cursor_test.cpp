#include "store/cursor.hpp"

#include <gtest/gtest.h>

namespace peerscope {
namespace {

constexpr Cursor kCursor{Cursor::Of::operations, true, false, {-5, UINT64_MAX, 77}};

TEST(Cursor, ComesBackAsItWas) {
  const auto back = parse_cursor(to_text(kCursor), Cursor::Of::operations, true);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->key, kCursor.key);
  EXPECT_FALSE(back->inclusive);
  EXPECT_TRUE(back->newest_first);
}

TEST(Cursor, NoneIsTheFirstPages) {
  const auto first = parse_cursor("", Cursor::Of::collectives, false);
  ASSERT_TRUE(first);
  EXPECT_FALSE(first->is_over({INT64_MIN, 0, 0}));
}

TEST(Cursor, RefusesWhatItDidNotGive) {
  const std::string text = to_text(kCursor);
  for (std::size_t i = 0; i < text.size(); ++i) {
    for (const char c : {'0', 'f', 'g', '\0', 'A'}) {
      std::string changed = text;
      changed[i] = c;
      if (changed == text) continue;
      const auto parsed = parse_cursor(changed, Cursor::Of::operations, true);
      ASSERT_FALSE(parsed) << changed;
      EXPECT_EQ(parsed.error().code, ErrorCode::invalid_argument);
    }
  }
  for (const std::string& bad :
       {text + "0", text.substr(1), std::string("next"), std::string(64, 'z')})
    EXPECT_FALSE(parse_cursor(bad, Cursor::Of::operations, true));
}

TEST(Cursor, RefusesAnotherListsAndAnotherOrders) {
  EXPECT_FALSE(parse_cursor(to_text(kCursor), Cursor::Of::collectives, true));
  EXPECT_FALSE(parse_cursor(to_text(kCursor), Cursor::Of::operations, false));
}

TEST(PageKey, MirroredAscendsFromTheNewest) {
  const PageKey a{1, 2, 3}, b{1, 2, 4}, c{2, 0, 0};
  EXPECT_LT(a, b);
  EXPECT_LT(b, c);
  EXPECT_GT(a.mirrored(true), b.mirrored(true));
  EXPECT_GT(b.mirrored(true), c.mirrored(true));
  EXPECT_EQ(a.mirrored(true).mirrored(true), a);
}

}  // namespace
}  // namespace peerscope
