#include "suite/html/page.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "suite/html/chart.hpp"

namespace peerscope {
namespace {

using testing::HasSubstr;
using testing::Not;

BenchRow row(const std::string& algorithm, std::uint64_t bytes, double us) {
  BenchRow row{
      .operation = "all_reduce", .algorithm = algorithm, .backend = "host", .dtype = "f32"};
  row.bytes = bytes;
  row.ranks = 4;
  row.out = timing_of({us, us * 1.01, us * 0.99});
  row.out.algbw_gbs = row.out.busbw_gbs = static_cast<double>(bytes) / us / 1e3;
  row.out.wrong = 0;
  row.out.checked = 10;
  return row;
}

TEST(Page, HasChartsCrossoversAndTheRoof) {
  ResultSet set;
  set.rows = {row("direct", 64, 4), row("direct", 65536, 90), row("ring", 64, 9),
              row("ring", 65536, 20)};
  set.ceilings = {{"host", "memcpy", 9.5}};
  const std::string page = html_page(set);
  EXPECT_THAT(page, HasSubstr("host direct is fastest up to"));
  EXPECT_THAT(page, HasSubstr("class=\"cross\""));
  EXPECT_THAT(page, HasSubstr("memcpy: 9.5 GB/s"));
  EXPECT_THAT(page, HasSubstr("prefers-color-scheme:dark"));
  EXPECT_THAT(page, HasSubstr("All 40 elements that were checked are right"));
  for (const char* outside : {"http:", "https:", "src=", "@import", "<script", "nan", "inf\""})
    EXPECT_THAT(page, Not(HasSubstr(outside)));
}

TEST(Page, SaysWhatIsWrongAndEscapes) {
  ResultSet set;
  set.command = "bench <b>";
  set.rows = {row("ring", 8, 5)};
  set.rows[0].out.wrong = 3;
  EXPECT_THAT(html_page(set), HasSubstr("3 of 10 elements are wrong"));
  EXPECT_THAT(html_page(set), Not(HasSubstr("<b>")));
  EXPECT_THAT(html_page({}), HasSubstr("Nothing was measured"));
}

TEST(Chart, DrawsOnePointAndNone) {
  EXPECT_THAT(svg({}), Not(HasSubstr("nan")));
  Chart one;
  one.log_y = true;
  one.series = {{"a", 0, {{8, 5, "note"}}}};
  EXPECT_THAT(svg(one), Not(HasSubstr("nan")));
  EXPECT_THAT(svg(one), HasSubstr("<title>note</title>"));
}

}  // namespace
}  // namespace peerscope
