// What joined collectives say about one communicator: who came last, who waited how long, since
// when.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "analyze/aggregates.hpp"
#include "analyze/sample.hpp"
#include "analyze/sliding_window.hpp"
#include "analyze/tally.hpp"
#include "model/collective.hpp"

namespace peerscope {

struct RankSums {
  std::uint64_t last = 0;           // times it alone was the last
  std::uint64_t waited_for_ns = 0;  // what the others waited then
  std::uint64_t wait_ns = 0;        // what it waited
  std::uint64_t communication_ns = 0;
  std::uint64_t odd = 0;      // times it alone called another kind or size
  std::uint64_t missing = 0;  // collectives given up in which it was not seen
  void merge(const RankSums& other) {
    odd += other.odd;
    missing += other.missing;
    last += other.last;
    waited_for_ns += other.waited_for_ns;
    wait_ns += other.wait_ns;
    communication_ns += other.communication_ns;
  }
};

template <std::size_t N>
struct CollectiveRank : RankSums {
  Sample<N> lateness;
};

template <std::size_t N>
struct CollectiveSlot {
  std::uint64_t complete = 0, incomplete = 0, mismatched = 0;
  Sample<N> skew, transfer;
  std::vector<CollectiveRank<N>> ranks;  // empty until the first collective

  void clear() {
    if ((complete | incomplete | mismatched) == 0) return;
    complete = incomplete = mismatched = 0;
    skew.clear();
    transfer.clear();
    for (CollectiveRank<N>& rank : ranks) {
      static_cast<RankSums&>(rank) = {};
      rank.lateness.clear();
    }
  }
  template <std::size_t M>
  void merge(const CollectiveSlot<M>& other) {
    complete += other.complete;
    incomplete += other.incomplete;
    mismatched += other.mismatched;
    skew.merge(other.skew);
    transfer.merge(other.transfer);
    if (ranks.size() < other.ranks.size()) ranks.resize(other.ranks.size());
    for (std::size_t i = 0; i < other.ranks.size(); ++i) {
      ranks[i].RankSums::merge(other.ranks[i]);
      ranks[i].lateness.merge(other.ranks[i].lateness);
    }
  }
};

class CommunicatorStudy {
 public:
  // Rooms for ranks 0 .. ranks - 1; arrivals of others are ignored.
  explicit CommunicatorStudy(std::uint16_t ranks);

  void add(const Collective& collective, std::int64_t now_slot);
  // Fills the figures that come from collectives; those that come from operations are the caller's.
  void fill(CommunicatorRow& row, std::span<RankRow> rows,
            std::int64_t now_ns);  // rows[i] is rank i's

  [[nodiscard]] std::uint16_t ranks() const { return ranks_; }
  [[nodiscard]] std::size_t memory_bytes() const;
  static std::size_t memory_bound_bytes(std::size_t ranks);

 private:
  static constexpr std::size_t kSample = 32;       // values a slot and rank
  static constexpr std::size_t kRestSample = 256;  // since start
  static constexpr std::int64_t kHistory = 240;    // medians of past slots: 30 s
  static constexpr std::int32_t kNoMedian = INT32_MIN;
  using Slot = CollectiveSlot<kSample>;
  using Rest = CollectiveSlot<kRestSample>;
  using Slots = SlidingWindow<Slot, Rest>;

  struct Past {
    std::vector<std::int32_t> medians;        // of slot past_slots_[i]
    std::int64_t late_since_ns = kUnknownNs;  // as last answered: it may be older than the history
  };
  struct RankTotals : RankSums {
    WeightedValues lateness;
  };
  struct Totals {
    std::uint64_t complete = 0, incomplete = 0, mismatched = 0, seen = 0;
    WeightedValues skew, transfer;
    std::vector<RankTotals> ranks;
    template <std::size_t N>
    void add(const CollectiveSlot<N>& slot);
  };

  template <class Place>
  void add_arrivals(Place& place, const Collective& collective);
  template <class Place>
  void add_mismatch(Place& place, const Collective& collective);
  template <class Place>
  void add_incomplete(Place& place, const Collective& collective);
  template <class Place>
  void add_joined(Place& place, const Collective& collective);
  void advance(std::int64_t now_slot);
  void remember(std::int64_t slot, const Slot& leaving);
  [[nodiscard]] std::int64_t others_median(std::int64_t begin_ns) const;
  static std::int32_t median_of(const Sample<kSample>& sample);
  [[nodiscard]] std::int32_t median(std::uint16_t rank, std::int64_t slot) const;
  std::int64_t late_since(std::uint16_t rank, const RankStats& now);

  [[nodiscard]] Totals recent(std::int64_t& begin_slot) const;

  std::uint16_t ranks_;
  std::int64_t first_ns_ = kUnknownNs;
  std::int64_t first_slot_ = INT64_MAX;
  Slots window_;
  std::vector<Past> past_;
  std::array<std::int64_t, kHistory> past_slots_{};
  Disagreement first_mismatch_, last_mismatch_;
  std::vector<char> came_;            // scratch: who is in the collective at hand
  std::vector<std::int64_t> sorted_;  // scratch: arrivals of the collective at hand
  std::array<std::uint64_t, 32> kind_ns_{};
  std::array<std::uint64_t, 32> kind_count_{};
};

}  // namespace peerscope
