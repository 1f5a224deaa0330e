// What is measured: one operation with its type, size, algorithm, in place or not.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "comm/call.hpp"

namespace peerscope {

struct Case {
  // send: from rank 0 to rank 1. copy, get: rank 0 writes to (reads from) rank 1's registered memory.
  Kind kind = Kind::all_reduce;
  Dtype dtype = Dtype::f32;
  ReduceOp op = ReduceOp::sum;
  Algorithm algorithm = Algorithm::unknown;
  std::uint64_t bytes = 0;  // as asked for
  bool in_place = false, graph = false;

  friend bool operator==(const Case&, const Case&) = default;
};

// In elements. Counts are whole multiples of the ranks where the kind wants it, at least one.
struct Lengths {
  std::size_t count = 0, input = 0, output = 0;  // `count`: the Call's
  std::uint64_t bytes = 0;                       // nccl-tests' size: of the whole tensor
};
Lengths lengths_of(const Case& test, int ranks);

// What sends, receives or deals has no in place; a gather's would be the root's only.
bool has_in_place(Kind kind);
constexpr bool is_one_sided(Kind kind) { return kind == Kind::copy || kind == Kind::get; }

// The call of one rank; none where it takes no part. In place both point into `output`, which holds
// the larger side. `counts` (of each rank, for gather) lives as long as the call.
struct CaseBuffers {
  void* input = nullptr;
  void* output = nullptr;
  std::span<const std::size_t> counts = {};
  std::size_t offset = 0;  // copy, get: in the peer's registered memory
};
std::optional<Call> call_of(const Case& test, int rank, int ranks, const CaseBuffers& buffers);

std::string sweep_name(Kind kind);  // "all_reduce", "sendrecv"

// From `least` to `most`, each `factor` times the one before; without repetitions.
std::vector<std::uint64_t> sizes_between(std::uint64_t least, std::uint64_t most, double factor);

}  // namespace peerscope
