// What can go wrong in a simulated run, and the truth about it.
//
// A fault is a name with parameters; what is not said is chosen by the seed. Each kind is an entry
// in the table of faults.cpp: what it may be told, what it does to the conditions at a time, and
// what is true.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "comm/sim/conditions.hpp"
#include "comm/sim/random.hpp"
#include "comm/sim/topology.hpp"

namespace peerscope::sim {

struct Truth {
  std::string fault;
  std::int64_t begin_ns = 0;  // on the operations' clock
  int rank = -1, peer = -1;   // -1: not about one
  std::string link, operation;
  std::uint64_t bytes = 0;  // of the operation; 0: of all sizes
  std::vector<int> ranks;   // who names one of these has found it; empty: it is about none
};

// The sizes that the job moves: faults of operations choose among them.
struct FaultScene {
  const Topology* topology = nullptr;
  const Routes* routes = nullptr;
  std::vector<std::uint64_t> all_reduce_bytes;  // the smallest first
  std::int64_t origin_ns = 0;                   // when the run begins, on the operations' clock
};

struct Fault {
  const struct FaultKind* kind = nullptr;
  std::map<std::string, std::string> parameters;
  std::int64_t begin_ns = 0;  // since the run's begin
  double seconds = 1e9;       // how long it lasts
  int rank = -1, peer = -1, link = -1;
  std::vector<int> links;  // all that it is about
  std::string operation;
  std::uint64_t bytes = 0;
  // Numbers by name: given, chosen or the standard ones.
  std::map<std::string, double> numbers;
  [[nodiscard]] double number(const char* key) const {
    const auto found = numbers.find(key);
    return found == numbers.end() ? 0.0 : found->second;
  }
  [[nodiscard]] std::string text(const char* key) const {
    const auto found = parameters.find(key);
    return found == parameters.end() ? std::string{} : found->second;
  }
};

// Numbers are chosen between `least` and `most` where they are not given.
struct FaultNumber {
  const char* name;
  double least, most;
  const char* says;
};

struct FaultKind {
  const char* name;
  const char* says;
  std::vector<FaultNumber> numbers;
  const char* places;  // "rank", "rank peer", "link", "": what may be said
  const char* words;   // other parameters: "when=before|inside", ""
  // Chooses the place where it is not given; a sentence where the topology has none.
  std::string (*place)(Fault& fault, const FaultScene& scene, Random& random);
  void (*act)(const Fault& fault, double since_s, Conditions& conditions);
};

const std::vector<FaultKind>& fault_kinds();
const FaultKind* find_fault(std::string_view name);

// "slow_rank", "slow_rank:rank=3,late_us=200,begin=2.5".
Result<Fault> parse_fault(std::string_view text);
// Chooses all that is not given.
Result<Fault> place_fault(Fault fault, const FaultScene& scene, Random& random);
Truth truth_of(const Fault& fault, const FaultScene& scene);

// Every fault, on conditions that are healthy.
Conditions conditions_at(std::int64_t since_begin_ns, const std::vector<Fault>& faults,
                         const Conditions& healthy);
Conditions healthy_conditions(const Topology& topology);

std::string to_json_text(const std::vector<Truth>& truths, const std::vector<Fault>& faults,
                         std::uint64_t seed, const Topology& topology);

// One file each: fault_ranks.cpp, fault_links.cpp, fault_operations.cpp.
std::vector<FaultKind> rank_faults();
std::vector<FaultKind> link_faults();
std::vector<FaultKind> operation_faults();

// For those files.
std::string choose_rank(Fault& fault, const FaultScene& scene, Random& random);
std::string choose_device_link(Fault& fault, const FaultScene& scene, Random& random);

}  // namespace peerscope::sim
