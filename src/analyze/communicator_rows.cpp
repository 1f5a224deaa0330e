// The reading half of CommunicatorStudy: windows, the recent stretch, and since when a rank is
// late.
#include <algorithm>

#include "analyze/communicator.hpp"

namespace peerscope {
namespace {

constexpr std::uint64_t kRecentCollectives = 30;
constexpr std::int64_t kRecentSlots = 5;  // the newest is not over: 0.5 to 0.625 s

double in_ns(std::uint64_t ns) { return static_cast<double>(ns); }

}  // namespace

template <std::size_t N>
void CommunicatorStudy::Totals::add(const CollectiveSlot<N>& slot) {
  complete += slot.complete;
  incomplete += slot.incomplete;
  mismatched += slot.mismatched;
  seen += slot.skew.seen();
  skew.add(slot.skew);
  transfer.add(slot.transfer);
  if (ranks.size() < slot.ranks.size()) ranks.resize(slot.ranks.size());
  for (std::size_t i = 0; i < slot.ranks.size(); ++i) {
    ranks[i].merge(slot.ranks[i]);
    ranks[i].lateness.add(slot.ranks[i].lateness);
  }
}

namespace {

template <class Totals>
void fill_communicator(CommunicatorStats& stats, Totals& totals) {
  stats.complete = totals.complete;
  stats.incomplete = totals.incomplete;
  stats.mismatched = totals.mismatched;
  if (totals.skew.size() > 0) stats.skew_p50_ns = totals.skew.quantile(0.5);
  if (totals.transfer.size() > 0) stats.transfer_p50_ns = totals.transfer.quantile(0.5);
  stats.communication_ns = stats.waiting_ns = 0.0;
  for (const auto& rank : totals.ranks) {
    stats.communication_ns += in_ns(rank.communication_ns);
    stats.waiting_ns += in_ns(rank.wait_ns);
  }
}

template <class RankTotals>
void fill_rank(RankStats& stats, RankTotals& totals, const CommunicatorStats& all) {
  stats.collectives = all.complete;
  stats.last = totals.last;
  stats.odd = totals.odd;
  stats.missing = totals.missing;
  stats.lateness_samples = totals.lateness.size();
  stats.lateness_p25_ns = totals.lateness.quantile(0.25);
  stats.lateness_p50_ns = totals.lateness.quantile(0.50);
  stats.lateness_p75_ns = totals.lateness.quantile(0.75);
  stats.lateness_p99_ns = totals.lateness.quantile(0.99);
  stats.waited_for_ns = in_ns(totals.waited_for_ns);
  stats.wait_ns = in_ns(totals.wait_ns);
  stats.communication_ns = in_ns(totals.communication_ns);
  if (all.communication_ns > 0.0) stats.waiting_share = stats.waited_for_ns / all.communication_ns;
}

}  // namespace

void CommunicatorStudy::fill(CommunicatorRow& row, std::span<RankRow> rows, std::int64_t now_ns) {
  advance(slot_of(now_ns));
  Totals totals;
  const auto add = [&totals](const auto& slot) { totals.add(slot); };
  for (std::size_t window = 0; window < kWindows; ++window) {
    window_.for_ring(window, add);
    fill_communicator(row.windows[window], totals);
    for (std::size_t i = 0; i < std::min(rows.size(), totals.ranks.size()); ++i) {
      fill_rank(rows[i].windows[window], totals.ranks[i], row.windows[window]);
    }
  }
  std::int64_t begin_slot = 0;
  totals = recent(begin_slot);
  fill_communicator(row.recent, totals);
  row.recent.span_ns = now_ns - begin_slot * kSlotNs;
  for (std::size_t i = 0; i < std::min(rows.size(), totals.ranks.size()); ++i) {
    fill_rank(rows[i].recent, totals.ranks[i], row.recent);
    rows[i].recent.span_ns = row.recent.span_ns;
    rows[i].late_since_ns = late_since(static_cast<std::uint16_t>(i), rows[i].recent);
  }
  row.first_mismatch = first_mismatch_;
  row.last_mismatch = last_mismatch_;
  // By the host's time; where that is unknown, by how many there were.
  auto most = std::max_element(kind_ns_.begin(), kind_ns_.end()) - kind_ns_.begin();
  const auto at = static_cast<std::size_t>(most);
  if (kind_ns_[at] <= 0)
    most = std::max_element(kind_count_.begin(), kind_count_.end()) - kind_count_.begin();
  row.dominant_collectives = kind_count_[static_cast<std::size_t>(most)];
  row.dominant = row.dominant_collectives > 0 ? static_cast<Kind>(most) : Kind::other;
}

CommunicatorStudy::Totals CommunicatorStudy::recent(std::int64_t& begin_slot) const {
  Totals totals;
  std::int64_t newest = window_.newest();
  begin_slot = newest;
  for (std::int64_t slot = newest; const Slot* fine = window_.fine(slot); --slot) {
    if (totals.seen == 0) newest = slot;  // collectives arrive some slots after they ended
    totals.add(*fine);
    begin_slot = slot;
    if (newest - slot + 1 >= kRecentSlots && totals.seen >= kRecentCollectives) return totals;
  }
  if (totals.seen == 0) return {};  // nothing goes on: nobody is late
  if (totals.seen < kRecentCollectives) {
    window_.for_ring(1, [&totals](const auto& slot) { totals.add(slot); });
    begin_slot = Slots::begin_ns(Window::ten_seconds, window_.newest()) / kSlotNs;
  }
  return totals;
}

std::int32_t CommunicatorStudy::median_of(const Sample<kSample>& sample) {
  if (sample.size() == 0) return kNoMedian;
  std::array<std::int32_t, kSample> values{};
  for (std::size_t i = 0; i < sample.size(); ++i) values[i] = sample.value(i);
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(sample.size() / 2);
  std::nth_element(values.begin(), middle,
                   values.begin() + static_cast<std::ptrdiff_t>(sample.size()));
  return *middle;
}

std::int32_t CommunicatorStudy::median(std::uint16_t rank, std::int64_t slot) const {
  if (const Slot* fine = window_.fine(slot)) {
    return fine->ranks.empty() ? kNoMedian : median_of(fine->ranks[rank].lateness);
  }
  const auto at = static_cast<std::size_t>(slot % kHistory);
  return past_slots_[at] == slot ? past_[rank].medians[at] : kNoMedian;
}

// Walks back while the slots' medians are at least half of what the rank's lateness is now. One
// slot below that is taken for noise, two in a row for the end.
std::int64_t CommunicatorStudy::late_since(std::uint16_t rank, const RankStats& now) {
  std::int64_t& answered = past_[rank].late_since_ns;
  if (now.lateness_p50_ns <= 0.0 ||
      now.lateness_p50_ns <= now.lateness_p75_ns - now.lateness_p50_ns) {
    return answered = kUnknownNs;
  }
  const std::int64_t oldest = std::max<std::int64_t>({0, first_slot_, window_.newest() - kHistory});
  std::int64_t begin = window_.newest();
  int calm = 0;
  for (std::int64_t slot = begin; slot >= oldest && calm < 2; --slot) {
    const std::int32_t lateness = median(rank, slot);
    if (lateness == kNoMedian) continue;
    const bool late = lateness >= now.lateness_p50_ns / 2.0;
    calm = late ? 0 : calm + 1;
    if (late) begin = slot;
  }
  std::int64_t since = std::max(begin * kSlotNs, first_ns_);
  const bool reaches_back = calm == 0 && oldest > first_slot_;
  if (reaches_back && answered != kUnknownNs) since = std::min(since, answered);
  return answered = since;
}

}  // namespace peerscope
