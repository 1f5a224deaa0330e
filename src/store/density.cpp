#include "store/density.hpp"

#include <algorithm>

namespace peerscope {

// Of the kind only who leads is known, and by how much: as in a vote, what others have counts against it.
void DensityBin::add(const DensityBin& other) {
  count += other.count;
  errors = std::min<std::uint32_t>(errors + other.errors, kMostErrors) & kMostErrors;
  busy_ns += other.busy_ns;
  if (kind_ns == 0 || kind == other.kind) {
    kind = other.kind_ns > 0 ? other.kind : kind;
    kind_ns += other.kind_ns;
  } else if (other.kind_ns > kind_ns) {
    kind = other.kind;
    kind_ns = other.kind_ns - kind_ns;
  } else {
    kind_ns -= other.kind_ns;
  }
}

namespace {

FlatKey key_of(const TimelineLane& lane) {
  return {std::uint64_t{lane.process} << 32 | lane.thread,
          std::uint64_t{lane.rank} << 16 | lane.stream};
}

constexpr auto kBins = static_cast<std::int64_t>(DensityBlock::kBins);

}  // namespace

std::uint32_t Density::lane(const TimelineLane& lane) {
  const FlatKey key = key_of(lane);
  if (const std::uint32_t found = numbers_.find(key); found != FlatIndex::kAbsent) return found;
  auto number = static_cast<std::uint32_t>(view_.lanes.size());
  if (number == kMostLanes) {
    number = static_cast<std::uint32_t>(kMostLanes - 1);
    view_.lanes[number] = TimelineLane{};
    view_.lanes[number].other = true;
    return number;  // not noted: there may be any number of these
  }
  numbers_.insert(key, number);
  view_.lanes.push_back(lane);
  view_.blocks.emplace_back();
  own_.emplace_back();
  return number;
}

void Density::cover(std::int64_t first_ns, std::int64_t last_ns) {
  for (;; twice_as_long()) {
    std::int64_t first = view_.number_of(first_ns), last = view_.number_of(last_ns);
    if (view_.bins > 0) {
      first = std::min(first, view_.base);
      last = std::max(last, view_.base + view_.bins - 1);
    }
    if (static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first) >=
        static_cast<std::uint64_t>(kMostBins))
      continue;
    if (view_.bins == 0) view_.base = first;
    if (first < view_.base) move_base(first);
    view_.bins = last - view_.base + 1;
    return;
  }
}

// Bins keep their place in blocks: a base that is lower by whole blocks moves none.
void Density::move_base(std::int64_t base) {
  const std::int64_t blocks = (view_.base - base + kBins - 1) / kBins;
  const std::int64_t lower = view_.base - blocks * kBins;
  for (std::size_t lane = 0; lane < own_.size(); ++lane) {
    own_[lane].insert(own_[lane].begin(), static_cast<std::size_t>(blocks), Own{});
    view_.blocks[lane].insert(view_.blocks[lane].begin(), static_cast<std::size_t>(blocks),
                              nullptr);
  }
  view_.bins += view_.base - lower;
  view_.base = lower;
}

DensityBin& Density::bin_of(std::uint32_t lane, std::int64_t number) {
  const auto at = static_cast<std::size_t>((number - view_.base) / kBins);
  auto& own = own_[lane];
  if (at >= own.size()) {
    own.resize(at + 1);
    view_.blocks[lane].resize(at + 1);
  }
  Own& place = own[at];
  if (!place.block || place.epoch != epoch_) {
    blocks_ += place.block ? 0 : 1;
    place.block = place.block ? std::make_shared<DensityBlock>(*place.block)
                              : std::make_shared<DensityBlock>();
    place.epoch = epoch_;
    view_.blocks[lane][at] = place.block;
  }
  return place.block->bins[static_cast<std::size_t>((number - view_.base) % kBins)];
}

void Density::add(std::uint32_t lane, std::int64_t number, const DensityBin& bin) {
  bin_of(lane, number).add(bin);
}

void Density::twice_as_long() {
  const DensityView old = view_;
  ++view_.shift;
  view_.base = old.base >> 1;
  view_.bins = old.bins == 0 ? 0 : ((old.base + old.bins - 1) >> 1) - view_.base + 1;
  blocks_ = 0;
  for (std::size_t lane = 0; lane < own_.size(); ++lane) {
    own_[lane].clear();
    view_.blocks[lane].clear();
  }
  for (std::size_t lane = 0; lane < own_.size(); ++lane) {
    old.for_each_bin(lane, old.base, old.base + old.bins - 1,
                     [&](std::int64_t number, const DensityBin& bin) {
                       add(static_cast<std::uint32_t>(lane), number >> 1, bin);
                     });
  }
}

void Density::keep_within_memory() {
  while (memory_bytes() > most_bytes_ && view_.bins > kBins) twice_as_long();
}

void Density::erase(std::int64_t first, std::int64_t last) {
  first = std::max(first, view_.base);
  last = std::min(last, view_.base + view_.bins - 1);
  for (std::uint32_t lane = 0; lane < own_.size(); ++lane) {
    std::vector<std::int64_t> full;
    view_.for_each_bin(lane, first, last,
                       [&](std::int64_t number, const DensityBin&) { full.push_back(number); });
    for (const std::int64_t number : full) bin_of(lane, number) = DensityBin{};
  }
  // Whole blocks at the front that are over.
  if (first != view_.base) return;
  const std::int64_t gone = std::max<std::int64_t>(0, last + 1 - view_.base) / kBins;
  for (std::size_t lane = 0; lane < own_.size(); ++lane) {
    const auto n = std::min(static_cast<std::size_t>(gone), own_[lane].size());
    for (std::size_t i = 0; i < n; ++i) blocks_ -= own_[lane][i].block ? 1 : 0;
    own_[lane].erase(own_[lane].begin(), own_[lane].begin() + static_cast<std::ptrdiff_t>(n));
    view_.blocks[lane].erase(view_.blocks[lane].begin(),
                             view_.blocks[lane].begin() + static_cast<std::ptrdiff_t>(n));
  }
  view_.base += gone * kBins;
  view_.bins = std::max<std::int64_t>(0, view_.bins - gone * kBins);
}

}  // namespace peerscope
