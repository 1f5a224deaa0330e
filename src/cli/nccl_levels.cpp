#include "cli/nccl_levels.hpp"

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include <fmt/format.h>

#include "cli/measure.hpp"
#include "collect/collector.hpp"

namespace peerscope {
namespace {

// Ratios of means over cycles drawn with replacement (bootstrap), the same cycles above and below.
std::vector<double> resampled_ratios(std::span<const double> above, std::span<const double> below) {
  constexpr int kTimes = 1000;
  const std::size_t cycles = std::min(above.size(), below.size());
  std::vector<double> ratios;
  if (cycles == 0) return ratios;
  std::minstd_rand random(1);  // the same answer for the same measurements
  for (int i = 0; i < kTimes; ++i) {
    double sum = 0, base = 0;
    for (std::size_t k = 0; k < cycles; ++k) {
      const std::size_t cycle = random() % cycles;
      sum += above[cycle];
      base += below[cycle];
    }
    ratios.push_back(base > 0 ? sum / base : 0);
  }
  return ratios;
}

}  // namespace

std::array<LevelCost, kLevels> level_costs(std::span<const double> us_by_round) {
  std::array<std::vector<double>, kLevels> us;  // by cycle
  for (std::size_t round = 0; round < us_by_round.size(); ++round)
    us[static_cast<std::size_t>(level_of_round(static_cast<int>(round)))].push_back(
        us_by_round[round]);
  std::array<LevelCost, kLevels> costs;
  const auto mean = [](const std::vector<double>& all) {
    return std::accumulate(all.begin(), all.end(), 0.0) /
           static_cast<double>(std::max<std::size_t>(all.size(), 1));
  };
  const double off = mean(us[0]);
  for (std::size_t level = 0; level < us.size(); ++level) {
    std::vector<double> ratios;
    for (std::size_t cycle = 0; cycle < std::min(us[0].size(), us[level].size()); ++cycle)
      ratios.push_back(us[level][cycle] / us[0][cycle]);
    LevelCost& cost = costs[level];
    cost.mean_us = mean(us[level]);
    if (!us[level].empty()) cost.least_us = *std::ranges::min_element(us[level]);
    cost.ratio_of_means = off > 0 ? cost.mean_us / off : 0;
    const std::vector<double> resampled = resampled_ratios(us[level], us[0]);
    cost.ratio_of_means_low = quantile_of(resampled, 0.025);
    cost.ratio_of_means_high = quantile_of(resampled, 0.975);
    cost.ratio = quantile_of(ratios, 0.5);
    cost.ratio_low = quantile_of(ratios, 0.25);
    cost.ratio_high = quantile_of(ratios, 0.75);
  }
  return costs;
}

struct LevelSwitch::State {
  explicit State(const CollectorOptions& options) : collector(options, deaf) {}
  DeafSink deaf;
  Collector collector;
};

LevelSwitch::LevelSwitch(std::unique_ptr<State> state) : state_(std::move(state)) {}
LevelSwitch::LevelSwitch(LevelSwitch&&) noexcept = default;
LevelSwitch& LevelSwitch::operator=(LevelSwitch&&) noexcept = default;
LevelSwitch::~LevelSwitch() = default;

Result<LevelSwitch> LevelSwitch::open(const std::string& session) {
  CollectorOptions options;
  options.sessions = {session};
  LevelSwitch made(std::make_unique<State>(options));
  made.state_->collector.discover();
  const Status reached = made.set(Level::detailed);
  if (!reached) return reached.error();
  return made;
}

Status LevelSwitch::set(Level level) {
  if (state_->collector.set_level(level) > 0) return Done{};
  return Error{ErrorCode::not_found,
               "--levels: nothing records here; NCCL_PROFILER_PLUGIN must name "
               "libpeerscope-nccl.so, and NCCL must be 2.23 or newer"};
}

}  // namespace peerscope
