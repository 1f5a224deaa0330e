// Rows from the outside: there and back through JSON, as curves, as text.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "suite/case.hpp"
#include "suite/curves.hpp"
#include "suite/format.hpp"

namespace peerscope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

BenchRow row(const std::string& algorithm, std::uint64_t bytes, double us) {
  BenchRow row{
      .operation = "all_reduce", .algorithm = algorithm, .backend = "host", .dtype = "f32"};
  row.redop = "sum";
  row.bytes = bytes;
  row.count = bytes / 4;
  row.ranks = 4;
  row.out = timing_of({us, us * 1.01, us * 0.99, us});
  row.out.wrong = 0;
  return row;
}

TEST(Results, SurviveJson) {
  ResultSet set;
  set.command = "bench all_reduce";
  set.machine = machine_of("two of these");
  set.ceilings = {{"host", "memcpy", 12.5}};
  set.rows = {row("ring", 64, 5), row("direct", 64, 6)};
  set.rows[1].in = set.rows[1].out;
  set.rows[1].out.wrong.reset();
  const auto back = results_from_json(to_json(set).dump());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(to_json(*back), to_json(set));
  EXPECT_EQ(key_of(back->rows[0]), "all_reduce 64 B f32 sum host ring g4");
  EXPECT_EQ(set.machine.fingerprint, machine_of("two of these").fingerprint);
  EXPECT_NE(set.machine.fingerprint, machine_of("two of those").fingerprint);
}

TEST(Results, SayWhatIsNotRightAboutAFile) {
  EXPECT_THAT(results_from_json("{").error().message, HasSubstr("no JSON"));
  EXPECT_THAT(results_from_json("{}").error().message, HasSubstr("rows"));
  EXPECT_THAT(results_from_json(R"({"rows": [{}]})").error().message, HasSubstr("not right"));
  EXPECT_THAT(read_results("/nowhere/x.json").error().message, HasSubstr("/nowhere/x.json"));
}

TEST(Results, HaveNoIntervalWhereSamplesDoNotTell) {
  EXPECT_FALSE(timing_of({}).interval_us);
  EXPECT_FALSE(timing_of({5}).interval_us);
  EXPECT_FALSE(timing_of({5, 5, 5}).interval_us);
  EXPECT_TRUE(to_json(row("ring", 8, 5))["ci_low_us"].is_number());
}

TEST(Results, AreCsvWithOneLineForEachPlace) {
  BenchRow both = row("ring", 64, 5);
  both.in = both.out;
  const std::string csv = to_csv({both});
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 3);
  EXPECT_THAT(csv, HasSubstr("\nall_reduce,host,ring,f32,sum,4,64,16,0,0,5.0000,"));
}

TEST(Results, AreNcclTestsColumns) {
  EXPECT_THAT(table_row(row("ring", 64, 5)),
              HasSubstr("           64           16      f32    sum     -1     5.00"));
  EXPECT_THAT(table_foot({row("ring", 64, 5)}), HasSubstr("# Out of bounds values : 0 OK"));
}

TEST(Curves, TheFastestChangesHandsWhereLinesMeet) {
  const std::vector<BenchRow> rows{row("direct", 1024, 4),   row("direct", 4096, 16),
                                   row("direct", 16384, 64), row("ring", 1024, 8),
                                   row("ring", 4096, 16.2),  row("ring", 16384, 32),
                                   row("auto", 1024, 1)};
  const auto sets = curve_sets(rows);
  ASSERT_EQ(sets.size(), 1u);
  EXPECT_EQ(sets[0].curves.size(), 3u);
  const auto crosses = crossovers(sets[0]);
  ASSERT_EQ(crosses.size(), 2u);
  EXPECT_EQ(crosses[0].to, "host direct");
  EXPECT_EQ(crosses[1].to, "host ring");
  EXPECT_NEAR(crosses[1].bytes, 4096, 300);
  EXPECT_THAT(fastest_sentence(sets[0]), HasSubstr("host direct is fastest up to 4"));
}

TEST(Curves, NoiseIsNoCrossover) {
  const std::vector<BenchRow> rows{row("direct", 1024, 4), row("direct", 4096, 16),
                                   row("ring", 1024, 4.1), row("ring", 4096, 15.8)};
  EXPECT_EQ(fastest_sentence(curve_sets(rows)[0]), "host direct is fastest at every size.");
}

TEST(Cases, SizesGoUpWithoutRepetition) {
  EXPECT_THAT(sizes_between(8, 64, 2), ElementsAre(8, 16, 32, 64));
  EXPECT_THAT(sizes_between(1, 6, 1.5), ElementsAre(1, 2, 3, 5));
}

}  // namespace
}  // namespace peerscope
