// Timelines: of few operations these themselves; of a narrow range, bins made from them; else bins from the index.
#include <algorithm>
#include <array>
#include <unordered_map>

#include "store/chunk_cache.hpp"
#include "store/lanes.hpp"

namespace peerscope {
namespace {

constexpr std::uint64_t kCloseOperations = 655'360;
constexpr std::size_t kCloseChunks = 96, kMostBins = 65'536, kMostBinsOfAll = 1'000'000,
                      kMostTimelineOps = 1'000'000;

// A bin that is being filled. Which kind took most is exact where all comes from operations.
struct Filling {
  std::uint32_t count = 0, errors = 0;
  double busy_ns = 0;
  std::vector<std::pair<Kind, double>> kinds;
  void add_busy(double ns, Kind kind) {
    busy_ns += ns;
    const auto at = std::find_if(kinds.begin(), kinds.end(),
                                 [kind](const auto& each) { return each.first == kind; });
    if (at == kinds.end()) {
      kinds.emplace_back(kind, ns);
    } else {
      at->second += ns;
    }
  }
  [[nodiscard]] Kind kind() const {
    const auto most =
        std::max_element(kinds.begin(), kinds.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    return most == kinds.end() ? Kind::other : most->first;
  }
};

class Bins {
 public:
  explicit Bins(const Steps& steps) : steps_(steps) {}
  Filling& at(std::uint32_t lane, std::size_t bin) {
    if (lane >= lanes_.size()) lanes_.resize(lane + 1);
    if (lanes_[lane].empty()) lanes_[lane].resize(steps_.count);
    return lanes_[lane][bin];
  }
  void into(Timeline& timeline, const Lanes::Order& order) const {
    for (std::uint32_t number = 0; number < lanes_.size(); ++number) {
      for (std::uint32_t bin = 0; bin < lanes_[number].size(); ++bin) {
        const Filling& from = lanes_[number][bin];
        if (from.count == 0 && from.busy_ns <= 0) continue;
        TimelineBin to;
        to.lane = order.place[number];
        to.bin = bin;
        to.count = from.count;
        to.errors = from.errors;
        to.busy = static_cast<float>(
            std::clamp(from.busy_ns / static_cast<double>(steps_.step_ns), 0.0, 1.0));
        to.kind = from.kind();
        timeline.bins.push_back(to);
      }
    }
    std::sort(timeline.bins.begin(), timeline.bins.end(),
              [](const TimelineBin& a, const TimelineBin& b) {
                return a.lane != b.lane ? a.lane < b.lane : a.bin < b.bin;
              });
  }

 private:
  const Steps& steps_;
  std::vector<std::vector<Filling>> lanes_;
};

// Operations that lie in the range with a part of their time.
struct Close {
  std::vector<std::size_t> chunks;
  std::vector<std::shared_ptr<const StoredChunk>> stored;
};

class Builder {
 public:
  Builder(const StoreView& view, ChunkCache& cache, const TimelineQuery& query)
      : view_(view),
        cache_(cache),
        query_(query),
        cells_(query.filter),
        which_{query.device},
        lanes_(view, which_),
        range_(closed_range(view, query.filter)) {
    // To the end of what is there, not to its last begin.
    for (const std::int64_t end : view.index->chunk_end) {
      if (query.filter.to_ns == INT64_MAX) range_.to_ns = std::max(range_.to_ns, end);
    }
    find_chunks();
  }

  Timeline make() {
    if (range_.empty()) return finished(Steps{range_.from_ns, 1, 0}, nullptr);
    if (chunks_.within(kCloseOperations, kCloseChunks)) return close();
    return by_lanes_only() ? from_density() : from_slots();
  }

 private:
  void find_chunks();
  [[nodiscard]] std::size_t bins() const {
    const std::size_t lanes = std::max<std::size_t>(lanes_.size(), 1);
    return std::clamp<std::size_t>(query_.bins, 1,
                                   std::clamp<std::size_t>(kMostBinsOfAll / lanes, 16, kMostBins));
  }
  Timeline close();
  void add_ops(const Close& close, Timeline& timeline);
  void add_bins(const ChunkColumns& columns, const Steps& steps, Bins& bins);
  template <class F>
  void for_each(const ChunkColumns& columns, F&& f);
  [[nodiscard]] bool by_lanes_only() const;
  Timeline from_density();
  Timeline from_slots();
  Timeline finished(const Steps& steps, const Bins* bins);

