// OpenMetrics 1.0 and Prometheus' text 0.0.4: one writer, since they differ in a few words.
#include <array>
#include <charconv>
#include <cmath>

#include "metrics/collect.hpp"
#include "metrics/words.hpp"

namespace peerscope {
namespace metrics {
namespace {

enum class Format : std::uint8_t { openmetrics, prometheus };

void append(std::string& out, std::uint64_t value) {
  std::array<char, 24> buffer;
  out.append(buffer.data(), std::to_chars(buffer.begin(), buffer.end(), value).ptr);
}

void append(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    std::array<char, 32> buffer;
    out.append(buffer.data(), std::to_chars(buffer.begin(), buffer.end(), value).ptr);
  }
}

// "a=\"b\",c=\"d\""
std::string labels_text(const Group& group, const Row& row) {
  std::string out;
  for (std::size_t i = 0; i < group.labels.size(); ++i) {
    if (row.labels[i].empty()) continue;
    if (!out.empty()) out += ',';
    out += group.labels[i];
    out += "=\"";
    append_escaped(out, row.labels[i], true);
    out += '"';
  }
  return out;
}

struct Line {
  std::string& out;
  const std::string& name;
  const std::string& labels;

  template <class Number>
  void write(std::string_view suffix, Number value) const {
    start(suffix);
    if (!labels.empty()) out.append(1, '{').append(labels).append(1, '}');
    finish(value);
  }
  template <class Number>
  void write(std::string_view suffix, std::string_view label, double of, Number value) const {
    start(suffix);
    out.append(1, '{').append(labels).append(labels.empty() ? "" : ",");
    out.append(label).append("=\"");
    append(out, of);
    out.append("\"}");
    finish(value);
  }

 private:
  void start(std::string_view suffix) const { out.append(name).append(suffix); }
  template <class Number>
  void finish(Number value) const {
    out += ' ';
    append(out, value);
    out += '\n';
  }
};

void write_histogram(const Line& line, const DurationCounts& durations) {
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < kDurationBounds; ++i) {
    below += durations.counts[i];
    line.write("_bucket", "le", static_cast<double>(duration_bound_ns(i)) / 1e9, below);
  }
  below += durations.counts[kDurationBounds];
  line.write("_bucket", "le", HUGE_VAL, below);
  line.write("_sum", static_cast<double>(durations.sum_ns) / 1e9);
  line.write("_count", below);
}

void write_summary(const Line& line, const Quantiles& quantiles) {
  if (quantiles.p50 >= 0) line.write("", "quantile", 0.5, quantiles.p50);
  if (quantiles.p99 >= 0) line.write("", "quantile", 0.99, quantiles.p99);
  if (quantiles.sum >= 0) line.write("_sum", quantiles.sum);  // both formats take it for a counter
  line.write("_count", quantiles.count);
}

void write_value(const Line& line, FamilyType type, const Value& value) {
  const std::string_view suffix = type == FamilyType::counter ? "_total"
                                  : type == FamilyType::info  ? "_info"
                                                              : "";
  if (const auto* whole = std::get_if<std::uint64_t>(&value)) line.write(suffix, *whole);
  if (const auto* real = std::get_if<double>(&value)) line.write(suffix, *real);
  if (const auto* durations = std::get_if<Durations>(&value)) write_histogram(line, **durations);
  if (const auto* quantiles = std::get_if<Quantiles>(&value)) write_summary(line, *quantiles);
}

std::string_view type_name(FamilyType type, Format format) {
  switch (type) {
    case FamilyType::counter:
      return "counter";
    case FamilyType::histogram:
      return "histogram";
    case FamilyType::summary:
      return "summary";
    case FamilyType::info:
      return format == Format::openmetrics ? "info" : "gauge";
    case FamilyType::unknown:
      return format == Format::openmetrics ? "unknown" : "untyped";
    case FamilyType::gauge:
      break;
  }
  return "gauge";
}

// 0.0.4 names what the samples are called, OpenMetrics the family.
void write_head(std::string& out, const Family& family, Format format) {
  std::string name = family.name;
  if (format == Format::prometheus && family.type == FamilyType::counter) name += "_total";
  if (format == Format::prometheus && family.type == FamilyType::info) name += "_info";
  out.append("# HELP ").append(name).append(1, ' ');
  append_escaped(out, family.help, format == Format::openmetrics);
  out.append("\n# TYPE ").append(name).append(1, ' ').append(type_name(family.type, format));
  const std::string unit = unit_of(family);
  const bool says_unit = format == Format::openmetrics && !unit.empty();
  if (says_unit) out.append("\n# UNIT ").append(name).append(1, ' ').append(unit);
  out += '\n';
}

bool has_values(const Group& group, std::size_t family) {
  for (const Row& row : group.rows) {
    if (!std::holds_alternative<std::monostate>(row.values[family])) return true;
  }
  return false;
}

void write_group(std::string& out, const Group& group, Format format) {
  std::vector<std::string> labels;
  for (const Row& row : group.rows) labels.push_back(labels_text(group, row));
  for (std::size_t i = 0; i < group.families.size(); ++i) {
    const Family& family = group.families[i];
    if (!has_values(group, i)) continue;
    write_head(out, family, format);
    for (std::size_t row = 0; row < group.rows.size(); ++row)
      write_value({out, family.name, labels[row]}, family.type, group.rows[row].values[i]);
  }
}

std::string write(const MetricSet& set, Format format) {
  std::string out;
  out.reserve(128 * count_series(set));
  for (const Group& group : set.groups) write_group(out, group, format);
  out += "# EOF\n";  // to 0.0.4 a comment
  return out;
}

}  // namespace
}  // namespace metrics

std::string openmetrics(const Snapshot& snapshot, const MetricsOptions& options,
                        const ServerFigures& server, SeriesChoice* choice) {
  using namespace metrics;
  return write(collect(snapshot, options, server, choice), Format::openmetrics);
}

std::string prometheus_text(const Snapshot& snapshot, const MetricsOptions& options,
                            const ServerFigures& server, SeriesChoice* choice) {
  using namespace metrics;
  return write(collect(snapshot, options, server, choice), Format::prometheus);
}

}  // namespace peerscope
