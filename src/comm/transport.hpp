// What a backend must offer so that the plans (plan.hpp) run on it: ordered, bounded channels
// between each two ranks, and waiting that ends. Implemented by the host device; a simulator or a
// test may offer the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "comm/call.hpp"

namespace peerscope {

// Says to which operation a message belongs. Both ends compare it, so that ranks that disagree find
// out.
struct Envelope {
  std::uint64_t sequence = 0;
  std::uint64_t what = 0;  // packed kind, dtype, reduction, algorithm, root
  std::uint64_t bytes = 0;

  friend bool operator==(const Envelope&, const Envelope&) = default;
};

// `root` is -1 where there is none. recv makes the envelope of the send that it answers.
Envelope make_envelope(const Call& call, std::uint64_t sequence, std::uint64_t bytes);
Kind kind_of(const Envelope& envelope);
// "all_reduce #17 (4000 B, f32, sum, ring)"
std::string describe(const Envelope& envelope);

struct Message {
  const std::byte* data = nullptr;  // nullptr: none has arrived
  std::size_t bytes = 0;
  Envelope envelope;
};

// Used by one thread at a time. `peer` is never the rank itself.
class Transport {
 public:
  virtual ~Transport() = default;

  // An operation begins: the others may see it. Fails if the communicator has failed, wherever that
  // was noticed.
  virtual Status enter(const Envelope& envelope) = 0;

  // Room for a message of `bytes` (at most chunk_bytes) to `peer`; nullptr: none yet. Stays
  // reserved until `post`.
  virtual std::byte* reserve(int peer, std::size_t bytes) = 0;
  virtual void post(int peer, std::size_t bytes) = 0;
  // The oldest message from `peer`, until `release`.
  virtual Message peek(int peer) = 0;
  virtual void release(int peer) = 0;

  // Something was received or sent since the last `idle`.
  virtual void moved() = 0;
  // Nothing can move until one of `awaited` (bit r: rank r) does. Returns soon, or after a while,
  // or says why it is hopeless: the others are told, too.
  virtual Status idle(std::uint64_t awaited) = 0;
  // `peer` is at another operation than we are: ends the communicator for everybody.
  virtual Error disagree(int peer, const Envelope& theirs) = 0;

  virtual std::size_t chunk_bytes() const = 0;     // a multiple of 64
  virtual std::size_t channel_chunks() const = 0;  // messages that a channel holds: at least 2
  // Registered memory of `rank`; nullptr if the range is not within it.
  virtual std::byte* remote(int rank, std::size_t offset, std::size_t bytes) = 0;
};

}  // namespace peerscope
