#include "suite/html/page.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "base/units.hpp"
#include "html/chart.hpp"
#include "suite/curves.hpp"

namespace peerscope {
namespace {

using Styles = std::map<std::string, int>;  // a curve looks the same in all charts

// For people: three significant digits.
std::string time_text(double us) { return format_duration(us * 1e3); }

std::string interval_text(const Timing& timing) {
  if (!timing.interval_us) return "–";
  return fmt::format("{} – {}", time_text(timing.interval_us->low),
                     time_text(timing.interval_us->high));
}

std::string note_of(const std::string& curve, const BenchRow& row) {
  const Timing& timing = row.out;
  return fmt::format("{}, {}: {} ({}), busbw {:.3g} GB/s, n = {}", curve, format_bytes(row.bytes),
                     time_text(timing.median_us), interval_text(timing), timing.busbw_gbs,
                     timing.us.size());
}

Chart chart_of(const CurveSet& set, const Styles& styles, const char* title, const char* unit,
               double Timing::* value) {
  Chart chart;
  chart.title = title;
  chart.unit = unit;
  for (const Curve& curve : set.curves) {
    ChartSeries series{.name = curve.name(), .style = styles.at(curve.name()), .points = {}};
    for (const CurvePoint& point : curve.points)
      series.points.push_back(
          {point.bytes, point.row->out.*value, note_of(curve.name(), *point.row)});
    chart.series.push_back(std::move(series));
  }
  for (const Crossover& cross : crossovers(set)) {
    if (cross.bytes > 0)
      chart.marks.push_back(
          {cross.bytes,
           fmt::format("{}: {}", format_bytes(static_cast<std::uint64_t>(cross.bytes)), cross.to)});
  }
  return chart;
}

// What the link carries, and below that what the least time that anybody has reached allows.
void add_roof(const CurveSet& set, const std::vector<Ceiling>& ceilings, Chart& chart) {
  const Ceiling* best = nullptr;
  for (const Ceiling& ceiling : ceilings) {
    const bool shown = std::any_of(set.curves.begin(), set.curves.end(), [&](const Curve& curve) {
      return curve.backend == ceiling.backend;
    });
    if (shown && (best == nullptr || ceiling.gbs > best->gbs)) best = &ceiling;
  }
  if (best == nullptr) return;
  double least_us = INFINITY;
  std::map<double, double> factors;  // busbw of one byte a microsecond, by size
  for (const Curve& curve : set.curves) {
    for (const CurvePoint& point : curve.points) {
      const Timing& timing = point.row->out;
      least_us = std::min(least_us, timing.median_us);
      if (timing.algbw_gbs > 0) factors[point.bytes] = timing.busbw_gbs / timing.algbw_gbs;
    }
  }
  for (const auto& [bytes, factor] : factors) {
    const double by_latency = bytes / (least_us * 1e3) * factor;
    chart.roof.push_back({bytes, std::min(by_latency, best->gbs), ""});
  }
  chart.roof_text = fmt::format("{}: {:.3g} GB/s", best->text, best->gbs);
}

std::string row_html(const BenchRow& row) {
  const Timing& timing = row.out;
  const bool wrong = timing.wrong.value_or(0) + (row.in ? row.in->wrong.value_or(0) : 0) > 0;
  return fmt::format(
      "<tr><td class=\"l\">{} {}</td><td title=\"{} B\">{}</td><td>{}</td><td>{}</td><td>{}</td>"
      "<td>{}</td><td>{:.3g}</td><td>{:.3g}</td><td>{}</td><td>{} / {}</td><td{}>{}</td></tr>\n",
      escaped(row.backend), escaped(row.algorithm), row.bytes, format_bytes(row.bytes),
      time_text(timing.median_us), interval_text(timing), time_text(timing.least_us),
      row.in ? time_text(row.in->median_us) : "–", timing.algbw_gbs, timing.busbw_gbs,
      timing.device_us ? time_text(*timing.device_us) : "–", timing.us.size(), timing.outliers,
      wrong ? " class=\"bad\"" : "", timing.wrong ? fmt::format("{}", *timing.wrong) : "–");
}

std::string table_html(const CurveSet& set) {
  std::string out =
      "<details><summary>All figures</summary><div class=\"scroll\"><table>\n<tr><th class=\"l\">"
      "backend, algorithm</th><th>size</th><th>time</th><th>95 % interval</th><th>least</th><th>in "
      "place</th><th>algbw GB/s</th><th>busbw GB/s</th><th>by device clock</th><th>samples / "
      "outliers</th><th>wrong</th></tr>\n";
  for (const Curve& curve : set.curves) {
    for (const CurvePoint& point : curve.points) out += row_html(*point.row);
  }
  return out + "</table></div></details>\n";
}

std::string section(const CurveSet& set, const ResultSet& results, const Styles& styles) {
  Chart time = chart_of(set, styles, "Time of one operation", "µs", &Timing::median_us);
  time.log_y = true;
  Chart bandwidth = chart_of(set, styles, "Bus bandwidth", "GB/s", &Timing::busbw_gbs);
  add_roof(set, results.ceilings, bandwidth);
  const std::string sentence = fastest_sentence(set);
  return fmt::format(
      "<section><h2>{}</h2>\n<p class=\"verdict\">{}</p>\n{}<div "
      "class=\"charts\">{}{}</div>\n{}</section>\n",
      escaped(set.title()), escaped(sentence), legend(time), svg(time), svg(bandwidth),
      table_html(set));
}

std::string fact(const char* name, const std::string& value) {
  if (value.empty()) return {};
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", name, escaped(value));
}

std::string correctness(const ResultSet& set) {
  std::uint64_t wrong = 0, checked = 0;
  for (const BenchRow& row : set.rows) {
    for (const Timing* timing : {&row.out, row.in ? &*row.in : nullptr}) {
      if (timing == nullptr) continue;
      wrong += timing->wrong.value_or(0);
      checked += timing->checked.value_or(0);
    }
  }
  if (checked == 0) return "<p class=\"soft\">Values were not checked.</p>";
  if (wrong == 0)
    return fmt::format("<p>● All {} elements that were checked are right.</p>",
                       format_count(checked));
  return fmt::format("<p class=\"bad\">■ {} of {} elements are wrong.</p>", format_count(wrong),
                     format_count(checked));
}

std::string header(const ResultSet& set) {
  std::string out = "<header><h1>peerscope benchmark</h1>\n" + correctness(set);
  for (const std::string& why : set.skipped)
    out += fmt::format("<p class=\"soft\">Skipped: {}</p>", escaped(why));
  return out + "<dl class=\"facts\">" + fact("command", "peerscope " + set.command) +
         fact("machine", set.machine.text) + fact("fingerprint", set.machine.fingerprint) +
         fact("measured", set.created) + "</dl></header>\n";
}

}  // namespace

std::string html_page(const ResultSet& set, const std::string& more) {
  const std::vector<CurveSet> sets = curve_sets(set.rows);
  Styles styles;
  for (const CurveSet& curves : sets) {
    for (const Curve& curve : curves.curves)
      styles.try_emplace(curve.name(), static_cast<int>(styles.size()));
  }
  std::string out = header(set);
  for (const CurveSet& curves : sets) out += section(curves, set, styles);
  out += more;
  if (sets.empty() && more.empty()) out += "<p class=\"soft\">Nothing was measured.</p>";
  out +=
      "<footer>Time: median of the samples; the interval is of the median, by bootstrap. GB/s is "
      "10⁹ "
      "bytes per second; busbw as nccl-tests defines it. The roofline: what the least time and the "
      "link allow; what stays in caches may be above it. Dotted: where the fastest "
      "changes.</footer>\n";
  return html_document("peerscope benchmark, " + set.created, out);
}

}  // namespace peerscope
