// Frames as text, against golden files. PSCOPE_UPDATE_GOLDEN=1 writes them: then look at them.
#include "tui/screen/view.hpp"

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <ftxui/screen/terminal.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tui/scene_for_test.hpp"
#include "tui/screen/paint.hpp"

namespace peerscope::tui {
namespace {

using testing::HasSubstr;
using testing::Not;

class View : public testing::Test {
 protected:
  void SetUp() override {
    setenv("TZ", "UTC", 1);
    tzset();
    ftxui::Terminal::SetColorSupport(ftxui::Terminal::Color::Palette256);
  }
  ftxui::Screen draw(const Ink& ink = {}) {
    Drawn drawn = view(scene_, history_, state_);
    hits_ = drawn.hits;
    ftxui::Screen screen(state_.width, state_.height);
    ftxui::Render(screen, drawn.element);
    prepare(screen, ink);
    return screen;
  }
  std::string text(const Ink& ink = {}) { return plain_text(draw(ink)); }
  void size(int width, int height) {
    state_.width = width;
    state_.height = height;
  }
  void expect_golden(const std::string& name) {
    const std::string path = fmt::format("{}/src/tui/screen/golden/{}_{}x{}.txt", PSCOPE_SOURCE_DIR,
                                         name, state_.width, state_.height);
    const std::string now = text();
    if (std::getenv("PSCOPE_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << now;
    std::ifstream file(path);
    std::stringstream golden;
    golden << file.rdbuf();
    EXPECT_EQ(now, golden.str()) << path;
  }

  Scene scene_ = scene_for_test();
  History history_ = history_for_test(scene_);
  UiState state_;
  Hits hits_;
};

constexpr std::pair<int, int> kSizes[] = {{80, 24}, {120, 40}, {200, 60}, {40, 10}};

TEST_F(View, EveryPageReadsAsItsGoldenFileAtEverySize) {
  for (const auto& [width, height] : kSizes) {
    size(width, height);
    for (std::size_t page = 0; page < kPages; ++page) {
      state_.page = static_cast<Page>(page);
      expect_golden(name(state_.page));
    }
  }
}

TEST_F(View, HelpAndDetailsLieOverThePage) {
  state_.help = true;
  expect_golden("help");
  size(40, 10);
  expect_golden("help");
  state_.help = false;
  size(80, 24);
  state_.details = true;
  expect_golden("details");
}

TEST_F(View, SixteenRanksAreAMatrixAndMoreAreAList) {
  state_.page = Page::pairs;
  scene_ = scene_for_test(16);
  expect_golden("pairs16");
  size(120, 40);
  EXPECT_THAT(text(), HasSubstr("between ranks of tp"));
  scene_ = scene_for_test(17);
  EXPECT_THAT(text(), Not(HasSubstr("between ranks of tp")));
}

TEST_F(View, TheMapIsOfBandwidthUnlessWhatWasMovedIsSorted) {
  state_.page = Page::pairs;
  EXPECT_THAT(text(), HasSubstr("bandwidth between ranks of tp, GB/s   ░▒▓█ up to 24.0"));
  state_.here().sort = 4;
  EXPECT_THAT(text(), HasSubstr("moved between ranks of tp, GB/s   ░▒▓█ up to 24.5"));
}

TEST_F(View, NoSizeBreaksIt) {
  for (int width = 1; width <= 130; width += 3) {
    for (int height = 1; height <= 40; height += 3) {
      size(width, height);
      for (std::size_t page = 0; page < kPages; ++page) {
        state_.page = static_cast<Page>(page);
        state_.help = page == 6 && width % 2 == 0;
        state_.details = !state_.help && width % 4 == 3;
        draw();
        for (const Hits::Line& line : hits_.lines)
          EXPECT_LT(line.y, height) << width << "x" << height;
      }
    }
  }
}

TEST_F(View, OverheadAndLossAreOnEveryPageAtEverySize) {
  for (const auto& [width, height] : kSizes) {
    size(width, height);
    for (std::size_t page = 0; page < kPages; ++page) {
      state_.page = static_cast<Page>(page);
      const std::string shown = text();
      EXPECT_THAT(shown, HasSubstr("overhead 0.3 %")) << width;
      EXPECT_THAT(shown, HasSubstr("lost 12")) << width;
    }
  }
}

TEST_F(View, WithoutColourNoColourIsSent) {
  for (std::size_t page = 0; page < kPages; ++page) {
    state_.page = static_cast<Page>(page);
    std::string all;
    for (const std::string& line : styled_lines(draw({false, true}))) all += line;
    EXPECT_THAT(all,
                Not(testing::ContainsRegex("\x1b\\[[0-9;]*(3[0-8]|4[0-8]|9[0-7]|10[0-7])[;m]")))
        << page;
    EXPECT_THAT(text({false, true}), testing::StrEq(text()))
        << "colour bears no meaning of its own";
  }
}

TEST_F(View, WithoutUtf8AllIsAscii) {
  for (std::size_t page = 0; page < kPages; ++page) {
    state_.page = static_cast<Page>(page);
    for (const char c : text({true, false})) EXPECT_GE(c, 0);
  }
  state_.page = Page::overview;
  EXPECT_THAT(text({true, false}), HasSubstr("# Rank 1 sends to rank 3"));
}

TEST_F(View, NamesOfOthersCannotCommandTheTerminal) {
  auto snapshot = std::make_shared<Snapshot>(*scene_.snapshot);
  snapshot->processes[0].name =
      "evil\x1b[2J\x07\xc2\x9b"
      "31m";
  snapshot->events[0].name = "a\nb\tc\r\x1b]0;title\x07";
  snapshot->communicators[0].name = "\x1b[31mtp";
  scene_.snapshot = snapshot;
  for (std::size_t page = 0; page < kPages; ++page) {
    state_.page = static_cast<Page>(page);
    for (const bool details : {false, true}) {
      state_.details = details;
      for (const char c : text()) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 || c == '\n');
      EXPECT_THAT(text(), Not(HasSubstr("\xc2\x9b")));
    }
  }
}

TEST_F(View, AClickedHeadSortsByThatColumn) {
  state_.page = Page::ranks;
  draw();
  ASSERT_FALSE(hits_.heads.empty());
  const std::string first = hits_.keys.at(0);
  const auto head = hits_.heads.at(2);
  apply(state_, {Key::click, "", head.from, hits_.heads_y}, hits_);
  draw();
  EXPECT_NE(hits_.keys.at(0), first);
}

TEST_F(View, TheSelectedFindingIsAlwaysSeen) {
  auto snapshot = std::make_shared<Snapshot>(*scene_.snapshot);
  snapshot->findings.clear();
  for (int i = 0; i < 9; ++i) {
    Finding one = findings_for_test()[1];
    one.sentence = i % 3 == 0 ? fmt::format("Short {}.", i)
                              : fmt::format("Number {} {}", i, std::string(60, 'x'));
    one.action = fmt::format("do {}", i);
    snapshot->findings.push_back(one);
  }
  scene_.snapshot = snapshot;
  for (const auto& [width, height] : kSizes) {
    size(width, height);
    draw();
    const std::vector<std::string> keys = hits_.keys;
    for (std::size_t row = 0; row < keys.size(); ++row) {
      state_.here().selected = keys[row];
      for (const int top : {0, 4, 8}) {  // also one that is no longer right: findings come and go
        state_.here().top = top;
        EXPECT_THAT(text(), HasSubstr(fmt::format("{} {}", row % 3 == 0 ? "Short" : "Number", row)))
            << width << "x" << height << " from " << top;
      }
    }
  }
}

TEST_F(View, FindingsOfTheSameSentenceAreToldApart) {
  auto snapshot = std::make_shared<Snapshot>(*scene_.snapshot);
  snapshot->findings = {findings_for_test()[1], findings_for_test()[1]};
  snapshot->findings[0].action = "look at the first";
  snapshot->findings[1].action = "look at the second";
  scene_.snapshot = snapshot;
  const std::string shown = text();
  EXPECT_THAT(shown, HasSubstr("look at the first"));
  EXPECT_THAT(shown, HasSubstr("look at the second"));
}

TEST_F(View, WhatAnOverlayCanScrollIsKnownOnceItIsDrawn) {
  size(40, 10);
  state_.help = true;
  draw();
  const int most = hits_.most_scroll;
  ASSERT_GT(most, 0);
  for (int i = 0; i < 200; ++i) apply(state_, {Key::down}, hits_);
  EXPECT_EQ(state_.scroll, most);
  size(200, 60);
  draw();
  EXPECT_EQ(hits_.most_scroll, 0);
}

TEST_F(View, AFilterThatFindsNothingSaysHowToLeave) {
  state_.page = Page::operations;
  state_.filter = "nothing like it";
  EXPECT_THAT(text(), HasSubstr("Esc clears"));
}

TEST_F(View, AnEmptySessionSaysWhatToDo) {
  scene_ = {std::make_shared<const Snapshot>(), nullptr, "empty"};
  history_ = {};
  for (std::size_t page = 0; page < kPages; ++page) {
    state_.page = static_cast<Page>(page);
    EXPECT_THAT(text(), HasSubstr("overhead 0.0 %")) << page;
  }
  state_.page = Page::overview;
  EXPECT_THAT(text(), HasSubstr("nothing to judge"));
}

TEST(Paint, SendsOnlyLinesThatChanged) {
  EXPECT_EQ(changes({"a", "b"}, {"a", "c"}), "\x1b[2;1Hc\x1b[m");
  EXPECT_EQ(changes({"a"}, {"a"}), "");
  EXPECT_EQ(changes({}, {"a", "b"}), "\x1b[1;1Ha\x1b[m\x1b[2;1Hb\x1b[m");
}

}  // namespace
}  // namespace peerscope::tui
