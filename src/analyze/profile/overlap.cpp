#include "analyze/profile/overlap.hpp"

#include <algorithm>

namespace peerscope {
namespace {

struct Edge {
  std::int64_t at_ns;
  int communications, computations;  // what begins (1) or ends (-1)
};

bool is_communication(Kind kind) { return kind != Kind::compute && kind != Kind::other; }

// Ranks that share a process do not cover each other's communication.
constexpr std::uint64_t kByRank = std::uint64_t{1} << 63;
std::uint64_t device_key(const Op& op) {
  const std::uint64_t process = std::uint64_t{op.process} << 32;
  return op.device != kNoDevice ? process | op.device : process | op.rank | kByRank;
}
std::uint64_t host_key(const Op& op) {
  const std::uint64_t process = std::uint64_t{op.process} << 32;
  return op.rank != kNoRank ? process | op.rank | kByRank : process | op.thread;
}

OverlapStats sum_of(const std::map<std::uint64_t, OverlapLane>& lanes, Clock clock) {
  OverlapStats stats;
  stats.clock = clock;
  double covered_ns = 0;
  for (const auto& [key, lane] : lanes) {
    stats.communication_ns += lane.communication_ns;
    stats.concurrent_ns += lane.concurrent_ns;
    stats.compute_ns += lane.compute_ns;
    stats.late += lane.late;
    covered_ns += lane.covered_ns;
  }
  stats.exposed_ns = stats.communication_ns - covered_ns;
  return stats;
}

}  // namespace

void OverlapLane::add(std::int64_t begin_ns, std::int64_t duration_ns, bool compute) {
  if (begin_ns < swept_ns_) {
    ++late;
    const std::int64_t end_ns = begin_ns + duration_ns;
    if (end_ns <= swept_ns_) return;
    duration_ns = end_ns - swept_ns_;
    begin_ns = swept_ns_;
  }
  held_.push_back({begin_ns, begin_ns + duration_ns, compute});
  if (held_.size() < kHeld) return;
  // The older half is complete, as far as what comes roughly in order can tell.
  std::vector<Interval>& all = held_;
  std::nth_element(all.begin(), all.begin() + kHeld / 2, all.end(),
                   [](const Interval& a, const Interval& b) { return a.begin_ns < b.begin_ns; });
  sweep(all[kHeld / 2].begin_ns);
  if (held_.size() >= kHeld) sweep(INT64_MAX);  // all begin at once, or do not end
}

// All that lies before `until_ns`; intervals across it are cut there.
void OverlapLane::sweep(std::int64_t until_ns) {
  std::vector<Edge> edges;
  std::vector<Interval> rest;
  for (const Interval& interval : held_) {
    const std::int64_t end_ns = std::min(interval.end_ns, until_ns);
    if (end_ns > interval.begin_ns) {
      edges.push_back({interval.begin_ns, interval.compute ? 0 : 1, interval.compute ? 1 : 0});
      edges.push_back({end_ns, interval.compute ? 0 : -1, interval.compute ? -1 : 0});
    }
    if (interval.end_ns > until_ns)
      rest.push_back({std::max(interval.begin_ns, until_ns), interval.end_ns, interval.compute});
  }
  std::sort(edges.begin(), edges.end(),
            [](const Edge& a, const Edge& b) { return a.at_ns < b.at_ns; });
  int communications = 0, computations = 0;
  for (std::size_t i = 0; i < edges.size(); ++i) {
    communications += edges[i].communications;
    computations += edges[i].computations;
    if (i + 1 == edges.size()) break;
    const auto step_ns = static_cast<double>(edges[i + 1].at_ns - edges[i].at_ns);
    if (communications > 0) communication_ns += step_ns;
    if (communications > 1) concurrent_ns += step_ns;
    if (communications > 0 && computations > 0) covered_ns += step_ns;
    if (computations > 0) compute_ns += step_ns;
  }
  for (const Edge& edge : edges) swept_ns_ = std::max(swept_ns_, edge.at_ns);
  if (until_ns != INT64_MAX) swept_ns_ = std::max(swept_ns_, until_ns);
  held_ = std::move(rest);
}

OverlapLane* OverlapMeter::lane(Lanes& lanes, std::uint64_t key) {
  if (lanes.last != nullptr && key == lanes.last_key) return lanes.last;
  auto found = lanes.all.find(key);
  if (found == lanes.all.end()) {
    if (lanes.all.size() >= kMaxLanes) return nullptr;
    found = lanes.all.try_emplace(key).first;
  }
  lanes.last_key = key;
  return lanes.last = &found->second;
}

void OverlapMeter::add(const Op& op) {
  const bool compute = op.kind == Kind::compute;
  if (!compute && !is_communication(op.kind)) return;
  if (op.device_begin_ns >= 0 && op.device_duration_ns >= 0) {
    device_compute_ += compute ? 1 : 0;
    if (OverlapLane* lane_of = lane(device_, device_key(op)))
      lane_of->add(op.device_begin_ns, op.device_duration_ns, compute);
  }
  if (op.device_only) return;
  async_ += op.async && !compute ? 1 : 0;
  if (op.async || op.host_duration_ns < 0) return;
  sync_ += compute ? 0 : 1;
  if (OverlapLane* lane_of = lane(host_, host_key(op)))
    lane_of->add(op.begin_ns, op.host_duration_ns, compute);
}

OverlapStats OverlapMeter::stats() {
  for (auto* lanes : {&device_, &host_}) {
    for (auto& [key, each] : lanes->all) each.flush();
  }
  OverlapStats on_device = sum_of(device_.all, Clock::device);
  if (on_device.communication_ns > 0) {
    if (device_compute_ == 0) {
      on_device.exposed_ns = kUnknown;
      on_device.why_unknown =
          "no device times of computation were recorded (operations of kind compute, or "
          "source.cuda)";
    }
    return on_device;
  }
  OverlapStats on_host = sum_of(host_.all, Clock::host);
  if (sync_ > 0 && on_host.communication_ns > 0) return on_host;
  OverlapStats unknown;
  unknown.why_unknown = async_ > 0 ? "operations are asynchronous and have no device times"
                                   : "no communication was timed";
  return unknown;
}

std::size_t OverlapMeter::memory_bytes() const {
  std::size_t bytes = sizeof *this;
  bytes += (device_.all.size() + host_.all.size()) *
           (sizeof(OverlapLane) + OverlapLane::kHeld * sizeof(std::int64_t) * 3);
  return bytes;
}

}  // namespace peerscope
