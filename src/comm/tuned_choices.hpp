// Which algorithm was fastest on this machine when it was measured (`peerscope bench tune`): asked
// before the cost model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "model/kinds.hpp"

namespace peerscope {

// The best algorithm of one operation at one size.
struct TunedChoice {
  std::string backend;  // "host"
  Kind kind = Kind::barrier;
  int ranks = 0;
  std::uint64_t bytes = 0;  // as call_bytes() counts
  Algorithm algorithm = Algorithm::unknown;
};

class TunedChoices {
 public:
  TunedChoices() = default;  // empty: nothing is known
  explicit TunedChoices(std::vector<TunedChoice> choices);

  // {"version": 1, "choices": [{"backend", "operation", "ranks", "bytes", "algorithm"}, ...]}; other
  // keys are left alone. `corrupt` says what is not right.
  static Result<TunedChoices> parse(std::string_view json);
  static Result<TunedChoices> read(const std::string& path);

  // What was measured at the size that is nearest by ratio, for this backend, kind and number of
  // ranks; none if nothing was.
  [[nodiscard]] std::optional<Algorithm> find(std::string_view backend, Kind kind, int ranks,
                                              std::uint64_t bytes) const;
  [[nodiscard]] const std::vector<TunedChoice>& all() const { return choices_; }

 private:
  std::vector<TunedChoice> choices_;  // sorted by all but the algorithm
};

}  // namespace peerscope
