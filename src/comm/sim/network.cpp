#include "comm/sim/network.hpp"

#include <algorithm>

#include "comm/sim/topology.hpp"

namespace peerscope::sim {
namespace {

constexpr double kTogetherNs = 0.5;  // ends closer than this are one event

}  // namespace

Network::Network(std::span<const double> capacities) : lines_(capacities.size()) {
  for (std::size_t i = 0; i < lines_.size(); ++i) lines_[i].capacity = capacities[i];
}

void Network::touch(const Flow& flow, double sign) {
  for (const int index : flow.route) {
    Line& line = lines_[at(index)];
    line.demand += sign * flow.most;
    if (line.dirty) continue;
    line.dirty = true;
    dirty_.push_back(index);
  }
}

void Network::start(double now_ns, std::span<const int> route, double bytes, std::uint32_t tag) {
  now_ns_ = now_ns;
  int index = static_cast<int>(flows_.size());
  if (free_.empty()) {
    flows_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Flow& flow = flows_[at(index)];
  flow.route = route;
  flow.left = bytes;
  flow.rate = 0;
  flow.since_ns = now_ns;
  flow.tag = tag;
  flow.open = true;
  ++flow.version;
  if (bytes <= 0) {
    ends_.push({now_ns, index, flow.version});
    return;
  }
  flow.most = lines_[at(route[0])].capacity;
  for (const int line : route) {
    flow.most = std::min(flow.most, lines_[at(line)].capacity);
    lines_[at(line)].flows.push_back(index);
  }
  touch(flow, 1.0);
  fresh_.push_back(index);
}

// All flows that hang together with `first` through lines that bind, and those lines.
void Network::gather(int first) {
  lines_of_part_.clear();
  flows_of_part_.assign(1, first);
  flows_[at(first)].seen = true;
  for (std::size_t i = 0; i < flows_of_part_.size(); ++i) {
    for (const int index : flows_[at(flows_of_part_[i])].route) {
      Line& line = lines_[at(index)];
      if (!line.binds || line.seen) continue;
      line.seen = true;
      lines_of_part_.push_back(index);
      for (const int other : line.flows) {
        if (flows_[at(other)].seen) continue;
        flows_[at(other)].seen = true;
        flows_of_part_.push_back(other);
      }
    }
  }
}

void Network::set_rate(Flow& flow, double rate) {
  if (flow.rate == rate) return;
  flow.left = std::max(0.0, flow.left - flow.rate * (now_ns_ - flow.since_ns));
  flow.since_ns = now_ns_;
  flow.rate = rate;
  ++flow.version;
  ends_.push({now_ns_ + flow.left / rate, static_cast<int>(&flow - flows_.data()), flow.version});
}

void Network::fix(Flow& flow, double rate) {
  flow.fixed = true;
  set_rate(flow, rate);
  for (const int index : flow.route) {
    Line& line = lines_[at(index)];
    if (!line.seen) continue;
    line.left = std::max(0.0, line.left - rate);
    --line.waiting;
  }
}

// What each flow of the part gets: level by level, the tightest line first.
void Network::fill() {
  constexpr double kSame = 1.0 + 1e-9;
  for (const int index : lines_of_part_) {
    Line& line = lines_[at(index)];
    line.left = line.capacity;
    line.waiting = static_cast<int>(line.flows.size());
  }
  std::sort(flows_of_part_.begin(), flows_of_part_.end(), [&](int a, int b) {
    const double most_a = flows_[at(a)].most, most_b = flows_[at(b)].most;
    return most_a != most_b ? most_a < most_b : a < b;
  });
  std::size_t next = 0;
  while (true) {
    double least = -1;
    for (const int index : lines_of_part_) {
      const Line& line = lines_[at(index)];
      if (line.waiting > 0 && (least < 0 || line.left / line.waiting < least))
        least = line.left / line.waiting;
    }
    if (least < 0) break;
    // What its own way holds to less leaves more to the others: first.
    bool held = false;
    for (; next < flows_of_part_.size(); ++next) {
      Flow& flow = flows_[at(flows_of_part_[next])];
      if (flow.fixed) continue;
      if (flow.most > least) break;
      fix(flow, flow.most);
      held = true;
    }
    if (held) continue;
    least = std::max(least, 1e-9);
    for (const int index : lines_of_part_) {
      const Line& line = lines_[at(index)];
      if (line.waiting == 0 || line.left / line.waiting > least * kSame) continue;
      for (const int other : line.flows) {
        if (!flows_[at(other)].fixed) fix(flows_[at(other)], least);
      }
    }
  }
  for (const int index : lines_of_part_) lines_[at(index)].seen = false;
  for (const int index : flows_of_part_) {
    Flow& flow = flows_[at(index)];
    if (!flow.fixed) set_rate(flow, flow.most);  // nothing binds it
    flow.fixed = false;
  }
}

// `seen` of flows holds until all is settled, so that no part is done twice.
void Network::settle() {
  if (dirty_.empty()) return;
  constexpr double kRoom = 1.0 + 1e-9;
  changed_.clear();
  for (const int index : dirty_) {
    Line& line = lines_[at(index)];
    line.dirty = false;
    const bool bound = line.binds;
    line.binds = line.demand > line.capacity * kRoom;
    if (bound || line.binds) changed_.push_back(index);
  }
  dirty_.clear();
  done_.clear();
  const auto part_of = [&](int flow) {
    if (flows_[at(flow)].seen || !flows_[at(flow)].open) return;
    gather(flow);
    fill();
    done_.insert(done_.end(), flows_of_part_.begin(), flows_of_part_.end());
  };
  for (const int index : changed_) {
    for (const int flow : lines_[at(index)].flows) part_of(flow);
  }
  for (const int flow : fresh_) part_of(flow);
  fresh_.clear();
  for (const int flow : done_) flows_[at(flow)].seen = false;
}

// The next end as things are: without what has begun or ended since they were settled.
double Network::peek() {
  while (!ends_.empty()) {
    const End& end = ends_.top();
    const Flow& flow = flows_[at(end.flow)];
    if (flow.open && flow.version == end.version) return end.at_ns;
    ends_.pop();
  }
  return -1;
}

double Network::next_end_ns() {
  settle();
  return peek();
}

void Network::take_ended(double now_ns, std::vector<std::uint32_t>& tags) {
  now_ns_ = now_ns;
  for (double next = peek(); next >= 0 && next <= now_ns + kTogetherNs; next = peek()) {
    const int index = ends_.top().flow;
    ends_.pop();
    Flow& flow = flows_[at(index)];
    flow.open = false;
    tags.push_back(flow.tag);
    free_.push_back(index);
    if (flow.rate <= 0) continue;  // had no bytes
    for (const int line : flow.route) {
      std::vector<int>& flows = lines_[at(line)].flows;
      flows.erase(std::find(flows.begin(), flows.end(), index));
    }
    touch(flow, -1.0);
  }
}

}  // namespace peerscope::sim
