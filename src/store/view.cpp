#include "store/view.hpp"

#include <algorithm>

namespace peerscope {

ChunkRange ChunkRange::of(const StoreView& view, const OpFilter& filter) {
  ChunkRange range;
  const std::vector<ChunkInfo>& chunks = view.trace->chunks();
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const ChunkInfo& chunk = chunks[i];
    if (chunk.last_ns < filter.from_ns || chunk.first_ns >= filter.to_ns ||
        (filter.kinds != 0 && (chunk.kinds & filter.kinds) == 0))
      continue;
    range.chunks.push_back(i);
    range.operations += chunk.operations;
    if (i < view.index->chunks) range.indexed += chunk.operations;
  }
  return range;
}

TimeRange closed_range(const StoreView& view, const OpFilter& filter) {
  TimeRange range{filter.from_ns, filter.to_ns};
  const bool none = view.trace->operations() == 0;
  if (range.from_ns == INT64_MIN) range.from_ns = none ? 0 : view.first_ns;
  if (range.to_ns == INT64_MAX)
    range.to_ns = none ? range.from_ns : view.last_ns + (view.last_ns < INT64_MAX ? 1 : 0);
  range.to_ns = std::max(range.to_ns, range.from_ns);
  return range;
}

TimeRange widened(const TimeRange& range, unsigned shift) {
  if (range.empty()) return range;
  const std::int64_t mask = (std::int64_t{1} << shift) - 1;
  const std::int64_t last = (range.to_ns - 1) | mask;
  return {range.from_ns & ~mask, last < INT64_MAX ? last + 1 : last};
}

std::int64_t Steps::begin(std::size_t i) const {
  const std::uint64_t room =
      static_cast<std::uint64_t>(INT64_MAX) - static_cast<std::uint64_t>(from_ns);
  const auto step = static_cast<std::uint64_t>(step_ns);
  if (i > room / step) return INT64_MAX;
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(from_ns) + step * i);
}

std::size_t Steps::at(std::int64_t ns) const {
  const std::uint64_t since = static_cast<std::uint64_t>(ns) - static_cast<std::uint64_t>(from_ns);
  return std::min(count - 1, static_cast<std::size_t>(since / static_cast<std::uint64_t>(step_ns)));
}

Steps steps_of(const TimeRange& range, std::uint64_t wanted_ns, std::size_t most, unsigned shift) {
  const std::uint64_t length = range.length();
  most = std::max<std::size_t>(most, 1);
  constexpr std::uint64_t kLongest = std::uint64_t{1} << 62;
  const std::uint64_t unit = std::uint64_t{1} << shift;
  const std::uint64_t least = length / most + (length % most != 0 ? 1 : 0);
  std::uint64_t step = std::clamp<std::uint64_t>(std::max(wanted_ns, least), 1, kLongest);
  step = (step + unit - 1) / unit * unit;
  Steps steps;
  steps.from_ns = range.from_ns;
  steps.step_ns = static_cast<std::int64_t>(step);
  steps.count = static_cast<std::size_t>(length / step + (length % step != 0));
  return steps;
}

}  // namespace peerscope
