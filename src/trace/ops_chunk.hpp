// One chunk of operations, by columns: only what is asked for is read, checked and decoded.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "trace/shape.hpp"

namespace peerscope {

enum class Column : std::uint8_t {
  shape = 0,          // index into shapes()
  begin = 1,          // ns; as Op::begin_ns
  host_duration = 2,  // ns; kUnknownNs where unknown, as all of the following times
  device_begin = 3,
  device_duration = 4,
  bytes = 5,
  sequence = 6,
};
inline constexpr std::size_t kColumns = 7;

// What the writer counted while it wrote: one cell for each (shape, size class) of the chunk.
struct ChunkCell {
  std::uint32_t shape = 0;             // index into shapes()
  std::uint32_t size_class = 0;        // model/size_class.hpp
  std::uint64_t count = 0, bytes = 0;  // not weighted
  std::uint64_t host_count = 0, host_sum_ns = 0, host_min_ns = 0, host_max_ns = 0;
  std::uint64_t device_count = 0, device_sum_ns = 0, device_min_ns = 0, device_max_ns = 0;
  bool operator==(const ChunkCell&) const = default;
};

// A histogram of durations of one (kind, algorithm, size class), not weighted. Buckets are those of
// analyze/histogram.hpp: 8 an octave.
struct ChunkSeries {
  Kind kind = Kind::other;
  Algorithm algorithm = Algorithm::unknown;
  std::uint8_t size_class = 0;
  bool device = false;  // of device times; else of host times
  std::vector<std::pair<std::uint16_t, std::uint64_t>> buckets;  // (bucket, count), ascending
};

class OpsChunk {
 public:
  // `section` is the whole section as it lies in the file and must live as long as the chunk.
  // Checks everything that it does not decode later against its bounds.
  static Result<OpsChunk> open(std::span<const std::uint8_t> section);
  // The same in a file: only what is asked for is read.
  static Result<OpsChunk> open(int fd, std::uint64_t offset, std::uint64_t bytes);
  OpsChunk(OpsChunk&&) noexcept;
  OpsChunk& operator=(OpsChunk&&) noexcept;
  ~OpsChunk();

  [[nodiscard]] std::uint32_t size() const;       // operations, at most 65,536
  [[nodiscard]] std::span<const Shape> shapes();  // empty if that part is damaged: see status()

  // Values of one column, in the order of the chunk (grouped by thread). Decoded at the first call;
  // empty if damaged: see status(). Signed columns are two's complement.
  std::span<const std::uint32_t> shape_index();
  std::span<const std::int64_t> times(Column column);  // begin, host/device duration, device begin
  std::span<const std::uint64_t> values(Column column);  // bytes, sequence

  // A column of at most 256 different values as it is stored: value i is table[index[i]]. Empty for
  // other columns, and where it is damaged (then values() says so). `table` has 256 entries.
  struct Packed {
    std::span<const std::uint8_t> index;
    std::vector<std::uint64_t> table;
    std::unique_ptr<std::vector<std::uint8_t>> storage;  // what `index` may point into
  };
  std::optional<Packed> packed(Column column);  // shape, bytes

  // Empty where the writer kept none: over 4,096 cells.
  [[nodiscard]] bool has_cells() const;
  std::span<const ChunkCell> cells();
  const std::vector<ChunkSeries>& series();

  // All operations, by time of begin. Empty if damaged.
  std::span<const Op> ops();

  // Whether all that was asked for so far was sound.
  [[nodiscard]] const Status& status() const;

 private:
  struct State;
  static Result<OpsChunk> open(std::unique_ptr<State> state);
  explicit OpsChunk(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace peerscope
