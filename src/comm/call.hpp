// One communication call, as the caller says it: the argument of every backend.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "model/kinds.hpp"

namespace peerscope {

// f16 and bf16 are accumulated in f32 and rounded once per hop; i32, i8 and u8 wrap. avg divides the
// sum by the number of ranks (integers: the wrapped sum, towards zero). The result of min and max is unspecified where an element is
// NaN.
enum class ReduceOp : std::uint8_t { sum, min, max, avg };

std::string_view name(ReduceOp op);

// What a rank gives: `count` elements, aligned to their size.
struct Source {
  const void* data = nullptr;
  std::size_t count = 0;
  Dtype dtype = Dtype::f32;
};

// Where a rank receives `count` elements.
struct Target {
  void* data = nullptr;
  std::size_t count = 0;
  Dtype dtype = Dtype::f32;
};

// A place in another rank's registered memory (Pool): its owner made it known as Block::offset.
struct Remote {
  int rank = 0;
  std::size_t offset = 0;
};

inline constexpr int kMaxRanks = 64;  // sets of ranks travel as bits of a word

// Buffers: `input` has `count` elements, `output` what the kind says (Communicator documents each).
// In place as NCCL defines it: output == input, for all_gather input == output + rank * count, for
// reduce_scatter the reverse.
struct Call {
  Kind kind = Kind::barrier;
  const void* input = nullptr;
  void* output = nullptr;
  std::size_t count = 0;  // of `input`; for recv and get, of `output`
  Dtype dtype = Dtype::u8;
  ReduceOp op = ReduceOp::sum;
  Algorithm algorithm = Algorithm::unknown;  // unknown: the backend chooses
  int peer = -1;                             // the other rank, or the root; -1: none
  std::size_t offset = 0;                    // copy, get: in the peer's registered memory
  std::span<const std::size_t> counts = {};  // gather: elements of each rank
};

constexpr bool is_reduction(Kind kind) {
  return kind == Kind::reduce || kind == Kind::all_reduce || kind == Kind::reduce_scatter;
}

// Bytes as nccl-tests counts "size" (model/busbw.hpp): of the whole tensor.
std::uint64_t call_bytes(const Call& call, int ranks);

}  // namespace peerscope
