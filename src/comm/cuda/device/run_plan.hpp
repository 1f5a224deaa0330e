// Carries out a rank's plan (comm/plan.hpp): each block of the kernel takes a slice of every block of the tensor and moves it,
// chunk by chunk and in the order of the steps, through channels of its own.
//
// In each round every step moves one chunk. A step waits for its sources' chunks and for room at its targets, reduces, stores,
// posts. Plans order their steps so that nobody waits for what comes later in a round (send, reduce, gather), and a channel
// holds more chunks than a round puts in; so somebody can always go on.
//
// Where nothing but the first phase sends, a block is two: one half sends, chunk after chunk, the other receives and reduces, so
// that the link never waits for a reduction. In place the second overwrites what the first must have read, and waits for it.
#pragma once

#include "comm/cuda/device/arithmetic.hpp"

namespace peerscope::cuda {

#ifdef __CUDA_ARCH__
#define PSCOPE_SHARED __shared__
#else
#define PSCOPE_SHARED thread_local
#endif

// What one step moves now.
struct Move {
  const std::byte* sources[kMostRanks];
  std::byte* targets[kMostRanks];
  bool is_input[kMostRanks];  // a source: the user's buffer, not a chunk that a peer wrote
  std::uint32_t source_count, target_count, divisor;
  std::uint64_t elements;
};

PSCOPE_DEVICE Vector load_source(const Move& move, std::uint32_t s, std::uint64_t v) {
  const Vector* at = reinterpret_cast<const Vector*>(move.sources[s]) + v;
  return move.is_input[s] ? *at : load_posted(at);
}

// One source, copied as it is: as many loads under way at once as there are. Returns where it stopped.
template <int kTargets, int kUnroll>
PSCOPE_DEVICE std::uint64_t copy_some(const Block& block, const Move& move, std::uint64_t at,
                                      std::uint64_t vectors) {
  const auto* from = reinterpret_cast<const Vector*>(move.sources[0]);
  const bool is_input = move.is_input[0];
  for (; at + (kUnroll - 1) * block.threads < vectors; at += kUnroll * block.threads) {
    Vector v[kUnroll];
    PSCOPE_UNROLL
    for (int i = 0; i < kUnroll; ++i)
      v[i] = is_input ? from[at + i * block.threads] : load_posted(from + at + i * block.threads);
    PSCOPE_UNROLL
    for (int t = 0; t < kTargets; ++t) {
      auto* to = reinterpret_cast<Vector*>(move.targets[t]);
      PSCOPE_UNROLL
      for (int i = 0; i < kUnroll; ++i) to[at + i * block.threads] = v[i];
    }
  }
  return at;
}
template <int kTargets>
PSCOPE_DEVICE void copy_vectors(const Block& block, const Move& move, std::uint64_t vectors) {
  std::uint64_t at = copy_some<kTargets, 8>(block, move, block.thread, vectors);
  at = copy_some<kTargets, 4>(block, move, at, vectors);
  copy_some<kTargets, 1>(block, move, at, vectors);
}

template <class Type, class Op, int kUnroll>
PSCOPE_DEVICE void reduce_vectors_at(const Block& block, const Move& move, std::uint64_t at) {
  WideVector<Type> wide[kUnroll];
  PSCOPE_UNROLL
  for (int i = 0; i < kUnroll; ++i)
    wide[i] = widen<Type>(load_source(move, 0, at + i * block.threads));
  for (std::uint32_t s = 1; s < move.source_count; ++s) {
    Vector next[kUnroll];
    PSCOPE_UNROLL
    for (int i = 0; i < kUnroll; ++i) next[i] = load_source(move, s, at + i * block.threads);
    PSCOPE_UNROLL
    for (int i = 0; i < kUnroll; ++i) combine<Type, Op>(wide[i], next[i]);
  }
  PSCOPE_UNROLL
  for (int i = 0; i < kUnroll; ++i) {
    if (move.divisor != 1) divide<Type>(wide[i], move.divisor);
    const Vector v = narrow<Type>(wide[i]);
    for (std::uint32_t t = 0; t < move.target_count; ++t)
      reinterpret_cast<Vector*>(move.targets[t])[at + i * block.threads] = v;
  }
}

template <class Type, class Op>
PSCOPE_DEVICE void reduce_vectors(const Block& block, const Move& move, std::uint64_t vectors) {
  constexpr int kUnroll = 4;
  std::uint64_t at = block.thread;
  for (; at + (kUnroll - 1) * block.threads < vectors; at += kUnroll * block.threads)
    reduce_vectors_at<Type, Op, kUnroll>(block, move, at);
  for (; at + block.threads < vectors; at += 2 * block.threads)
    reduce_vectors_at<Type, Op, 2>(block, move, at);
  for (; at < vectors; at += block.threads) reduce_vectors_at<Type, Op, 1>(block, move, at);
}

// Element by element: what is left at the end, or everything where a buffer is not aligned to a vector.
template <class Type, class Op>
PSCOPE_DEVICE void move_elements(const Block& block, const Move& move, std::uint64_t first) {
  using Element = typename Type::Element;
  for (std::uint64_t i = first + block.thread; i < move.elements; i += block.threads) {
    const auto element = [&](std::uint32_t s) {
      const auto* at = reinterpret_cast<const Element*>(move.sources[s]) + i;
      return move.is_input[s] ? *at : load_posted_element(at);
    };
    Element result = element(0);
    if (move.source_count > 1 || move.divisor != 1) {
      auto wide = Type::widen(result);
      for (std::uint32_t s = 1; s < move.source_count; ++s)
        wide = Op::apply(wide, Type::widen(element(s)));
      if (move.divisor != 1) wide = quotient<Type>(wide, move.divisor);
      result = Type::narrow(wide);
    }
    for (std::uint32_t t = 0; t < move.target_count; ++t)
      reinterpret_cast<Element*>(move.targets[t])[i] = result;
  }
}

template <class Type, class Op>
PSCOPE_DEVICE void move_all(const Block& block, const Move& move) {
  std::uint64_t bits = 0;
  for (std::uint32_t s = 0; s < move.source_count; ++s)
    bits |= reinterpret_cast<std::uint64_t>(move.sources[s]);
  for (std::uint32_t t = 0; t < move.target_count; ++t)
    bits |= reinterpret_cast<std::uint64_t>(move.targets[t]);
  const std::uint64_t vectors = bits % 16 == 0 ? move.elements / kPerVector<Type> : 0;
  const bool copies = move.source_count == 1 && move.divisor == 1;
  if (copies && move.target_count == 1) {
    copy_vectors<1>(block, move, vectors);
  } else if (copies && move.target_count == 2) {
    copy_vectors<2>(block, move, vectors);
  } else {
    reduce_vectors<Type, Op>(block, move, vectors);
  }
  move_elements<Type, Op>(block, move, vectors * kPerVector<Type>);
}

struct Slice {
  std::uint64_t first, elements;
};

// What the threads of a block share: its channels and how far it is in each, its steps and its part of each.
inline constexpr std::uint32_t kSharedSteps = 8;  // the others are read where they lie
struct Shared {
  std::uint64_t sent[kMostRanks], received[kMostRanks];
  DeviceStep steps[kSharedSteps];
  Slice slices[kSharedSteps];
  Move move;
};

enum class Half : std::uint8_t { both, sends, receives };

template <class Type, class Op>
class PlanRun {
 public:
  PSCOPE_DEVICE PlanRun(const PlanArguments& plan, const Block& block, Half half, Shared& shared)
      : a_(plan.common),
        plan_(plan),
        block_(block),
        half_(half),
        shared_(shared),
        move_(shared.move) {}

