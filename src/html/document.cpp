// What pages share: the frame, bars and coloured cells.
#include <algorithm>

#include <fmt/format.h>

#include "html/chart.hpp"
#include "html/style.hpp"

namespace peerscope {
namespace {

constexpr double kBarsWidth = 640, kBarsHeight = 240;
constexpr double kBarsTop = 28, kBarsBottom = 36;

}  // namespace

std::string svg_bars(const std::string& title, const std::string& unit,
                     const std::vector<Bar>& bars) {
  double most = 0;
  for (const Bar& bar : bars) most = std::max(most, bar.value);
  std::string out = fmt::format(
      "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\"><text class=\"title\" x=\"0\" "
      "y=\"14\">{}, {}</text>",
      kBarsWidth, kBarsHeight, escaped(title), escaped(title), escaped(unit));
  const double step = kBarsWidth / static_cast<double>(std::max<std::size_t>(bars.size(), 6));
  const double floor = kBarsHeight - kBarsBottom, room = floor - kBarsTop - 16;
  double x = 0;
  for (const Bar& bar : bars) {
    const double height = most > 0 ? room * std::max(bar.value, 0.0) / most : 0;
    out += fmt::format(
        "<rect class=\"s0\" fill=\"currentColor\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
        "height=\"{:.1f}\" rx=\"2\"><title>{}</title></rect>",
        x + step * 0.1, floor - height, step * 0.8, height, escaped(bar.note));
    out += fmt::format(
        "<text class=\"tick\" text-anchor=\"middle\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>",
        x + step / 2, floor + 16, escaped(bar.text));
    x += step;
  }
  return out + "</svg>\n";
}

// The more there is of it, the more colour; of times the less the better is not judged.
std::string heat_cell(double value, double most) {
  if (value < 0) return "<td class=\"none\">–</td>";
  const double share = most > 0 ? value / most : 0;
  return fmt::format(
      "<td style=\"background:color-mix(in srgb,var(--c0) {:.0f}%,transparent)\">{:.3g}</td>",
      8 + 42 * share, value);
}

std::string html_document(const std::string& title, const std::string& body) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>{}</title>"
      "<style>{}</style></head><body><main>\n{}</main></body></html>\n",
      escaped(title), kReportStyle, body);
}

}  // namespace peerscope
