// What benchmarks found, as values: the same from every backend, and read back from files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyze/stats/estimate.hpp"

namespace peerscope {

// The times of one case and what they say. `us` has all samples; what is quoted leaves out the first
// `warm_up` of them, which differ from the rest.
struct Timing {
  std::vector<double> us;
  std::size_t warm_up = 0, outliers = 0;
  double median_us = 0, least_us = 0, most_us = 0, mad_us = 0;
  std::optional<Interval> interval_us;  // of the median, 95 %; none: too few samples to tell
  std::optional<double> device_us;      // median by the device's clock
  double algbw_gbs = 0, busbw_gbs = 0;
  std::optional<std::uint64_t> wrong, checked;  // elements of all ranks; none: not checked

  [[nodiscard]] std::vector<double> settled() const;  // the samples that count
};
Timing timing_of(std::vector<double> us);

struct BenchRow {
  std::string operation, algorithm, backend, dtype, redop = "none";
  std::uint64_t bytes = 0, count = 0;
  int ranks = 0, root = -1;
  bool graph = false;
  Timing out = {};                // out of place
  std::optional<Timing> in = {};  // in place
};

// "all_reduce 64 KB f32 host ring g2": what makes two rows comparable.
std::string key_of(const BenchRow& row);

struct BenchMachine {
  std::string text;         // for people
  std::string fingerprint;  // the same on the same hardware
};
BenchMachine machine_of(const std::string& hardware_of_backends);

// What a backend's link (or memory) carries at most, for the roofline.
struct Ceiling {
  std::string backend, text;
  double gbs = 0;
};

struct ResultSet {
  std::string command, created;  // the time in UTC, ISO 8601
  BenchMachine machine;
  std::vector<BenchRow> rows;
  std::vector<Ceiling> ceilings;
  std::vector<std::string> skipped;  // what could not be measured, and why
};

}  // namespace peerscope
