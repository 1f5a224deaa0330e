// Operations of a made-up run, for tests of profiles.
#pragma once

#include <cstdint>
#include <vector>

#include "model/collective.hpp"
#include "model/op.hpp"

namespace peerscope {

// SplitMix64: the same numbers everywhere.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(n));
  }
  // Skewed to the right, as durations are: `middle` give or take, and now and then much more.
  std::int64_t duration(std::int64_t middle) {
    const std::int64_t ns = middle * 9 / 10 + below(middle / 5 + 1);
    return below(50) == 0 ? ns * 3 : ns;
  }

 private:
  std::uint64_t state_;
};

inline Op op_at(std::int64_t begin_ns, Kind kind, std::uint64_t bytes, std::int64_t host_ns) {
  Op op;
  op.begin_ns = begin_ns;
  op.host_duration_ns = host_ns;
  op.kind = kind;
  op.bytes = bytes;
  op.comm = 7;
  op.rank = 0;
  op.ranks = 2;
  op.algorithm = Algorithm::ring;
  op.backend = Backend::host;
  return op;
}

// Tokens of `layers` all_reduces and a gather, one after another.
inline std::vector<Op> decoding(Dice& dice, std::int64_t begin_ns, int tokens, int layers,
                                std::uint64_t bytes = 16384, std::int64_t gap_ns = 20'000) {
  std::vector<Op> ops;
  std::int64_t at_ns = begin_ns;
  std::uint64_t sequence = 0;
  const auto put = [&](Kind kind, std::uint64_t size) {
    ops.push_back(op_at(at_ns, kind, size, dice.duration(10'000)));
    ops.back().sequence = sequence++;
    at_ns += ops.back().host_duration_ns + dice.duration(gap_ns);
  };
  for (int token = 0; token < tokens; ++token) {
    for (int layer = 0; layer < layers; ++layer) put(Kind::all_reduce, bytes);
    put(Kind::gather, 65536);
  }
  return ops;
}

}  // namespace peerscope
