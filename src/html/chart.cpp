#include "html/chart.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>

#include "base/units.hpp"

namespace peerscope {
namespace {

constexpr double kWidth = 640, kHeight = 320;
constexpr double kLeft = 56, kRight = 16, kTop = 28, kBottom = 36;

struct Range {
  double low = INFINITY, high = -INFINITY;
  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

std::string figure(double value) {
  if (value != 0 && std::fabs(value) < 1) return fmt::format("{:.2g}", value);
  return value < 1e4 ? fmt::format("{:.4g}", value) : fmt::format("{:.0f}", value);
}

// 1, 2 or 5 times a power of ten, so that there are about five steps.
double step_for(double span) {
  const double rough = span / 5, power = std::pow(10, std::floor(std::log10(rough)));
  for (const double times : {1.0, 2.0, 5.0}) {
    if (times * power >= rough) return times * power;
  }
  return 10 * power;
}

class Plot {
 public:
  explicit Plot(const Chart& chart) : chart_(chart) {
    for (const ChartSeries& series : chart.series) {
      for (const ChartPoint& point : series.points) add(point);
    }
    for (const ChartPoint& point : chart.roof) add(point);
    if (chart.x == ChartAxis::seconds) {
      if (!std::isfinite(x_.low)) x_ = {0, 1};
      if (!(x_.high > x_.low)) x_.high = x_.low + 1;
    } else {
      if (!(x_.low > 0) || !std::isfinite(x_.low)) x_ = {1, 2};
      if (!(x_.high > x_.low)) x_ = {x_.low / 2, x_.low * 2};
    }
    if (chart.log_y) {
      if (!(y_.low > 0) || !std::isfinite(y_.low)) y_ = {1, 10};
      y_ = {std::pow(10, std::floor(std::log10(y_.low))),
            std::pow(10, std::ceil(std::log10(y_.high)))};
      if (!(y_.high > y_.low)) y_.high = y_.low * 10;
    } else {
      const double step = step_for(std::max(y_.high, 1e-3));
      y_ = {0, std::ceil(std::max(y_.high, 1e-3) * 1.05 / step) * step};
    }
  }

  [[nodiscard]] std::string draw() const {
    return fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">", kWidth,
                       kHeight, escaped(chart_.title)) +
           fmt::format("<text class=\"title\" x=\"{}\" y=\"14\">{}</text>", kLeft,
                       escaped(chart_.title)) +
           grid_x() + grid_y() + marks() + roof() + lines() + "</svg>\n";
  }

 private:
  void add(const ChartPoint& point) {
    x_.add(point.x);
    y_.add(point.y);
  }
  [[nodiscard]] double px(double x) const {
    const double share = chart_.x == ChartAxis::seconds
                             ? (x - x_.low) / (x_.high - x_.low)
                             : std::log(x / x_.low) / std::log(x_.high / x_.low);
    return kLeft + (kWidth - kLeft - kRight) * share;
  }
  [[nodiscard]] double py(double y) const {
    const double share = chart_.log_y
                             ? std::log(std::max(y, y_.low) / y_.low) / std::log(y_.high / y_.low)
                             : (y - y_.low) / (y_.high - y_.low);
    return kHeight - kBottom - (kHeight - kTop - kBottom) * share;
  }

  [[nodiscard]] std::string line_x(double x, const std::string& text) const {
    return fmt::format(
        "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>"
        "<text class=\"tick\" text-anchor=\"middle\" x=\"{0:.1f}\" y=\"{3}\">{4}</text>",
        px(x), kTop, kHeight - kBottom, kHeight - kBottom + 16, text);
  }

  [[nodiscard]] std::string grid_x() const {
    std::string out;
    if (chart_.x == ChartAxis::seconds) {
      const double step = step_for(x_.high - x_.low);
      for (double x = std::ceil(x_.low / step) * step; x <= x_.high + step * 1e-6; x += step)
        out += line_x(x, fmt::format("{:.6g} s", x));
      return out;
    }
    const double first = std::ceil(std::log2(x_.low)), last = std::floor(std::log2(x_.high));
    const double step = std::max(1.0, std::ceil((last - first) / 9));
    for (double power = first; power <= last; power += step)
      out += line_x(std::exp2(power), format_bytes(static_cast<std::uint64_t>(std::exp2(power))));
    return out;
  }

