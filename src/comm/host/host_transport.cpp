#include "comm/host/host_transport.hpp"

#include <algorithm>

#include <sched.h>

#include "comm/host/futex.hpp"

namespace peerscope {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kLeastSpins = 128, kMostSpins = 4096, kSpinsBeforeYield = 64;
constexpr auto kWorthSpinning = 60us;
constexpr auto kSlice = 20ms;  // between looks at the others while asleep
constexpr auto kLookEvery = 15ms;

constexpr std::uint64_t bit(int rank) { return std::uint64_t{1} << rank; }

int usable_cores() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

}  // namespace

HostTransport::HostTransport(std::shared_ptr<Region> region, int rank, std::string name,
                             std::chrono::nanoseconds timeout)
    : region_(std::move(region)),
      peers_(region_->geometry().ranks),
      own_(&region_->line(rank)),
      verdict_(*region_, rank, std::move(name)),
      rank_(rank),
      timeout_(timeout),
      patience_(kMostSpins / 8) {
  const int ranks = static_cast<int>(peers_.size());
  for (int peer = 0; peer < ranks; ++peer) {
    peer_at(peer) = {.out = &region_->channel(rank, peer),
                     .in = &region_->channel(peer, rank),
                     .line = &region_->line(peer)};
  }
  may_spin_ = ranks <= usable_cores();  // else the spinner holds the core that its peer needs
}

HostTransport::~HostTransport() {
  leave(*region_, rank_);
  // Those who wait for us need not wait for their next look.
  for (Peer& peer : peers_) notify(*peer.line);
}

Status HostTransport::enter(const Envelope& envelope) {
  current_ = envelope;
  if (verdict_.is_told()) return verdict_.adopt();
  if (!is_collective(kind_of(envelope))) return Done{};
  Entered& entry = own_->history[entered_ % kHistory];
  // Invalid while it changes: whoever read one of the new words also sees that the old sequence has
  // gone.
  entry.sequence.store(0, std::memory_order_relaxed);
  entry.what.store(envelope.what, std::memory_order_release);
  entry.bytes.store(envelope.bytes, std::memory_order_release);
  entry.sequence.store(envelope.sequence + 1,
                       std::memory_order_release);             // publishes what and bytes
  own_->arrived.store(++entered_, std::memory_order_release);  // publishes the entry
  return Done{};
}

std::byte* HostTransport::reserve(int rank, std::size_t bytes) {
  Peer& peer = peer_at(rank);
  const std::uint64_t slots = region_->geometry().slots;
  if (peer.sent - peer.consumed_seen >= slots) {
    // seq_cst (an acquire that is ordered after our `awaited`): the receiver has read what was in
    // the slot.
    peer.consumed_seen = peer.out->consumed.load(std::memory_order_seq_cst);
    if (peer.sent - peer.consumed_seen >= slots) return nullptr;
  }
  return region_->slot(rank_, rank, peer.sent).payload(bytes);
}

void HostTransport::post(int rank, std::size_t bytes) {
  Peer& peer = peer_at(rank);
  Slot& slot = region_->slot(rank_, rank, peer.sent);
  slot.envelope = current_;
  slot.bytes = bytes;
  slot.posted.store(
      ++peer.sent,
      std::memory_order_seq_cst);  // publishes the message; ordered before reading `awaited`
  notify(*peer.line);
}

Message HostTransport::peek(int rank) {
  Peer& peer = peer_at(rank);
  Slot& slot = region_->slot(rank, rank_, peer.received);
  // seq_cst (an acquire that is ordered after our `awaited`): the message is complete.
  if (slot.posted.load(std::memory_order_seq_cst) != peer.received + 1) return {};
  return {.data = slot.payload(slot.bytes), .bytes = slot.bytes, .envelope = slot.envelope};
}

void HostTransport::release(int rank) {
  Peer& peer = peer_at(rank);
  peer.in->consumed.store(++peer.received,
                          std::memory_order_seq_cst);  // gives the slot back; ordered as in `post`
  notify(*peer.line);
}

