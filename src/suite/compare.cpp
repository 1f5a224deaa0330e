#include "suite/compare.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "analyze/stats/contrast.hpp"
#include "base/units.hpp"

namespace peerscope {
namespace {

using Timings = std::map<std::string, std::pair<std::uint64_t, const Timing*>>;

Timings timings_of(const ResultSet& set) {
  Timings out;
  for (const BenchRow& row : set.rows) {
    out.try_emplace(key_of(row), row.bytes, &row.out);
    if (row.in) out.try_emplace(key_of(row) + " in place", row.bytes, &*row.in);
  }
  return out;
}

ChangeKind kind_of(ContrastVerdict verdict) {
  switch (verdict) {
    case ContrastVerdict::larger:
      return ChangeKind::slower;
    case ContrastVerdict::smaller:
      return ChangeKind::faster;
    case ContrastVerdict::same:
      return ChangeKind::same;
    default:
      return ChangeKind::inconclusive;
  }
}

Change change_of(const std::string& key, std::uint64_t bytes, const Timing& before,
                 const Timing& after, const CompareOptions& options) {
  Change change{
      .key = key, .bytes = bytes, .before_us = before.median_us, .after_us = after.median_us};
  if (before.median_us > 0) change.ratio = after.median_us / before.median_us;
  const std::vector<double> old_us = before.settled(), new_us = after.settled();
  Contrast seen = contrast(old_us, new_us, {.floor = options.threshold, .p = options.p});
  change.interval = seen.interval;
  change.test = seen.test;
  // What has changed by less than the threshold is the same, however few samples say so.
  const bool within =
      change.ratio <= 1 + options.threshold && change.ratio >= 1 / (1 + options.threshold);
  change.verdict = within ? ChangeKind::same : kind_of(seen.verdict);
  return change;
}

std::string percent(double ratio) { return fmt::format("{:+.1f} %", (ratio - 1) * 100); }

std::string sure(const Change& change) {
  if (!change.interval) return std::string(name(change.interval.why()));
  std::string text =
      fmt::format("{}..{}", percent(change.interval->low), percent(change.interval->high));
  if (change.test) text += fmt::format(", p = {:.2g}", change.test->p);
  return text;
}

std::string line(const Change& change) {
  const char* mark = change.verdict == ChangeKind::slower         ? "▲"
                     : change.verdict == ChangeKind::faster       ? "▼"
                     : change.verdict == ChangeKind::inconclusive ? "?"
                                                                  : "·";
  return fmt::format("  {} {:<52} {:>9} → {:>9}  {:>8}  ({})\n", mark, change.key,
                     format_duration(change.before_us * 1e3),
                     format_duration(change.after_us * 1e3), percent(change.ratio), sure(change));
}

std::string verdict_text(const BenchComparison& comparison) {
  const std::size_t slower = comparison.count(ChangeKind::slower);
  const std::size_t faster = comparison.count(ChangeKind::faster);
  const std::size_t unsure = comparison.count(ChangeKind::inconclusive);
  const std::string limit = format_percent(comparison.threshold);
  std::string text = slower == 0 ? fmt::format("Nothing became slower by more than {}", limit)
                                 : fmt::format("{} of {} became slower by more than {}", slower,
                                               comparison.changes.size(), limit);
  text += slower == 0 ? fmt::format(" ({} compared).", comparison.changes.size()) : ".";
  if (faster > 0) text += fmt::format(" {} became faster.", faster);
  if (unsure > 0) text += fmt::format(" {} inconclusive: more samples (-n) would tell.", unsure);
  return text + "\n";
}

}  // namespace

std::string_view name(ChangeKind verdict) {
  switch (verdict) {
    case ChangeKind::slower:
      return "slower";
    case ChangeKind::faster:
      return "faster";
    case ChangeKind::inconclusive:
      return "inconclusive";
    default:
      return "same";
  }
}

std::size_t BenchComparison::count(ChangeKind verdict) const {
  return static_cast<std::size_t>(
      std::count_if(changes.begin(), changes.end(),
                    [verdict](const Change& change) { return change.verdict == verdict; }));
}

Result<BenchComparison> compare(const ResultSet& before, const ResultSet& after,
                                const CompareOptions& options) {
  const std::string &old_machine = before.machine.fingerprint,
                    &new_machine = after.machine.fingerprint;
  if (!options.across_machines && !old_machine.empty() && !new_machine.empty() &&
      old_machine != new_machine) {
    return Error{ErrorCode::mismatch,
                 fmt::format("they come from different machines ({}; {}): --across-machines "
                             "compares them all the same",
                             before.machine.text, after.machine.text)};
  }
  BenchComparison out{
      .threshold = options.threshold, .changes = {}, .only_before = {}, .only_after = {}};
  Timings old_rows = timings_of(before);
  for (const auto& [key, timing] : timings_of(after)) {
    const auto found = old_rows.find(key);
    if (found == old_rows.end()) {
      out.only_after.push_back(key);
      continue;
    }
    out.changes.push_back(
        change_of(key, timing.first, *found->second.second, *timing.second, options));
    old_rows.erase(found);
  }
  for (const auto& [key, timing] : old_rows) out.only_before.push_back(key);
  if (out.changes.empty())
    return Error{ErrorCode::mismatch,
                 "they have no operation, size, type, algorithm and number of "
                 "ranks in common"};
  std::stable_sort(out.changes.begin(), out.changes.end(),
                   [](const Change& a, const Change& b) { return a.ratio > b.ratio; });
  return out;
}

std::string comparison_text(const BenchComparison& comparison, bool all) {
  std::string text = verdict_text(comparison);
  for (const Change& change : comparison.changes) {
    if (all || change.verdict != ChangeKind::same) text += line(change);
  }
  if (!comparison.only_before.empty())
    text += fmt::format("  {} only in the baseline, such as {}\n", comparison.only_before.size(),
                        comparison.only_before.front());
  if (!comparison.only_after.empty())
    text += fmt::format("  {} only in the new results, such as {}\n", comparison.only_after.size(),
                        comparison.only_after.front());
  return text;
}

}  // namespace peerscope
