#include "trace/column_codec.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#define ZSTD_STATIC_LINKING_ONLY  // for ZSTD_c_literalCompressionMode
#include <fmt/format.h>
#include <zstd.h>

#include "trace/crc32c.hpp"
#include "trace/kernels.hpp"

namespace peerscope {

using format::Codec;
using format::ColumnEntry;
using format::Encoding;
using format::StreamEntry;

namespace {

constexpr std::size_t kMaxTable = 256;
constexpr std::size_t kSmallest = 16;  // bytes that zstd is asked about
constexpr double kWorthIt = 7.2;  // bits a byte: what saves less than a tenth is not worth its time
constexpr int kNoiseLevel = -8;   // hardly searches; literals are Huffman-coded all the same

// Bits of information a byte, by the frequencies of a sample: what no order-0 coder can beat.
double bits_a_byte(std::span<const std::uint8_t> bytes) {
  constexpr std::size_t kSample = 4096;
  std::array<std::uint32_t, 256> counts{};
  const std::size_t step = std::max<std::size_t>(1, bytes.size() / kSample);
  std::size_t total = 0;
  for (std::size_t i = 0; i < bytes.size(); i += step, ++total) ++counts[bytes[i]];
  double bits = 0;
  for (const std::uint32_t count : counts) {
    if (count != 0)
      bits -= count * std::log2(static_cast<double>(count) / static_cast<double>(total));
  }
  return bits / static_cast<double>(total);
}

bool is_run(std::span<const std::uint8_t> bytes) {
  return std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

unsigned bytes_for(std::uint64_t value) {
  return (static_cast<unsigned>(std::bit_width(value)) + 7) / 8;
}

Error damaged(std::uint8_t column, const char* what) {
  return {ErrorCode::corrupt, fmt::format("column {}: {}", column, what)};
}

}  // namespace

struct ColumnWriter::Compressor {
  explicit Compressor(int level) : noise(ZSTD_createCCtx()), repeating(ZSTD_createCCtx()) {
    // At higher levels the user pays for size: then noise is searched, too.
    ZSTD_CCtx_setParameter(noise, ZSTD_c_compressionLevel, level > 1 ? level : kNoiseLevel);
    ZSTD_CCtx_setParameter(noise, ZSTD_c_literalCompressionMode, ZSTD_ps_enable);
    ZSTD_CCtx_setParameter(repeating, ZSTD_c_compressionLevel, level);
  }
  ~Compressor() {
    ZSTD_freeCCtx(noise);
    ZSTD_freeCCtx(repeating);
  }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  ZSTD_CCtx* noise;
  ZSTD_CCtx* repeating;
};

ColumnWriter::ColumnWriter(int compression)
    : compressor_(std::make_unique<Compressor>(compression)) {}
ColumnWriter::~ColumnWriter() = default;

void ColumnWriter::clear() {
  columns_.clear();
  streams_.clear();
  body_.clear();
  shift_ = 0;
}

void ColumnWriter::add_stream(std::span<const std::uint8_t> raw, Texture texture) {
  StreamEntry entry{};
  entry.raw_bytes = static_cast<std::uint32_t>(raw.size());
  const std::size_t at = body_.size();
  std::size_t stored = raw.size();
  const std::uint8_t* from = raw.data();
  if (raw.size() > 1 && is_run(raw)) {
    entry.codec = static_cast<std::uint8_t>(Codec::run);
    stored = 1;
  } else if (raw.size() >= kSmallest &&
             (texture == Texture::repeating || bits_a_byte(raw) < kWorthIt)) {
    if (compressed_.size() < raw.size())
      compressed_.resize(raw.size());  // what does not become smaller is of no use
    ZSTD_CCtx* context = texture == Texture::noise ? compressor_->noise : compressor_->repeating;
    const std::size_t got =
        ZSTD_compress2(context, compressed_.data(), raw.size(), raw.data(), raw.size());
    if (ZSTD_isError(got) == 0 && got < raw.size()) {
      entry.codec = static_cast<std::uint8_t>(Codec::zstd);
      from = compressed_.data();
      stored = got;
    }
  }
  body_.insert(body_.end(), from, from + stored);
  entry.stored_bytes = static_cast<std::uint32_t>(stored);
  entry.crc = crc32c(body_.data() + at, stored);
  streams_.push_back(entry);
}

template <class T>
void ColumnWriter::add_frames(ColumnEntry entry, std::span<const T> values,
                              const kernels::Range& range, Texture texture) {
  const std::size_t n = values.size();
  const unsigned planes = bytes_for(range.max - range.min);
  entry.base = range.min;
  entry.shift = shift_;
  entry.planes = static_cast<std::uint8_t>(planes);
  entry.count = static_cast<std::uint32_t>(n);
  columns_.push_back(entry);
  if (planes_.size() < planes * n) planes_.resize(planes * n);
  kernels::split(values.data(), n, range.min, planes, planes_.data(), n);
  for (unsigned p = 0; p < planes; ++p) add_stream({planes_.data() + p * n, n}, texture);
}

ColumnEntry ColumnWriter::entry_of(std::uint8_t id, Encoding encoding) const {
  ColumnEntry entry{};
  entry.id = id;
  entry.encoding = static_cast<std::uint8_t>(encoding);
  entry.first_stream = static_cast<std::uint32_t>(streams_.size());
  return entry;
}

template <class T>
void ColumnWriter::add_numbers(std::uint8_t id, std::span<const T> values, Texture texture) {
  add_frames(entry_of(id, Encoding::frame), values, kernels::range_of(values.data(), values.size()),
             texture);
}
template void ColumnWriter::add_numbers(std::uint8_t, std::span<const std::uint64_t>, Texture);
template void ColumnWriter::add_numbers(std::uint8_t, std::span<const std::uint32_t>, Texture);

template <class T>
void ColumnWriter::add_signed_numbers(std::uint8_t id, std::span<T> values, Texture texture) {
  constexpr unsigned kSign = 8 * sizeof(T) - 1;
  kernels::Range range = kernels::range_of(values.data(), values.size());
  const bool negative = range.max >> kSign != 0;
  if (negative) {
    kernels::zigzag(values.data(), values.size());
    range = kernels::range_of(values.data(), values.size());
  }
  add_frames<T>(entry_of(id, negative ? Encoding::frame_zigzag : Encoding::frame), values, range,
                texture);
}
template void ColumnWriter::add_signed_numbers(std::uint8_t, std::span<std::uint64_t>, Texture);
template void ColumnWriter::add_signed_numbers(std::uint8_t, std::span<std::uint32_t>, Texture);

void ColumnWriter::add_constant(std::uint8_t id, std::uint32_t count, std::uint64_t value) {
  ColumnEntry entry = entry_of(id, Encoding::frame);
  entry.base = value;
  entry.shift = shift_;
  entry.count = count;
  columns_.push_back(entry);
}

// Few different values, found by a hash table; indices in order of appearance.
bool ColumnWriter::make_table(std::span<const std::uint64_t> values) {
  constexpr std::size_t kSlots = 1024;
  static_assert(kSlots >= 4 * kMaxTable);
  struct Slot {
    std::uint64_t value = 0;
    std::uint32_t index = UINT32_MAX;
  };
  std::array<Slot, kSlots> slots{};
  table_.clear();
  indices_.resize(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t value = values[i];
    std::size_t at = (value * 0x9E37'79B9'7F4A'7C15u) >> 54;
    while (slots[at].value != value && slots[at].index != UINT32_MAX) at = (at + 1) % kSlots;
    if (slots[at].index == UINT32_MAX) [[unlikely]] {
      if (table_.size() == kMaxTable) return false;
      slots[at] = {value, static_cast<std::uint32_t>(table_.size())};
      table_.push_back(value);
    }
    indices_[i] = static_cast<std::uint8_t>(slots[at].index);
  }
  return true;
}

void ColumnWriter::add_repeating(std::uint8_t id, std::span<const std::uint64_t> values) {
  const kernels::Range range = kernels::range_of(values.data(), values.size());
  if (range.max - range.min < 256 || !make_table(values)) {
    add_frames(entry_of(id, Encoding::frame), values, range, Texture::repeating);
    return;
  }
  ColumnEntry entry = entry_of(id, Encoding::table);
  entry.table = static_cast<std::uint32_t>(table_.size());
  entry.planes = 1;
  entry.shift = shift_;
  entry.count = static_cast<std::uint32_t>(values.size());
  columns_.push_back(entry);
  add_stream({reinterpret_cast<const std::uint8_t*>(table_.data()), table_.size() * 8},
             Texture::repeating);
  add_stream(indices_, Texture::repeating);
}

void ColumnWriter::add_planes(std::uint8_t id, std::span<const std::uint8_t> planes,
                              std::uint32_t count, std::uint8_t plane_count) {
  ColumnEntry entry = entry_of(id, Encoding::frame);
  entry.planes = plane_count;
  entry.count = count;
  columns_.push_back(entry);
  for (unsigned p = 0; p < plane_count; ++p)
    add_stream(planes.subspan(std::size_t{p} * count, count), Texture::repeating);
}

Result<ColumnReader> ColumnReader::open(std::span<const ColumnEntry> columns,
                                        std::span<const StreamEntry> streams,
                                        const SectionBytes& section, std::uint64_t body_at) {
  ColumnReader reader;
  reader.section_ = section;
  for (const StreamEntry& stream : streams) {
    reader.offsets_.push_back(body_at);
    body_at += stream.stored_bytes;
    if (body_at > section.bytes)
      return Error{ErrorCode::corrupt, "a stream lies outside of its section"};
  }
  for (const ColumnEntry& column : columns) {
    const bool has_table = column.encoding == static_cast<std::uint8_t>(Encoding::table);
    const std::uint64_t needed = std::uint64_t{column.planes} + (has_table ? 1 : 0);
    if (column.first_stream + needed > streams.size())
      return damaged(column.id, "names streams that are not there");
    if (column.shift > format::kMaxTimeShift)
      return damaged(column.id, "has steps that are too long");
  }
  reader.columns_.assign(columns.begin(), columns.end());
  reader.streams_.assign(streams.begin(), streams.end());
  return reader;
}

const ColumnEntry* ColumnReader::find(std::uint8_t id) const {
  const auto found = std::find_if(columns_.begin(), columns_.end(),
                                  [id](const ColumnEntry& c) { return c.id == id; });
  return found != columns_.end() ? &*found : nullptr;
}

namespace {

ZSTD_DCtx* decompressor() {
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  thread_local const std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
  return context.get();
}

}  // namespace

Result<std::span<const std::uint8_t>> ColumnReader::stream(
    std::size_t index, std::vector<std::uint8_t>& buffer) const {
  const StreamEntry& entry = streams_[index];
  const auto codec = static_cast<Codec>(entry.codec);
  // What is stored as it is goes to its place at once.
  std::vector<std::uint8_t>& place = codec == Codec::raw ? buffer : stored_;
  std::span<const std::uint8_t> stored;
  if (!section_.get(offsets_[index], entry.stored_bytes, place, stored))
    return Error{ErrorCode::io, "a stream cannot be read"};
  if (crc32c(stored.data(), stored.size()) != entry.crc)
    return Error{ErrorCode::corrupt, "a stream's checksum is wrong"};
  if (codec == Codec::raw && entry.raw_bytes == entry.stored_bytes) return stored;
  constexpr std::uint32_t kMaxRaw = 64U << 20;
  if (entry.raw_bytes > kMaxRaw) return Error{ErrorCode::corrupt, "a stream is too large"};
  if (codec == Codec::run && entry.stored_bytes == 1) {
    buffer.assign(entry.raw_bytes, stored[0]);
    return std::span<const std::uint8_t>(buffer);
  }
  if (codec != Codec::zstd) return Error{ErrorCode::corrupt, "a stream's codec is unknown"};
  buffer.resize(entry.raw_bytes);
  const std::size_t got = ZSTD_decompressDCtx(decompressor(), buffer.data(), buffer.size(),
                                              stored.data(), stored.size());
  if (got != buffer.size()) return Error{ErrorCode::corrupt, "a stream cannot be decompressed"};
  return std::span<const std::uint8_t>(buffer);
}

Result<std::span<const std::uint8_t>> ColumnReader::plane(const ColumnEntry& column, unsigned p,
                                                          std::vector<std::uint8_t>& buffer) const {
  const bool has_table = column.encoding == static_cast<std::uint8_t>(Encoding::table);
  auto bytes = stream(column.first_stream + (has_table ? 1 : 0) + p, buffer);
  if (!bytes) return damaged(column.id, bytes.error().message.c_str());
  if (bytes->size() != column.count) return damaged(column.id, "a plane has a wrong length");
  return bytes;
}

Result<std::vector<std::uint64_t>> ColumnReader::table(const ColumnEntry& column) const {
  std::vector<std::uint8_t> buffer;
  const auto bytes = stream(column.first_stream, buffer);
  if (!bytes) return damaged(column.id, bytes.error().message.c_str());
  if (column.table == 0 || bytes->size() != std::size_t{column.table} * 8)
    return damaged(column.id, "its table has a wrong length");
  std::vector<std::uint64_t> values(column.table);
  std::memcpy(values.data(), bytes->data(), bytes->size());
  return values;
}

Status ColumnReader::values_into(std::uint8_t id, std::span<std::uint64_t> out) const {
  const ColumnEntry* column = find(id);
  if (column == nullptr) return damaged(id, "is missing");
  if (column->count != out.size()) return damaged(id, "has a wrong length");
  if (column->planes > 8) return damaged(id, "has too many planes");
  std::array<std::vector<std::uint8_t>, 8> buffers;
  std::array<const std::uint8_t*, 8> planes{};
  for (unsigned p = 0; p < column->planes; ++p) {
    const auto bytes = plane(*column, p, buffers[p]);
    if (!bytes) return bytes.error();
    planes[p] = bytes->data();
  }
  kernels::join(planes.data(), column->planes, out.size(), column->base, out.data());
  switch (static_cast<Encoding>(column->encoding)) {
    case Encoding::frame:
      return Done{};
    case Encoding::frame_zigzag:
      kernels::unzigzag(out.data(), out.size());
      return Done{};
    case Encoding::table: {
      const auto values = table(*column);
      if (!values) return values.error();
      for (std::uint64_t& value : out) {
        if (value >= values->size()) return damaged(id, "an index is beyond its table");
        value = (*values)[value];
      }
      return Done{};
    }
  }
  return damaged(id, "has an unknown encoding");
}

Result<std::vector<std::uint64_t>> ColumnReader::values(std::uint8_t id,
                                                        std::size_t expected) const {
  std::vector<std::uint64_t> out(expected);
  if (const Status status = values_into(id, out); !status) return status.error();
  return out;
}

Status ColumnReader::indices_into(std::uint8_t id, std::span<std::uint32_t> out) const {
  const ColumnEntry* column = find(id);
  if (column == nullptr) return damaged(id, "is missing");
  if (column->count != out.size()) return damaged(id, "has a wrong length");
  if (column->planes > 2 || column->base > UINT16_MAX ||
      column->encoding != static_cast<std::uint8_t>(Encoding::frame))
    return damaged(id, "is not a column of indices");
  std::array<std::vector<std::uint8_t>, 2> buffers;
  std::array<const std::uint8_t*, 2> planes{};
  for (unsigned p = 0; p < column->planes; ++p) {
    const auto bytes = plane(*column, p, buffers[p]);
    if (!bytes) return bytes.error();
    planes[p] = bytes->data();
  }
  kernels::join32(planes.data(), column->planes, out.size(),
                  static_cast<std::uint32_t>(column->base), out.data());
  return Done{};
}

}  // namespace peerscope
