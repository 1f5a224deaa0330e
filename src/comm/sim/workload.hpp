// The job that is simulated: the steps of one iteration, as a language model's tensor parallelism
// makes them. Each rank does all of them in this order.
#pragma once

#include <cstdint>
#include <vector>

#include "comm/sim/random.hpp"
#include "model/kinds.hpp"

namespace peerscope::sim {

struct WorkloadOptions {
  int decode_layers = 16;  // all_reduces of `decode_bytes`
  std::uint64_t decode_bytes = 16 << 10;
  double decode_compute_ns = 300'000;  // before each
  int prefill_layers = 2;              // all_reduces of `prefill_bytes`
  std::uint64_t prefill_bytes = 8 << 20;
  double prefill_compute_ns = 700'000;
  std::uint64_t large_bytes = 64 << 20;  // one all_reduce every `large_every` iterations
  int large_every = 8;
  std::uint64_t shard_bytes = 16 << 20;    // one reduce_scatter and one all_gather
  std::uint64_t exchange_bytes = 4 << 20;  // of each send to a neighbour
  bool paced = true;  // ranks begin each exchange together; else whoever is done with the last one
                      // goes on, and what a send takes is mostly waiting for a peer that is not
  int most_exchanges = 7;     // shifts an iteration: so many neighbours, taking turns
  bool async = false;         // ranks enqueue, and wait once an iteration
  double enqueue_ns = 4'000;  // what that costs the host, asynchronous only
};

enum class StepType : std::uint8_t { collective, exchange };

struct WorkStep {
  StepType type = StepType::collective;
  Kind kind = Kind::all_reduce;
  std::uint64_t bytes = 0;
  double compute_ns = 0;  // before it
  int shift = 0;          // exchange: rank r sends to (r + shift) mod n
};

// `iteration` turns the shifts, so that every pair has its turn.
std::vector<WorkStep> iteration_steps(const WorkloadOptions& options, int ranks,
                                      std::uint64_t iteration);

// Another job of the same sort: other sizes, more or less work between them.
WorkloadOptions vary(const WorkloadOptions& options, Random random);

// Of those that every iteration has.
std::vector<std::uint64_t> all_reduce_sizes(const WorkloadOptions& options);

}  // namespace peerscope::sim
