// The profile of a stream of operations: incremental, one thread, no I/O, no clock.
//
// Memory is bounded whatever comes (memory_bound_bytes()): rows by the limits of the Aggregator, samples by max_series, the
// stream of each thread by its last operations, time by slices that grow wider.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "analyze/aggregate.hpp"
#include "analyze/profile/report.hpp"
#include "analyze/profile/samples.hpp"
#include "model/collective.hpp"
#include "model/op.hpp"

namespace peerscope {

class Profiler {
 public:
  explicit Profiler(const AggregatorOptions& options = {});
  ~Profiler();
  Profiler(Profiler&&) noexcept;
  Profiler& operator=(Profiler&&) noexcept;

  // What belongs to the profile, roughly in the order of time.
  void add(std::span<const Op> ops);
  void add(const Collective& collective);

  // All that operations alone say: names, notes of the source and metrics are the caller's.
  [[nodiscard]] ProfileReport report();
  [[nodiscard]] const SampleStore& samples() const;

  [[nodiscard]] std::size_t memory_bytes() const;
  [[nodiscard]] static std::size_t memory_bound_bytes(const AggregatorOptions& options);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Sentences that follow from the report itself, once `spans` is known.
void add_notes(ProfileReport& report);

}  // namespace peerscope
