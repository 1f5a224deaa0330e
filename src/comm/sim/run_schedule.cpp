// A schedule over a network in virtual time.
//
// A tensor goes in pieces where ranks pass it on as a whole (trees, chains), else block by block.
// Each piece waits for what its step takes, then queues on its lane; a lane carries one piece at a
// time. A piece arrives its route's latency, and the two ends' work, after its last byte has left.
#include <algorithm>
#include <deque>
#include <queue>

#include "comm/sim/network.hpp"
#include "comm/sim/schedule.hpp"

namespace peerscope::sim {
namespace {

class Run {
 public:
  Run(const Schedule& schedule, std::uint64_t bytes, const Topology& topology, const Routes& routes,
      std::span<const double> capacities, const CostOptions& options)
      : schedule_(schedule),
        network_(capacities),
        link_bytes_(capacities.size(), 0.0),
        message_ns_(options.message_ns),
        lanes_(at(schedule.lanes)),
        messages_(schedule.messages.size()),
        steps_(schedule.steps.size()) {
    if (schedule.pipelined) {
      const std::uint64_t wanted = (bytes + options.piece_bytes - 1) / options.piece_bytes;
      pieces_ = static_cast<int>(
          std::clamp<std::uint64_t>(wanted, 1, static_cast<std::uint64_t>(options.most_pieces)));
    }
    const double whole = static_cast<double>(bytes);
    whole_piece_ = whole / pieces_;
    block_piece_ = whole / schedule.ranks / pieces_;
    for (const Message& message : schedule.messages) {
      Lane& lane = lanes_[at(message.lane)];
      if (!lane.route.empty()) continue;
      lane.route = routes.find(message.from, message.to);
      lane.latency_ns = latency_ns(topology, lane.route);
    }
  }

  Cost run() {
    cost_.end_ns.assign(at(schedule_.ranks), 0.0);
    for (int step = 0; step < static_cast<int>(steps_.size()); ++step) try_step(step, 0.0);
    std::vector<std::uint32_t> ended;
    while (true) {
      double now = network_.next_end_ns();
      if (!arrivals_.empty() && (now < 0 || arrivals_.top().at_ns < now))
        now = arrivals_.top().at_ns;
      if (now < 0) break;
      while (!arrivals_.empty() && arrivals_.top().at_ns <= now) {
        const int message = arrivals_.top().message;
        arrivals_.pop();
        ++messages_[at(message)].arrived;
        try_step(schedule_.messages[at(message)].taken_by, now);
      }
      ended.clear();
      network_.take_ended(now, ended);
      for (const std::uint32_t message : ended) sent(static_cast<int>(message), now);
    }
    for (const double end : cost_.end_ns) cost_.last_ns = std::max(cost_.last_ns, end);
    for (std::size_t i = 0; i < link_bytes_.size(); ++i) {
      if (link_bytes_[i] > 0) cost_.bytes.emplace_back(static_cast<int>(i), link_bytes_[i]);
    }
    return std::move(cost_);
  }

 private:
  struct Lane {
    Route route;
    double latency_ns = 0;
    std::deque<int> queue;  // messages, one entry a piece; the first is on its way
  };
  struct MessageState {
    int sent = 0, arrived = 0;  // pieces
  };
  struct StepState {
    int issued = 0, done = 0;  // pieces
  };
  struct Arriving {
    double at_ns;
    int message;
    bool operator>(const Arriving& other) const {
      return at_ns != other.at_ns ? at_ns > other.at_ns : message > other.message;
    }
  };

  [[nodiscard]] bool ready(int index) const {
    const StepState& state = steps_[at(index)];
    const ScheduledStep& step = schedule_.steps[at(index)];
    if (state.issued >= pieces_) return false;
    if (step.after >= 0 && steps_[at(step.after)].done <= state.issued) return false;
    if (step.behind >= 0 && steps_[at(step.behind)].done < pieces_) return false;
    for (const int message : Schedule::list(schedule_.in_begin, schedule_.in, index)) {
      if (messages_[at(message)].arrived <= state.issued) return false;
    }
    return true;
  }

