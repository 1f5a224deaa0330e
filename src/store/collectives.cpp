// Pages of collectives.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "store/chunk_walk.hpp"
#include "store/join.hpp"

namespace peerscope {
namespace {

// What one page may cost, some 40 ms: what is not found within is on a later page.
constexpr std::uint64_t kMostOperations = 131'072;
constexpr std::size_t kMostChunks = 64;
constexpr std::size_t kNeighbours = 2;  // on either side, for ranks that came earlier or later
constexpr std::uint64_t kMostBeside = 131'072;  // operations of these
constexpr std::int64_t kReachNs =
    1'000'000'000;  // that a rank may be apart from the others, in another chunk
constexpr std::size_t kMostItems = 4096;
constexpr std::uint32_t kCollectives = [] {
  std::uint32_t kinds = 0;
  for (unsigned k = 0; k < 32; ++k) kinds |= is_collective(static_cast<Kind>(k)) ? 1U << k : 0;
  return kinds;
}();

struct Found {
  PageKey key;
  CollectiveItem item;
};

class Page {
 public:
  Page(const StoreView& view, const OperationQuery& query, const Cursor& cursor)
      : view_(view),
        filter_(query.filter),
        cursor_(cursor),
        most_(std::clamp<std::size_t>(query.limit, 1, kMostItems)) {
    filter_.kinds = filter_.kinds == 0 ? kCollectives : filter_.kinds & kCollectives;
    join_ = Join(filter_);
  }
  Result<CollectivePage> make();

 private:
  void load(std::size_t chunk);
  void load_neighbours(std::span<const Found> found);
  [[nodiscard]] std::optional<PageKey> key_of(const Join::Group& group) const;
  // Whether more than a page pass, come after the cursor and before `end`.
  [[nodiscard]] bool is_full(const PageKey& end) const;
  // Those; the first most_ + 1 of them.
  std::vector<Found> find(const std::optional<PageKey>& end) const;

  const StoreView& view_;
  OpFilter filter_;
  Cursor cursor_;
  std::size_t most_;
  std::set<std::size_t> loaded_;
  std::uint64_t operations_ = 0;  // in these
  std::vector<OpsChunk> chunks_;  // what the join refers to
  Join join_{OpFilter{}};
};

void Page::load(std::size_t number) {
  if (!loaded_.insert(number).second) return;
  operations_ += view_.trace->chunks()[number].operations;
  auto chunk = view_.trace->chunk(number);
  if (!chunk) return;
  const auto columns = ChunkColumns::with_sequence(*chunk);
  if (!columns) return;
  join_.add(*columns);
  chunks_.push_back(std::move(*chunk));
}

bool is_near(const ChunkInfo& chunk, const CollectiveItem& item) {
  return chunk.first_ns <= end_of(item.last_ns, kReachNs) &&
         end_of(chunk.last_ns, kReachNs) >= item.first_ns;
}

// Of the chunks in which these lie.
void Page::load_neighbours(std::span<const Found> found) {
  const std::set<std::size_t> walked = loaded_;
  const std::uint64_t before = operations_;
  const std::vector<ChunkInfo>& chunks = view_.trace->chunks();
  for (const Found& each : found) {
    const CollectiveItem& item = each.item;
    if (item.seen == item.ranks) continue;
    for (const std::size_t chunk : walked) {
      if (chunks[chunk].first_ns > item.last_ns || chunks[chunk].last_ns < item.first_ns) continue;
      for (std::size_t i = 1; i <= kNeighbours; ++i) {
        if (operations_ >= before + kMostBeside) return;
        if (chunk + i < chunks.size() && is_near(chunks[chunk + i], item)) load(chunk + i);
        if (chunk >= i && is_near(chunks[chunk - i], item)) load(chunk - i);
      }
    }
  }
}

std::optional<PageKey> Page::key_of(const Join::Group& group) const {
  if (!group.wanted || group.first_ns < filter_.from_ns || group.first_ns >= filter_.to_ns)
    return std::nullopt;
  const PageKey key =
      PageKey{group.first_ns, group.comm, group.sequence}.mirrored(cursor_.newest_first);
  return cursor_.is_over(key) ? std::nullopt : std::optional(key);
}

bool Page::is_full(const PageKey& end) const {
  std::size_t count = 0;
  for (const Join::Group& group : join_.groups()) {
    const auto key = key_of(group);
    if (key && *key < end && ++count > most_) return true;
  }
  return false;
}

std::vector<Found> Page::find(const std::optional<PageKey>& end) const {
  std::vector<std::pair<PageKey, std::size_t>> order;
  for (std::size_t i = 0; i < join_.groups().size(); ++i) {
    const auto key = key_of(join_.groups()[i]);
    if (key && (!end || *key < *end)) order.emplace_back(*key, i);
  }
  const std::size_t wanted = std::min(order.size(), most_ + 1);
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(wanted),
                    order.end());
  order.resize(wanted);
  std::vector<Found> found;
  for (const auto& [key, group] : order)
    found.push_back({key, collective_of(join_.ops_of(join_.groups()[group]))});
  return found;
}

Result<CollectivePage> Page::make() {
  CollectivePage page;
  if (filter_.kinds == 0) return page;
  Cursor from = cursor_;  // chunks are sought by time alone
  from.key = {cursor_.key.begin_ns, 0, 0};
  from.inclusive = true;
  ChunkWalk walk(view_, filter_, from);
  std::optional<PageKey> end;
  for (;;) {
    end = walk.bound();
    if (!end) break;
    if (loaded_.size() >= 2 * kMostChunks)
      return Error{ErrorCode::corrupt, fmt::format("{}: more than {} chunks reach over one moment; "
                                                   "its operations are not in the order of time",
                                                   view_.trace->path(), loaded_.size())};
    // A chunk further on may hold an earlier rank of what begins there: only what lies before it is certain.
    if (!loaded_.empty() && end->begin_ns > cursor_.key.begin_ns) {
      end = PageKey{end->begin_ns, 0, 0};
      if (operations_ >= kMostOperations || loaded_.size() >= kMostChunks || is_full(*end)) break;
    }
    load(walk.next());
  }
  std::vector<Found> found = find(end);
  const auto shown = std::span(found).first(std::min(found.size(), most_));
  if (std::any_of(shown.begin(), shown.end(),
                  [](const Found& each) { return each.item.seen < each.item.ranks; })) {
    load_neighbours(shown);
    found = find(end);
  }
  Cursor next = cursor_;
  const bool more = end.has_value() || found.size() > most_;
  if (found.size() > most_) {
    found.resize(most_);
    next.key = found.back().key;
    next.inclusive = false;
  } else if (end) {
    next.key = *end;
    next.inclusive = true;
  }
  for (Found& each : found) page.items.push_back(std::move(each.item));
  if (more) page.next = to_text(next);
  return page;
}

}  // namespace

Result<CollectivePage> find_collectives(const StoreView& view, const OperationQuery& query) {
  const auto cursor = parse_cursor(query.cursor, Cursor::Of::collectives, query.newest_first);
  if (!cursor) return cursor.error();
  return Page(view, query, *cursor).make();
}

}  // namespace peerscope
