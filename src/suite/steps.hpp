// The steps of `bench suite`, and how far they have come: so that what is done is not done again.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "base/result.hpp"
#include "suite/result.hpp"

namespace peerscope {

// One sweep, as its command line would say it.
struct SuiteStep {
  std::string name;  // unique within the suite
  enum class What : std::uint8_t { p2p, sweep, overlap } what = What::sweep;
  std::string operation = "all_reduce", backend = "host", ranks = "0", dtypes = "f32";
  std::string algorithms = "all";
  std::uint64_t least = 8, most = 4 << 20;
  double factor = 8;
  int iterations = 30, rounds = 0;
};
std::vector<SuiteStep> suite_steps(bool full, const std::vector<std::string>& backends);

// What is known so far. `rows` of the sweeps, the rest as their commands print it.
struct SuiteState {
  std::string mode;  // "quick", "full"
  std::vector<std::string> done;
  ResultSet results;
  std::string p2p = "[]", overlap = "[]";  // JSON

  [[nodiscard]] bool has(const std::string& step) const;
};
std::string suite_state_text(const SuiteState& state);
// `corrupt` if it is none.
Result<SuiteState> suite_state_from(const std::string& text);

}  // namespace peerscope