  void try_step(int index, double now) {
    while (ready(index)) {
      ++steps_[at(index)].issued;
      const auto out = Schedule::list(schedule_.out_begin, schedule_.out, index);
      for (const int message : out) {
        Lane& lane = lanes_[at(schedule_.messages[at(message)].lane)];
        lane.queue.push_back(message);
        if (lane.queue.size() == 1) begin(lane, now);
      }
      if (out.empty()) done(index, now);
    }
  }

  void begin(const Lane& lane, double now) {
    const int message = lane.queue.front();
    const double bytes = schedule_.messages[at(message)].whole ? whole_piece_ : block_piece_;
    for (const int link : lane.route) link_bytes_[at(link)] += bytes;
    network_.start(now, lane.route, bytes, static_cast<std::uint32_t>(message));
  }

  void sent(int message, double now) {
    Lane& lane = lanes_[at(schedule_.messages[at(message)].lane)];
    arrivals_.push({now + lane.latency_ns + message_ns_, message});
    lane.queue.pop_front();
    if (!lane.queue.empty()) begin(lane, now);
    ++messages_[at(message)].sent;
    const int step = schedule_.messages[at(message)].sent_by;
    int least = pieces_;
    for (const int other : Schedule::list(schedule_.out_begin, schedule_.out, step))
      least = std::min(least, messages_[at(other)].sent);
    while (steps_[at(step)].done < least) done(step, now);
  }

  void done(int index, double now) {
    ++steps_[at(index)].done;
    double& end = cost_.end_ns[at(schedule_.steps[at(index)].rank)];
    end = std::max(end, now);
    for (const int waiting : Schedule::list(schedule_.next_begin, schedule_.next, index))
      try_step(waiting, now);
  }

  const Schedule& schedule_;
  Network network_;
  std::vector<double> link_bytes_;
  double message_ns_, whole_piece_ = 0, block_piece_ = 0;
  int pieces_ = 1;
  std::vector<Lane> lanes_;
  std::vector<MessageState> messages_;
  std::vector<StepState> steps_;
  std::priority_queue<Arriving, std::vector<Arriving>, std::greater<>> arrivals_;
  Cost cost_;
};

}  // namespace

double latency_ns(const Topology& topology, const Route& route) {
  double sum = 0;
  for (const int step : route) sum += topology.links[at(step / 2)].latency_ns;
  return sum;
}

Cost run_schedule(const Schedule& schedule, std::uint64_t bytes, const Topology& topology,
                  const Routes& routes, std::span<const double> capacities,
                  const CostOptions& options) {
  return Run(schedule, bytes, topology, routes, capacities, options).run();
}

Cost run_shift(int ranks, int shift, std::uint64_t bytes, const Topology& topology,
               const Routes& routes, std::span<const double> capacities,
               const CostOptions& options) {
  Network network(capacities);
  std::vector<double> link_bytes(capacities.size(), 0.0);
  std::vector<Route> ways;
  Cost cost;
  cost.end_ns.assign(at(ranks), 0.0);
  for (int rank = 0; rank < ranks; ++rank)
    ways.push_back(routes.find(rank, (rank + shift) % ranks));
  for (int rank = 0; rank < ranks; ++rank) {
    const Route& way = ways[at(rank)];
    for (const int link : way) link_bytes[at(link)] += static_cast<double>(bytes);
    network.start(0, way, static_cast<double>(bytes), static_cast<std::uint32_t>(rank));
  }
  std::vector<std::uint32_t> ended;
  for (double now = network.next_end_ns(); now >= 0; now = network.next_end_ns()) {
    ended.clear();
    network.take_ended(now, ended);
    for (const std::uint32_t rank : ended)
      cost.end_ns[rank] = now + latency_ns(topology, ways[rank]) + options.message_ns;
  }
  cost.last_ns = *std::max_element(cost.end_ns.begin(), cost.end_ns.end());
  for (std::size_t i = 0; i < link_bytes.size(); ++i) {
    if (link_bytes[i] > 0) cost.bytes.emplace_back(static_cast<int>(i), link_bytes[i]);
  }
  return cost;
}

}  // namespace peerscope::sim
