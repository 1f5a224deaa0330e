// What one rank does in one operation: a list of steps that any backend can carry out (or cost, or
// draw).
//
// A step takes a block from its sources, reduces them to one where there are several, and gives the
// result to all its targets, chunk by chunk. A source or target that is the rank itself means its
// own input or output buffer; any other is a first-in-first-out channel between the two ranks. So
// nothing is ever stored in between, in-place calls are safe by construction, and steps need no
// order among themselves but that of the channels they share.
//
// On a channel the steps take turns in rounds: some chunks of the first step, as many of the
// second, ..., then the next chunks of the first. So a channel that holds two turns is enough for
// tensors of any size: were a step to send all its chunks before the next may begin, ranks that
// wait for each other's second step would be stuck.
#pragma once

#include <vector>

#include "model/kinds.hpp"

namespace peerscope {

inline constexpr int kWhole = -1;  // the block that is the whole tensor
inline constexpr int kNoStep = -1;

enum class Phase : std::uint8_t { send, reduce, gather };  // in this order within a plan

struct Step {
  int block = kWhole;
  // Reduced in this order: the same on all ranks, so that all get equal bits.
  std::vector<int> sources = {};
  std::vector<int> targets = {};
  bool finishes = false;  // the last reduction of these elements: averages are divided here
  Phase phase = Phase::gather;
  int after =
      kNoStep;  // chunk k waits for that step's chunk k, which reads what this one overwrites
  int behind = kNoStep;         // starts when that step has ended
  std::vector<int> lanes = {};  // the channels it uses: indices into Plan::lanes
};

struct Plan {
  std::vector<Step> steps;
  std::vector<std::vector<int>> lanes = {};  // of each channel end: its steps; filled in by `link`
};

// For whom a plan is made. `root` is 0 where the kind has none.
struct Where {
  Kind kind = Kind::barrier;
  int rank = 0;
  int ranks = 1;
  int root = 0;
};

// True where `input` (or `output`) holds this rank's block only, not the whole tensor.
constexpr bool input_is_one_block(Kind kind) {
  return kind == Kind::all_gather || kind == Kind::gather;
}
constexpr bool output_is_one_block(Kind kind) { return kind == Kind::reduce_scatter; }

// Finds the channels: what is sent to (received from) a rank goes in the order of the steps.
void link(Plan& plan, int rank);

}  // namespace peerscope
