// One pair of ranks carries much more than the others: its link is the one that all wait for.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "analyze/detect/detectors.hpp"
#include "analyze/detect/statistics.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"

namespace peerscope {
namespace {

// A root sends or receives for all: that is what it is for.
bool between_equals(const PairRow& pair) {
  return !has_root(pair.kind) && pair.windows.in(Window::ten_seconds).bytes > 0;
}

void judge(const Snapshot& snapshot, std::uint64_t comm, const std::vector<const PairRow*>& pairs,
           const DetectOptions& options, std::vector<Finding>& out) {
  const auto bytes_of = [](const PairRow* pair) {
    return static_cast<double>(pair->windows.in(Window::ten_seconds).bytes);
  };
  const PairRow* most = *std::max_element(
      pairs.begin(), pairs.end(), [&](auto* a, auto* b) { return bytes_of(a) < bytes_of(b); });
  std::vector<double> others;
  double all = 0;
  for (const PairRow* pair : pairs) {
    all += bytes_of(pair);
    if (pair != most) others.push_back(bytes_of(pair));
  }
  const double typical = median(std::move(others)), share = bytes_of(most) / all;
  if (bytes_of(most) < options.imbalance.min_ratio * typical) return;
  if (share < options.imbalance.min_share || share <= 2.0 / static_cast<double>(pairs.size()))
    return;
  if (bytes_of(most) < static_cast<double>(options.imbalance.min_bytes)) return;
  Finding finding;
  finding.kind = "pair_imbalance";
  finding.severity = Severity::info;
  finding.subject.rank = most->from;
  finding.subject.peer = most->to;
  finding.subject.communicator = communicator_name(snapshot, comm);
  finding.subject.operation = std::string(name(most->kind));
  finding.sentence = fmt::format(
      "Rank {} → rank {} carries {} of what goes between pairs ({} in the last 10 s), {:.1f} times "
      "as much as the median of the other {} pairs.",
      most->from, most->to, format_percent(share),
      format_bytes(most->windows.in(Window::ten_seconds).bytes), bytes_of(most) / typical,
      pairs.size() - 1);
  finding.action =
      "Spread it over more pairs, or put these two ranks on the devices with the fastest link "
      "(nvidia-smi topo -m)";
  finding.confidence = 0.9;  // counted
  finding.impact = share;
  finding.evidence = {{"sent_bytes", bytes_of(most)},
                      {"others_p50_bytes", typical},
                      {"ratio", bytes_of(most) / typical},
                      {"bytes_share", share},
                      {"pairs", static_cast<double>(pairs.size())}};
  out.push_back(std::move(finding));
}

}  // namespace

void detect_pair_imbalance(const Snapshot& snapshot, const DetectOptions& options,
                           std::vector<Finding>& out) {
  if (!snapshot.aggregates) return;
  std::map<std::uint64_t, std::vector<const PairRow*>> communicators;
  for (const PairRow& pair : snapshot.aggregates->pairs) {
    if (between_equals(pair)) communicators[pair.comm].push_back(&pair);
  }
  for (const auto& [comm, pairs] : communicators) {
    if (pairs.size() >= std::max<std::uint64_t>(2, options.imbalance.min_pairs))
      judge(snapshot, comm, pairs, options, out);
  }
}

}  // namespace peerscope
