// Chunks in the order of a list's pages. Those in which nothing passes the filter, as far as the index knows, are left out.
#pragma once

#include <optional>
#include <vector>

#include "store/cursor.hpp"
#include "store/view.hpp"

namespace peerscope {

// Whether a slot holds a cell that passes; found out when it is asked for.
class SlotFilter {
 public:
  SlotFilter(const StoreView& view, const OpFilter& filter);
  // Of an indexed chunk with such begins.
  [[nodiscard]] bool may_hold(std::int64_t first_ns, std::int64_t last_ns);

 private:
  enum class Known : std::uint8_t { nothing, holds, holds_not };
  bool holds(std::size_t slot);
  const SlotView& slots_;
  bool open_;
  std::vector<std::uint8_t> passes_;  // of each cell
  std::vector<Known> known_;          // of each slot
};

class ChunkWalk {
 public:
  ChunkWalk(const StoreView& view, const OpFilter& filter, const Cursor& cursor);

  // What is left begins with this key or later ones; absent: nothing is left. Mirrored as the cursor is.
  std::optional<PageKey> bound();
  std::size_t next();  // after bound()

 private:
  struct Candidate {
    PageKey bound;
    std::size_t chunk;
  };
  static bool later(const Candidate& a, const Candidate& b) { return a.bound > b.bound; }

  const StoreView& view_;
  OpFilter filter_;
  SlotFilter slots_;
  std::vector<Candidate> heap_;
};

}  // namespace peerscope
