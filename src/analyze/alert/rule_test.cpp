// The language: what it says, what it refuses, and that the documentation is true.
#include <fstream>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analyze/alert/figures.hpp"
#include "analyze/alert/parse.hpp"
#include "analyze/alert/words.hpp"

namespace peerscope {
namespace {

Rule parsed(const std::string& text) {
  const Result<Rule> rule = parse_rule(text);
  EXPECT_TRUE(rule) << text << ": " << (rule ? "" : rule.error().message);
  return rule ? *rule : Rule{};
}

std::string error(const std::string& text) {
  const Result<Rule> rule = parse_rule(text);
  return rule ? "none" : rule.error().message;
}

TEST(Rule, SaysWhatItLooksAt) {
  const Rule rule = parsed(
      "slow all_reduce: p99(all_reduce, device) > 200us for 10s severity critical clear 150us");
  EXPECT_EQ(rule.name, "slow all_reduce");
  EXPECT_EQ(rule.term.figure, Figure::p99);
  EXPECT_EQ(rule.term.part, Part::device);
  EXPECT_EQ(rule.term.operation, Kind::all_reduce);
  EXPECT_EQ(rule.term.source, RowSource::operations);
  EXPECT_EQ(rule.term.window, Window::ten_seconds);
  EXPECT_EQ(rule.comparison, Comparison::above);
  EXPECT_EQ(rule.threshold, 200e3);
  EXPECT_EQ(rule.clear, 150e3);
  EXPECT_EQ(rule.for_ns, 10'000'000'000);
  EXPECT_EQ(rule.severity, Severity::critical);
}

TEST(Rule, WithoutANameIsCalledByItsCondition) {
  EXPECT_EQ(parsed("finding straggler for 5s").name, "finding straggler");
  EXPECT_EQ(parsed("rate(errors) > 1/s for 5s").name, "rate(errors) > 1/s");
  EXPECT_EQ(parsed("metric(\"a:b\") > 1").name, "metric(\"a:b\") > 1");
}

TEST(Rule, OfAChangeIsRelativeAndLooksBack) {
  const Rule rule = parsed("change(busbw(all_reduce)) < -30% over 60s");
  EXPECT_EQ(rule.transform, Transform::change);
  EXPECT_DOUBLE_EQ(rule.threshold, -0.3);
  EXPECT_EQ(rule.over_ns, 60'000'000'000);
  EXPECT_EQ(quantity_of(rule), Quantity::share);
}

TEST(Rule, ReadsUnitsOfEveryQuantity) {
  EXPECT_EQ(parsed("p99 > 1.5 ms for 1min").threshold, 1.5e6);
  EXPECT_EQ(parsed("p99 > 2µs").threshold, 2e3);
  EXPECT_EQ(parsed("bytes > 64M").threshold, 64.0 * 1024 * 1024);
  EXPECT_EQ(parsed("busbw < 10 GB/s").threshold, 10e9);
  EXPECT_EQ(parsed("rate(bytes) > 1 MB/s").threshold, 1e6);
  EXPECT_EQ(parsed("rate(errors) > 6/min").threshold, 0.1);
  EXPECT_EQ(parsed("pool_share >= 90%").threshold, 0.9);
  EXPECT_EQ(parsed("count > 5 for 10s").for_ns, 10'000'000'000);
}

TEST(Rule, TakesRowsThatTellApartWhatIsAskedFor) {
  EXPECT_EQ(parsed("errors > 0").term.source, RowSource::operations);
  EXPECT_EQ(parsed("errors > 0 group rank").term.source, RowSource::ranks);
  EXPECT_EQ(parsed("errors > 0 group link").term.source, RowSource::pairs);
  EXPECT_EQ(parsed("errors(communicator=tp) > 0").term.source, RowSource::communicators);
  EXPECT_EQ(parsed("mean(device) > 1ms group device").term.source, RowSource::devices);
  const Rule cells = parsed("p99(all_reduce) > 1ms group rank");
  EXPECT_EQ(cells.term.source, RowSource::cells);
  EXPECT_EQ(cells.term.window, Window::all);
  EXPECT_EQ(parsed("waiting_share > 1%").term.source, RowSource::communicators);
  EXPECT_EQ(parsed("waiting_share > 1% group rank").term.source, RowSource::ranks);
  EXPECT_FALSE(parsed("overhead > 1%").term.window);
}

TEST(Rule, WhatIsWrongIsSaidWithItsColumnAndWhatIsKnown) {
  EXPECT_THAT(error("slow: p98 > 1ms"),
              testing::StartsWith("column 7: 'p98' is no figure; there are: finding, rate(), "));
  EXPECT_THAT(
      error("finding stragler"),
      testing::StartsWith("column 9: 'stragler' is no kind of finding; there are: any, hang"));
  EXPECT_EQ(error("p99 > 200"),
            "column 7: this figure needs its unit; there are: min, ns, us, µs, ms, s, h, d");
  EXPECT_EQ(error("p99 200us"), "column 5: a comparison is missing (>, >=, <, <=), here is '2'");
  EXPECT_EQ(error("p99 > "), "column 7: a figure is missing, here is the end");
  EXPECT_EQ(error("p99 > inf"), "column 7: a figure is missing, here is 'inf'");
  EXPECT_THAT(error("p99(all_reduced) > 1ms"),
              testing::StartsWith("column 5: 'all_reduced' is no operation"));
  EXPECT_THAT(error("rate(errors) > 1/s over 5s"),
              testing::StartsWith("column 20: this rate is that of its window"));
  EXPECT_EQ(error("p99 > 1ms over 5s"), "column 11: over is of rate() and change()");
  EXPECT_EQ(error("p99 > 1ms clear 2ms"), "column 17: clear has to lie below the threshold");
  EXPECT_EQ(error("busbw < 2 GB/s clear 1 GB/s"),
            "column 22: clear has to lie above the threshold");
  EXPECT_EQ(error("p99 > 1ms fro 2s"),
            "column 11: 'fro' is no option; there are: for, keep, clear, over, severity, group, "
            "at_least, inhibited_by, action");
  EXPECT_EQ(error("p99 > 1ms severity loud"),
            "column 20: 'loud' is no severity; there are: info, warning, critical");
  EXPECT_EQ(error("p99 > 1ms group ranks"),
            "column 17: 'ranks' is no group; there are: none, operation, rank, pair, link, device, "
            "communicator");
  EXPECT_EQ(error("busbw > 1 GB/s group rank"),
            "column 22: busbw is not told apart by rank; it is by operation, size or algorithm");
  EXPECT_EQ(error("busbw(rank=1) > 1 GB/s"),
            "column 1: busbw is not told apart by rank; it is by operation, size or algorithm");
  EXPECT_EQ(error("p99(1s) > 1ms group rank"),
            "column 21: p99 of these has no window; leave '1s' out");
  EXPECT_EQ(error("count(device) > 1"), "column 7: count has no 'device'");
  EXPECT_EQ(error("rate(p99) > 1/s"),
            "column 1: p99 is no amount that could have a rate; write change()");
  EXPECT_EQ(error("µ: p98 > 1"), error("a: p98 > 1"));  // columns are characters
  EXPECT_EQ(error("metric > 1"),
            "column 1: metric wants the metric's name: metric(\"queue.depth\")");
  EXPECT_EQ(error("metric(\"x) > 1"), "column 8: this quotation has no end");
  EXPECT_EQ(error(": p99 > 1ms"), "column 1: there is no name before the colon");
  EXPECT_THAT(error(std::string(2000, 'x')), testing::HasSubstr("at most 1000 characters"));
  EXPECT_THAT(error(""), testing::StartsWith("column 1: the end is no figure"));
}

TEST(Rule, EveryFigureCanBeAskedForByItsName) {
  for (const FigureSpec& spec : figures()) {
    EXPECT_EQ(&spec_of(spec.figure), &spec) << spec.name;
    const std::string argument = spec.figure == Figure::metric ? "(\"m\")" : "";
    EXPECT_EQ(parsed(std::string(spec.name) + argument + " > 0").term.figure, spec.figure);
    EXPECT_NE(rule_meaning(parsed(std::string(spec.name) + argument + " > 0")), "");
  }
}

std::vector<std::string> lines_of_fence(const std::string& path, const std::string& fence) {
  std::ifstream file(path);
  std::vector<std::string> out;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("```"))
      inside = line == fence;
    else if (inside)
      out.push_back(line);
  }
  return out;
}

TEST(Rule, EverySampleOfTheDocumentationIsRight) {
  const auto samples = lines_of_fence(PSCOPE_SOURCE_DIR "/docs/alerts.md", "```rules");
  EXPECT_GT(samples.size(), 20u);
  for (const std::string& sample : samples) parsed(sample);
}

TEST(Rule, TheDocumentationNamesEveryFigure) {
  std::ifstream file(PSCOPE_SOURCE_DIR "/docs/alerts.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  for (const FigureSpec& spec : figures())
    EXPECT_THAT(page, testing::HasSubstr("`" + std::string(spec.name))) << spec.name;
}

// "## hang (critical)", "| `xid` | critical |", "From `ras`: `rank_missing`, ...".
TEST(Rule, KnowsEveryKindOfFindingThatIsDocumented) {
  const auto kinds = finding_kinds();
  const std::set<std::string_view> known(kinds.begin(), kinds.end());
  std::ifstream file(PSCOPE_SOURCE_DIR "/docs/findings.md");
  std::size_t seen = 0;
  for (std::string line; std::getline(file, line);) {
    std::string kind;
    const std::size_t bracket = line.find(" (");
    if (line.starts_with("## ") && bracket != std::string::npos) kind = line.substr(3, bracket - 3);
    if (line.starts_with("| `")) kind = line.substr(3, line.find('`', 3) - 3);
    if (kind.empty()) continue;
    ++seen;
    EXPECT_TRUE(known.contains(kind)) << kind;
    EXPECT_EQ(error("finding " + kind), "none");
  }
  EXPECT_GT(seen, 25u);
}

}  // namespace
}  // namespace peerscope