  [[nodiscard]] std::string line_y(double y) const {
    return fmt::format(
        "<line class=\"grid\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>"
        "<text class=\"tick\" text-anchor=\"end\" x=\"{3}\" y=\"{4:.1f}\">{5}</text>",
        kLeft, kWidth - kRight, py(y), kLeft - 6, py(y) + 4, figure(y));
  }

  [[nodiscard]] std::string grid_y() const {
    std::string out =
        fmt::format("<text class=\"tick\" text-anchor=\"end\" x=\"{}\" y=\"14\">{}</text>",
                    kLeft - 6, escaped(chart_.unit));
    const double step = step_for(y_.high);
    for (double y = y_.low; y <= y_.high * 1.0001; y = chart_.log_y ? y * 10 : y + step)
      out += line_y(y);
    return out;
  }

  [[nodiscard]] std::string marks() const {
    std::string out;
    double row = 0;
    for (const ChartMark& mark : chart_.marks) {
      const double x = px(mark.x);
      const bool left = x > kWidth * 0.6;
      out += fmt::format(
          "<line class=\"cross\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>"
          "<text class=\"note\" text-anchor=\"{3}\" x=\"{4:.1f}\" y=\"{5}\">{6}</text>",
          x, kTop, kHeight - kBottom, left ? "end" : "start", left ? x - 5 : x + 5,
          kTop + 12 + 13 * row, escaped(mark.text));
      row += 1;
    }
    return out;
  }

  [[nodiscard]] std::string path(const std::vector<ChartPoint>& points) const {
    std::string out;
    for (const ChartPoint& point : points)
      out += fmt::format("{}{:.1f} {:.1f}", out.empty() ? "M" : "L", px(point.x), py(point.y));
    return out;
  }

  [[nodiscard]] std::string roof() const {
    if (chart_.roof.empty()) return {};
    const ChartPoint& last = chart_.roof.back();
    return fmt::format(
        "<path class=\"roof\" d=\"{}\"/>"
        "<text class=\"note\" text-anchor=\"end\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>",
        path(chart_.roof), px(last.x), py(last.y) - 5, escaped(chart_.roof_text));
  }

  [[nodiscard]] std::string lines() const {
    std::string out;
    for (const ChartSeries& series : chart_.series) {
      const int style = series.style % kChartStyles;
      out += fmt::format("<path class=\"line s{}\" d=\"{}\"/>", style, path(series.points));
      for (const ChartPoint& point : series.points) {
        out += fmt::format("<path class=\"dot s{}\" d=\"{}\"><title>{}</title></path>", style,
                           marker(style, px(point.x), py(point.y)), escaped(point.note));
      }
    }
    return out;
  }

 public:
  // A shape beside the colour, so that the colour is never the only difference.
  static std::string marker(int style, double x, double y) {
    constexpr double kR = 3.4;
    switch (style % 4) {
      case 0:
        return fmt::format("M{:.1f} {:.1f}a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0 -{d} 0z", x - kR, y,
                           fmt::arg("r", kR), fmt::arg("d", 2 * kR));
      case 1:
        return fmt::format("M{:.1f} {:.1f}h{d}v{d}h-{d}z", x - kR, y - kR, fmt::arg("d", 2 * kR));
      case 2:
        return fmt::format("M{:.1f} {:.1f}l4.2 7.2h-8.4z", x, y - 4.4);
      default:
        return fmt::format("M{:.1f} {:.1f}l4.4 4.4l-4.4 4.4l-4.4 -4.4z", x, y - 4.4);
    }
  }

 private:
  const Chart& chart_;
  Range x_, y_;
};

}  // namespace

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string svg(const Chart& chart) { return Plot(chart).draw(); }

std::string legend(const Chart& chart) {
  std::string out = "<div class=\"legend\">";
  for (const ChartSeries& series : chart.series) {
    const int style = series.style % kChartStyles;
    out += fmt::format(
        "<span><svg viewBox=\"0 0 26 12\"><path class=\"line s{0}\" d=\"M1 6L25 6\"/>"
        "<path class=\"dot s{0}\" d=\"{1}\"/></svg>{2}</span>",
        style, Plot::marker(style, 13, 6), escaped(series.name));
  }
  return out + "</div>\n";
}

}  // namespace peerscope
