#include "tui/history.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace peerscope::tui {

std::string key_of(const OperationRow& row) {
  return fmt::format("op {} {} {} {}", static_cast<int>(row.kind), static_cast<int>(row.algorithm),
                     row.size_class, row.other ? 1 : 0);
}
std::string key_of(const RankRow& row) { return fmt::format("rank {:x} {}", row.comm, row.rank); }
std::string key_of(const PairRow& row) {
  return fmt::format("pair {:x} {} {}", row.comm, row.from, row.to);
}

void History::put(const std::string& key, double value) {
  Ring& ring = rings_[key];
  ring.values[(count_ - 1) % kPoints] = value;
  ring.last_known = count_;
}

void History::add(const Snapshot& snapshot) {
  ++count_;
  for (auto& [key, ring] : rings_) ring.values[(count_ - 1) % kPoints] = kUnknown;
  if (snapshot.aggregates) {
    const Aggregates& all = *snapshot.aggregates;
    const Traffic& total = all.totals.windows.in(Window::second);
    put(kBytesPerSecond, total.bytes_per_s());
    put(kOperationsPerSecond, total.operations_per_s());
    for (const OperationRow& row : all.operations)
      put(key_of(row), row.windows.in(Window::second).operations_per_s());
    for (const RankRow& row : all.ranks)
      put(key_of(row), row.windows.in(Window::second).operations_per_s());
    for (const PairRow& row : all.pairs)
      put(key_of(row), row.windows.in(Window::second).bytes_per_s());
  }
  std::erase_if(rings_,
                [this](const auto& entry) { return entry.second.last_known + kPoints <= count_; });
}

std::vector<double> History::of(const std::string& key) const {
  const auto found = rings_.find(key);
  if (found == rings_.end()) return {};
  const std::size_t have = std::min(count_, kPoints);
  std::vector<double> out;
  out.reserve(have);
  for (std::size_t i = 0; i < have; ++i)
    out.push_back(found->second.values[(count_ - have + i) % kPoints]);
  return out;
}

}  // namespace peerscope::tui