  PSCOPE_DEVICE void run() {
    wait_for_kernel_before(a_.early != 0);
    const std::uint32_t aborted = block_.thread == 0 ? load_aborted(a_) : 0;
    const Stamper stamper(a_, block_, half_ != Half::sends);
    BlockState& state = state_of(a_, block_.index);
    for (std::uint32_t rank = block_.thread; rank < a_.ranks; rank += block_.threads) {
      if (half_ != Half::receives) shared_.sent[rank] = state.sent[rank];
      if (half_ != Half::sends) shared_.received[rank] = state.received[rank];
    }
    // Each half by its own count: the other may be through before this one begins.
    const std::uint64_t turn = state.plans[half_ == Half::receives ? 1 : 0] + 1;
    turn_ = turn << kRoundBits;
    for (std::uint32_t s = block_.thread; s < plan_.step_count && s < kSharedSteps;
         s += block_.threads) {
      shared_.steps[s] = plan_.steps[s];
      shared_.slices[s] = compute_slice(plan_.steps[s].block);
    }
    if (!block_.all(aborted == 0)) {
      if (aborted != 0) give_up(a_, Fault::told, aborted - 1, block_.index, 0, 0);
      return;
    }
    if (!rounds()) return;
    for (std::uint32_t rank = block_.thread; rank < a_.ranks; rank += block_.threads) {
      if (half_ != Half::receives) state.sent[rank] = shared_.sent[rank];
      if (half_ != Half::sends) state.received[rank] = shared_.received[rank];
    }
    if (block_.thread == 0) {
      if (half_ != Half::receives) state.plans[0] = turn;
      if (half_ != Half::sends) state.plans[1] = turn;
    }
    stamper.end();
  }

