// Random operations with random contents, and what must come out of them by a float64 reference: for every backend.
#pragma once

#include <random>
#include <string>
#include <vector>

#include "comm/call.hpp"

namespace peerscope {

// What is drawn from.
struct CaseLimits {
  std::vector<Kind> kinds;  // of these
  int ranks = 2;
  std::size_t most_bytes = 1 << 20;  // of the whole tensor
};

// One operation of all ranks. Drawn from a seed, so that a failure can be seen again.
struct RandomCase {
  std::uint64_t seed = 0;
  Kind kind = Kind::all_reduce;
  Algorithm algorithm = Algorithm::direct;
  Dtype dtype = Dtype::f32;
  ReduceOp op = ReduceOp::sum;
  int ranks = 2, root = 0;
  int from = 0, to = 1;                     // of a send
  std::size_t count = 0;                    // Call::count, but for gather
  std::vector<std::size_t> counts;          // gather
  std::size_t shift_in = 0, shift_out = 0;  // elements by which buffers miss their alignment
  bool in_place = false;

  static RandomCase draw(std::uint64_t seed, const CaseLimits& limits);
  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool takes_part(int rank) const;
};

// A rank's memory for a case: one piece, in which buffers lie between guards.
class CaseMemory {
 public:
  CaseMemory(const RandomCase& what, int rank);

  [[nodiscard]] std::span<const std::byte> initial() const { return bytes_; }
  // The call, with the piece at `base` (aligned to 256 bytes).
  [[nodiscard]] Call call(void* base) const;
  // Empty, or the first thing that is wrong with what the piece holds afterwards.
  [[nodiscard]] std::string fault(std::span<const std::byte> after) const;

 private:
  struct Part {
    std::size_t begin = 0, elements = 0;
  };
  [[nodiscard]] std::size_t element() const { return dtype_bytes(case_.dtype); }
  void place();
  [[nodiscard]] bool may_write(std::size_t at) const;

  RandomCase case_;
  int rank_;
  Part input_, output_;
  std::vector<std::byte> bytes_;
};

}  // namespace peerscope