  const StoreView& view_;
  ChunkCache& cache_;
  const TimelineQuery& query_;
  CellFilter cells_;
  Intervals which_;
  Lanes lanes_;
  TimeRange range_;
  ChunkRange chunks_;
};

// With those whose operations began before the range and reach into it. Device times lie outside of a chunk's begins.
void Builder::find_chunks() {
  const std::vector<ChunkInfo>& all = view_.trace->chunks();
  const std::uint32_t kinds = query_.filter.kinds;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool indexed = i < view_.index->chunks;
    const std::int64_t end = indexed ? view_.index->chunk_end[i] : all[i].last_ns;
    if (all[i].first_ns >= range_.to_ns || std::max(end, all[i].last_ns) < range_.from_ns) continue;
    if (kinds != 0 && (all[i].kinds & kinds) == 0) continue;
    chunks_.chunks.push_back(i);
    chunks_.operations += all[i].operations;
    chunks_.indexed += indexed ? all[i].operations : 0;
  }
}

Timeline Builder::finished(const Steps& steps, const Bins* bins) {
  Timeline timeline;
  const Lanes::Order order = lanes_.order();
  timeline.lanes = order.lanes;
  timeline.from_ns = steps.from_ns;
  timeline.to_ns = std::max(steps.from_ns, steps.begin(steps.count));
  timeline.bin_ns = steps.step_ns;
  if (bins != nullptr) bins->into(timeline, order);
  return timeline;
}

// Calls with (place in the chunk, its shape's operation, lane) for those that pass and have a part in the range, until
// it says false.
template <class F>
void Builder::for_each(const ChunkColumns& c, F&& f) {
  struct Facts {
    Op op;
    std::uint32_t lane = UINT32_MAX;
    bool passes = false;
  };
  std::vector<Facts> facts;
  for (const Shape& shape : c.shapes)
    facts.push_back({shape.op(), UINT32_MAX, query_.filter.passes(shape)});
  const auto begins = which_.begins(c), durations = which_.durations(c);
  for (std::size_t i = 0; i < c.size(); ++i) {
    Facts& fact = facts[c.shape[i]];
    if (!fact.passes || begins[i] >= range_.to_ns || !which_.has(c, i, fact.op.device_only) ||
        c.bytes[i] < query_.filter.min_bytes || c.bytes[i] > query_.filter.max_bytes)
      continue;
    if (begins[i] < range_.from_ns && end_of(begins[i], durations[i]) <= range_.from_ns) continue;
    if (fact.lane == UINT32_MAX) fact.lane = lanes_.number_of(which_.lane(fact.op));
    if (!f(i, fact.op, fact.lane)) return;
  }
}

Timeline Builder::close() {
  Close close;
  const std::size_t most = std::min(query_.max_operations, kMostTimelineOps);
  std::size_t count = 0;
  for (const std::size_t chunk : chunks_.chunks) {
    const auto stored = cache_.get(*view_.trace, chunk);
    if (!stored) continue;  // damaged: left out
    close.chunks.push_back(chunk);
    close.stored.push_back(*stored);
    // All of them, so that every lane is known before it is decided how many bins each may have.
    for_each((*stored)->columns(),
             [&](std::size_t, const Op&, std::uint32_t) { return ++count > 0; });
  }
  const Steps steps = steps_of(range_, 1, bins(), 0);
  if (count <= most) {
    Timeline timeline = finished(steps, nullptr);
    timeline.to_ns = range_.to_ns;
    add_ops(close, timeline);
    return timeline;
  }
  Bins bins(steps);
  for (const auto& stored : close.stored) add_bins(stored->columns(), steps, bins);
  return finished(steps, &bins);
}

void Builder::add_ops(const Close& close, Timeline& timeline) {
  const Lanes::Order order = lanes_.order();
  for (std::size_t at = 0; at < close.chunks.size(); ++at) {
    std::vector<std::pair<std::size_t, std::uint32_t>> found;
    for_each(close.stored[at]->columns(), [&](std::size_t i, const Op&, std::uint32_t lane) {
      found.emplace_back(i, lane);
      return true;
    });
    if (found.empty()) continue;
    auto chunk = view_.trace->chunk(close.chunks[at]);
    if (!chunk) continue;
    const auto columns = ChunkColumns::with_sequence(*chunk);
    if (!columns) continue;
    for (const auto& [i, lane] : found) timeline.ops.push_back({order.place[lane], columns->op(i)});
  }
  const auto begin = [&](const TimelineOp& each) {
    return query_.device ? each.op.device_begin_ns : each.op.begin_ns;
  };
  std::sort(timeline.ops.begin(), timeline.ops.end(), [&](const auto& a, const auto& b) {
    return a.lane != b.lane ? a.lane < b.lane : begin(a) < begin(b);
  });
}

void Builder::add_bins(const ChunkColumns& c, const Steps& steps, Bins& bins) {
  const auto begins = which_.begins(c), durations = which_.durations(c);
  for_each(c, [&](std::size_t i, const Op& op, std::uint32_t lane) {
    const std::int64_t begin = std::max(begins[i], range_.from_ns);
    const std::int64_t end = std::min(end_of(begins[i], durations[i]), range_.to_ns);
    std::size_t bin = steps.at(begin);
    if (begins[i] >= range_.from_ns) {
      Filling& filling = bins.at(lane, bin);
      ++filling.count;
      filling.errors += op.status != OpStatus::ok ? 1 : 0;
    }
    for (std::int64_t at = begin; at < end; ++bin) {
      const std::int64_t until = std::min(end, steps.begin(bin + 1));
      bins.at(lane, bin).add_busy(static_cast<double>(until - at), op.kind);
      at = until;
    }
    return true;
  });
}

// Lanes say all that is asked for.
bool Builder::by_lanes_only() const {
  OpFilter rest = query_.filter;
  rest.rank.reset();
  rest.process.reset();
  return CellFilter(rest).open();
}

Timeline Builder::from_density() {
  const DensityView& density = query_.device ? view_.index->device : view_.index->host;
  const TimeRange range = widened(range_, density.shift);
  const Steps steps = steps_of(range, 1, bins(), density.shift);
  Bins bins(steps);
  const OpFilter& filter = query_.filter;
  const std::int64_t first = density.number_of(range.from_ns);
  const std::int64_t last = density.number_of(range.to_ns - 1);
  for (std::size_t lane = 0; lane < density.lanes.size(); ++lane) {
    const TimelineLane& of = density.lanes[lane];
    if (!of.other && ((filter.rank && *filter.rank != of.rank) ||
                      (filter.process && *filter.process != of.process)))
      continue;
    const std::uint32_t number = lanes_.number_of(of);
    density.for_each_bin(lane, first, last, [&](std::int64_t n, const DensityBin& bin) {
      Filling& filling = bins.at(number, steps.at(n * density.bin_ns()));
      filling.count += bin.count;
      filling.errors += bin.errors;
      filling.busy_ns += static_cast<double>(bin.busy_ns) - static_cast<double>(bin.kind_ns);
      filling.add_busy(static_cast<double>(bin.kind_ns), static_cast<Kind>(bin.kind));
    });
  }
  Timeline timeline = finished(steps, &bins);
  timeline.indexed_share = chunks_.indexed_share();
  return timeline;
}

// Cells do not know threads and streams: all of a rank's is in its first lane.
Timeline Builder::from_slots() {
  const SlotView& slots = view_.index->slots;
  const TimeRange range = widened(range_, slots.shift);
  const Steps steps = steps_of(range, 1, bins(), slots.shift);
  Bins bins(steps);
  std::vector<std::uint32_t> lane_of_cell;
  for (const CellKey& key : *view_.index->cells) {
    const std::uint32_t* lane = key.other ? nullptr : lanes_.first_of(key.process, key.rank);
    lane_of_cell.push_back(lane != nullptr && cells_.passes(key) ? *lane : UINT32_MAX);
  }
  const std::int64_t last = std::min(slots.end() - 1, slots.number_of(range.to_ns - 1));
  for (std::int64_t n = std::max(slots.base, slots.number_of(range.from_ns)); n <= last; ++n) {
    const Slot* slot = slots.at(n);
    if (slot == nullptr) continue;
    const std::size_t bin = steps.at(n * slots.slot_ns());
    for_each_cell(*slot, [&](const SlotCell& cell, auto, auto device, const TimeSums* sums) {
      if (lane_of_cell[cell.cell] == UINT32_MAX || (query_.device && sums == nullptr)) return;
      const CellKey& key = (*view_.index->cells)[cell.cell];
      std::uint64_t count = query_.device ? 0 : cell.count;
      for (const std::uint32_t each : device)
        count += query_.device ? PackedBucket::count(each) : 0;
      Filling& filling = bins.at(lane_of_cell[cell.cell], bin);
      filling.count += static_cast<std::uint32_t>(count);
      filling.errors += key.status != OpStatus::ok ? static_cast<std::uint32_t>(count) : 0;
      filling.add_busy(static_cast<double>(query_.device ? sums->sum_ns : cell.host.sum_ns),
                       key.kind);
    });
  }
  Timeline timeline = finished(steps, &bins);
  timeline.indexed_share = chunks_.indexed_share();
  return timeline;
}

}  // namespace

Result<Timeline> make_timeline(const StoreView& view, ChunkCache& cache,
                               const TimelineQuery& query) {
  return Builder(view, cache, query).make();
}

}  // namespace peerscope
