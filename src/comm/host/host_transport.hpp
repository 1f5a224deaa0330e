// Channels in shared memory between ranks that are threads or processes of one host.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "comm/host/region.hpp"
#include "comm/host/verdict.hpp"
#include "comm/transport.hpp"

namespace peerscope {

class HostTransport final : public Transport {
 public:
  // `name`: the communicator's, for sentences. The rank has joined the region; it leaves with the
  // transport.
  HostTransport(std::shared_ptr<Region> region, int rank, std::string name,
                std::chrono::nanoseconds timeout);
  ~HostTransport() override;

  Status enter(const Envelope& envelope) override;
  std::byte* reserve(int peer, std::size_t bytes) override;
  void post(int peer, std::size_t bytes) override;
  Message peek(int peer) override;
  void release(int peer) override;
  void moved() override;
  Status idle(std::uint64_t awaited) override;
  Error disagree(int peer, const Envelope& theirs) override;
  std::size_t chunk_bytes() const override { return region_->geometry().slot_bytes; }
  std::size_t channel_chunks() const override { return region_->geometry().slots; }
  std::byte* remote(int rank, std::size_t offset, std::size_t bytes) override;

 private:
  using Clock = std::chrono::steady_clock;
  // Our end of the channels with one peer; private to this rank.
  struct Peer {
    Channel* out = nullptr;
    Channel* in = nullptr;
    RankLine* line = nullptr;
    std::uint64_t sent = 0, received = 0;  // messages
    std::uint64_t consumed_seen = 0;       // of `sent`: spares reading the receiver's line
  };

  Peer& peer_at(int rank) { return peers_[static_cast<std::size_t>(rank)]; }
  void notify(RankLine& line);
  void arm(std::uint64_t awaited);
  void disarm();
  Status sleep(std::uint64_t awaited);
  Status look_around(std::uint64_t awaited);
  Status look_for_lost(const Waiting& waiting);
  void adapt();

  std::shared_ptr<Region> region_;
  std::vector<Peer> peers_;
  RankLine* own_;
  Verdict verdict_;
  int rank_;
  std::chrono::nanoseconds timeout_;
  Envelope current_;
  std::uint64_t entered_ = 0;  // collectives

  // Patience: spin, then say for whom we sleep, look again, sleep.
  std::uint32_t patience_, spins_ = 0, seen_bell_ = 0;
  bool may_spin_ = false, armed_ = false;
  std::uint64_t armed_for_ = 0, suspects_ = 0;
  bool has_slept_ = false;  // since something moved
  Clock::time_point still_since_, looked_;
};

}  // namespace peerscope