 private:
  static constexpr std::uint64_t kElement = sizeof(typename Type::Element);
  static constexpr int kRoundBits = 24;  // of `progress`; the others count operations

  // Our slice of a block of the tensor: whole lines of 128 bytes, counted from the block's begin.
  PSCOPE_DEVICE Slice compute_slice(std::int32_t tensor_block) const {
    const std::uint64_t begin = tensor_block < 0 ? 0 : plan_.begins[tensor_block];
    const std::uint64_t end = tensor_block < 0 ? a_.elements : plan_.begins[tensor_block + 1];
    constexpr std::uint64_t kLine = 128 / kElement;
    const std::uint64_t share = align_up((end - begin + block_.count - 1) / block_.count, kLine);
    std::uint64_t first = begin + share * block_.index;
    if (first > end) first = end;
    const std::uint64_t last = first + share < end ? first + share : end;
    return {first, last - first};
  }
  PSCOPE_DEVICE const DeviceStep& step_at(std::uint32_t s) const {
    return s < kSharedSteps ? shared_.steps[s] : plan_.steps[s];
  }
  PSCOPE_DEVICE Slice slice_at(std::uint32_t s) const {
    return s < kSharedSteps ? shared_.slices[s] : compute_slice(plan_.steps[s].block);
  }
  PSCOPE_DEVICE std::uint64_t chunk_elements() const { return a_.chunk_bytes / kElement; }
  // At least one, even of nothing: so that an empty block is waited for, too.
  PSCOPE_DEVICE std::uint64_t chunks_of(const Slice& slice) const {
    const std::uint64_t n = (slice.elements + chunk_elements() - 1) / chunk_elements();
    return n == 0 ? 1 : n;
  }

  [[nodiscard]] static PSCOPE_DEVICE bool is_send(const DeviceStep& step) {
    return step.phase == 0;
  }
  PSCOPE_DEVICE bool is_mine(const DeviceStep& step) const {
    return half_ == Half::both || is_send(step) == (half_ == Half::sends);
  }
  // Of the steps that are ours (or, for `sends`, of all that send).
  PSCOPE_DEVICE std::uint64_t count_rounds(bool sends) const {
    std::uint64_t most = 0;
    for (std::uint32_t s = 0; s < plan_.step_count; ++s) {
      if (sends ? !is_send(step_at(s)) : !is_mine(step_at(s))) continue;
      const std::uint64_t chunks = chunks_of(slice_at(s));
      if (chunks > most) most = chunks;
    }
    return most;
  }

  PSCOPE_DEVICE bool rounds() {
    const std::uint64_t count = count_rounds(false);
    const bool waits = half_ == Half::receives && a_.overlaps != 0;
    const std::uint64_t sending = waits ? count_rounds(true) : 0;
    for (std::uint64_t round = 0; round < count; ++round) {
      read_first_ = !waits ? 0 : turn_ + (round + 1 < sending ? round + 1 : sending);
      for (std::uint32_t s = 0; s < plan_.step_count; ++s) {
        const DeviceStep& step = step_at(s);
        if (!is_mine(step)) continue;
        const Slice slice = slice_at(s);
        if (round < chunks_of(slice) && !advance(step, slice, round)) return false;
      }
      // What was read has been used: a release would wait, once more, for all that is on its way over the link.
      if (half_ == Half::sends && a_.overlaps != 0 && block_.thread == 0)
        store_relaxed(&state_of(a_, block_.index).progress, turn_ + round + 1);
    }
    return true;
  }

