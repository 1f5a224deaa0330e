#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tui/input.hpp"
#include "tui/pages.hpp"
#include "tui/scene_for_test.hpp"
#include "tui/table.hpp"
#include "tui/update.hpp"

namespace peerscope::tui {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::vector<Key> keys_of(std::string bytes, bool all = true) {
  std::vector<Key> keys;
  for (const Input& input : take_inputs(bytes, all)) keys.push_back(input.key);
  return keys;
}

TEST(Input, KnowsTheKeysOfCommonTerminals) {
  EXPECT_THAT(keys_of("\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[H\x1b[4~\x1b[Z\r\t\x7f"),
              ElementsAre(Key::up, Key::down, Key::page_up, Key::page_down, Key::home, Key::end,
                          Key::back_tab, Key::enter, Key::tab, Key::backspace));
}

TEST(Input, ALoneEscapeIsAKeyOnlyWhenNothingFollows) {
  std::string bytes = "\x1b";
  EXPECT_TRUE(take_inputs(bytes, false).empty());
  EXPECT_EQ(bytes, "\x1b");
  bytes += "[B";
  EXPECT_EQ(take_inputs(bytes, false).at(0).key, Key::down);
  EXPECT_THAT(keys_of("\x1b"), ElementsAre(Key::escape));
}

TEST(Input, TakesCharactersOfSeveralBytesWhole) {
  std::string bytes = "µ\xe2\x86";
  const auto inputs = take_inputs(bytes, false);
  ASSERT_EQ(inputs.size(), 1U);
  EXPECT_EQ(inputs[0].text, "µ");
  EXPECT_EQ(bytes, "\xe2\x86");
  bytes += "\x92";
  EXPECT_EQ(take_inputs(bytes, false).at(0).text, "→");
}

TEST(Input, ReadsClicksAndTheWheel) {
  std::string bytes = "\x1b[<0;12;5M\x1b[<0;12;5m\x1b[<65;1;1M";
  const auto inputs = take_inputs(bytes, true);
  ASSERT_EQ(inputs.size(), 2U);
  EXPECT_EQ(inputs[0].key, Key::click);
  EXPECT_EQ(inputs[0].x, 11);
  EXPECT_EQ(inputs[0].y, 4);
  EXPECT_EQ(inputs[1].key, Key::wheel_down);
}

TEST(Input, NoiseNeitherStopsNorGrowsIt) {
  std::string bytes = "\x1b[" + std::string(10'000, '1');
  take_inputs(bytes, false);
  take_inputs(bytes, true);
  EXPECT_TRUE(bytes.empty());
  for (int i = 0; i < 256; ++i) {
    for (const char* before : {"", "\x1b", "\x1b[", "\x1b[<", "\x1bO"}) {
      std::string noise = before + std::string(1, static_cast<char>(i));
      take_inputs(noise, true);
      EXPECT_TRUE(noise.empty()) << before << i;
    }
  }
}

Table small_table() {
  return {{{"name", "name", true, 0}, {"value_ns", "value", false, 0}},
          {{"a", {words("Alpha"), figure(2, "2 ns")}},
           {"b", {words("beta"), Cell{}}},
           {"c", {words("gamma, \"3\""), figure(10.5, "10.5 ns")}}},
          "nothing"};
}
std::vector<std::string> order(const Table& table) {
  std::vector<std::string> keys;
  for (const Row& row : table.rows) keys.push_back(row.key);
  return keys;
}

TEST(Table, SortsByFiguresNotTheirTextAndPutsTheUnknownLastEitherWay) {
  Table table = small_table();
  sort_rows(table, 1, true);
  EXPECT_THAT(order(table), ElementsAre("c", "a", "b"));
  sort_rows(table, 1, false);
  EXPECT_THAT(order(table), ElementsAre("a", "c", "b"));
}

TEST(Table, FiltersInAnyCaseOfLetters) {
  Table table = small_table();
  filter_rows(table, "ALP");
  EXPECT_THAT(order(table), ElementsAre("a"));
}

TEST(Table, ExportsRawFiguresAndNullForTheUnknown) {
  EXPECT_EQ(to_csv(small_table()), "name,value_ns\nAlpha,2\nbeta,\n\"gamma, \"\"3\"\"\",10.5\n");
  const auto json = nlohmann::json::parse(to_json(small_table(), "ranks"));
  EXPECT_EQ(json["page"], "ranks");
  EXPECT_EQ(json["rows"][0]["value_ns"], 2);
  EXPECT_TRUE(json["rows"][1]["value_ns"].is_null());
}

TEST(Table, ASpreadsheetIsNotGivenFormulasOfOthers) {
  Table table{{{"name", "name", true, 0}}, {{"a", {words("=HYPERLINK(1)")}}}, ""};
  EXPECT_EQ(to_csv(table), "name\n\"'=HYPERLINK(1)\"\n");
}

TEST(Pages, EveryRowHasACellForEachColumn) {
  const Scene scene = scene_for_test();
  const History history = history_for_test(scene);
  UiState state;
  for (std::size_t page = 0; page < kPages; ++page) {
    state.page = static_cast<Page>(page);
    const Table table = table_of(scene, history, state);
    EXPECT_FALSE(table.rows.empty()) << page;
    for (const Row& row : table.rows) EXPECT_EQ(row.cells.size(), table.columns.size()) << page;
  }
}

TEST(Pages, WhatIsUnknownIsADashAndSaysWhyInItsDetails) {
  const Table table = devices_table(scene_for_test());
  ASSERT_EQ(table.rows.size(), 2U);
  for (std::size_t i = 1; i < table.rows[1].cells.size(); ++i)
    EXPECT_EQ(table.rows[1].cells[i].text, "–") << i;
  EXPECT_THAT(table.rows[1].notes.at(0), HasSubstr("GPU is lost"));
}

TEST(Pages, AnEmptySnapshotSaysHowToGetData) {
  const Scene scene{std::make_shared<const Snapshot>(), nullptr, ""};
  EXPECT_THAT(operations_table(scene, {}, Window::all).empty, HasSubstr("level"));
  EXPECT_THAT(devices_table(scene).empty, HasSubstr("source.nvml"));
  auto snapshot = std::make_shared<Snapshot>();
  auto machine = std::make_shared<MachineSummary>();
  machine->missing = "libnvidia-ml.so.1 was not found";
  snapshot->machine = machine;
  EXPECT_THAT(devices_table({snapshot, nullptr, ""}).empty,
              HasSubstr("libnvidia-ml.so.1 was not found"));
}

TEST(Pages, ACollectiveThatIsOpenNamesWhoIsMissing) {
  const Table table = events_table(scene_for_test());
  EXPECT_EQ(table.rows.at(0).cells[0].text, "in flight");
  EXPECT_THAT(table.rows.at(0).cells[4].text, HasSubstr("missing: rank 3"));
}

TEST(History, KeepsTheLast120PointsAndForgetsRowsThatAreGone) {
  const Scene scene = scene_for_test();
  History history;
  for (int i = 0; i < 200; ++i) history.add(*scene.snapshot);
  const std::string key = key_of(scene.snapshot->aggregates->operations[0]);
  EXPECT_EQ(history.of(key).size(), History::kPoints);
  const Snapshot nothing;
  history.add(nothing);
  EXPECT_EQ(history.of(key).back(), kUnknown);
  EXPECT_GT(history.of(key).front(), 0);
  for (std::size_t i = 0; i < History::kPoints; ++i) history.add(nothing);
  EXPECT_TRUE(history.of(key).empty());
}

TEST(History, ASparklineShowsTheUnknownAsAGapAndNothingAsTheLowestBar) {
  EXPECT_EQ(sparkline({0, kUnknown, 50, 100}, 10), "▁ ▄█");
  EXPECT_EQ(sparkline({1, 2, 3, 4}, 2), "▆█");
  EXPECT_EQ(sparkline({kUnknown, 3}, 5), "");
  EXPECT_EQ(sparkline({}, 5), "");
}

class Update : public testing::Test {
 protected:
  Action press(Key key, const std::string& text = "") { return apply(state_, {key, text}, hits_); }
  Action type(const std::string& text) {
    Action last = Action::none;
    for (const char c : text) last = press(Key::character, std::string(1, c));
    return last;
  }
  Hits hits_ = [] {
    Hits hits;
    hits.keys = {"a", "b", "c", "d"};
    hits.page_rows = 2;
    hits.heads_y = 2;
    hits.heads = {{2, 8, 0, true}, {10, 16, 3, false}};
    hits.tabs_y = 1;
    hits.tabs = {{0, 10, 0, false}, {10, 20, 1, false}};
    hits.lines = {{3, 0}, {4, 1}};
    return hits;
  }();
  UiState state_;
};

TEST_F(Update, ArrowsMoveTheSelectionAndScroll) {
  press(Key::down);
  EXPECT_EQ(state_.here().selected, "b");
  type("j");
  EXPECT_EQ(state_.here().selected, "c");
  EXPECT_EQ(state_.here().top, 1);
  press(Key::end);
  EXPECT_EQ(state_.here().selected, "d");
  press(Key::down);
  EXPECT_EQ(state_.here().selected, "d");
  press(Key::home);
  EXPECT_EQ(state_.here().selected, "a");
  EXPECT_EQ(state_.here().top, 0);
}

TEST_F(Update, SGoesThroughTheColumnsThatAreSeenAndBack) {
  type("s");
  EXPECT_EQ(state_.here().sort, 0);
  EXPECT_FALSE(state_.here().descending) << "words begin with A";
  type("s");
  EXPECT_EQ(state_.here().sort, 3);
  EXPECT_TRUE(state_.here().descending) << "figures begin with the largest";
  type("S");
  EXPECT_FALSE(state_.here().descending);
  type("s");
  EXPECT_EQ(state_.here().sort, -1);
}

TEST_F(Update, KeysAreTextWhileAFilterIsTypedAndEscapeClearsIt) {
  EXPECT_EQ(type("/qs1"), Action::none);
  EXPECT_EQ(state_.filter, "qs1");
  EXPECT_EQ(state_.page, Page::overview);
  press(Key::backspace);
  EXPECT_EQ(state_.filter, "qs");
  press(Key::enter);
  EXPECT_EQ(type("q"), Action::quit);
  press(Key::escape);
  EXPECT_EQ(state_.filter, "");
}

TEST_F(Update, ClicksSelectSortAndTurnPages) {
  press(Key::none);
  apply(state_, {Key::click, "", 12, 2}, hits_);
  EXPECT_EQ(state_.here().sort, 3);
  apply(state_, {Key::click, "", 12, 2}, hits_);
  EXPECT_FALSE(state_.here().descending);
  apply(state_, {Key::click, "", 5, 4}, hits_);
  EXPECT_EQ(state_.here().selected, "b");
  EXPECT_FALSE(state_.details);
  apply(state_, {Key::click, "", 5, 4}, hits_);
  EXPECT_TRUE(state_.details);
  state_.details = false;
  apply(state_, {Key::click, "", 15, 1}, hits_);
  EXPECT_EQ(state_.page, Page::operations);
}

TEST_F(Update, WhatLiesOverThePageClosesFirst) {
  type("?");
  EXPECT_TRUE(state_.help);
  EXPECT_EQ(type("q"), Action::none);
  EXPECT_FALSE(state_.help);
  press(Key::enter);
  EXPECT_TRUE(state_.details);
  press(Key::down);
  EXPECT_EQ(state_.scroll, 1);
  press(Key::escape);
  EXPECT_FALSE(state_.details);
}

TEST_F(Update, WhatLiesOverThePageScrollsNoFurtherThanItsLastLine) {
  press(Key::enter);
  hits_.most_scroll = 2;
  for (int i = 0; i < 9; ++i) press(Key::down);
  EXPECT_EQ(state_.scroll, 2);
  press(Key::up);
  EXPECT_EQ(state_.scroll, 1);
  hits_.most_scroll = 0;
  press(Key::down);
  EXPECT_EQ(state_.scroll, 0);
}

TEST_F(Update, AClickOpensDetailsAtTheirFirstLine) {
  state_.scroll = 7;
  state_.here().selected = "b";
  apply(state_, {Key::click, "", 5, 4}, hits_);
  EXPECT_TRUE(state_.details);
  EXPECT_EQ(state_.scroll, 0);
}

TEST_F(Update, IntervalsEndAtTenASecondAndAMinute) {
  for (int i = 0; i < 20; ++i) type("-");
  EXPECT_EQ(state_.interval_ns, 100'000'000);
  for (int i = 0; i < 20; ++i) type("+");
  EXPECT_EQ(state_.interval_ns, 60'000'000'000);
}

TEST_F(Update, ARecordingCannotBePaused) {
  state_.recording = true;
  type("p");
  EXPECT_FALSE(state_.paused);
}

TEST_F(Update, TabGoesRoundThePages) {
  for (std::size_t i = 0; i < kPages; ++i) press(Key::tab);
  EXPECT_EQ(state_.page, Page::overview);
  press(Key::back_tab);
  EXPECT_EQ(state_.page, Page::processes);
}

}  // namespace
}  // namespace peerscope::tui
