#include "suite/result.hpp"

#include <algorithm>
#include <fstream>
#include <thread>

#include <fmt/format.h>

#include "analyze/stats/bootstrap.hpp"
#include "analyze/stats/robust.hpp"
#include "base/units.hpp"

namespace peerscope {
namespace {

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos)
      return line.substr(colon + 2);
  }
  return "unknown processor";
}

// FNV-1a, 64 bits.
std::uint64_t hash(const std::string& text) {
  std::uint64_t value = 0xCBF29CE484222325u;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return value;
}

}  // namespace

std::vector<double> Timing::settled() const {
  return {us.begin() + static_cast<std::ptrdiff_t>(std::min(warm_up, us.size())), us.end()};
}

Timing timing_of(std::vector<double> us) {
  Timing timing;
  timing.us = std::move(us);
  if (timing.us.empty()) return timing;
  timing.warm_up = warm_up_of(timing.us);
  const std::vector<double> samples = timing.settled();
  timing.outliers = outliers_of(samples).size();
  timing.median_us = median_of(samples).value_or(0);
  timing.mad_us = mad_of(samples).value_or(0);
  timing.least_us = *std::min_element(samples.begin(), samples.end());
  timing.most_us = *std::max_element(samples.begin(), samples.end());
  if (const auto interval = median_interval(samples)) timing.interval_us = *interval;
  return timing;
}

std::string key_of(const BenchRow& row) {
  return fmt::format("{} {} {}{} {} {} g{}{}", row.operation, format_bytes(row.bytes), row.dtype,
                     row.redop == "none" ? "" : " " + row.redop, row.backend, row.algorithm,
                     row.ranks, row.graph ? " graph" : "");
}

BenchMachine machine_of(const std::string& hardware_of_backends) {
  BenchMachine machine;
  machine.text = fmt::format("{}, {} processors", processor(), std::thread::hardware_concurrency());
  if (!hardware_of_backends.empty()) machine.text += "; " + hardware_of_backends;
  machine.fingerprint = fmt::format("{:016x}", hash(machine.text)).substr(0, 12);
  return machine;
}

}  // namespace peerscope
