// Faults of operations and of memory: the wrong way to do it, slower from now on, slower and
// slower, no room.
#include <algorithm>

#include "comm/sim/faults.hpp"

namespace peerscope::sim {
namespace {

void slower(Conditions& now, double factor) {
  now.kind_slowness[static_cast<std::size_t>(Kind::all_reduce)] *= factor;
}

std::string place_all_reduce(Fault& fault, const FaultScene&, Random&) {
  fault.operation = "all_reduce";
  return {};
}

// A ring for what is small (all hops for nothing), one-shot for what is large (all bytes n times).
std::string place_algorithm(Fault& fault, const FaultScene& scene, Random& random) {
  place_all_reduce(fault, scene, random);
  const auto& sizes = scene.all_reduce_bytes;
  if (sizes.empty()) return "the job has no all_reduce";
  const bool small = random.chance(0.5);
  fault.parameters.try_emplace("size", small ? "small" : "large");
  fault.bytes = fault.text("size") == "small" ? sizes.front() : sizes.back();
  // A list of all-to-all messages is too long to simulate there; a tree is wrong for it, too.
  const bool many = scene.topology->ranks() > 64;
  const Algorithm worse = fault.text("size") == "small" ? Algorithm::ring
                          : many                        ? Algorithm::kary_tree
                                                        : Algorithm::direct;
  fault.parameters["algorithm"] = name(worse);
  return {};
}

void wrong_algorithm(const Fault& fault, double, Conditions& now) {
  const auto algorithm = parse_algorithm(fault.text("algorithm"));
  if (algorithm) now.forced = ForcedAlgorithm{Kind::all_reduce, fault.bytes, *algorithm};
}

void pool_exhaustion(const Fault& fault, double since_s, Conditions& now) {
  const double ramp_s = std::max(0.01, fault.number("ramp_s"));
  const double full = std::min(1.0, since_s / ramp_s);
  now.pool_used_share[static_cast<std::size_t>(fault.rank)] = 0.4 + 0.595 * full;
  if (full < 1.0) return;
  now.failing.push_back({fault.rank, -1, fault.number("share"), 20'000.0, OpStatus::no_memory});
}

void step_change(const Fault& fault, double, Conditions& now) {
  slower(now, fault.number("factor"));
}

void slow_drift(const Fault& fault, double since_s, Conditions& now) {
  slower(now, 1.0 + fault.number("per_s") * since_s);
}

}  // namespace

std::vector<FaultKind> operation_faults() {
  return {
      {"wrong_algorithm",
       "one size of all_reduce is done by another algorithm from then on, a worse one",
       {},
       "",
       "size=small|large",
       place_algorithm,
       wrong_algorithm},
      {"pool_exhaustion",
       "a rank's memory pool fills up; then what it sends fails now and then for want of room",
       {{"ramp_s", 1.0, 3.0, "until it is full, in seconds"},
        {"share", 0.02, 0.1, "of its sends that fail when it is full"}},
       "rank",
       "",
       choose_rank,
       pool_exhaustion},
      {"step_change",
       "every all_reduce takes longer from one moment to the next",
       {{"factor", 1.5, 2.5, "times as long"}},
       "",
       "",
       place_all_reduce,
       step_change},
      {"slow_drift",
       "every all_reduce takes longer and longer",
       {{"per_s", 0.06, 0.15, "of its first time, added each second"}},
       "",
       "",
       place_all_reduce,
       slow_drift},
  };
}

}  // namespace peerscope::sim
