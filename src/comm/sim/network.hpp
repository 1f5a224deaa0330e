// Flows over links in virtual time: an alpha-beta model with contention.
//
// Flows that share links get max-min fair shares (progressive filling: Bertsekas and Gallager, Data
// Networks, 6.5.2): the link with the least bandwidth per flow sets the rate of its flows, and what
// they leave is shared by the others. Rates change only where flows begin or end, and only those of
// flows that are connected with them through shared links; so the cost of an event does not grow
// with the machine.
#pragma once

#include <cstdint>
#include <queue>
#include <span>
#include <vector>

namespace peerscope::sim {

class Network {
 public:
  // Bytes per ns of each directed link (topology.hpp, Route).
  explicit Network(std::span<const double> capacities);

  // Begins to move `bytes` along `route` now. `tag` comes back when the last byte has left the
  // sender; latency is the caller's. `route` must outlive the flow.
  void start(double now_ns, std::span<const int> route, double bytes, std::uint32_t tag);
  // When the next flow ends; negative: none is left. Settles what has begun.
  double next_end_ns();
  // Takes the flows that end at `now_ns`, which next_end_ns() has said, or within half a ns.
  void take_ended(double now_ns, std::vector<std::uint32_t>& tags);

 private:
  struct Flow {
    std::span<const int> route;
    double left = 0, rate = 0, since_ns = 0;
    double most = 0;  // the rate that its way allows where it is alone
    std::uint32_t tag = 0, version = 0;
    bool open = false, seen = false, fixed = false;
  };
  struct Line {
    double capacity = 0, left = 0;  // left: not yet given away in this filling
    double demand = 0;              // of its flows, were each alone
    int waiting = 0;                // flows without a rate yet
    bool seen = false, dirty = false;
    bool binds = false;  // more is wanted than it has: its flows hang together
    std::vector<int> flows;
  };
  struct End {
    double at_ns;
    int flow;
    std::uint32_t version;
    bool operator>(const End& other) const {
      return at_ns != other.at_ns ? at_ns > other.at_ns : flow > other.flow;
    }
  };

  void touch(const Flow& flow, double sign);
  void settle();
  double peek();
  void gather(int first);
  void fill();
  void fix(Flow& flow, double rate);
  void set_rate(Flow& flow, double rate);

  std::vector<Line> lines_;
  std::vector<Flow> flows_;
  std::vector<int> free_, dirty_, fresh_, changed_, done_, lines_of_part_, flows_of_part_;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
  double now_ns_ = 0;
};

}  // namespace peerscope::sim
