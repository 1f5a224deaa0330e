// The index of a trace: cells by slots of time, and how busy lanes were. One thread makes it; views of it never change.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "store/cell_table.hpp"
#include "store/density.hpp"
#include "store/slots.hpp"

namespace peerscope {

struct IndexView {
  SlotView slots;
  std::shared_ptr<const std::vector<CellKey>> cells = std::make_shared<std::vector<CellKey>>();
  DensityView host, device;
  std::size_t chunks = 0;               // the trace's first so many are in it
  std::vector<std::int64_t> chunk_end;  // of each: the greatest end of its operations, on any clock
  std::uint64_t operations = 0, overflowed = 0;
  std::size_t memory_bytes = 0;
};

// Part of the times: all operations that begin in [from, to].
struct IndexPart {
  std::int64_t from_ns = INT64_MIN, to_ns = INT64_MAX;
};

class Index {
 public:
  static constexpr std::size_t kSlotBytes = 24U << 20, kDensityBytes = 8U << 20;

  Index();
  ~Index();
  Index(Index&&) noexcept;
  Index& operator=(Index&&) noexcept;

  // Slots as long as the whole of `trace` needs: spares doubling them on the way.
  void expect(const TraceReader& trace);
  // The next chunk. What is damaged is left out.
  void add(const TraceReader& trace, std::size_t chunk);
  // The oldest `count` chunks are no longer there; `trace` has the rest.
  void forget(const TraceReader& trace, std::size_t count);

  [[nodiscard]] std::shared_ptr<const IndexView> publish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace peerscope
