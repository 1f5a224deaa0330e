#include "suite/html/matrix.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/units.hpp"
#include "html/chart.hpp"

namespace peerscope {
namespace {

std::string matrix_html(const P2pResult& result) {
  const P2pMatrix& matrix = result.matrix;
  std::string out = fmt::format(
      "<figure><figcaption>{}<span class=\"soft\">{}; {}</span></figcaption><table "
      "class=\"matrix\">\n<tr><th></th>",
      escaped(result.name), escaped(result.help), escaped(matrix.unit));
  for (std::size_t column = 0; column < matrix.cells.front().size(); ++column)
    out += fmt::format("<th>{}</th>", column);
  out += "</tr>\n";
  for (std::size_t row = 0; row < matrix.cells.size(); ++row) {
    out += fmt::format("<tr><th>{}</th>",
                       matrix.rows.empty() ? std::string("all") : fmt::format("{}", row));
    for (const double value : matrix.cells[row]) out += heat_cell(value, result.most());
    out += "</tr>\n";
  }
  const std::string axes = matrix.rows.empty()
                               ? matrix.columns
                               : fmt::format("row: {}, column: {}", matrix.rows, matrix.columns);
  return out + fmt::format("</table><p class=\"soft\">{}</p></figure>\n", escaped(axes));
}

}  // namespace

std::string p2p_section(std::span<const P2pResult> results) {
  std::string out;
  for (const P2pResult& result : results) {
    if (!result.matrix.cells.empty()) out += matrix_html(result);
  }
  if (out.empty()) return {};
  return "<section><h2>Between ranks' memories</h2>\n<div class=\"matrices\">" + out +
         "</div></section>\n";
}

std::string overlap_section(std::span<const OverlapRow> rows) {
  if (rows.empty()) return {};
  std::string out =
      "<section><h2>Communication beside computation</h2>\n<div class=\"scroll\"><table>\n<tr><th "
      "class=\"l\">operation</th><th>size</th><th>communication alone</th><th>beside</th><th></th>"
      "<th>computation alone</th><th>beside</th><th></th><th>hidden</th></tr>\n";
  for (const OverlapRow& row : rows) {
    out += fmt::format(
        "<tr><td class=\"l\">{} {} {} g{}</td><td>{}</td><td>{}</td><td>{}</td><td>× {:.2f}</td>"
        "<td>{}</td><td>{}</td><td>× {:.2f}</td><td>{}</td></tr>\n",
        escaped(row.operation), escaped(row.backend), escaped(row.algorithm), row.ranks,
        format_bytes(row.bytes), format_duration(row.comm_alone_us * 1e3),
        format_duration(row.comm_beside_us * 1e3), row.comm_slowdown(),
        format_duration(row.compute_alone_us * 1e3), format_duration(row.compute_beside_us * 1e3),
        row.compute_slowdown(), format_percent(row.hidden()));
  }
  return out + "</table></div></section>\n";
}

}  // namespace peerscope
