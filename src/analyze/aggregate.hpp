// Turns the stream of operations and collectives into rows, in bounded memory and O(1) per
// operation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "analyze/aggregates.hpp"
#include "model/collective.hpp"
#include "model/op.hpp"

namespace peerscope {

// What has no room under a limit goes to one shared row marked `other`, and is counted.
struct AggregatorOptions {
  std::size_t max_cells =
      4096;  // (kind, algorithm, size class, device, rank, peer, communicator); <= 65,000
  std::size_t max_series = 128;  // (kind, algorithm, size class), with windows
  std::size_t max_pairs = 1024;  // (communicator, from, to); each has a past of both its ends
  std::size_t max_communicators = 256;
  std::size_t max_ranks = 1024;  // over all communicators
  std::size_t max_devices = 64;
  std::size_t max_errors = 256;  // (status, kind, communicator, rank, peer)
};

// One thread calls it. Time comes in as arguments, in ns of the operations' clock: call
// advance(now) before adding what happened up to now, since only advance moves the windows.
// Operations may come late and in any order; what is older than 75 s counts "since start" only.
// `now` running backwards is ignored.
class Aggregator {
 public:
  using Options = AggregatorOptions;

  explicit Aggregator(const Options& options = {});
  ~Aggregator();
  Aggregator(Aggregator&&) noexcept;
  Aggregator& operator=(Aggregator&&) noexcept;

  void add(std::span<const Op> ops);
  void add(const Collective& collective);
  void advance(std::int64_t now_ns);
  [[nodiscard]] std::shared_ptr<const Aggregates> snapshot(std::int64_t now_ns);

  // What it has allocated. Bound with default options: see memory_bound_bytes().
  [[nodiscard]] std::size_t memory_bytes() const;
  // What it can ever allocate under these options.
  [[nodiscard]] static std::size_t memory_bound_bytes(const Options& options);

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace peerscope
