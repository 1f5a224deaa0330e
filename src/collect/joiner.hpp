// Joins what the ranks say into collectives, by (communicator, sequence); NCCL's by (communicator, kind, sequence).
//
// Bounded memory: per communicator a window of slots, at most kMaxCommunicators (what is beyond is not joined). A collective leaves the window when
// all its ranks are in (complete), when a later one needs its slot, or when it is older than a limit (incomplete). The limit does not hold for an
// enqueued one that waits, see waiting().
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "model/collective.hpp"

namespace peerscope {

class CollectiveSink {
 public:
  virtual ~CollectiveSink() = default;
  virtual void on_collective(const Collective& collective) = 0;
};

// Operations, and apart from them their device times, which may come later or not at all.
class Joiner {
 public:
  explicit Joiner(CollectiveSink& sink) : sink_(sink) {}

  void add(const Op& op);
  void add(std::span<const Op> ops);  // in this order; faster than one by one
  // Gives up on collectives whose first rank arrived before `before_ns`.
  void flush_before(std::int64_t before_ns);
  void flush_all() { flush_before(INT64_MAX); }

  // Enqueued collectives that cannot be done: some ranks came before `before_ns`, others have not come. Only of
  // communicators all of whose ranks this joiner has seen, and later than the last that all came to: what lacks a rank
  // because its record was lost does not wait. Valid until the next add().
  [[nodiscard]] std::vector<Collective> waiting(std::int64_t before_ns) const;

  [[nodiscard]] std::uint64_t late() const {
    return late_;
  }  // ops that came after their collective was given up
  [[nodiscard]] std::size_t memory_bytes() const;

  static constexpr std::size_t kMaxCommunicators = 256;
  static constexpr std::uint32_t kMaxArrivals =
      1024;  // ranks of one communicator that one collector sees

 private:
  struct Slot {
    Collective collective;
    std::uint16_t arrived = 0;  // 0: free
    std::uint16_t differing =
        0;  // from the first in kind or bytes; the collective's odd_* are of the last of them
    bool differ_alike = true;  // all that differ say the same
  };
  struct Comm {
    std::uint32_t ranks = 0;
    std::uint32_t places = 0;  // arrivals that a slot has room for: `ranks`, at most kMaxArrivals
    std::uint64_t mask = 0;    // slots - 1
    std::vector<Slot> slots;
    std::vector<Arrival> arrivals;  // `places` per slot, in order of coming
    std::uint64_t last_complete = 0;
    bool any_complete = false;
    [[nodiscard]] bool waits(const Slot& slot) const {
      return slot.arrived != 0 && slot.collective.async && !slot.collective.device &&
             any_complete && slot.collective.sequence > last_complete;
    }
  };

  static std::uint64_t place_of(const Comm& comm, std::uint64_t sequence);
  void expect(const Op& op) const;
  Comm* comm_of(const Op& op);
  Comm* find_comm(const Op& op, std::uint64_t id);
  void start(Slot& slot, const Op& op);
  void put(Comm& comm, Slot& slot, Arrival* arrivals, const Op& op);
  static void note_difference(Slot& slot, const Op& op);
  static void find_odd(Slot& slot, const Arrival* arrivals);
  void deliver(Comm& comm, Slot& slot);

  CollectiveSink& sink_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Comm>> comms_;
  std::size_t windows_ = 0, device_windows_ = 0;  // in comms_; each may be kMaxCommunicators
  std::uint64_t last_id_ = 0;
  Comm* last_comm_ = nullptr;
  std::uint64_t late_ = 0;
};

}  // namespace peerscope
