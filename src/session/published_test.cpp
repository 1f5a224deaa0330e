#include "session/published.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace peerscope {
namespace {

TEST(Published, GivesTheLatestValueToAnyThread) {
  Published<int> box(std::make_shared<const int>(1));
  const auto first = box.load();
  box.store(std::make_shared<const int>(2));
  EXPECT_EQ(*box.load(), 2);
  EXPECT_EQ(*first, 1) << "what was taken stays as it was";
}

TEST(Published, NeverTearsAndNeverGoesBackWhileItIsRenewed) {
  using Pair = std::pair<int, int>;
  Published<Pair> box(std::make_shared<const Pair>(0, 0));
  std::atomic<bool> over{false};
  std::atomic<int> faults{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      int last = 0;
      while (!over.load()) {
        const auto value = box.load();
        if (value->first != -value->second || value->first < last) faults.fetch_add(1);
        last = value->first;
      }
    });
  }
  for (int i = 1; i <= 20'000; ++i) box.store(std::make_shared<const Pair>(i, -i));
  over.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(faults.load(), 0);
  EXPECT_EQ(box.load()->first, 20'000);
}

}  // namespace
}  // namespace peerscope
