#include "collect/joiner.hpp"

#include <algorithm>
#include <bit>

namespace peerscope {
namespace {

// Wide enough for what one round over the rings may bring out of order, within 64 Ki arrivals a communicator. Device times
// are a sample, and where they are not complete soon they never will be.
std::uint64_t slots_for(std::uint32_t ranks, bool device) {
  const std::uint64_t fitting =
      std::bit_floor(std::uint64_t{65536} / std::max<std::uint32_t>(ranks, 1));
  return std::clamp<std::uint64_t>(fitting, 64, device ? 512 : 8192);
}

bool has_rank(const Arrival* arrivals, std::uint16_t arrived, std::uint16_t rank) {
  return std::any_of(arrivals, arrivals + arrived,
                     [rank](const Arrival& a) { return a.rank == rank; });
}

}  // namespace

// Sampled sequences are multiples of 64: without the shifted bits they would share a few slots. Not by the weight: ranks may
// be at different levels.
inline std::uint64_t Joiner::place_of(const Comm& comm, std::uint64_t sequence) {
  return (sequence ^ sequence >> 6) & comm.mask;
}

inline Joiner::Comm* Joiner::comm_of(const Op& op) {
  // The rank count is part of the key: a communicator id that is used again with another size is another communicator.
  // NCCL counts each kind of collective by itself.
  const std::uint64_t counted =
      op.backend == Backend::nccl ? static_cast<std::uint64_t>(op.kind) : 0;
  const std::uint64_t id = op.comm ^ (static_cast<std::uint64_t>(op.ranks) << 48 | counted << 40 |
                                      static_cast<std::uint64_t>(op.device_only) << 46);
  if (id == last_id_ && last_comm_ != nullptr) return last_comm_;
  return find_comm(op, id);
}

Joiner::Comm* Joiner::find_comm(const Op& op, std::uint64_t id) {
  auto found = comms_.find(id);
  if (found == comms_.end()) {
    std::size_t& count = op.device_only ? device_windows_ : windows_;
    if (count >= kMaxCommunicators) return nullptr;
    ++count;
    auto comm = std::make_unique<Comm>();
    comm->ranks = op.ranks;
    comm->places = std::min<std::uint32_t>(op.ranks, kMaxArrivals);
    const std::uint64_t slots = slots_for(op.ranks, op.device_only);
    comm->mask = slots - 1;
    comm->slots.resize(slots);
    comm->arrivals.resize(slots * comm->places);
    found = comms_.emplace(id, std::move(comm)).first;
  }
  last_id_ = id;
  last_comm_ = found->second.get();
  return last_comm_;
}

inline void Joiner::start(Slot& slot, const Op& op) {
  slot.collective = {.comm = op.comm,
                     .sequence = op.sequence,
                     .bytes = op.bytes,
                     .first_ns = op.begin_ns,
                     .last_ns = op.begin_ns,
                     .end_ns = op.begin_ns,
                     .weight = op.weight,
                     .ranks = op.ranks,
                     .first_rank = op.rank,
                     .last_rank = op.rank,
                     .kind = op.kind,
                     .algorithm = op.algorithm,
                     .backend = op.backend,
                     .complete = false,
                     .mismatch = false,
                     .async = op.async,
                     .device = op.device_only,
                     .arrivals = {}};
  slot.arrived = slot.differing = 0;
  slot.differ_alike = true;
}

inline void Joiner::put(Comm& comm, Slot& slot, Arrival* arrivals, const Op& op) {
  Collective& c = slot.collective;
  const std::int64_t duration_ns = op.device_only ? op.device_duration_ns : op.host_duration_ns;
  const std::int64_t end_ns = op.begin_ns + std::max<std::int64_t>(duration_ns, 0);
  arrivals[slot.arrived++] = {op.begin_ns, end_ns, op.rank, op.status};
  if (op.begin_ns < c.first_ns) {
    c.first_ns = op.begin_ns;
    c.first_rank = op.rank;
  }
  if (op.begin_ns > c.last_ns) {
    c.last_ns = op.begin_ns;
    c.last_rank = op.rank;
  }
  c.end_ns = std::max(c.end_ns, end_ns);
  if (op.kind != c.kind || op.bytes != c.bytes) [[unlikely]]
    note_difference(slot, op);
  if (slot.arrived == comm.places) deliver(comm, slot);
}

void Joiner::note_difference(Slot& slot, const Op& op) {
  Collective& c = slot.collective;
  if (slot.differing > 0 && (c.odd_kind != op.kind || c.odd_bytes != op.bytes))
    slot.differ_alike = false;
  c.mismatch = true;
  c.odd_rank = op.rank;
  c.odd_kind = op.kind;
  c.odd_bytes = op.bytes;
  ++slot.differing;
}

// One against all: who differs from the first, or the first from all others. Then the collective is what the others call it.
void Joiner::find_odd(Slot& slot, const Arrival* arrivals) {
  Collective& c = slot.collective;
  if (slot.arrived >= 3 && slot.differing == 1) return;
  if (slot.arrived >= 3 && slot.differing + 1 == slot.arrived && slot.differ_alike) {
    std::swap(c.kind, c.odd_kind);
    std::swap(c.bytes, c.odd_bytes);
    c.odd_rank = arrivals[0].rank;
    return;
  }
  c.odd_rank = kNoRank;
}

void Joiner::deliver(Comm& comm, Slot& slot) {
  Arrival* arrivals =
      comm.arrivals.data() + static_cast<std::size_t>(&slot - comm.slots.data()) * comm.places;
  slot.collective.complete = slot.arrived == comm.ranks;
  if (slot.collective.complete) {
    comm.last_complete = slot.collective.sequence;
    comm.any_complete = true;
  }
  slot.collective.arrivals = {arrivals, slot.arrived};
  if (slot.differing > 0) [[unlikely]]
    find_odd(slot, arrivals);
  // A part of the ranks' device times says nothing of the whole: others may not have been sampled.
  if (slot.collective.complete || !slot.collective.device) sink_.on_collective(slot.collective);
  slot.arrived = 0;
}

void Joiner::add(const Op& op) {
  if (op.comm == 0 || op.ranks < 2 || op.rank >= op.ranks || !is_collective(op.kind)) return;
  if (op.device_only && (op.device_duration_ns < 0 || has_root(op.kind))) return;
  Comm* comm = comm_of(op);
  if (comm == nullptr) return;
  const std::uint64_t at = place_of(*comm, op.sequence);
  Slot& slot = comm->slots[at];
  Arrival* arrivals = comm->arrivals.data() + at * comm->places;
  if (const Collective& c = slot.collective; slot.arrived == 0 && c.comm == op.comm &&
                                             !c.complete && c.sequence == op.sequence &&
                                             op.begin_ns <= c.end_ns) {
    ++late_;  // given up already
    return;
  }
  if (slot.arrived != 0) {
    const Collective& c = slot.collective;
    const bool same = c.sequence == op.sequence && !has_rank(arrivals, slot.arrived, op.rank);
    if (same) {
      put(*comm, slot, arrivals, op);
      return;
    }
    // An older sequence than the slot's: late, unless the communicator has started anew.
    if (op.sequence < c.sequence && op.begin_ns <= c.end_ns) {
      ++late_;
      return;
    }
    deliver(*comm, slot);
  }
  start(slot, op);
  put(*comm, slot, arrivals, op);
}

// A window is larger than the second-level cache, and a slot is used once in a lap: fetched ahead, it is there when its turn
// comes. For an operation of another communicator than the last, the fetch is wasted.
inline void Joiner::expect(const Op& op) const {
  if (last_comm_ == nullptr) return;
  const std::uint64_t at = place_of(*last_comm_, op.sequence);
  const char* slot = reinterpret_cast<const char*>(&last_comm_->slots[at]);
  __builtin_prefetch(slot, 1);
  __builtin_prefetch(slot + sizeof(Slot) - 1, 1);
  __builtin_prefetch(&last_comm_->arrivals[at * last_comm_->places], 1);
}

void Joiner::add(std::span<const Op> ops) {
  constexpr std::size_t kAhead = 12;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (i + kAhead < ops.size()) expect(ops[i + kAhead]);
    add(ops[i]);
  }
}

