#include "analyze/detect/pairs.hpp"

#include <algorithm>
#include <map>

namespace peerscope {
namespace {

// The host's clock knows the enqueue only of what is asynchronous, and a rank with a root may be done long before the
// others.
bool says_something(const CellRow& cell, const DetectOptions& options) {
  if (cell.other || cell.count == 0) return false;
  const bool on_device = cell.device_time.known();
  if (!on_device && (cell.async || has_root(cell.kind))) return false;
  const double bytes = static_cast<double>(cell.bytes) / static_cast<double>(cell.count);
  const Distribution& time = on_device ? cell.device_time : cell.host;
  return time.p50_ns > 0.0 && bytes >= static_cast<double>(options.pair.min_bytes);
}

// Slots that both ends know, the shorter of their medians.
std::vector<HistoryPoint> shorter(const std::vector<HistoryPoint>& a,
                                  const std::vector<HistoryPoint>& b) {
  std::vector<HistoryPoint> out;
  for (auto x = a.begin(), y = b.begin(); x != a.end() && y != b.end();) {
    if (x->slot < y->slot) {
      ++x;
    } else if (y->slot < x->slot) {
      ++y;
    } else {
      out.push_back(x->ns <= y->ns ? *x : *y);
      ++x, ++y;
    }
  }
  return out;
}

PairState state_of(const CellRow& sent, const CellRow* received, bool past) {
  const auto time_of = [](const CellRow& cell) -> const Distribution& {
    return cell.device_time.known() ? cell.device_time : cell.host;
  };
  const Distribution& time = time_of(sent);
  PairState pair;
  pair.way = direction(sent.kind, sent.rank, sent.peer);
  pair.bytes = static_cast<double>(sent.bytes) / static_cast<double>(sent.count);
  pair.p50_ns = time.p50_ns;
  pair.time_ns = time.mean_ns * static_cast<double>(time.count);
  pair.samples = time.count;
  if (received != nullptr) pair.p50_ns = std::min(pair.p50_ns, time_of(*received).p50_ns);
  if (past)
    pair.points = received != nullptr ? shorter(sent.history, received->history) : sent.history;
  pair.bytes_per_s = pair.bytes / pair.p50_ns * 1e9;
  return pair;
}

}  // namespace

std::vector<PairGroup> pair_groups(const Aggregates& aggregates, const DetectOptions& options,
                                   bool past) {
  const auto clock = [](const CellRow& cell) {
    return cell.device_time.known() ? Clock::device : Clock::host;
  };
  using Place = std::tuple<std::uint64_t, std::uint8_t, std::uint16_t, std::uint16_t, Clock>;
  std::map<Place, const CellRow*> receives;
  for (const CellRow& cell : aggregates.cells) {
    if (cell.kind == Kind::recv && says_something(cell, options))
      receives[{cell.comm, cell.size_class, cell.peer, cell.rank, clock(cell)}] = &cell;
  }
  std::map<PairKey, std::vector<PairState>> groups;
  for (const CellRow& cell : aggregates.cells) {
    const Direction way = direction(cell.kind, cell.rank, cell.peer);
    if (!way.known() || cell.kind == Kind::recv || !says_something(cell, options)) continue;
    const CellRow* received = nullptr;
    if (cell.kind == Kind::send) {
      const auto found = receives.find({cell.comm, cell.size_class, way.from, way.to, clock(cell)});
      if (found != receives.end()) received = found->second;
    }
    groups[{cell.comm, cell.kind, cell.size_class, clock(cell)}].push_back(
        state_of(cell, received, past));
  }
  std::vector<PairGroup> out;
  for (auto& [key, pairs] : groups) out.push_back({key, std::move(pairs)});
  return out;
}

std::optional<int> device_of(const Aggregates& aggregates, std::uint64_t comm, int rank) {
  for (const CellRow& cell : aggregates.cells) {
    if (cell.comm == comm && cell.rank == rank && cell.device != kNoDevice && !cell.other)
      return cell.device;
  }
  return std::nullopt;
}

}  // namespace peerscope
