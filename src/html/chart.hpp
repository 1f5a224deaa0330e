// A line chart as inline SVG: sizes on a logarithmic axis or seconds on a linear one, colours from the page's style
// sheet.
#pragma once

#include <cstdint>
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
enum class ChartAxis : std::uint8_t { bytes, seconds };
struct Chart {
  std::string title, unit;  // of y
  ChartAxis x = ChartAxis::bytes;
  bool log_y = false;
  std::vector<ChartSeries> series;
  std::vector<ChartMark> marks;  // vertical lines: crossovers
  std::vector<ChartPoint> roof;  // the limit
  std::string roof_text;
};

std::string svg(const Chart& chart);
std::string legend(const Chart& chart);  // HTML

// Bars from left to right, each with its text under it.
struct Bar {
  std::string text;
  double value = 0;
  std::string note;  // shown where the pointer rests
};
std::string svg_bars(const std::string& title, const std::string& unit,
                     const std::vector<Bar>& bars);

// A cell of a table whose background says how much it is of `most`; `value` < 0: unknown.
std::string heat_cell(double value, double most);

// A whole page: one file, no script, nothing from elsewhere. `body` is HTML.
std::string html_document(const std::string& title, const std::string& body);
std::string escaped(const std::string& text);

inline constexpr int kChartStyles = 7;

}  // namespace peerscope