  PSCOPE_DEVICE std::uint64_t channel(std::uint32_t rank) const {
    return std::uint64_t{block_.index} * a_.layout.ranks + rank;
  }
  PSCOPE_DEVICE std::byte* chunk_at(std::uint32_t region, std::uint32_t from,
                                    std::uint64_t number) const {
    const std::uint64_t slot = number % a_.layout.slots;
    return a_.regions[region] + a_.layout.chunks +
           (channel(from) * a_.layout.slots + slot) * a_.layout.chunk_bytes;
  }
  PSCOPE_DEVICE std::uint64_t* header_at(std::uint32_t region, std::uint32_t from,
                                         std::uint64_t number) const {
    return reinterpret_cast<std::uint64_t*>(
        a_.regions[region] + a_.layout.headers +
        (channel(from) * a_.layout.slots + number % a_.layout.slots) * 16);
  }
  PSCOPE_DEVICE std::uint64_t* flag_at(std::uint64_t where, std::uint32_t region,
                                       std::uint32_t rank) const {
    return reinterpret_cast<std::uint64_t*>(a_.regions[region] + where +
                                            channel(rank) * kFlagBytes);
  }

  // What the operation is and how many elements are in the chunk: the shares of a gather could differ. Never the same for two.
  PSCOPE_DEVICE std::uint64_t posted_as(std::uint64_t elements) const {
    return a_.what ^ elements * 0x9E37'79B9'7F4A'7C15u;
  }
  PSCOPE_DEVICE bool wait_for_data(std::uint32_t from, std::uint64_t elements) {
    const std::uint64_t number = shared_.received[from];
    const auto* flag = reinterpret_cast<const Posted*>(flag_at(a_.layout.posted, a_.rank, from));
    Patience patience(a_);
    Posted posted = load_posted_flag(flag);
    while (posted.count <= number) {
      if (patience.is_over(Fault::timeout_data, from, block_.index)) return false;
      posted = load_posted_flag(flag);
    }
    if (posted.count == number + 1 && posted.what == posted_as(elements)) return true;
    const std::uint64_t* header = header_at(a_.rank, from, number);
    const std::uint64_t theirs = load_acquire(header);
    if (theirs == a_.what && load_acquire(header + 1) == elements) return true;  // more has come
    give_up(a_, Fault::mismatch, from, block_.index, 0, theirs);
    return false;
  }
  PSCOPE_DEVICE bool wait_for_room(std::uint32_t to) {
    const std::uint64_t* flag = flag_at(a_.layout.consumed, a_.rank, to);
    Patience patience(a_);
    while (shared_.sent[to] >= load_acquire(flag) + a_.layout.slots) {
      if (patience.is_over(Fault::timeout_room, to, block_.index)) return false;
    }
    return true;
  }

  PSCOPE_DEVICE void write_header(std::uint32_t to, std::uint64_t elements) {
    std::uint64_t* header = header_at(to, a_.rank, shared_.sent[to]);
    header[0] = a_.what;
    header[1] = elements;
  }

  // Our other half must have read what we are about to overwrite.
  PSCOPE_DEVICE bool wait_for_reading() {
    const std::uint64_t* progress = &state_of(a_, block_.index).progress;
    Patience patience(a_);
    // Their difference: the count of operations comes round.
    while (static_cast<std::int64_t>(load_acquire(progress) - read_first_) < 0) {
      if (patience.is_over(Fault::timeout_room, a_.rank, block_.index)) return false;
    }
    return true;
  }

