// What monitoring costs NCCL's operations: the levels in turn, a round each, within one process. Two processes differ by more
// than monitoring costs; two rounds of one don't.
#pragma once

#include <array>
#include <memory>
#include <span>

#include "base/result.hpp"
#include "model/kinds.hpp"

namespace peerscope {

inline constexpr std::array kLevelsInTurn{Level::off, Level::basic, Level::detailed,
                                          Level::comprehensive};
inline constexpr int kLevels = static_cast<int>(kLevelsInTurn.size());

// Each cycle of four rounds begins with another one.
constexpr Level level_of_round(int round) {
  return kLevelsInTurn[static_cast<std::size_t>((round + round / kLevels) % kLevels)];
}

// Of one level, over all cycles, against level off in the same cycle.
struct LevelCost {
  double mean_us = 0;         // of an operation
  double least_us = 0;        // of the quickest round
  double ratio_of_means = 0;  // what is measured in windows costs in windows
  double ratio_of_means_low = 0, ratio_of_means_high = 0;  // 95 %, by resampling the cycles
  double ratio = 0, ratio_low = 0, ratio_high = 0;  // median and quartiles of the cycles' ratios
};
std::array<LevelCost, kLevels> level_costs(std::span<const double> us_by_round);

// Sets the level of the recorders of a session, which must be in some process by now.
class LevelSwitch {
 public:
  static Result<LevelSwitch> open(const std::string& session);
  Status set(Level level);

  LevelSwitch(LevelSwitch&&) noexcept;
  LevelSwitch& operator=(LevelSwitch&&) noexcept;
  ~LevelSwitch();

 private:
  struct State;
  explicit LevelSwitch(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace peerscope
