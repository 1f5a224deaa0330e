#include <fmt/format.h>

#include "suite/format.hpp"

namespace peerscope {
namespace {

std::string count_or_na(const std::optional<std::uint64_t>& count) {
  return count ? fmt::format("{}", *count) : "N/A";
}

std::string columns(const std::optional<Timing>& timing) {
  if (!timing) return fmt::format(" {:>8} {:>7} {:>7} {:>6}", "N/A", "N/A", "N/A", "N/A");
  return fmt::format(" {:>8.2f} {:>7.2f} {:>7.2f} {:>6}", timing->median_us, timing->algbw_gbs,
                     timing->busbw_gbs, count_or_na(timing->wrong));
}

std::string csv_line(const BenchRow& row, const Timing& timing, bool in_place) {
  const auto& interval = timing.interval_us;
  const auto bound = [&](double Interval::* end) {
    return interval ? fmt::format("{:.4f}", (*interval).*end) : std::string();
  };
  return fmt::format(
      "{},{},{},{},{},{},{},{},{},{},{:.4f},{:.4f},{:.4f},{:.4f},{},{},{},{},{},{:.4f},{:.4f},{}\n",
      row.operation, row.backend, row.algorithm, row.dtype, row.redop, row.ranks, row.bytes,
      row.count, in_place ? 1 : 0, row.graph ? 1 : 0, timing.median_us, timing.least_us,
      timing.most_us, timing.mad_us, bound(&Interval::low), bound(&Interval::high),
      timing.us.size(), timing.warm_up, timing.outliers, timing.algbw_gbs, timing.busbw_gbs,
      timing.wrong ? fmt::format("{}", *timing.wrong) : "");
}

}  // namespace

std::string to_csv(const std::vector<BenchRow>& rows) {
  std::string text =
      "operation,backend,algorithm,dtype,redop,ranks,bytes,count,in_place,graph,time_us,min_us,"
      "max_us,mad_us,ci_low_us,ci_high_us,samples,warm_up,outliers,algbw_gbs,busbw_gbs,wrong\n";
  for (const BenchRow& row : rows) {
    text += csv_line(row, row.out, false);
    if (row.in) text += csv_line(row, *row.in, true);
  }
  return text;
}

std::string table_head() {
  const std::string place =
      fmt::format(" {:>8} {:>7} {:>7} {:>6}", "time", "algbw", "busbw", "#wrong");
  const std::string units = fmt::format(" {:>8} {:>7} {:>7} {:>6}", "(us)", "(GB/s)", "(GB/s)", "");
  return fmt::format("#{:>58}{:^32}{:^32}\n", "", "out-of-place", "in-place") +
         fmt::format("#{:>12} {:>12} {:>8} {:>6} {:>6}{}{}\n", "size", "count", "type", "redop",
                     "root", place, place) +
         fmt::format("#{:>12} {:>12} {:>8} {:>6} {:>6}{}{}\n", "(B)", "(elements)", "", "", "",
                     units, units);
}

std::string table_row(const BenchRow& row) {
  std::string more =
      fmt::format("  # {} {}{}", row.backend, row.algorithm, row.graph ? " graph" : "");
  if (const auto& interval = row.out.interval_us)
    more += fmt::format(", {:.2f}..{:.2f}", interval->low, interval->high);
  if (row.out.outliers > 0)
    more += fmt::format(", {} of {} outliers", row.out.outliers, row.out.us.size());
  if (row.out.warm_up > 0) more += fmt::format(", first {} left out", row.out.warm_up);
  return fmt::format(" {:>12} {:>12} {:>8} {:>6} {:>6}{}{}{}\n", row.bytes, row.count, row.dtype,
                     row.redop, row.root, columns(row.out), columns(row.in), more);
}

std::string table_foot(const std::vector<BenchRow>& rows) {
  double busbw = 0;
  std::uint64_t wrong = 0;
  int places = 0;
  bool checked = false;
  for (const BenchRow& row : rows) {
    for (const Timing* timing : {&row.out, row.in ? &*row.in : nullptr}) {
      if (timing == nullptr) continue;
      busbw += timing->busbw_gbs;
      wrong += timing->wrong.value_or(0);
      checked = checked || timing->wrong;
      ++places;
    }
  }
  std::string text;
  if (checked)
    text += fmt::format("# Out of bounds values : {} {}\n", wrong, wrong == 0 ? "OK" : "FAILED");
  if (places > 0) text += fmt::format("# Avg bus bandwidth    : {:.4f}\n", busbw / places);
  return text;
}

}  // namespace peerscope
