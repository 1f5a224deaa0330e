// A small all_reduce in one hop: each rank writes its elements into every other's region, 8 bytes with two flags in a line of 16,
// so that data is its own announcement. Everybody reduces everything, in the order of ranks: all get the same bits.
//
// Each warp has lines of its own, for even and odd operations. A rank that is at operation e has had the others' lines of e - 1,
// so they have begun e - 1 and ended e - 2: their lines of e - 2 may be overwritten. Flags are a warp's own count of operations;
// the second is mixed with what the operation is, so that ranks that disagree find out.
#pragma once

#include "comm/cuda/device/arithmetic.hpp"

namespace peerscope::cuda {

struct Pair {
  std::uint32_t low, high;
};

// 8 bytes of a tensor from `offset` on; what is beyond its end is zero.
PSCOPE_DEVICE Pair load_pair(const std::byte* from, std::uint64_t offset, std::uint64_t bytes) {
  const std::byte* at = from + offset;
  Pair pair{0, 0};
  if (offset + 8 <= bytes && reinterpret_cast<std::uint64_t>(at) % 8 == 0) {
    const auto whole = *reinterpret_cast<const std::uint64_t*>(at);
    return {static_cast<std::uint32_t>(whole), static_cast<std::uint32_t>(whole >> 32)};
  }
  for (std::uint32_t i = 0; i < 8 && offset + i < bytes; ++i) {
    const std::uint32_t byte = static_cast<std::uint32_t>(at[i]);
    (i < 4 ? pair.low : pair.high) |= byte << (i % 4 * 8);
  }
  return pair;
}
PSCOPE_DEVICE void store_pair(std::byte* to, std::uint64_t offset, std::uint64_t bytes,
                              const Pair& pair) {
  std::byte* at = to + offset;
  if (offset + 8 <= bytes && reinterpret_cast<std::uint64_t>(at) % 8 == 0) {
    *reinterpret_cast<std::uint64_t*>(at) = pair.low | std::uint64_t{pair.high} << 32;
    return;
  }
  for (std::uint32_t i = 0; i < 8 && offset + i < bytes; ++i)
    at[i] = static_cast<std::byte>((i < 4 ? pair.low : pair.high) >> (i % 4 * 8));
}

// Only the first half of a vector is used: the compiler drops the rest.
template <class Type>
PSCOPE_DEVICE WideVector<Type> widen_pair(const Pair& pair) {
  return widen<Type>(Vector{pair.low, pair.high, 0, 0});
}

template <class Type, class Op>
class LowLatency {
 public:
  PSCOPE_DEVICE LowLatency(const Arguments& a, const Block& block)
      : a_(a), block_(block), bytes_(a.elements * sizeof(typename Type::Element)) {}

  PSCOPE_DEVICE void run() {
    wait_for_kernel_before(a_.early != 0);
    const Stamper stamper(a_, block_);
    std::uint64_t& epoch = state_of(a_, block_.index).epoch[block_.warp()];
    const std::uint64_t now = epoch + 1;
    first_ = static_cast<std::uint32_t>(now);
    second_ = first_ ^ static_cast<std::uint32_t>(a_.what ^ a_.what >> 32);
    const std::uint64_t channels = std::uint64_t{a_.layout.blocks} * a_.layout.ranks;
    half_ = (now % 2) * channels * kWarpsPerBlock * a_.layout.lines_per_warp;
    const std::uint64_t lines = (bytes_ + 7) / 8;
    const std::uint32_t warps = block_.count * (block_.threads / block_.lanes());
    const std::uint32_t warp = block_.index * (block_.threads / block_.lanes()) + block_.warp();
    // All are sent before any is waited for.
    std::uint32_t own = block_.lane();
    for (std::uint64_t at = std::uint64_t{warp} * block_.lanes() + block_.lane(); at < lines;
         at += std::uint64_t{warps} * block_.lanes(), own += block_.lanes())
      send(own, load_pair(a_.input, at * 8, bytes_));
    own = block_.lane();
    for (std::uint64_t at = std::uint64_t{warp} * block_.lanes() + block_.lane(); at < lines;
         at += std::uint64_t{warps} * block_.lanes(), own += block_.lanes()) {
      if (!reduce(own, at * 8)) return;
    }
    block_.sync_warp();
    if (block_.lane() == 0) epoch = now;
    stamper.end();
  }

 private:
  // The line that `from` writes for us into `region`.
  PSCOPE_DEVICE Vector* line_at(std::uint32_t region, std::uint32_t from, std::uint32_t own) const {
    const std::uint64_t channel = std::uint64_t{block_.index} * a_.layout.ranks + from;
    return reinterpret_cast<Vector*>(a_.regions[region] + a_.layout.lines) + half_ +
           (channel * kWarpsPerBlock + block_.warp()) * a_.layout.lines_per_warp + own;
  }

  PSCOPE_DEVICE void send(std::uint32_t own, const Pair& pair) const {
    for (std::uint32_t i = 1; i < a_.ranks; ++i) {
      std::uint32_t to = a_.rank + i;
      if (to >= a_.ranks) to -= a_.ranks;
      store_line(line_at(to, a_.rank, own), {pair.low, first_, pair.high, second_});
    }
  }

  PSCOPE_DEVICE bool receive(std::uint32_t from, std::uint32_t own, Pair& pair) const {
    const Vector* line = line_at(a_.rank, from, own);
    Patience patience(a_);
    for (;;) {
      const Vector v = load_line(line);
      pair = {v.x, v.z};
      if (v.y == first_ && v.w == second_) return true;
      if (v.y == first_ && patience.waited() > kCertainNs) {
        give_up(a_, Fault::mismatch, from, block_.index, patience.waited(), v.w ^ first_);
        return false;
      }
      if (patience.is_over(Fault::timeout_data, from, block_.index)) return false;
    }
  }

  PSCOPE_DEVICE bool reduce(std::uint32_t own, std::uint64_t offset) const {
    WideVector<Type> sum{};
    for (std::uint32_t rank = 0; rank < a_.ranks; ++rank) {
      Pair pair;
      if (rank == a_.rank) {
        pair = load_pair(a_.input, offset, bytes_);
      } else if (!receive(rank, own, pair)) {
        return false;
      }
      const WideVector<Type> next = widen_pair<Type>(pair);
      PSCOPE_UNROLL
      for (int i = 0; i < kPerVector<Type> / 2; ++i)
        sum.value[i] = rank == 0 ? next.value[i] : Op::apply(sum.value[i], next.value[i]);
    }
    if (a_.divisor != 1) divide<Type>(sum, a_.divisor);
    const Vector v = narrow<Type>(sum);
    store_pair(a_.output, offset, bytes_, {v.x, v.y});
    return true;
  }

  static constexpr std::uint64_t kCertainNs =
      1'000'000;  // both flags of a line come at once, or nearly

  const Arguments& a_;
  const Block block_;
  const std::uint64_t bytes_;
  std::uint32_t first_ = 0, second_ = 0;
  std::uint64_t half_ = 0;
};

template <class Type, class Op>
PSCOPE_DEVICE void low_latency(const Arguments& a, const Block& block) {
  LowLatency<Type, Op>(a, block).run();
}

}  // namespace peerscope::cuda
