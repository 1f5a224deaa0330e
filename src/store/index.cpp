#include "store/index.hpp"

#include <algorithm>

#include "store/chunk_counter.hpp"
#include "store/chunk_density.hpp"
#include "store/store.hpp"

namespace peerscope {
namespace {

struct IndexedChunk {
  Span begins, device_begins;  // of its operations
  std::int64_t end_ns = INT64_MIN;
  std::uint64_t operations = 0, overflowed = 0;
};

Span span_of_all(std::span<const std::int64_t> begins) {
  Span span;
  for (const std::int64_t begin : begins) span.add(begin);
  return span;
}

std::int64_t greatest_end(const ChunkColumns& c) {
  std::int64_t end = INT64_MIN;
  for (std::size_t i = 0; i < c.size(); ++i) {
    end = std::max(end, end_of(c.begin[i], c.host[i]));
    if (c.device_begin[i] != kUnknownNs)
      end = std::max(end, end_of(c.device_begin[i], c.device[i]));
  }
  return end;
}

// Of a chunk of which only a part of the times is wanted.
Span within(Span span, const IndexPart& part) {
  span.first_ns = std::max(span.first_ns, part.from_ns);
  span.last_ns = std::min(span.last_ns, part.to_ns);
  return span;
}

// What slots or bins of 2^shift ns hold that begin in `span`.
IndexPart whole(const Span& span, unsigned shift) {
  const auto mask = (std::int64_t{1} << shift) - 1;
  return {span.first_ns & ~mask, span.last_ns | mask};
}

}  // namespace

struct Index::State {
  CellTable cells;
  SlotTable slots{Store::kMostSlots, kSlotBytes};
  Density host{kDensityBytes}, device{kDensityBytes};
  ChunkCounter counter;
  std::deque<IndexedChunk> chunks;
  std::uint64_t operations = 0, overflowed = 0;
  std::shared_ptr<const std::vector<CellKey>> published_cells =
      std::make_shared<std::vector<CellKey>>();

  void count(const ChunkColumns& columns, const Span& begins, const IndexPart& part);
  void add_lanes(const ChunkColumns& columns, Density& density, const Span& begins,
                 const IndexPart& part, std::int64_t end_ns);
  void forget_slots(const TraceReader& trace, const Span& gone);
  void forget_lanes(const TraceReader& trace, Density& density, const Span& gone);
  template <class F>
  void again(const TraceReader& trace, Span IndexedChunk::* span, const IndexPart& part, F&& f);
};

void Index::State::count(const ChunkColumns& columns, const Span& begins, const IndexPart& part) {
  const Span wanted = within(begins, part);
  if (wanted.empty()) return;
  slots.cover(wanted.first_ns, wanted.last_ns);
  counter.count({columns, slots.view().shift, wanted.first_ns, wanted.last_ns}, cells,
                [&](std::int64_t number, Slot&& slot) { slots.add(number, std::move(slot)); });
  slots.keep_within_memory();
}

// An operation that takes much longer than all that is there does not make bins longer: its end is left out.
void Index::State::add_lanes(const ChunkColumns& columns, Density& density, const Span& begins,
                             const IndexPart& part, std::int64_t end_ns) {
  constexpr std::int64_t kAlways = 1'000'000'000;
  const Span wanted = within(begins, part);
  if (wanted.empty()) return;
  density.cover(wanted.first_ns, wanted.last_ns);
  const DensityView& bins = density.view();
  const std::int64_t more = bins.shift < 40 ? std::max(kAlways, bins.bins << bins.shift) : kAlways;
  density.cover(wanted.first_ns,
                std::max(wanted.last_ns, std::min(end_ns, end_of(wanted.last_ns, more))));
  add_density({columns, {&density == &device}, wanted.first_ns, wanted.last_ns}, density);
  density.keep_within_memory();
}

Index::Index() : state_(std::make_unique<State>()) {}
Index::~Index() = default;
Index::Index(Index&&) noexcept = default;
Index& Index::operator=(Index&&) noexcept = default;

void Index::expect(const TraceReader& trace) {
  Span all;
  for (const ChunkInfo& chunk : trace.chunks()) {
    if (chunk.operations == 0) continue;
    all.add(chunk.first_ns);
    all.add(chunk.last_ns);
  }
  if (all.empty()) return;
  state_->slots.cover(all.first_ns, all.last_ns);
  state_->host.cover(all.first_ns, all.last_ns);
}

void Index::add(const TraceReader& trace, std::size_t number) {
  State& state = *state_;
  IndexedChunk chunk;
  chunk.operations = trace.chunks()[number].operations;
  if (auto opened = trace.chunk(number)) {
    if (const auto columns = ChunkColumns::of(*opened)) {
      const std::uint64_t overflowed = state.counter.overflowed();
      chunk.begins = span_of_all(columns->begin);
      chunk.device_begins = span_of(*columns, {true});
      chunk.end_ns = greatest_end(*columns);
      state.count(*columns, chunk.begins, {});
      state.add_lanes(*columns, state.host, chunk.begins, {}, chunk.end_ns);
      state.add_lanes(*columns, state.device, chunk.device_begins, {}, chunk.end_ns);
      chunk.overflowed = state.counter.overflowed() - overflowed;
    }
  }
  state.operations += chunk.operations;
  state.overflowed += chunk.overflowed;
  state.chunks.push_back(chunk);
}

// All indexed chunks with a part of their times in `part`, once more.
template <class F>
void Index::State::again(const TraceReader& trace, Span IndexedChunk::* span, const IndexPart& part,
                         F&& f) {
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const Span& begins = chunks[i].*span;
    if (begins.empty() || !begins.overlaps(part.from_ns, part.to_ns)) continue;
    auto opened = trace.chunk(i);
    if (!opened) continue;
    if (const auto columns = ChunkColumns::of(*opened)) f(*columns, chunks[i]);
  }
}

