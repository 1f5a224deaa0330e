#include "store/chunk_walk.hpp"

#include <algorithm>

namespace peerscope {

SlotFilter::SlotFilter(const StoreView& view, const OpFilter& filter)
    : slots_(view.index->slots), open_(CellFilter(filter).open()) {
  if (open_) return;
  const CellFilter cells(filter);
  for (const CellKey& key : *view.index->cells) passes_.push_back(cells.passes(key) ? 1 : 0);
  known_.resize(slots_.slots.size(), Known::nothing);
}

bool SlotFilter::holds(std::size_t slot) {
  if (known_[slot] == Known::nothing) {
    const Slot* cells = slots_.slots[slot].get();
    const bool any = cells != nullptr &&
                     std::any_of(cells->cells.begin(), cells->cells.end(),
                                 [&](const SlotCell& cell) { return passes_[cell.cell] != 0; });
    known_[slot] = any ? Known::holds : Known::holds_not;
  }
  return known_[slot] == Known::holds;
}

bool SlotFilter::may_hold(std::int64_t first_ns, std::int64_t last_ns) {
  if (open_) return true;
  const std::int64_t first = std::max(slots_.number_of(first_ns), slots_.base);
  const std::int64_t last = std::min(slots_.number_of(last_ns), slots_.end() - 1);
  for (std::int64_t n = first; n <= last; ++n) {
    if (holds(static_cast<std::size_t>(n - slots_.base))) return true;
  }
  return false;
}

ChunkWalk::ChunkWalk(const StoreView& view, const OpFilter& filter, const Cursor& cursor)
    : view_(view), filter_(filter), slots_(view, filter) {
  const bool newest = cursor.newest_first;
  for (const std::size_t i : ChunkRange::of(view, filter).chunks) {
    const ChunkInfo& chunk = view.trace->chunks()[i];
    const std::uint64_t id = view.trace->chunk_id(i);
    PageKey least = PageKey{chunk.first_ns, id, 0};
    PageKey most = PageKey{chunk.last_ns, id, UINT64_MAX};
    if (newest) {
      std::swap(least, most);
      least = least.mirrored(true);
      most = most.mirrored(true);
    }
    if (cursor.is_over(most)) continue;
    heap_.push_back({std::max(least, cursor.key), i});
  }
  std::make_heap(heap_.begin(), heap_.end(), later);
}

std::optional<PageKey> ChunkWalk::bound() {
  while (!heap_.empty()) {
    const std::size_t chunk = heap_.front().chunk;
    const ChunkInfo& info = view_.trace->chunks()[chunk];
    if (chunk >= view_.index->chunks || slots_.may_hold(std::max(info.first_ns, filter_.from_ns),
                                                        std::min(info.last_ns, filter_.to_ns)))
      return heap_.front().bound;
    next();
  }
  return std::nullopt;
}

std::size_t ChunkWalk::next() {
  std::pop_heap(heap_.begin(), heap_.end(), later);
  const std::size_t chunk = heap_.back().chunk;
  heap_.pop_back();
  return chunk;
}

}  // namespace peerscope
