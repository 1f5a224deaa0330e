// The .pscope file to the byte; docs/trace-format.md says it in words. Little-endian throughout.
#pragma once

#include <cstddef>
#include <cstdint>

namespace peerscope::format {

inline constexpr char kFileMagic[8] = {'P', 'S', 'C', 'O', 'P', 'E', 'T', '1'};
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::uint32_t kSectionMagic = 0x4345'5350;  // "PSEC" read as bytes
inline constexpr std::size_t kAlignment = 8;                 // of sections in the file

struct FileHeader {
  char magic[8];
  std::uint32_t version;  // readers refuse a greater one
  std::uint32_t header_bytes;
  std::uint64_t trace_id;  // random; all parts of a rotated trace share it
  std::uint32_t part;      // 0, 1, 2, ... of a rotated trace
  std::uint32_t reserved;
  std::uint64_t created_real_ns;
  std::uint32_t reserved2[5];
  std::uint32_t crc;  // CRC32C of all before it
};
static_assert(sizeof(FileHeader) == 64);

enum class SectionType : std::uint16_t {
  meta = 1,     // head: TextHead; body: zstd of JSON
  summary = 2,  // head: TextHead; body: zstd of JSON
  ops = 3,      // head: OpsHead, columns, streams; body: the streams
  marks = 4,    // head: MarksHead, columns, streams; body: the streams
  end = 5,      // head: EndHead, IndexEntry...; no body. The writer ended in good order
};

// Then `head_bytes` of head, then the body, then zeros up to `section_bytes`.
struct SectionHeader {
  std::uint32_t magic;
  std::uint16_t type;           // SectionType; readers step over types that they do not know
  std::uint16_t flags;          // 0
  std::uint64_t section_bytes;  // all of it, a multiple of kAlignment
  std::uint32_t head_bytes;
  std::uint32_t head_crc;    // CRC32C of the head
  std::uint32_t reserved;    // 0
  std::uint32_t header_crc;  // CRC32C of all before it
};
static_assert(sizeof(SectionHeader) == 32);

struct TextHead {
  std::uint64_t operations;  // of the trace so far, that the text covers
  std::uint64_t raw_bytes;
  std::uint32_t stored_bytes;
  std::uint32_t crc;  // CRC32C of the stored bytes
};
static_assert(sizeof(TextHead) == 24);

struct OpsHead {
  std::uint32_t operations, shapes, lanes, columns, streams, cells, series;
  std::uint32_t kinds;               // bit k: holds an operation of kind k
  std::int64_t first_ns, last_ns;    // least and greatest begin
  std::uint64_t bytes;               // sum over the operations, modulo 2^64
  std::uint64_t not_written_before;  // operations discarded since the last chunk
  std::uint64_t clock_mono_ns, clock_real_ns, clock_uncertainty_ns;  // one instant on two clocks
};
static_assert(sizeof(OpsHead) == 88);

struct MarksHead {
  std::uint32_t marks, columns, streams, reserved;
};
static_assert(sizeof(MarksHead) == 16);

enum class Encoding : std::uint8_t {
  frame = 1,         // value = base + frame
  frame_zigzag = 2,  // value = unzigzag(base + frame)
  table = 3,  // value = table[frame]; the column's first stream is the table, 8 bytes a value
};

struct ColumnEntry {
  std::uint8_t id;        // Column, or one of the ids below
  std::uint8_t encoding;  // Encoding
  std::uint8_t planes;    // bytes of a frame: plane p holds byte p of each value. 0: all are 0
  std::uint8_t shift;     // of times: they are kept in steps of 2^shift ns
  std::uint32_t first_stream;
  std::uint32_t count;  // values
  std::uint32_t table;  // values in the table
  std::uint64_t base;
};
static_assert(sizeof(ColumnEntry) == 24);

enum class Codec : std::uint8_t { raw = 0, zstd = 1, run = 2 };  // run: one byte, repeated

struct StreamEntry {
  std::uint8_t codec;
  std::uint8_t reserved[3];
  std::uint32_t raw_bytes, stored_bytes;
  std::uint32_t crc;  // CRC32C of the stored bytes
};
static_assert(sizeof(StreamEntry) == 16);

// Columns of an ops section beside those of `enum class Column`.
inline constexpr std::uint8_t kShapesColumn = 16;  // 40 planes: byte p of each shape
inline constexpr std::uint8_t kLaneSizes = 17, kLaneFirstBegin = 18;
inline constexpr std::uint8_t kGroupFirstSequence = 19;
inline constexpr std::uint8_t kCellsColumn = 20;   // kCellFields values a cell, field after field
inline constexpr std::uint8_t kSeriesColumn = 21;  // see docs/trace-format.md

inline constexpr std::uint32_t kMaxOperations = 65'536, kMaxCells = 4'096;
inline constexpr unsigned kMaxTimeShift = 16;
inline constexpr std::uint32_t kCellFields = 12, kShapePlanes = 40;

struct EndHead {
  std::uint64_t operations, marks;
  std::uint32_t entries;
  std::uint32_t rollup_bytes;  // of the body; 0: there is none
  std::uint32_t rollup_crc;
  std::uint32_t reserved;
};
static_assert(sizeof(EndHead) == 32);

struct IndexEntry {
  std::uint64_t offset, section_bytes;
  std::int64_t first_ns, last_ns;
  std::uint64_t not_written_before;
  std::uint32_t operations, shapes, kinds;
  std::uint32_t type;
};
static_assert(sizeof(IndexEntry) == 56);

struct Trailer {             // the last bytes of a file that was closed in good order
  std::uint64_t end_offset;  // of the end section
  char magic[8];
};
static_assert(sizeof(Trailer) == 16);
inline constexpr char kTrailerMagic[8] = {'P', 'S', 'C', 'O', 'P', 'E', 'N', 'D'};

constexpr std::uint64_t round_up(std::uint64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

constexpr std::uint64_t zigzag(std::uint64_t v) { return (v << 1) ^ (0 - (v >> 63)); }
constexpr std::uint64_t unzigzag(std::uint64_t v) { return (v >> 1) ^ (0 - (v & 1)); }

}  // namespace peerscope::format
