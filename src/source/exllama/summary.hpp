// What was seen of one context over a while, as rows and findings. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "model/finding.hpp"
#include "source/exllama/tracker.hpp"

namespace peerscope::exllama {

struct Row {
  Kind kind = Kind::other;
  std::uint64_t bytes = kUnknownBytes, least_bytes = 0, most_bytes = kUnknownBytes;
  std::uint64_t count = 0;
  std::uint64_t told = 0;  // of which samples tell who came last
  std::array<std::uint64_t, kMaxDevices> last{};
  std::vector<float> late_ns,
      unsure_ns;  // of those, the middle of the bounds and half their distance
};

class Summary {
 public:
  void add(const Observed& observed);
  [[nodiscard]] const std::vector<Row>& rows() const { return rows_; }  // the most frequent first

 private:
  std::vector<Row> rows_;
};

double median_of(std::vector<float> values);  // -1: none

// Mean time per all-reduce that it stood in a state, with its standard error; -1: unknown. Where no sample
// met the state: 0, and the bound below which it is with 95 %.
struct Mean {
  double ns = -1, error_ns = -1;
};
Mean mean_of(const Share& share, const ContextTotals& totals);

std::string devices_in_words(std::uint32_t devices);  // "GPU 1", "GPUs 0 and 2"
std::string name_of(const std::string& path);         // "exllama 0123abcd"
std::string size_in_words(const Row& row);            // "8 KB", "≤ 2 KB", "≥ 32 KB", "–"

// A hang from `hang_ns` on, the time-out of the job itself, and whom the others wait for. `context` names it.
std::vector<Finding> findings(const Tracker& tracker, const std::string& context,
                              std::int64_t now_ns, std::int64_t hang_ns = 1'000'000'000);

// Of a context that nobody uses any more: in what its job died.
Finding death(const Tracker& tracker, const std::string& context);

}  // namespace peerscope::exllama
