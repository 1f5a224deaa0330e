// Pages of operations.
#include <algorithm>

#include "store/chunk_columns.hpp"
#include "store/chunk_walk.hpp"

namespace peerscope {
namespace {

// What one page may cost: what is not found within is on a later page.
constexpr std::size_t kMostDecoded = 16, kMostLooked = 256;
constexpr std::size_t kMostItems = 65'536;

struct Found {
  PageKey key;
  Op op;
};
bool earlier(const Found& a, const Found& b) { return a.key < b.key; }

class Page {
 public:
  Page(const StoreView& view, const OperationQuery& query, const Cursor& cursor)
      : view_(view),
        filter_(query.filter),
        cells_(query.filter),
        cursor_(cursor),
        most_(std::clamp<std::size_t>(query.limit, 1, kMostItems)) {}

  OperationPage make();

 private:
  [[nodiscard]] bool full() const { return found_.size() > most_; }
  [[nodiscard]] bool may_hold(OpsChunk& chunk) const;
  void add(std::size_t chunk);
  void add(std::size_t number, OpsChunk& chunk, const ChunkColumns& columns);

  const StoreView& view_;
  OpFilter filter_;
  CellFilter cells_;
  Cursor cursor_;
  std::size_t most_, looked_ = 0, decoded_ = 0;
  std::vector<Found> found_;
};

bool Page::may_hold(OpsChunk& chunk) const {
  if (cells_.open() || !chunk.has_cells()) return true;
  const auto shapes = chunk.shapes();
  const auto cells = chunk.cells();
  return std::any_of(cells.begin(), cells.end(), [&](const ChunkCell& cell) {
    return cells_.passes_class(static_cast<std::uint8_t>(cell.size_class)) &&
           filter_.passes(shapes[cell.shape]);
  });
}

void Page::add(std::size_t number) {
  ++looked_;
  auto chunk = view_.trace->chunk(number);
  if (!chunk || !may_hold(*chunk)) return;
  ++decoded_;
  // What is damaged is left out, as in an export.
  if (const auto columns = ChunkColumns::of(*chunk)) add(number, *chunk, *columns);
}

void Page::add(std::size_t number, OpsChunk& chunk, const ChunkColumns& c) {
  const std::uint64_t id = view_.trace->chunk_id(number);
  std::vector<std::uint8_t> passes;
  for (const Shape& shape : c.shapes) passes.push_back(filter_.passes(shape) ? 1 : 0);
  std::vector<PageKey> keys;
  for (std::size_t i = 0; i < c.size(); ++i) {
    if (passes[c.shape[i]] == 0 || c.begin[i] < filter_.from_ns || c.begin[i] >= filter_.to_ns ||
        c.bytes[i] < filter_.min_bytes || c.bytes[i] > filter_.max_bytes)
      continue;
    const PageKey key = PageKey{c.begin[i], id, i}.mirrored(cursor_.newest_first);
    if (cursor_.is_over(key) || (full() && key >= found_.back().key)) continue;
    keys.push_back(key);
  }
  if (keys.empty()) return;
  if (keys.size() > most_ + 1) {
    std::nth_element(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(most_), keys.end());
    keys.resize(most_ + 1);
  }
  const auto whole = ChunkColumns::with_sequence(chunk);
  if (!whole) return;
  for (const PageKey& key : keys)
    found_.push_back({key, whole->op(key.mirrored(cursor_.newest_first).minor)});
  std::sort(found_.begin(), found_.end(), earlier);
  if (found_.size() > most_ + 1) found_.resize(most_ + 1);
}

OperationPage Page::make() {
  ChunkWalk walk(view_, filter_, cursor_);
  Cursor next = cursor_;
  bool more = false;
  for (;;) {
    const auto bound = walk.bound();
    if (!bound || (full() && found_.back().key < *bound)) break;
    // All chunks that reach back to the cursor have to be looked at, however many: else no page would get past them.
    if ((decoded_ >= kMostDecoded || looked_ >= kMostLooked) && *bound > cursor_.key) {
      std::erase_if(found_, [&](const Found& each) { return each.key >= *bound; });
      next.key = *bound;
      next.inclusive = more = true;
      break;
    }
    add(walk.next());
  }
  if (full()) {
    found_.resize(most_);
    next.key = found_.back().key;
    next.inclusive = false;
    more = true;
  }
  OperationPage page;
  for (const Found& each : found_) page.items.push_back(each.op);
  if (more) page.next = to_text(next);
  return page;
}

}  // namespace

Result<OperationPage> find_operations(const StoreView& view, const OperationQuery& query) {
  const auto cursor = parse_cursor(query.cursor, Cursor::Of::operations, query.newest_first);
  if (!cursor) return cursor.error();
  return Page(view, query, *cursor).make();
}

}  // namespace peerscope
