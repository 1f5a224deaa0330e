#include "suite/html/page.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "html/chart.hpp"
#include "suite/html/matrix.hpp"

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

TEST(Page, ShowsMatricesAndOverlap) {
  P2pResult result{"copy",
                   "from <a> to b",
                   "host",
                   {.unit = "GB/s", .rows = "from", .columns = "to", .cells = {{-1, 5}, {10, -1}}}};
  const std::string section = p2p_section(std::vector<P2pResult>{result});
  EXPECT_THAT(section, HasSubstr("from &lt;a&gt; to b"));
  EXPECT_THAT(section, HasSubstr("50%,transparent)\">10</td>"));
  EXPECT_EQ(p2p_section({}), "");
  const OverlapRow row{
      .operation = "all_reduce", .bytes = 8, .comm_alone_us = 4, .comm_beside_us = 6};
  EXPECT_THAT(overlap_section(std::vector<OverlapRow>{row}), HasSubstr("× 1.50"));
  EXPECT_THAT(html_page({}, section), Not(HasSubstr("Nothing was measured")));
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
