// The last rates of each row, one point a snapshot: what sparklines are drawn of.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "analyze/snapshot.hpp"

namespace peerscope::tui {

class History {
 public:
  static constexpr std::size_t kPoints = 120;

  // What this snapshot says of the last second. Rows that are gone stay for as long as they show.
  void add(const Snapshot& snapshot);

  // The oldest first, kUnknown where the row was not there; empty: nothing is known of it.
  [[nodiscard]] std::vector<double> of(const std::string& key) const;

 private:
  struct Ring {
    std::array<double, kPoints> values{};
    std::size_t last_known = 0;  // number of the snapshot
    Ring() { values.fill(kUnknown); }
  };
  void put(const std::string& key, double value);

  std::map<std::string, Ring> rings_;
  std::size_t count_ = 0;  // of snapshots
};

// Keys of rows, the same in tables and history.
std::string key_of(const OperationRow& row);
std::string key_of(const RankRow& row);
std::string key_of(const PairRow& row);
inline constexpr const char* kBytesPerSecond = "total bytes";
inline constexpr const char* kOperationsPerSecond = "total operations";

}  // namespace peerscope::tui