void Joiner::flush_before(std::int64_t before_ns) {
  for (auto& [id, comm] : comms_) {
    for (Slot& slot : comm->slots) {
      if (slot.arrived == 0 || slot.collective.first_ns >= before_ns) continue;
      if (before_ns == INT64_MAX || !comm->waits(slot)) deliver(*comm, slot);
    }
  }
}

std::vector<Collective> Joiner::waiting(std::int64_t before_ns) const {
  std::vector<Collective> all;
  for (const auto& [id, comm] : comms_) {
    for (std::size_t i = 0; i < comm->slots.size(); ++i) {
      const Slot& slot = comm->slots[i];
      if (!comm->waits(slot) || slot.collective.first_ns >= before_ns) continue;
      all.push_back(slot.collective);
      all.back().arrivals = {comm->arrivals.data() + i * comm->places, slot.arrived};
    }
  }
  std::sort(all.begin(), all.end(), [](const Collective& a, const Collective& b) {
    return std::pair(a.comm, a.sequence) < std::pair(b.comm, b.sequence);
  });
  return all;
}

std::size_t Joiner::memory_bytes() const {
  std::size_t bytes = sizeof *this;
  for (const auto& [id, comm] : comms_) {
    bytes +=
        sizeof *comm + comm->slots.size() * sizeof(Slot) + comm->arrivals.size() * sizeof(Arrival);
  }
  return bytes;
}

}  // namespace peerscope
