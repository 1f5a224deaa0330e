// Columns of numbers as streams of bytes, and back.
//
// A column is a frame of reference cut into byte planes: low bytes of times are noise and stay as
// they are; what has structure lies in planes of its own, where zstd finds it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "trace/format.hpp"
#include "trace/kernels.hpp"
#include "trace/section.hpp"

namespace peerscope {

// What compresses best: noise has no repetitions worth a search, indices have little else.
enum class Texture : std::uint8_t { noise, repeating };

// Collects a section's columns and streams. Reused from chunk to chunk.
class ColumnWriter {
 public:
  explicit ColumnWriter(int compression);
  ~ColumnWriter();
  ColumnWriter(const ColumnWriter&) = delete;
  ColumnWriter& operator=(const ColumnWriter&) = delete;

  void clear();
  // Noted in the columns that follow.
  void set_shift(unsigned shift) { shift_ = static_cast<std::uint8_t>(shift); }
  // 32 or 64 bits a value: what is written is the same.
  void add(std::uint8_t id, std::span<const std::uint64_t> values, Texture texture) {
    add_numbers(id, values, texture);
  }
  void add(std::uint8_t id, std::span<const std::uint32_t> values, Texture texture) {
    add_numbers(id, values, texture);
  }
  // Numbers that may be negative; zigzag only if one is. `values` is used up.
  void add_signed(std::uint8_t id, std::span<std::uint64_t> values, Texture texture) {
    add_signed_numbers(id, values, texture);
  }
  void add_signed(std::uint8_t id, std::span<std::uint32_t> values, Texture texture) {
    add_signed_numbers(id, values, texture);
  }
  // `count` times the same.
  void add_constant(std::uint8_t id, std::uint32_t count, std::uint64_t value);
  // Like add, but few different values become a table.
  void add_repeating(std::uint8_t id, std::span<const std::uint64_t> values);
  // Planes as they are: `planes` streams of `count` bytes each.
  void add_planes(std::uint8_t id, std::span<const std::uint8_t> planes, std::uint32_t count,
                  std::uint8_t plane_count);

  [[nodiscard]] std::span<const format::ColumnEntry> columns() const { return columns_; }
  [[nodiscard]] std::span<const format::StreamEntry> streams() const { return streams_; }
  [[nodiscard]] std::span<const std::uint8_t> body() const { return body_; }

 private:
  struct Compressor;
  [[nodiscard]] format::ColumnEntry entry_of(std::uint8_t id, format::Encoding encoding) const;
  template <class T>
  void add_numbers(std::uint8_t id, std::span<const T> values, Texture texture);
  template <class T>
  void add_signed_numbers(std::uint8_t id, std::span<T> values, Texture texture);
  template <class T>
  void add_frames(format::ColumnEntry entry, std::span<const T> values, const kernels::Range& range,
                  Texture texture);
  void add_stream(std::span<const std::uint8_t> raw, Texture texture);
  bool make_table(std::span<const std::uint64_t> values);

  std::unique_ptr<Compressor> compressor_;
  std::uint8_t shift_ = 0;
  std::vector<std::uint8_t> compressed_;
  std::vector<format::ColumnEntry> columns_;
  std::vector<format::StreamEntry> streams_;
  std::vector<std::uint8_t> body_, planes_;
  std::vector<std::uint64_t> table_;
  std::vector<std::uint8_t> indices_;
};

// A section's columns, checked against its bounds; each is decoded and checked when it is asked for.
class ColumnReader {
 public:
  ColumnReader() = default;
  // `body_at`: where in the section its streams begin.
  static Result<ColumnReader> open(std::span<const format::ColumnEntry> columns,
                                   std::span<const format::StreamEntry> streams,
                                   const SectionBytes& section, std::uint64_t body_at);

  [[nodiscard]] const format::ColumnEntry* find(std::uint8_t id) const;
  // Values of a column, `expected` of them; the error names the column.
  Result<std::vector<std::uint64_t>> values(std::uint8_t id, std::size_t expected) const;
  Status values_into(std::uint8_t id, std::span<std::uint64_t> out) const;
  Status indices_into(std::uint8_t id, std::span<std::uint32_t> out) const;  // at most 2 planes
  // The table of a column that has one, and its indices.
  Result<std::vector<std::uint64_t>> table(const format::ColumnEntry& column) const;
  // Plane p of a column: points into the file, or into `buffer`.
  Result<std::span<const std::uint8_t>> plane(const format::ColumnEntry& column, unsigned p,
                                              std::vector<std::uint8_t>& buffer) const;

 private:
  [[nodiscard]] Result<std::span<const std::uint8_t>> stream(
      std::size_t index, std::vector<std::uint8_t>& buffer) const;

  std::vector<format::ColumnEntry> columns_;
  std::vector<format::StreamEntry> streams_;
  std::vector<std::uint64_t> offsets_;  // of streams in the section
  SectionBytes section_;
  mutable std::vector<std::uint8_t> stored_;  // a stream as it was read
};

}  // namespace peerscope
