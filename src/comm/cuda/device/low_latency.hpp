// A small all_reduce in one hop: each rank writes its elements into every other's region, 12 bytes with a flag in a line of 16,
// so that data is its own announcement. Everybody reduces everything, in the order of ranks: all get the same bits.
//
// Each warp has lines of its own, for even and odd operations. A rank that is at operation e has had the others' lines of e - 1,
// so they have begun e - 1 and ended e - 2: their lines of e - 2 may be overwritten. The flag is a warp's own count of operations
// (26 bits: a line would have to lie unused for exactly 67,108,864 of them to be taken for new) and 6 bits of what the operation
// is, so that ranks that disagree find out.
#pragma once

#include "comm/cuda/device/arithmetic.hpp"

namespace peerscope::cuda {

inline constexpr std::uint64_t kLineData = 12;

// 12 bytes of a tensor from `offset` on; what is beyond its end is zero.
PSCOPE_DEVICE Vector load_data(const std::byte* from, std::uint64_t offset, std::uint64_t bytes) {
  const std::byte* at = from + offset;
  if (offset + kLineData <= bytes && reinterpret_cast<std::uint64_t>(at) % 4 == 0) {
    const auto* words = reinterpret_cast<const std::uint32_t*>(at);
    return {words[0], words[1], words[2], 0};
  }
  std::uint32_t words[3] = {};
  for (std::uint32_t i = 0; i < kLineData && offset + i < bytes; ++i)
    words[i / 4] |= static_cast<std::uint32_t>(at[i]) << (i % 4 * 8);
  return {words[0], words[1], words[2], 0};
}
PSCOPE_DEVICE void store_data(std::byte* to, std::uint64_t offset, std::uint64_t bytes,
                              const Vector& v) {
  std::byte* at = to + offset;
  const std::uint32_t words[3] = {v.x, v.y, v.z};
  if (offset + kLineData <= bytes && reinterpret_cast<std::uint64_t>(at) % 4 == 0) {
    auto* out = reinterpret_cast<std::uint32_t*>(at);
    out[0] = words[0], out[1] = words[1], out[2] = words[2];
    return;
  }
  for (std::uint32_t i = 0; i < kLineData && offset + i < bytes; ++i)
    at[i] = static_cast<std::byte>(words[i / 4] >> (i % 4 * 8));
}

template <class Type, class Op>
class LowLatency {
 public:
  PSCOPE_DEVICE LowLatency(const Arguments& a, const Block& block)
      : a_(a), block_(block), bytes_(a.elements * sizeof(typename Type::Element)) {}

  PSCOPE_DEVICE void run() {
    wait_for_kernel_before(a_.early != 0);
    const std::uint32_t aborted = load_aborted(a_);
    const Stamper stamper(a_, block_);
    std::uint64_t& epoch = state_of(a_, block_.index).epoch[block_.warp()];
    const std::uint64_t now = epoch + 1;
    if (aborted != 0) return give_up(a_, Fault::told, aborted - 1, block_.index, 0, 0);
    const std::uint64_t what = a_.what * 0x9E37'79B9'7F4A'7C15u;
    flag_ = static_cast<std::uint32_t>(now) << kWhatBits |
            static_cast<std::uint32_t>(what >> (64 - kWhatBits));
    const std::uint64_t channels = std::uint64_t{a_.layout.blocks} * a_.layout.ranks;
    half_ = (now % 2) * channels * kWarpsPerBlock * a_.layout.lines_per_warp;
    const std::uint64_t lines = (bytes_ + kLineData - 1) / kLineData;
    const std::uint32_t warps = block_.count * (block_.threads / block_.lanes());
    const std::uint32_t warp = block_.index * (block_.threads / block_.lanes()) + block_.warp();
    // All are sent before any is waited for.
    std::uint32_t own = block_.lane();
    for (std::uint64_t at = std::uint64_t{warp} * block_.lanes() + block_.lane(); at < lines;
         at += std::uint64_t{warps} * block_.lanes(), own += block_.lanes())
      send(own, load_data(a_.input, at * kLineData, bytes_));
    own = block_.lane();
    for (std::uint64_t at = std::uint64_t{warp} * block_.lanes() + block_.lane(); at < lines;
         at += std::uint64_t{warps} * block_.lanes(), own += block_.lanes()) {
      if (!reduce(own, at * kLineData)) return;
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

  PSCOPE_DEVICE void send(std::uint32_t own, const Vector& data) const {
    for (std::uint32_t i = 1; i < a_.ranks; ++i) {
      std::uint32_t to = a_.rank + i;
      if (to >= a_.ranks) to -= a_.ranks;
      store_line(line_at(to, a_.rank, own), {data.x, data.y, data.z, flag_});
    }
  }

  PSCOPE_DEVICE bool receive(std::uint32_t from, std::uint32_t own, Vector& data) const {
    const Vector* line = line_at(a_.rank, from, own);
    Patience patience(a_);
    for (;;) {
      data = load_line(line);
      if (data.w == flag_) return true;
      if (data.w >> kWhatBits == flag_ >> kWhatBits) {
        give_up(a_, Fault::mismatch, from, block_.index, 0, 0);
        return false;
      }
      if (patience.is_over(Fault::timeout_data, from, block_.index)) return false;
    }
  }

  PSCOPE_DEVICE bool reduce(std::uint32_t own, std::uint64_t offset) const {
    constexpr int kElements = kPerVector<Type> / 4 * 3;
    WideVector<Type> sum{};
    for (std::uint32_t rank = 0; rank < a_.ranks; ++rank) {
      Vector data;
      if (rank == a_.rank) {
        data = load_data(a_.input, offset, bytes_);
      } else if (!receive(rank, own, data)) {
        return false;
      }
      const WideVector<Type> next = widen<Type>(data);
      PSCOPE_UNROLL
      for (int i = 0; i < kElements; ++i)
        sum.value[i] = rank == 0 ? next.value[i] : Op::apply(sum.value[i], next.value[i]);
    }
    if (a_.divisor != 1) divide<Type>(sum, a_.divisor);
    store_data(a_.output, offset, bytes_, narrow<Type>(sum));
    return true;
  }

  static constexpr int kWhatBits = 6;

  const Arguments& a_;
  const Block block_;
  const std::uint64_t bytes_;
  std::uint32_t flag_ = 0;
  std::uint64_t half_ = 0;
};

template <class Type, class Op>
PSCOPE_DEVICE void low_latency(const Arguments& a, const Block& block) {
  LowLatency<Type, Op>(a, block).run();
}

}  // namespace peerscope::cuda
