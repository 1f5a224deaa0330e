// An algorithm was changed: what came of it, against what had been predicted.
#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "analyze/detect/algorithm_choice.hpp"
#include "analyze/detect/detectors.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"

namespace peerscope {
namespace {

// What the model would have said before the change, from the old algorithm's sizes alone.
std::optional<double> predicted_ns(const Aggregates& aggregates, const Switch& change,
                                   double mean_bytes, const DetectOptions& options) {
  const auto fit = fit_algorithm(aggregates, change.before->kind, change.before->algorithm,
                                 options.choice.min_samples);
  const auto cost = algorithm_cost(change.now->kind, change.now->algorithm, change.now->ranks);
  if (!fit || !cost || fit->error > 0.3) return std::nullopt;
  return cost->ns(fit->alpha_ns, fit->beta_ns, mean_bytes);
}

}  // namespace

void detect_suggestion_outcome(const Snapshot& snapshot, const DetectOptions& options,
                               std::vector<Finding>& out) {
  if (!snapshot.aggregates) return;
  for (const Switch& change :
       switches(*snapshot.aggregates, snapshot.now_ns, options.choice.min_samples)) {
    const OperationStats& old_stats = change.before->windows.in(Window::all);
    const OperationStats& new_stats = change.now->windows.in(Window::all);
    const char* old_clock = nullptr;
    const char* clock = nullptr;
    const Distribution* was = pure_time(old_stats, old_clock);
    const Distribution* is = pure_time(new_stats, clock);
    if (was == nullptr || is == nullptr || std::string_view(old_clock) != clock) continue;
    if (was->count < options.choice.min_samples || is->count < options.choice.min_samples) continue;
    if (!(is->p50_high_ns < was->p50_low_ns)) continue;  // no gain that one could be sure of
    const double gain_ns = was->p50_ns - is->p50_ns;
    const double bytes =
        static_cast<double>(new_stats.bytes) / static_cast<double>(new_stats.count);
    const auto predicted = predicted_ns(*snapshot.aggregates, change, bytes, options);
    Finding finding;
    finding.kind = "suggestion_outcome";
    finding.severity = Severity::info;
    finding.subject.operation = std::string(name(change.now->kind));
    finding.sentence = fmt::format(
        "{} runs {} instead of {} {}, and takes {} instead of {} ({} clock): {} less ({}){}.",
        operation_name(change.now->kind, change.now->size_class), name(change.now->algorithm),
        name(change.before->algorithm), since_in_words(change.now->first_ns, snapshot.now_ns),
        format_duration(is->p50_ns), format_duration(was->p50_ns), clock, format_duration(gain_ns),
        format_percent(gain_ns / was->p50_ns),
        predicted && *predicted < was->p50_ns
            ? fmt::format("; {} less was predicted", format_duration(was->p50_ns - *predicted))
            : "");
    finding.action = "Keep it: peerscope bench tune writes such choices down";
    finding.confidence = 0.95;
    finding.since_ns = change.now->first_ns;
    finding.evidence = {{fmt::format("p50_{}_ns", clock), is->p50_ns},
                        {fmt::format("p50_before_{}_ns", clock), was->p50_ns},
                        {"message_bytes", bytes},
                        {"achieved_gain_us", gain_ns / 1e3},
                        {"achieved_gain_percent", 100 * gain_ns / was->p50_ns}};
    if (predicted) {
      finding.evidence.emplace_back("predicted_gain_us", (was->p50_ns - *predicted) / 1e3);
      finding.evidence.emplace_back("predicted_gain_percent",
                                    100 * (was->p50_ns - *predicted) / was->p50_ns);
    }
    out.push_back(std::move(finding));
  }
}

}  // namespace peerscope
