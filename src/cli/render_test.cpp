#include "cli/render.hpp"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace peerscope {
namespace {

using testing::HasSubstr;
using testing::Not;

Snapshot with_finding() {
  Snapshot snapshot;
  Finding finding;
  finding.kind = "straggler";
  finding.sentence =
      "Rank 2 arrives 214 µs late in every all_reduce since 1.2 s ago: 71 % of communication time "
      "is waiting for it.";
  finding.action = "Look at what rank 2 does before the collective: peerscope report";
  finding.confidence = 0.99;
  finding.evidence = {
      {"transfer_p50_host_ns", 12'300}, {"last_share", 0.97}, {"collectives", 1036}};
  snapshot.findings.push_back(finding);
  return snapshot;
}

TEST(Render, TheVerdictComesFirstWithEvidenceAndAction) {
  EXPECT_EQ(verdict(with_finding(), {}),
            "  ▲ Rank 2 arrives 214 µs late in every all_reduce since 1.2 s ago: 71 % of\n"
            "    communication time is waiting for it.\n"
            "    transfer p50 host 12.3 µs · last share 97 % · collectives 1 036 ·\n"
            "    confidence 99 %\n"
            "    → Look at what rank 2 does before the collective: peerscope report\n");
}

TEST(Render, NothingRecordedIsNotSaidToBeWell) {
  EXPECT_THAT(verdict(Snapshot{}, {}), HasSubstr("nothing to judge"));
  Snapshot snapshot;
  auto aggregates = std::make_shared<Aggregates>();
  aggregates->totals.operations = 1;
  snapshot.aggregates = aggregates;
  EXPECT_THAT(verdict(snapshot, {}), HasSubstr("Nothing stands out"));
}

TEST(Render, ColourIsNeverTheOnlyBearerOfAMeaning) {
  Style colour;
  colour.colour = true;
  const std::string with = verdict(with_finding(), colour);
  const std::string without = verdict(with_finding(), {});
  EXPECT_THAT(with, HasSubstr("\x1b["));
  EXPECT_THAT(without, Not(HasSubstr("\x1b[")));
  EXPECT_THAT(without, HasSubstr("▲"));
}

TEST(Render, TablesAlignOnWhatIsSeenNotOnBytes) {
  EXPECT_EQ(table({{"name", "p50"}, {"µs", "1.0 µs"}, {"longer", "–"}}, 1, {}),
            "  name       p50\n"
            "  µs      1.0 µs\n"
            "  longer       –\n");
}

TEST(Render, FitsEightyColumns) {
  Snapshot snapshot = with_finding();
  auto aggregates = std::make_shared<Aggregates>();
  OperationRow row;
  row.kind = Kind::reduce_scatter;
  row.algorithm = Algorithm::balanced_tree;
  row.size_class = 31;
  OperationStats& s = row.windows.in(Window::all);
  s.count = 123'456'789;
  s.host = {123, 1e6, 999e3, 2e6, 3e6, 4e6, 1, 5e6};
  s.transfer = s.skew = s.host;
  s.busbw_bytes_per_s = 182e9;
  aggregates->operations.push_back(row);
  RankRow rank;
  rank.rank = 63;
  rank.windows.in(Window::all).collectives = 1'000'000;
  rank.windows.in(Window::all).lateness_samples = 10;
  aggregates->ranks.push_back(rank);
  snapshot.aggregates = aggregates;
  std::istringstream lines(report(snapshot, {}));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(columns(line), 80u) << line;
}

}  // namespace
}  // namespace peerscope