std::byte* HostTransport::remote(int rank, std::size_t offset, std::size_t bytes) {
  const std::span<std::byte> pool = region_->pool(rank);
  return offset <= pool.size() && bytes <= pool.size() - offset ? pool.data() + offset : nullptr;
}

Error HostTransport::disagree(int peer, const Envelope& theirs) {
  return verdict_.tell_of_disagreement(current_, peer, theirs);
}

// Wakes the peer if it sleeps for us. Whoever takes the bits rings, so that of many only one does.
void HostTransport::notify(RankLine& line) {
  if ((line.awaited.load(std::memory_order_seq_cst) & bit(rank_)) == 0) return;
  if (line.awaited.exchange(0, std::memory_order_seq_cst) == 0) return;
  line.bell.fetch_add(
      1, std::memory_order_release);  // a sleeper that is not yet asleep will not fall asleep
  futex_wake_all(line.bell);
}

void HostTransport::moved() {
  if (armed_) disarm();
  if (spins_ == 0) return;
  adapt();
  spins_ = 0;
  suspects_ = 0;
  has_slept_ = false;
}

// If the peer came soon after we fell asleep, spinning a little longer would have met it: two ranks
// that always sleep just before the other's answer would keep each other slow. If it took long,
// spinning was for nothing.
void HostTransport::adapt() {
  const bool soon = !has_slept_ || Clock::now() - still_since_ < kWorthSpinning;
  if (!soon) {
    patience_ = std::max(kLeastSpins, patience_ / 2);
  } else if (has_slept_ || spins_ > patience_ / 4) {
    patience_ = std::min(kMostSpins, patience_ * 2);
  }
}

Status HostTransport::idle(std::uint64_t awaited) {
  ++spins_;
  if (may_spin_ && spins_ < patience_) {
    // The peer may be waiting for this very core.
    if (spins_ % kSpinsBeforeYield == 0) {
      sched_yield();
    } else {
      relax();
    }
    return Done{};
  }
  if (!has_slept_) {
    has_slept_ = true;
    still_since_ = looked_ = Clock::now();
  }
  if (armed_ && armed_for_ == awaited) return sleep(awaited);
  arm(awaited);
  return Done{};
}

void HostTransport::arm(std::uint64_t awaited) {
  seen_bell_ = own_->bell.load(std::memory_order_acquire);
  own_->awaited.store(
      awaited, std::memory_order_seq_cst);  // before we look at the channels again; see layout.hpp
  armed_ = true;
  armed_for_ = awaited;
}

void HostTransport::disarm() {
  own_->awaited.store(0, std::memory_order_seq_cst);
  armed_ = false;
}

Status HostTransport::sleep(std::uint64_t awaited) {
  futex_wait(own_->bell, seen_bell_, std::min<std::chrono::nanoseconds>(kSlice, timeout_));
  disarm();
  if (verdict_.is_told()) return verdict_.adopt();
  const Clock::time_point now = Clock::now();
  if (now - looked_ < std::min<std::chrono::nanoseconds>(kLookEvery, timeout_)) return Done{};
  looked_ = now;
  return look_around(awaited);
}

// Somebody is late. Does anybody do something else, is anybody gone, has it been too long?
Status HostTransport::look_around(std::uint64_t awaited) {
  const Waiting waiting{.envelope = current_, .arrived = entered_, .awaited = awaited};
  if (const int peer = verdict_.find_disagreement(waiting); peer >= 0) {
    return verdict_.tell_of_board(waiting, peer);
  }
  if (Status alive = look_for_lost(waiting); !alive) return alive;
  if (looked_ - still_since_ >= timeout_) return verdict_.tell_of_timeout(waiting, timeout_);
  return Done{};
}

// What a rank sent before it went is still there to be read: so it is lost only if nothing has
// moved since we first saw that it has gone.
Status HostTransport::look_for_lost(const Waiting& waiting) {
  const std::uint64_t gone = verdict_.find_gone(waiting);
  if (gone != 0 && (gone & suspects_) == gone) return verdict_.tell_of_loss(waiting, gone);
  suspects_ = gone;
  return Done{};
}

}  // namespace peerscope