  PSCOPE_DEVICE bool advance(const DeviceStep& step, const Slice& slice, std::uint64_t chunk) {
    const std::uint64_t first = slice.first + chunk * chunk_elements();
    const std::uint64_t left = slice.elements - chunk * chunk_elements();
    const std::uint64_t elements = left < chunk_elements() ? left : chunk_elements();
    bool fine = true;
    for (std::uint32_t i = block_.thread; i < step.source_count; i += block_.threads) {
      const std::uint32_t from = step.sources[i];
      move_.is_input[i] = from == a_.rank;
      if (from != a_.rank) fine = wait_for_data(from, elements) && fine;
      move_.sources[i] = from == a_.rank ? a_.input + input_offset(step.block, first)
                                         : chunk_at(a_.rank, from, shared_.received[from]);
    }
    // Other threads than those above, where there are any: both wait at once.
    const std::uint32_t shift = block_.threads > 2 * kMostRanks ? kMostRanks : 0;
    for (std::uint32_t i = block_.thread - shift; i < step.target_count; i += block_.threads) {
      const std::uint32_t to = step.targets[i];
      if (to != a_.rank) {
        fine = wait_for_room(to) && fine;
        // Already: so it has arrived long before the chunk is posted.
        if (fine) write_header(to, elements);
      }
      move_.targets[i] = to == a_.rank ? a_.output + output_offset(step.block, first)
                                       : chunk_at(to, a_.rank, shared_.sent[to]);
    }
    if (read_first_ != 0 && block_.thread == (block_.threads > 3 * kMostRanks ? 2 * kMostRanks : 0))
      fine = wait_for_reading() && fine;
    if (block_.thread == 0) {
      move_.source_count = step.source_count;
      move_.target_count = step.target_count;
      move_.divisor = step.finishes != 0 ? a_.divisor : 1;
      move_.elements = elements;
    }
    if (!block_.all(fine)) return false;
    if (elements > 0) move_all<Type, Op>(block_, move_);
    block_.sync();
    pass_on(step, elements, shift);
    return true;
  }

  // What we wrote is told to whom it is for, what we read is free again.
  PSCOPE_DEVICE void pass_on(const DeviceStep& step, std::uint64_t elements, std::uint32_t shift) {
    for (std::uint32_t i = block_.thread; i < step.target_count; i += block_.threads) {
      const std::uint32_t to = step.targets[i];
      if (to == a_.rank) continue;
      store_posted_flag(reinterpret_cast<Posted*>(flag_at(a_.layout.posted, to, a_.rank)),
                        {++shared_.sent[to], posted_as(elements)});
    }
    for (std::uint32_t i = block_.thread - shift; i < step.source_count; i += block_.threads) {
      const std::uint32_t from = step.sources[i];
      if (from == a_.rank) continue;
      // All of it has been read: its values have been used. So nothing has to be waited for.
      store_relaxed(flag_at(a_.layout.consumed, from, a_.rank), ++shared_.received[from]);
    }
    block_.sync();
  }

  // Buffers that hold one block only begin with it.
  PSCOPE_DEVICE std::uint64_t input_offset(std::int32_t tensor_block, std::uint64_t first) const {
    const std::uint64_t base =
        a_.input_is_block != 0 && tensor_block >= 0 ? plan_.begins[tensor_block] : 0;
    return (first - base) * kElement;
  }
  PSCOPE_DEVICE std::uint64_t output_offset(std::int32_t tensor_block, std::uint64_t first) const {
    const std::uint64_t base =
        a_.output_is_block != 0 && tensor_block >= 0 ? plan_.begins[tensor_block] : 0;
    return (first - base) * kElement;
  }

  const Arguments& a_;
  const PlanArguments& plan_;
  const Block block_;
  const Half half_;
  Shared& shared_;
  Move& move_;
  std::uint64_t turn_ = 0;        // of `progress`: which operation
  std::uint64_t read_first_ = 0;  // what `progress` must be before we write; 0: nothing
};

// `all`: the blocks as they were launched; two of them are one where there are halves.
template <class Type, class Op>
PSCOPE_DEVICE void run_plan(const PlanArguments& plan, const Block& all) {
  PSCOPE_SHARED Shared shared;
  Block block = all;
  Half half = Half::both;
  if (plan.common.halves != 0) {
    // All that send come first: blocks are dealt to multiprocessors in turn, so that each gets as many of both.
    block.count /= 2;
    half = all.index < block.count ? Half::sends : Half::receives;
    block.index %= block.count;
  }
  PlanRun<Type, Op>(plan, block, half, shared).run();
}

}  // namespace peerscope::cuda
