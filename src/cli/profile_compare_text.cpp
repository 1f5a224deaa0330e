#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/units.hpp"
#include "cli/profile_views.hpp"

namespace peerscope {
namespace {

std::string operation_of(const CompareRow& row) {
  return fmt::format("{} {}{}", name(row.kind), format_bytes(size_class_top(row.size_class)),
                     row.ranks > 0 ? fmt::format(" g{}", row.ranks) : "");
}

const CompareGroup* group_named(const CompareRow& row, const std::string& wanted) {
  const auto found = std::find_if(row.groups.begin(), row.groups.end(),
                                  [&](const CompareGroup& group) { return group.name == wanted; });
  return found == row.groups.end() ? nullptr : &*found;
}

}  // namespace

std::string median_text(const CompareGroup& group) {
  if (group.samples == 0) return "–";
  if (!group.interval) return format_duration(group.median_ns);
  return fmt::format("{} ({}–{})", format_duration(group.median_ns),
                     format_duration(group.interval->low), format_duration(group.interval->high));
}

std::string verdict_line(const ProfileComparison& comparison) {
  if (comparison.rows.empty())
    return "nothing to compare: no operation and size is in more than one of them";
  std::vector<std::string> parts;
  for (const std::string& group : comparison.group_names) {
    if (const std::size_t wins = comparison.wins(group); wins > 0)
      parts.push_back(fmt::format("{} is faster in {} of {}", group, wins, comparison.rows.size()));
  }
  if (parts.empty())
    return fmt::format("no winner in any of {}: see why below", comparison.rows.size());
  std::string out = fmt::format("{}", fmt::join(parts, ", "));
  if (comparison.undecided() > 0) out += fmt::format("; {} inconclusive", comparison.undecided());
  return out;
}

std::string comparison_text(const ProfileComparison& comparison, const Style& style) {
  std::string out = fmt::format("  by {}: {}\n\n", name(comparison.by), verdict_line(comparison));
  std::vector<std::vector<std::string>> rows{{"operation"}};
  const bool roomy = style.width >= static_cast<int>(40 + 30 * comparison.group_names.size());
  for (const std::string& group : comparison.group_names) rows[0].push_back(group);
  rows[0].emplace_back("faster");
  rows[0].emplace_back("by");
  for (const CompareRow& row : comparison.rows) {
    rows.push_back({operation_of(row)});
    for (const std::string& wanted : comparison.group_names) {
      const CompareGroup* group = group_named(row, wanted);
      rows.back().push_back(group == nullptr || group->samples == 0 ? "–"
                            : roomy                                 ? median_text(*group)
                                    : format_duration(group->median_ns));
    }
    rows.back().push_back(row.winner ? row.groups[*row.winner].name : "?");
    rows.back().push_back(row.winner ? format_percent(1 - 1 / row.speedup) : "–");
  }
  if (!comparison.rows.empty()) out += table(rows, 1, style) + "\n";
  for (const CompareRow& row : comparison.rows) {
    const std::string why =
        fmt::format("{}: {}. Median {}", operation_of(row), row.why, name(row.basis));
    out += fmt::format("  {} {}\n", row.winner ? "●" : "?",
                       wrap(why, static_cast<std::size_t>(std::max(style.width, 40)) - 5, "    "));
  }
  for (const std::string& alone : comparison.alone) out += fmt::format("  – {}\n", alone);
  return out;
}

}  // namespace peerscope
