#include "cli/nccl_levels.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include <fmt/format.h>

#include "cli/measure.hpp"
#include "collect/collector.hpp"

namespace peerscope {
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
    costs[level] = {mean(us[level]), off > 0 ? mean(us[level]) / off : 0, quantile_of(ratios, 0.5),
                    quantile_of(ratios, 0.25), quantile_of(ratios, 0.75)};
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