void Index::State::forget_slots(const TraceReader& trace, const Span& gone) {
  if (gone.empty()) return;
  const unsigned shift = slots.view().shift;
  const IndexPart part = whole(gone, shift);
  slots.erase(part.from_ns >> shift, part.to_ns >> shift);
  again(trace, &IndexedChunk::begins, part,
        [&](const ChunkColumns& columns, const IndexedChunk& chunk) {
          count(columns, chunk.begins, part);
        });
}

void Index::State::forget_lanes(const TraceReader& trace, Density& density, const Span& gone) {
  if (gone.empty()) return;
  const auto span = &density == &device ? &IndexedChunk::device_begins : &IndexedChunk::begins;
  const unsigned shift = density.view().shift;
  const IndexPart part = whole(gone, shift);
  density.erase(part.from_ns >> shift, part.to_ns >> shift);
  again(trace, span, part, [&](const ChunkColumns& columns, const IndexedChunk& chunk) {
    add_lanes(columns, density, chunk.*span, part, chunk.end_ns);
  });
}

void Index::forget(const TraceReader& trace, std::size_t count) {
  State& state = *state_;
  Span begins, device_begins;
  for (; count > 0 && !state.chunks.empty(); --count) {
    const IndexedChunk& gone = state.chunks.front();
    begins.add(gone.begins);
    device_begins.add(gone.device_begins);
    state.operations -= gone.operations;
    state.overflowed -= gone.overflowed;
    state.chunks.pop_front();
  }
  state.forget_slots(trace, begins);
  state.forget_lanes(trace, state.host, begins);
  state.forget_lanes(trace, state.device, device_begins);
}

std::shared_ptr<const IndexView> Index::publish() {
  State& state = *state_;
  auto view = std::make_shared<IndexView>();
  view->slots = state.slots.view();
  if (state.published_cells->size() != state.cells.size())
    state.published_cells = std::make_shared<const std::vector<CellKey>>(state.cells.keys());
  view->cells = state.published_cells;
  view->host = state.host.view();
  view->device = state.device.view();
  state.host.published();
  state.device.published();
  view->chunks = state.chunks.size();
  for (const IndexedChunk& chunk : state.chunks) view->chunk_end.push_back(chunk.end_ns);
  view->operations = state.operations;
  view->overflowed = state.overflowed;
  view->memory_bytes = state.slots.memory_bytes() + state.host.memory_bytes() +
                       state.device.memory_bytes() + state.cells.memory_bytes() +
                       state.cells.size() * sizeof(CellKey) +
                       state.chunks.size() * (sizeof(IndexedChunk) + sizeof(std::int64_t));
  return view;
}

}  // namespace peerscope
