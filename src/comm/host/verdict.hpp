// Who is to blame when an operation cannot go on, told once for all ranks.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "comm/host/region.hpp"

namespace peerscope {

// What a rank is in, and whom it needs to go on.
struct Waiting {
  Envelope envelope;
  std::uint64_t arrived = 0;  // collectives that this rank has entered
  std::uint64_t awaited = 0;  // bit r: rank r
};

// The first rank that tells of a failure writes the sentence; everybody else adopts it. Each `tell`
// returns what was told, be it ours or not.
class Verdict {
 public:
  Verdict(const Region& region, int rank, std::string name);

  bool is_told() const;
  Error adopt() const;

  // A rank that has entered another operation under our sequence; -1: none.
  int find_disagreement(const Waiting& waiting) const;
  // Ranks that are gone although they have not arrived or are awaited.
  std::uint64_t find_gone(const Waiting& waiting) const;

  Error tell_of_disagreement(const Envelope& ours, int peer, const Envelope& theirs) const;
  Error tell_of_board(const Waiting& waiting, int peer) const;
  Error tell_of_loss(const Waiting& waiting, std::uint64_t gone) const;
  Error tell_of_timeout(const Waiting& waiting, std::chrono::nanoseconds timeout) const;
  Error tell(ErrorCode code, const std::string& sentence) const;

 private:
  std::uint64_t missing(const Waiting& waiting) const;
  bool entered(int rank, const Envelope& envelope, Envelope& theirs) const;
  std::string operation(const Envelope& envelope) const;

  const Region& region_;
  int rank_, ranks_;
  std::string name_;
};

// "rank 2", "ranks 2 and 5", "ranks 2, 5 and 7"
std::string list_ranks(std::uint64_t ranks);

}  // namespace peerscope
