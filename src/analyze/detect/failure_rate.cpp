// Operations that ended in an error, over the last 10 s.
#include <algorithm>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "analyze/detect/detectors.hpp"
#include "analyze/detect/statistics.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"

namespace peerscope {
namespace {

// The rank with most of this operation's errors, if it has more than half of them; since start.
std::optional<std::uint16_t> culprit(const Aggregates& aggregates, const OperationRow& row) {
  std::map<std::uint16_t, std::uint64_t> errors;
  std::uint64_t all = 0;
  for (const CellRow& cell : aggregates.cells) {
    if (cell.kind != row.kind || cell.algorithm != row.algorithm) continue;
    if (cell.size_class != row.size_class || cell.rank == kNoRank) continue;
    errors[cell.rank] += cell.errors;
    all += cell.errors;
  }
  for (const auto& [rank, own] : errors) {
    if (2 * own > all) return rank;
  }
  return std::nullopt;
}

}  // namespace

void detect_failure_rate(const Snapshot& snapshot, const DetectOptions& options,
                         std::vector<Finding>& out) {
  if (!snapshot.aggregates) return;
  for (const OperationRow& row : snapshot.aggregates->operations) {
    const OperationStats& recent = row.windows.in(Window::ten_seconds);
    if (recent.errors == 0 || recent.count == 0) continue;
    const double rate = static_cast<double>(recent.errors) / static_cast<double>(recent.count);
    if (rate < options.failure.min_rate) continue;
    const std::string operation = operation_name(row.kind, row.size_class);
    const std::string since = since_in_words(row.first_error_ns, snapshot.now_ns);
    const std::optional<std::uint16_t> rank = culprit(*snapshot.aggregates, row);
    Finding finding;
    finding.kind = "failure_rate";
    finding.severity =
        rate >= options.failure.critical_rate ? Severity::critical : Severity::warning;
    if (rank) finding.subject.rank = *rank;
    finding.subject.operation = std::string(name(row.kind));
    finding.sentence =
        fmt::format("{} of {} {} failed in the last 10 s ({}), the first {}{}.",
                    format_count(recent.errors), format_count(recent.count), operation,
                    format_percent(rate), since.empty() ? "recently" : since.substr(6),
                    rank ? fmt::format(", most on rank {}", *rank) : "");
    finding.action = "Look at which ranks fail and with what status: peerscope report";
    finding.confidence = 0.99;  // counted, not estimated
    finding.impact = std::min(1.0, rate);
    finding.since_ns = row.first_error_ns;
    finding.evidence = {{"errors", static_cast<double>(recent.errors)},
                        {"operations", static_cast<double>(recent.count)},
                        {"failure_share", rate}};
    out.push_back(std::move(finding));
  }
}

}  // namespace peerscope
