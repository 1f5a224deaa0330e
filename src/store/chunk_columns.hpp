// A chunk's columns, decoded together.
#pragma once

#include <span>

#include "trace/reader.hpp"

namespace peerscope {

// Valid as long as the chunk.
struct ChunkColumns {
  std::span<const Shape> shapes;
  std::span<const std::uint32_t> shape;
  std::span<const std::int64_t> begin, host, device_begin, device;
  std::span<const std::uint64_t> bytes, sequence;
  [[nodiscard]] std::size_t size() const { return begin.size(); }

  // Without `sequence`, which costs as much as all others.
  static Result<ChunkColumns> of(OpsChunk& chunk) {
    ChunkColumns c;
    c.shapes = chunk.shapes();
    c.shape = chunk.shape_index();
    c.begin = chunk.times(Column::begin);
    c.host = chunk.times(Column::host_duration);
    c.device_begin = chunk.times(Column::device_begin);
    c.device = chunk.times(Column::device_duration);
    c.bytes = chunk.values(Column::bytes);
    if (!chunk.status()) return chunk.status().error();
    return c;
  }
  static Result<ChunkColumns> with_sequence(OpsChunk& chunk) {
    auto c = of(chunk);
    if (!c) return c.error();
    c->sequence = chunk.values(Column::sequence);
    if (!chunk.status()) return chunk.status().error();
    return c;
  }

  [[nodiscard]] Op op(std::size_t i) const {
    Op op;
    op.begin_ns = begin[i];
    op.host_duration_ns = host[i];
    op.device_begin_ns = device_begin[i];
    op.device_duration_ns = device[i];
    op.bytes = bytes[i];
    op.sequence = sequence.empty() ? 0 : sequence[i];
    shapes[shape[i]].apply(op);
    return op;
  }
};

// Ends of intervals: a hostile file's sums do not overflow.
constexpr std::int64_t end_of(std::int64_t begin, std::int64_t duration) {
  if (duration <= 0) return begin;
  return begin > INT64_MAX - duration ? INT64_MAX : begin + duration;
}

}  // namespace peerscope
