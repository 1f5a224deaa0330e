// Faults of ranks: late, lost, of another opinion, failing.
#include "comm/sim/faults.hpp"

namespace peerscope::sim {
namespace {

void slow_rank(const Fault& fault, double, Conditions& now) {
  now.late_ns[static_cast<std::size_t>(fault.rank)] += fault.number("late_us") * 1e3;
}

std::string place_lost(Fault& fault, const FaultScene& scene, Random& random) {
  const bool inside = random.chance(0.5);
  fault.parameters.try_emplace("when", inside ? "inside" : "before");
  return choose_rank(fault, scene, random);
}

void lost_rank(const Fault& fault, double, Conditions& now) {
  now.lost = Lost{fault.rank, fault.text("when") == "inside"};
}

std::string place_mismatch(Fault& fault, const FaultScene& scene, Random& random) {
  const bool size = random.chance(0.5);
  fault.parameters.try_emplace("about", size ? "size" : "sequence");
  if (fault.text("about") == "size") fault.operation = "all_reduce";
  return choose_rank(fault, scene, random);
}

void mismatch(const Fault& fault, double, Conditions& now) {
  now.mismatch = Mismatch{
      fault.rank, fault.text("about") == "size" ? Disagreement::size : Disagreement::sequence};
}

std::string place_retries(Fault& fault, const FaultScene& scene, Random& random) {
  choose_rank(fault, scene, random);
  const int other = random.below(scene.topology->ranks() - 1);
  if (fault.peer < 0) fault.peer = other < fault.rank ? other : other + 1;
  if (fault.peer == fault.rank) return "rank and peer are the same";
  fault.operation = "send";
  return {};
}

void retries(const Fault& fault, double, Conditions& now) {
  now.failing.push_back({fault.rank, fault.peer, fault.number("share"),
                         fault.number("costs_us") * 1e3, OpStatus::error});
}

}  // namespace

std::vector<FaultKind> rank_faults() {
  return {
      {"slow_rank",
       "a rank comes late to every collective",
       {{"late_us", 120, 500, "how late, in microseconds"}},
       "rank",
       "",
       choose_rank,
       slow_rank},
      {"lost_rank",
       "a rank stops: before a collective (it hangs elsewhere) or inside (its process dies)",
       {},
       "rank",
       "when=before|inside",
       place_lost,
       lost_rank},
      {"mismatch",
       "a rank calls with another size, or has left one collective out",
       {},
       "rank",
       "about=size|sequence",
       place_mismatch,
       mismatch},
      {"retries_with_errors",
       "what a rank sends to a peer fails now and then, and is sent again",
       {{"share", 0.05, 0.2, "of its sends that fail"},
        {"costs_us", 200, 1'000, "until a failure is known, in microseconds"}},
       "rank peer",
       "",
       place_retries,
       retries},
  };
}

}  // namespace peerscope::sim
