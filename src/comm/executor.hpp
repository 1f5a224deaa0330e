// Runs a rank's plan over a transport: all steps advance by chunks, whichever can.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "comm/elements.hpp"
#include "comm/marks.hpp"
#include "comm/plan.hpp"
#include "comm/transport.hpp"

namespace peerscope {

// The buffers and the arithmetic of one operation.
struct Task {
  Envelope envelope;
  const std::byte* input = nullptr;
  std::byte* output = nullptr;
  std::size_t elements = 0;                  // of the whole tensor
  std::span<const std::size_t> counts = {};  // of each block, where they are uneven; else empty
  Kind kind = Kind::barrier;
  Reduction reduction;
};

// Begin and length of each block of a tensor. Even shares differ by one element at most, the larger
// ones first.
class Blocks {
 public:
  void split(std::size_t elements, std::span<const std::size_t> counts, int ranks);
  std::size_t begin(int block) const {
    return block == kWhole ? 0 : begins_[static_cast<std::size_t>(block)];
  }
  std::size_t size(int block) const;

 private:
  std::array<std::size_t, kMaxRanks + 1> begins_{};
  std::size_t elements_ = 0;
};

class Executor {
 public:
  Executor(Transport& transport, int rank, int ranks)
      : transport_(transport), rank_(rank), ranks_(ranks) {}

  Status run(const Plan& plan, const Task& task, Marks& marks);

 private:
  struct Progress {
    std::size_t chunks = 0,
                done = 0;  // an empty block is one empty chunk, so that even it is waited for
    std::size_t begin = 0, elements = 0;
    bool ended() const { return done == chunks; }
  };
  // Whose turn it is on a channel; see plan.hpp.
  struct Lane {
    std::size_t position = 0, round = 0;  // within Plan::lanes, in turns of `turn_` chunks
    int step = kNoStep;                   // kNoStep: all have ended
  };
  struct Chunk {
    std::size_t first = 0, elements = 0, bytes = 0;  // `first` within the block
  };
  enum class Move { moved, blocked, failed };

  void prepare();
  Move advance(std::size_t index);
  bool is_free(std::size_t index) const;
  void pass_turns(std::size_t index);
  void settle(std::size_t index);
  Chunk chunk_of(const Progress& progress) const;
  Move find_sources(const Step& step, const Progress& progress, const Chunk& chunk);
  bool find_targets(const Step& step, const Progress& progress, const Chunk& chunk);
  void transfer(const Step& step, const Chunk& chunk);
  void pass_on(const Step& step, const Chunk& chunk);
  void retire();

  Transport& transport_;
  int rank_, ranks_;
  const Plan* plan_ = nullptr;
  const Task* task_ = nullptr;
  Marks* marks_ = nullptr;
  Blocks blocks_;
  std::vector<Progress> progress_;  // by step; kept between operations, so that none allocates
  std::vector<Lane> lanes_;
  std::size_t turn_ = 1;  // chunks
  std::size_t first_open_ = 0, chunk_elements_ = 0, element_bytes_ = 1;
  std::uint64_t awaited_ = 0;
  bool arrived_ = false;
  std::optional<Error> error_;
  std::array<const void*, kMaxRanks> sources_{};
  std::array<std::byte*, kMaxRanks> targets_{};
};

}  // namespace peerscope
