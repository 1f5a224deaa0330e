// A line chart as inline SVG: sizes on a logarithmic axis, colours from the page's style sheet.
#pragma once

#include <string>
#include <vector>

namespace peerscope {

struct ChartPoint {
  double x = 0, y = 0;
  std::string note;  // shown where the pointer rests
};
struct ChartSeries {
  std::string name;
  int style = 0;  // colour and marker, the same in all charts of a page
  std::vector<ChartPoint> points;
};
struct ChartMark {
  double x = 0;
  std::string text;
};
struct Chart {
  std::string title, unit;  // of y
  bool log_y = false;
  std::vector<ChartSeries> series;
  std::vector<ChartMark> marks;  // vertical lines: crossovers
  std::vector<ChartPoint> roof;  // the limit
  std::string roof_text;
};

std::string svg(const Chart& chart);
std::string legend(const Chart& chart);  // HTML
std::string escaped(const std::string& text);

inline constexpr int kChartStyles = 7;

}  // namespace peerscope
