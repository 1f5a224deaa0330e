#include "analyze/communicator.hpp"

#include <algorithm>

namespace peerscope {

CommunicatorStudy::CommunicatorStudy(std::uint16_t ranks) : ranks_(ranks), past_(ranks) {
  for (Past& past : past_) past.medians.assign(kHistory, kNoMedian);
  past_slots_.fill(-1);
}

void CommunicatorStudy::add(const Collective& collective, std::int64_t now_slot) {
  advance(now_slot);
  if (first_ns_ == kUnknownNs || collective.first_ns < first_ns_) {
    first_ns_ = collective.first_ns;
    first_slot_ = slot_of(first_ns_);
  }
  window_.at(slot_of(collective.end_ns), [&](auto& place) { add_arrivals(place, collective); });
}

template <class Place>
void CommunicatorStudy::add_arrivals(Place& place, const Collective& collective) {
  if (collective.mismatch) {
    add_mismatch(place, collective);
  } else if (!collective.complete) {
    add_incomplete(place, collective);
  } else {
    place.complete += collective.weight;
    add_joined(place, collective);
  }
}

template <class Place>
void CommunicatorStudy::add_mismatch(Place& place, const Collective& collective) {
  place.mismatched += collective.weight;
  if (place.ranks.empty()) place.ranks.resize(ranks_);
  if (collective.odd_rank < ranks_) place.ranks[collective.odd_rank].odd += collective.weight;
  const Disagreement now{collective.last_ns,   collective.sequence, collective.bytes,
                         collective.odd_bytes, collective.kind,     collective.odd_kind,
                         collective.odd_rank};
  if (first_mismatch_.at_ns == kUnknownNs || now.at_ns < first_mismatch_.at_ns)
    first_mismatch_ = now;
  if (now.at_ns >= last_mismatch_.at_ns) last_mismatch_ = now;
}

// The missing rank may be the late one: no figures but who it was.
template <class Place>
void CommunicatorStudy::add_incomplete(Place& place, const Collective& collective) {
  place.incomplete += collective.weight;
  if (place.ranks.empty()) place.ranks.resize(ranks_);
  came_.assign(ranks_, 0);
  for (const Arrival& arrival : collective.arrivals) {
    if (arrival.rank < ranks_) came_[arrival.rank] = 1;
  }
  for (std::size_t rank = 0; rank < ranks_; ++rank) {
    if (came_[rank] == 0) place.ranks[rank].missing += collective.weight;
  }
}

namespace {

// Few ranks are the rule, and for them insertion beats std::sort.
void sort_arrivals(std::vector<std::int64_t>& times) {
  if (times.size() > 16) return std::sort(times.begin(), times.end());
  for (std::size_t i = 1; i < times.size(); ++i) {
    const std::int64_t time = times[i];
    std::size_t at = i;
    for (; at > 0 && times[at - 1] > time; --at) times[at] = times[at - 1];
    times[at] = time;
  }
}

}  // namespace

// The median of sorted_ without one value equal to `begin_ns`. All are >= 0.
std::int64_t CommunicatorStudy::others_median(std::int64_t begin_ns) const {
  const std::size_t others = sorted_.size() - 1;
  const auto other = [&](std::size_t k) { return sorted_[begin_ns <= sorted_[k] ? k + 1 : k]; };
  if (others % 2 == 1) return other(others / 2);
  const std::int64_t low = other(others / 2 - 1), high = other(others / 2);
  return low + (high - low) / 2;
}

template <class Place>
void CommunicatorStudy::add_joined(Place& place, const Collective& collective) {
  sorted_.clear();
  for (const Arrival& arrival : collective.arrivals) {
    if (arrival.rank < ranks_) sorted_.push_back(arrival.begin_ns);
  }
  if (sorted_.size() < 2) return;
  sort_arrivals(sorted_);
  if (sorted_.front() < 0) return;  // no clock says that
  if (place.ranks.empty()) place.ranks.resize(ranks_);
  const std::uint64_t weight = collective.weight;
  const std::int64_t last_ns = sorted_.back();
  std::uint64_t waited_ns = 0, communication_ns = 0;
  for (const Arrival& arrival : collective.arrivals) {
    if (arrival.rank >= ranks_) continue;
    auto& rank = place.ranks[arrival.rank];
    rank.lateness.add(arrival.begin_ns - others_median(arrival.begin_ns));
    if (arrival.end_ns < arrival.begin_ns) continue;  // a clock ran backwards: no duration
    const std::int64_t wait_ns = std::min(last_ns, arrival.end_ns) - arrival.begin_ns;
    const std::int64_t inside_ns = arrival.end_ns - arrival.begin_ns;
    rank.wait_ns += weight * static_cast<std::uint64_t>(wait_ns);
    rank.communication_ns += weight * static_cast<std::uint64_t>(inside_ns);
    waited_ns += static_cast<std::uint64_t>(wait_ns);
    communication_ns += static_cast<std::uint64_t>(inside_ns);
  }
  if (last_ns > sorted_[sorted_.size() - 2] && collective.last_rank < ranks_) {
    auto& rank = place.ranks[collective.last_rank];
    rank.last += weight;
    rank.waited_for_ns += weight * waited_ns;
  }
  place.skew.add(last_ns - sorted_.front());
  if (!collective.async && collective.end_ns >= last_ns)
    place.transfer.add(collective.end_ns - last_ns);
  const auto kind = static_cast<std::size_t>(collective.kind) % kind_ns_.size();
  kind_ns_[kind] += weight * communication_ns;
  kind_count_[kind] += weight;
}

void CommunicatorStudy::advance(std::int64_t now_slot) {
  window_.advance(now_slot, [this](std::int64_t slot, const Slot& leaving) {
    if (!leaving.ranks.empty()) remember(slot, leaving);
  });
}

void CommunicatorStudy::remember(std::int64_t slot, const Slot& leaving) {
  const auto at = static_cast<std::size_t>(slot % kHistory);
  past_slots_[at] = slot;
  for (std::size_t rank = 0; rank < ranks_; ++rank) {
    past_[rank].medians[at] = median_of(leaving.ranks[rank].lateness);
  }
}

std::size_t CommunicatorStudy::memory_bytes() const {
  std::size_t bytes =
      sizeof *this + past_.size() * (sizeof(Past) + kHistory * sizeof(std::int32_t));
  const auto add = [&bytes](const auto& slot) {
    bytes += slot.ranks.capacity() * sizeof(slot.ranks[0]);
  };
  for (std::size_t ring = 0; ring <= Slots::kRings; ++ring) window_.for_ring(ring, add);
  return bytes;
}

std::size_t CommunicatorStudy::memory_bound_bytes(std::size_t ranks) {
  const std::size_t slots = (Slots::kFine + 2 * Slots::kCoarse) * sizeof(CollectiveRank<kSample>);
  return ranks * (slots + sizeof(CollectiveRank<kRestSample>) + sizeof(Past) +
                  kHistory * sizeof(std::int32_t));
}

}  // namespace peerscope
