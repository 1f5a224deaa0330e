// What each operation costs under each state of the links: simulated once, then looked up.
#pragma once

#include <map>
#include <tuple>
#include <vector>

#include "comm/sim/conditions.hpp"
#include "comm/sim/schedule.hpp"

namespace peerscope::sim {

class CostBook {
 public:
  CostBook(const Topology& topology, const Routes& routes, const CostOptions& options);

  // The links as they are from now on.
  void set_links(const std::vector<LinkCondition>& links);
  [[nodiscard]] Result<const Cost*> collective(Kind kind, Algorithm algorithm, std::uint64_t bytes,
                                               int root);
  [[nodiscard]] const Cost& shift(int by, std::uint64_t bytes);

  // The fastest of those that the library has, on healthy links. Beyond 64 ranks those that send
  // from everybody to everybody are left out.
  [[nodiscard]] Result<Algorithm> fastest(Kind kind, std::uint64_t bytes);

 private:
  using Key = std::tuple<Kind, Algorithm, std::uint64_t, int, std::size_t>;  // last: links' state
  Result<const Schedule*> schedule(Kind kind, Algorithm algorithm, int root);

  const Topology& topology_;
  const Routes& routes_;
  CostOptions options_;
  std::vector<std::vector<double>> states_;  // capacities; the first are the healthy ones
  std::size_t state_ = 0;
  std::map<std::tuple<Kind, Algorithm, int>, Schedule> schedules_;
  std::map<Key, Cost> costs_;
  std::map<std::pair<Kind, std::uint64_t>, Algorithm> fastest_;
};

}  // namespace peerscope::sim
