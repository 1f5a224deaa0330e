// What a series remembers of its past.
#include "analyze/cell.hpp"

namespace peerscope {
namespace {

const Histogram* values_of(const SeriesSlot& slot, HistorySource source) {
  switch (source) {
    case HistorySource::transfer:
      return slot.transfer.values();
    case HistorySource::device_transfer:
      return slot.device_transfer.values();
    case HistorySource::device:
      return slot.device.values();
    case HistorySource::host:
      return slot.host.values();
    case HistorySource::none:
      break;
  }
  return nullptr;
}

// The host knows of an asynchronous operation when it was enqueued, not how long it took.
HistorySource best_of(const SeriesSlot& slot) {
  for (const HistorySource source :
       {HistorySource::transfer, HistorySource::device_transfer, HistorySource::device}) {
    if (values_of(slot, source) != nullptr) return source;
  }
  const bool host = slot.host.values() != nullptr && slot.tally.async == 0;
  return host ? HistorySource::host : HistorySource::none;
}

HistoryPoint point_of(std::int64_t slot, const SeriesSlot& values, HistorySource source) {
  const Histogram* histogram = values_of(values, source);
  if (histogram == nullptr || slot < 0 || slot > INT32_MAX) return {};
  HistoryPoint point;
  point.slot = static_cast<std::int32_t>(slot);
  point.count = static_cast<std::uint32_t>(std::min<std::uint64_t>(histogram->count(), UINT32_MAX));
  point.ns = static_cast<float>(histogram->smooth_median());
  if (values.tally.count > 0)
    point.bytes = static_cast<float>(static_cast<double>(values.tally.bytes) /
                                     static_cast<double>(values.tally.count));
  return point;
}

}  // namespace

void Series::choose_source() {
  HistorySource best = source;
  window.for_ring(0, [&best](const SeriesSlot& slot) { best = std::max(best, best_of(slot)); });
  if (best == source) return;
  source = best;
  history.clear();  // it was of another time
}

void Series::advance(std::int64_t slot) {
  if (slot <= window.newest()) return;
  choose_source();
  window.advance(slot, [this](std::int64_t number, const SeriesSlot& leaving) {
    history.add(point_of(number, leaving, source));
  });
}

std::vector<HistoryPoint> Series::recent_history() const {
  std::vector<HistoryPoint> out = history.fine();
  const std::int64_t newest = window.newest();
  if (newest < 0) return out;
  for (std::int64_t slot = std::max<std::int64_t>(0, newest - 16); slot <= newest; ++slot) {
    const SeriesSlot* values = window.fine(slot);
    if (values == nullptr) continue;
    const HistoryPoint point = point_of(slot, *values, source);
    if (point.count > 0 && (out.empty() || out.back().slot < slot)) out.push_back(point);
  }
  return out;
}

}  // namespace peerscope
