#include "comm/host/verdict.hpp"

#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/units.hpp"
#include "comm/host/futex.hpp"

namespace peerscope {
namespace {

constexpr std::uint64_t bit(int rank) { return std::uint64_t{1} << rank; }

constexpr auto kNone = static_cast<std::uint32_t>(FailureState::none);
constexpr auto kBeingWritten = static_cast<std::uint32_t>(FailureState::being_written);
constexpr auto kTold = static_cast<std::uint32_t>(FailureState::told);

const char* plural(std::uint64_t ranks, const char* one, const char* many) {
  return (ranks & (ranks - 1)) == 0 ? one : many;
}

}  // namespace

std::string list_ranks(std::uint64_t ranks) {
  std::vector<int> list;
  for (int rank = 0; rank < kMaxRanks; ++rank) {
    if (ranks & bit(rank)) list.push_back(rank);
  }
  std::string text = plural(ranks, "rank ", "ranks ");
  for (std::size_t i = 0; i < list.size(); ++i) {
    const char* const comma = i == 0 ? "" : i + 1 == list.size() ? " and " : ", ";
    text += fmt::format("{}{}", comma, list[i]);
  }
  return text;
}

Verdict::Verdict(const Region& region, int rank, std::string name)
    : region_(region),
      rank_(rank),
      ranks_(static_cast<int>(region.geometry().ranks)),
      name_(std::move(name)) {}

bool Verdict::is_told() const {
  return region_.header().failure.state.load(std::memory_order_acquire) !=
         kNone;  // one load on each operation's way
}

Error Verdict::adopt() const {
  const Failure& failure = region_.header().failure;
  for (int attempt = 0; attempt < 1000; ++attempt) {
    if (failure.state.load(std::memory_order_acquire) == kTold) {  // sees the sentence
      return {static_cast<ErrorCode>(failure.code), failure.sentence};
    }
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  return {ErrorCode::peer_lost,
          fmt::format("communicator {}: a rank died while it was saying why it failed", name_)};
}

Error Verdict::tell(ErrorCode code, const std::string& sentence) const {
  Failure& failure = region_.header().failure;
  std::uint32_t expected = kNone;
  if (!failure.state.compare_exchange_strong(expected, kBeingWritten, std::memory_order_acq_rel))
    return adopt();
  failure.code = static_cast<std::uint32_t>(code);
  const std::size_t length = std::min(sentence.size(), sizeof failure.sentence - 1);
  std::memcpy(failure.sentence, sentence.data(), length);
  failure.sentence[length] = 0;
  failure.state.store(kTold, std::memory_order_release);  // publishes code and sentence
  for (int rank = 0; rank < ranks_; ++rank) {
    RankLine& line = region_.line(rank);
    line.bell.fetch_add(1, std::memory_order_release);
    futex_wake_all(line.bell);
  }
  return {code, failure.sentence};
}

std::string Verdict::operation(const Envelope& envelope) const {
  return fmt::format("{} #{} on communicator {}", name(kind_of(envelope)), envelope.sequence,
                     name_);
}

// What `rank` entered under the sequence of `envelope`, if it still is in its history.
bool Verdict::entered(int rank, const Envelope& envelope, Envelope& theirs) const {
  const Entered& entry = region_.line(rank).history[envelope.sequence % kHistory];
  if (entry.sequence.load(std::memory_order_acquire) != envelope.sequence + 1) return false;
  theirs.sequence = envelope.sequence;
  theirs.what = entry.what.load(std::memory_order_acquire);
  theirs.bytes = entry.bytes.load(std::memory_order_acquire);
  return entry.sequence.load(std::memory_order_relaxed) ==
         envelope.sequence + 1;  // else it was overwritten meanwhile
}

int Verdict::find_disagreement(const Waiting& waiting) const {
  if (!is_collective(kind_of(waiting.envelope))) return -1;
  Envelope theirs;
  for (int rank = 0; rank < ranks_; ++rank) {
    if (rank != rank_ && entered(rank, waiting.envelope, theirs) && theirs != waiting.envelope)
      return rank;
  }
  return -1;
}

std::uint64_t Verdict::missing(const Waiting& waiting) const {
  if (!is_collective(kind_of(waiting.envelope))) return waiting.awaited;
  std::uint64_t ranks = 0;
  for (int rank = 0; rank < ranks_; ++rank) {
    if (region_.line(rank).arrived.load(std::memory_order_acquire) < waiting.arrived)
      ranks |= bit(rank);
  }
  return ranks;
}

std::uint64_t Verdict::find_gone(const Waiting& waiting) const {
  std::uint64_t gone = 0;
  const std::uint64_t needed = waiting.awaited | missing(waiting);
  for (int rank = 0; rank < ranks_; ++rank) {
    if ((needed & bit(rank)) && rank != rank_ && has_gone(region_, rank)) gone |= bit(rank);
  }
  return gone;
}

Error Verdict::tell_of_disagreement(const Envelope& ours, int peer, const Envelope& theirs) const {
  return tell(ErrorCode::mismatch,
              fmt::format("{}: ranks disagree: rank {} called {}, rank {} called {}",
                          operation(ours), peer, describe(theirs), rank_, describe(ours)));
}

// With three ranks or more, those in the minority are named first: likely they are wrong.
Error Verdict::tell_of_board(const Waiting& waiting, int peer) const {
  Envelope theirs, other;
  if (!entered(peer, waiting.envelope, theirs)) theirs = {};
  std::uint64_t with_us = bit(rank_), with_peer = 0;
  for (int rank = 0; rank < ranks_; ++rank) {
    if (rank == rank_ || !entered(rank, waiting.envelope, other)) continue;
    if (other == waiting.envelope) with_us |= bit(rank);
    if (other == theirs) with_peer |= bit(rank);
  }
  const auto said = [](std::uint64_t ranks, const Envelope& what) {
    return fmt::format("{} called {}", list_ranks(ranks), describe(what));
  };
  std::string first = said(with_peer, theirs), second = said(with_us, waiting.envelope);
  if (__builtin_popcountll(with_us) < __builtin_popcountll(with_peer)) std::swap(first, second);
  return tell(ErrorCode::mismatch, fmt::format("{}: ranks disagree: {}, {}",
                                               operation(waiting.envelope), first, second));
}

Error Verdict::tell_of_loss(const Waiting& waiting, std::uint64_t gone) const {
  std::uint64_t left = 0;
  for (int rank = 0; rank < ranks_; ++rank) {
    const std::uint32_t presence = region_.line(rank).presence.load(std::memory_order_acquire);
    if ((gone & bit(rank)) && presence == static_cast<std::uint32_t>(Presence::left))
      left |= bit(rank);
  }
  const std::uint64_t died = gone & ~left;
  const std::uint64_t named = died != 0 ? died : left;
  const char* const how =
      died != 0
          ? plural(died, "has died (its process is gone)", "have died (their processes are gone)")
          : plural(left, "has left the communicator", "have left the communicator");
  return tell(ErrorCode::peer_lost,
              fmt::format("{}: {} {}", operation(waiting.envelope), list_ranks(named), how));
}

Error Verdict::tell_of_timeout(const Waiting& waiting, std::chrono::nanoseconds timeout) const {
  const std::string time = format_duration(static_cast<double>(timeout.count()));
  if (!is_collective(kind_of(waiting.envelope))) {
    return tell(ErrorCode::timeout,
                fmt::format("{}: {} did not take part within {} (rank {} waited)",
                            operation(waiting.envelope), list_ranks(waiting.awaited), time, rank_));
  }
  if (const std::uint64_t late = missing(waiting); late != 0) {
    return tell(ErrorCode::timeout,
                fmt::format("{}: {} did not arrive within {}", operation(waiting.envelope),
                            list_ranks(late), time));
  }
  return tell(ErrorCode::timeout,
              fmt::format("{}: all ranks arrived, but {} sent nothing to rank {} for {}",
                          operation(waiting.envelope), list_ranks(waiting.awaited), rank_, time));
}

}  // namespace peerscope
