// Another algorithm does the same in less time: measured in this run, or by the model.
#include <algorithm>

#include <fmt/format.h>

#include "analyze/detect/algorithm_choice.hpp"
#include "analyze/detect/detectors.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"
#include "model/size_class.hpp"

namespace peerscope {
namespace {

constexpr std::int64_t kNowNs = 1'500'000'000;

struct InUse {
  const OperationRow* row = nullptr;
  const Distribution* time = nullptr;
  const char* clock = "host";
  double mean_bytes = 0, time_share = 0;
};

struct Better {
  Algorithm algorithm = Algorithm::unknown;
  double ns = 0;
  bool measured = false;
  std::uint64_t samples = 0;
  double error = 0;  // of the model
};

// Medians that differ by more than their confidence intervals and the histogram's buckets.
std::optional<Better> measured(const Aggregates& aggregates, const InUse& used,
                               const DetectOptions& options) {
  std::optional<Better> best;
  for (const OperationRow& other : aggregates.operations) {
    const OperationRow& row = *used.row;
    if (other.other || &other == &row || other.kind != row.kind) continue;
    if (other.size_class != row.size_class || other.algorithm == Algorithm::unknown) continue;
    const char* clock = nullptr;
    const OperationStats& stats = other.windows.in(Window::all);
    const Distribution* time = pure_time(stats, clock);
    if (time == nullptr || clock != std::string_view(used.clock)) continue;
    if (time->count < options.choice.min_samples || !(time->p50_high_ns > 0)) continue;
    const double bytes = static_cast<double>(stats.bytes) /
                         static_cast<double>(std::max<std::uint64_t>(1, stats.count));
    if (bytes < 0.8 * used.mean_bytes || bytes > 1.25 * used.mean_bytes) continue;
    const double changed = std::max(1.0, general_slowdown(aggregates, row, row.first_ns));
    if (time->p50_high_ns * changed >= used.time->p50_low_ns) continue;
    const double ns = time->p50_ns * changed;
    if (ns > (1 - options.choice.min_gain) * used.time->p50_ns) continue;
    if (!best || ns < best->ns) best = Better{other.algorithm, ns, true, time->count, 0};
  }
  return best;
}

std::optional<Better> modelled(const Aggregates& aggregates, const InUse& used,
                               const DetectOptions& options) {
  const OperationRow& row = *used.row;
  const auto fit = fit_algorithm(aggregates, row.kind, row.algorithm, options.choice.min_samples);
  if (!fit || fit->error > 0.3) return std::nullopt;
  std::optional<Better> best;
  for (const Algorithm algorithm :
       {Algorithm::direct, Algorithm::two_shot, Algorithm::ring, Algorithm::binary_tree}) {
    const auto cost = algorithm_cost(row.kind, algorithm, row.ranks);
    if (!cost || algorithm == row.algorithm) continue;
    // One that was measured at this size is not guessed at.
    const bool tried = std::any_of(
        aggregates.operations.begin(), aggregates.operations.end(), [&](const OperationRow& other) {
          return !other.other && other.kind == row.kind && other.algorithm == algorithm &&
                 other.size_class == row.size_class &&
                 other.windows.in(Window::all).count >= options.choice.min_samples;
        });
    const double ns = cost->ns(fit->alpha_ns, fit->beta_ns, used.mean_bytes);
    if (tried || ns > (1 - options.choice.model_min_gain - fit->error) * used.time->p50_ns)
      continue;
    if (!best || ns < best->ns) best = Better{algorithm, ns, false, 0, fit->error};
  }
  return best;
}

Finding finding(const InUse& used, const Better& better, const Snapshot& snapshot) {
  const OperationRow& row = *used.row;
  const double gain_ns = used.time->p50_ns - better.ns;
  const double gain = gain_ns / used.time->p50_ns;
  Finding out;
  out.kind = "wrong_algorithm";
  out.severity = better.measured ? Severity::warning : Severity::info;
  out.subject.operation = std::string(name(row.kind));
  const std::string since =
      row.first_ns > 0 && row.first_ns > snapshot.aggregates->totals.first_ns + 2'000'000'000
          ? ", " + since_in_words(row.first_ns, snapshot.now_ns)
          : "";
  out.sentence = fmt::format(
      "{} runs {}{} and takes {} once all are there ({} clock); {} takes {}{}: {} less ({}).",
      operation_name(row.kind, row.size_class), name(row.algorithm), since,
      format_duration(used.time->p50_ns), used.clock, name(better.algorithm),
      format_duration(better.ns),
      better.measured ? " in this run" : " by the model that its other sizes fit",
      format_duration(gain_ns), format_percent(gain));
  out.action = fmt::format(
      "Choose {} for this size: name it in the call, or peerscope bench tune (NCCL: NCCL_ALGO)",
      name(better.algorithm));
  out.confidence = better.measured ? 0.95 : std::clamp(0.7 - better.error, 0.3, 0.7);
  out.impact = std::clamp(gain * used.time_share, 0.0, 1.0);
  if (!since.empty()) out.since_ns = row.first_ns;
  const std::string unit = fmt::format("_{}_ns", used.clock);
  out.evidence = {
      {"p50" + unit, used.time->p50_ns},      {"better_p50" + unit, better.ns},
      {"message_bytes", used.mean_bytes},     {"predicted_gain_us", gain_ns / 1e3},
      {"predicted_gain_percent", 100 * gain}, {"samples", static_cast<double>(used.time->count)}};
  if (better.measured)
    out.evidence.emplace_back("better_samples", static_cast<double>(better.samples));
  else
    out.evidence.emplace_back("model_error_share", better.error);
  return out;
}

}  // namespace

void detect_wrong_algorithm(const Snapshot& snapshot, const DetectOptions& options,
                            std::vector<Finding>& out) {
  if (!snapshot.aggregates) return;
  const Aggregates& aggregates = *snapshot.aggregates;
  double total_ns = 0;
  const auto cost = [](const OperationRow& row) {
    const Distribution& host = row.windows.in(Window::ten_seconds).host;
    return host.known() ? host.mean_ns * static_cast<double>(host.count) : 0.0;
  };
  for (const OperationRow& row : aggregates.operations) total_ns += cost(row);
  for (const OperationRow& row : aggregates.operations) {
    if (row.other || !is_collective(row.kind) || row.algorithm == Algorithm::unknown) continue;
    if (row.last_ns < 0 || snapshot.now_ns - row.last_ns > kNowNs) continue;
    InUse used;
    used.row = &row;
    const OperationStats& stats = row.windows.in(Window::ten_seconds);
    used.time = pure_time(stats, used.clock);
    if (used.time == nullptr || used.time->count < options.choice.min_samples) continue;
    if (!(used.time->p50_low_ns > 0) || stats.count == 0) continue;
    used.mean_bytes = static_cast<double>(stats.bytes) / static_cast<double>(stats.count);
    used.time_share = total_ns > 0 ? cost(row) / total_ns : 0;
    if (used.time_share < options.choice.min_time_share) continue;
    auto better = measured(aggregates, used, options);
    if (!better) better = modelled(aggregates, used, options);
    if (better) out.push_back(finding(used, *better, snapshot));
  }
}

}  // namespace peerscope
