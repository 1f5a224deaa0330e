// Operations as programs make them, for tests and benchmarks of the trace file.
#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "model/op.hpp"

namespace peerscope {

// The workloads behind the goals for size and speed. Duration and arrival are log-normal at 10,000
// operations a second.
//   iterative: a decoding step of an 80-layer model over 8 devices: 2 all_reduces a layer, then 7
//              sends along the pipeline, then a broadcast; one in a thousand fails
//   random:    every field at random
class TraceWorkload {
 public:
  explicit TraceWorkload(bool random, std::uint64_t seed = 88172645463325252ull)
      : random_(random), state_(seed) {
    // Twelve uniform numbers make a normal one, near enough, and the same with every library.
    std::mt19937_64 engine(seed);
    for (double& value : noise_) {
      value = -6;
      for (int i = 0; i < 12; ++i) value += static_cast<double>(engine() >> 11) * 0x1p-53;
    }
    for (int layer = 0; layer < 80; ++layer) {
      for (int j = 0; j < 2; ++j) {
        pattern_.push_back({Kind::all_reduce, j == 0 ? Algorithm::ring : Algorithm::two_shot, 0,
                            static_cast<std::uint16_t>(layer & 7), static_cast<std::uint16_t>(j),
                            16384ull << (layer % 3), 18.0});
      }
    }
    for (std::uint16_t device = 0; device < 7; ++device)
      pattern_.push_back({Kind::send, Algorithm::direct, device,
                          static_cast<std::uint16_t>(device + 1), 2, 65'536, 25.0});
    pattern_.push_back({Kind::broadcast, Algorithm::binary_tree, 0, 7, 3, 1 << 20, 60.0});
  }

  Op next() {
    const Step step = random_ ? random_step() : pattern_[at_++ % pattern_.size()];
    const double gap_ns = 100e3 * std::exp(0.5 * noise_[random() & 65535] - 0.125);
    const double ns = step.us * 1000 * (1 + 0.08 * std::fabs(noise_[random() & 65535]));
    now_ns_ += static_cast<std::int64_t>(gap_ns);
    Op op;
    op.begin_ns = now_ns_;
    op.host_duration_ns = static_cast<std::int64_t>(ns);
    op.bytes = step.bytes;
    op.sequence = sequence_++;
    op.comm = 0x7470;
    op.rank = op.device = step.from;
    op.ranks = 8;
    op.peer = step.to;
    op.stream = step.stream;
    op.kind = step.kind;
    op.algorithm = step.algorithm;
    op.protocol = Protocol::simple;
    op.dtype = Dtype::bf16;
    op.backend = Backend::host;
    op.status = random() % 1000 == 0 ? OpStatus::error : OpStatus::ok;
    return op;
  }

  std::vector<Op> take(std::size_t n) {
    std::vector<Op> ops;
    ops.reserve(n);
    for (std::size_t i = 0; i < n; ++i) ops.push_back(next());
    return ops;
  }

 private:
  struct Step {
    Kind kind;
    Algorithm algorithm;
    std::uint16_t from, to, stream;
    std::uint64_t bytes;
    double us;
  };

  std::uint64_t random() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }

  Step random_step() {
    const std::uint64_t x = random();
    Step step{};
    step.kind = static_cast<Kind>(1 + (x & 7));
    step.algorithm = static_cast<Algorithm>(1 + (x >> 3 & 3));
    step.from = x >> 5 & 7;
    step.to = static_cast<std::uint16_t>((step.from + 1 + (x >> 8 & 7) % 7) & 7);
    step.stream = x >> 12 & 3;
    step.bytes = 1ull << (10 + (x >> 16) % 18);
    if ((x >> 40 & 3) == 0) step.bytes += (x >> 20) & (step.bytes - 1) & ~255ull;
    step.us = 5 + static_cast<double>(step.bytes) / 25e3;
    return step;
  }

  bool random_;
  std::uint64_t state_, sequence_ = 0;
  std::size_t at_ = 0;
  std::int64_t now_ns_ = std::int64_t{1} << 40;
  std::vector<double> noise_ = std::vector<double>(65'536);
  std::vector<Step> pattern_;
};

}  // namespace peerscope
