// Operations that failed, and what became of them: was the same tried again, did it succeed, and when.
//
// "The same" is an operation of the same kind on the same rank (and pair) of the same communicator,
// or of one that was not there before the failure: a job that recovers often builds a new one.
// Memory: bounded by ErrorOptions and kMostOpen; what is beyond is counted only.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "model/op.hpp"

namespace peerscope {

struct ErrorOptions {
  std::size_t max_errors = 1000;  // the latest, one by one
  std::size_t max_groups = 256;
};

struct TrackedError {
  Op op;                                  // that failed; op.status says how
  std::int64_t at_ns = 0;                 // when it ended
  std::uint32_t tries = 0;                // of the same, since
  bool recovered = false;                 // one of them succeeded
  std::int64_t recovery_ns = kUnknownNs;  // from `at_ns` to the end of that one
};

// Like errors: of one type, operation and communicator.
struct ErrorGroup {
  OpStatus type = OpStatus::error;
  Kind operation = Kind::other;
  std::uint64_t comm = 0;
  std::uint64_t count = 0;                       // weighted, as operations are
  std::uint64_t tried_again = 0, recovered = 0;  // of errors, not weighted
  std::uint64_t errors = 0;                      // not weighted
  std::int64_t first_ns = 0, last_ns = 0;
  std::uint64_t first_sequence = 0, last_sequence = 0;
  std::set<std::uint16_t> ranks;                            // at most kMostRanks
  std::set<std::pair<std::uint16_t, std::uint16_t>> pairs;  // rank and peer, likewise
  std::int64_t recovery_least_ns = kUnknownNs, recovery_most_ns = kUnknownNs;
  std::int64_t recovery_sum_ns = 0;
  [[nodiscard]] std::int64_t recovery_mean_ns() const {
    return recovered > 0 ? recovery_sum_ns / static_cast<std::int64_t>(recovered) : kUnknownNs;
  }
};

class ErrorTracker {
 public:
  static constexpr std::size_t kMostRanks = 64, kMostOpen = 4096, kMostComms = 1024;

  explicit ErrorTracker(const ErrorOptions& options = {}) : options_(options) {}

  enum class Outcome : std::uint8_t { none, failed, recovered };
  // In the order of ending, as near as can be. `recovered`: latest_recovery_ns() says after how long.
  Outcome add(const Op& op);

  [[nodiscard]] std::int64_t latest_recovery_ns() const { return latest_recovery_ns_; }
  [[nodiscard]] const std::deque<TrackedError>& errors() const { return errors_; }
  // The most frequent first.
  [[nodiscard]] std::vector<ErrorGroup> groups() const;
  [[nodiscard]] std::uint64_t operations() const { return operations_; }  // all, weighted
  [[nodiscard]] std::uint64_t failed() const { return failed_; }          // weighted
  [[nodiscard]] std::uint64_t forgotten() const { return first_; }        // of errors()
  [[nodiscard]] std::uint64_t ungrouped() const { return ungrouped_; }    // found no group

 private:
  // Kind, rank, peer; and the thread where there is no rank.
  using Actor = std::tuple<Kind, std::uint16_t, std::uint16_t, std::uint64_t>;
  using GroupKey = std::tuple<OpStatus, Kind, std::uint64_t>;
  struct Open {
    std::uint64_t number = 0;  // of the error: errors_[number - first_]
    std::uint64_t comm = 0;
    std::int64_t at_ns = 0;
    GroupKey group;
    bool tried = false;
  };
  void see(std::uint64_t comm, std::int64_t begin_ns);
  [[nodiscard]] bool is_successor(std::uint64_t comm, const Open& open) const;
  void fail(const Op& op);
  bool try_again(const Op& op);
  TrackedError* error(std::uint64_t number);

  ErrorOptions options_;
  std::deque<TrackedError> errors_;
  std::map<GroupKey, ErrorGroup> groups_;
  std::map<Actor, std::vector<Open>> open_;
  std::size_t open_count_ = 0;
  std::map<std::uint64_t, std::int64_t> comms_;  // by id: begin of the first operation
  std::uint64_t last_comm_ = 0;
  std::uint64_t first_ = 0, operations_ = 0, failed_ = 0, ungrouped_ = 0;
  std::int64_t latest_recovery_ns_ = kUnknownNs;
};

}  // namespace peerscope
