// The segment: the one contract between guest code (which writes) and host code (which reads), to the byte.
//
// A process that records owns one file in shared memory. Everything in it is written by that process, but for what a reader
// may write: `Control` (level and filter), a larger block for a busy ring (`SegmentHeader::used`, `RingHeader::wanted_log2`
// and `offer`; its pages are touched by adding 0), and calibrations. A reader never trusts an offset or a count from the file without checking it against the file's size.
//
//   0                 SegmentHeader     identity, state, control, clock, counts
//   kTablesOffset     Tables            ring directory, names, communicators, streams, metrics, device clocks
//   kRingsOffset      rings and blocks  allocated from `SegmentHeader::used`, page-aligned, never moved or freed
//
// All integers are little-endian. Words that change while others read are atomics; everything else is written before the
// count that makes it visible.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "peerscope/peerscope.h"

namespace peerscope {

using Word = std::atomic<std::uint64_t>;
using HalfWord = std::atomic<std::uint32_t>;

inline constexpr std::uint64_t kSegmentMagic = 0x3130'4547'4553'5350;  // "PSSEGE01" read as bytes
inline constexpr std::uint32_t kSegmentVersion = 2;
inline constexpr std::size_t kPageBytes = 4096;

inline constexpr std::uint32_t kMaxRings = 4096;
inline constexpr std::uint32_t kMaxNames = 2048;
inline constexpr std::uint32_t kNameBytes = 64 * 1024;
inline constexpr std::uint32_t kMaxComms = 1024;
inline constexpr std::uint32_t kMaxStreams = 1024;
inline constexpr std::uint32_t kMaxMetrics = 256;
inline constexpr std::uint32_t kMaxHistograms = 32;
inline constexpr std::uint32_t kHistogramBuckets = 320;  // 8 an octave, 40 octaves
inline constexpr std::uint32_t kMaxDeviceClocks = 64;
inline constexpr std::uint32_t kMaxCalibrations = 32;
inline constexpr std::uint32_t kMaxBlocks = 8;
inline constexpr std::uint32_t kInFlightSlots = 64;
inline constexpr std::uint32_t kKinds = 32;
inline constexpr std::uint32_t kMaxFilterComms = 8;
inline constexpr std::uint32_t kDetailBudgetPpm = 10'000;  // 1 % of a thread's time
inline constexpr std::uint32_t kBasicSampling = 64;  // level basic times one operation in this many

// ---- the record: 32 bytes, one operation (or one further fact about it) -------------------------------------------

enum class Tag : std::uint8_t {
  none = 0,
  op = 1,            // a finished operation
  device_times = 2,  // begin and duration are the device's, in ns
  phase = 3,         // of the operation with this sequence; `peer` is the phase's name
  call_site = 4,     // bytes: the name's id of the operation's call site
  event = 5,         // w2: the value
  thread_start = 6,  // w2: the thread's id
  complete = 7,      // an asynchronous operation has left the device: duration since its begin
};

// w0: begin 60 | tag 4            begin in clock ticks (in ns for device_times)
// w1: duration 40 | kind 5 | algorithm 5 | protocol 3 | dtype 4 | status 5 | sampled 1 | async 1
// w2: bytes 40 | communicator 12 | stream 12         (device_times: device clock in `stream`)
// w3: sequence 48 | peer 16                          (device_times: channel, or a copy's destination, in `peer`)
inline constexpr unsigned kTagBits = 4, kDurationBits = 40, kBytesBits = 40, kSequenceBits = 48;
inline constexpr unsigned kBeginBits = 64 - kTagBits;
inline constexpr std::uint64_t kBeginMask = (std::uint64_t{1} << kBeginBits) - 1;
inline constexpr std::uint64_t kDurationMax = (std::uint64_t{1} << kDurationBits) - 1;
inline constexpr std::uint64_t kBytesMax = (std::uint64_t{1} << kBytesBits) - 1;
inline constexpr std::uint64_t kSequenceMask = (std::uint64_t{1} << kSequenceBits) - 1;

struct Record {  // a copy of one, as readers hold it
  std::uint64_t w0, w1, w2, w3;

  [[nodiscard]] Tag tag() const { return static_cast<Tag>(w0 >> (64 - kTagBits)); }
  [[nodiscard]] std::uint64_t begin() const { return w0 & kBeginMask; }
  [[nodiscard]] std::uint64_t duration() const { return w1 & kDurationMax; }
  [[nodiscard]] std::uint8_t kind() const { return (w1 >> 40) & 31; }
  [[nodiscard]] std::uint8_t algorithm() const { return (w1 >> 45) & 31; }
  [[nodiscard]] std::uint8_t protocol() const { return (w1 >> 50) & 7; }
  [[nodiscard]] std::uint8_t dtype() const { return (w1 >> 53) & 15; }
  [[nodiscard]] std::uint8_t status() const { return (w1 >> 57) & 31; }
  [[nodiscard]] bool sampled() const { return (w1 >> 62) & 1; }
  [[nodiscard]] bool async() const { return w1 >> 63; }
  [[nodiscard]] std::uint64_t bytes() const { return w2 & kBytesMax; }
  [[nodiscard]] std::uint16_t comm() const { return (w2 >> 40) & 0xFFF; }
  [[nodiscard]] std::uint16_t stream() const { return static_cast<std::uint16_t>(w2 >> 52); }
  [[nodiscard]] std::uint64_t sequence() const { return w3 & kSequenceMask; }
  [[nodiscard]] std::uint16_t peer() const {
    return static_cast<std::uint16_t>(w3 >> kSequenceBits);
  }
};
static_assert(sizeof(Record) == 32);

inline constexpr unsigned kStatusShift = 57;
constexpr std::uint64_t pack_w0(Tag tag, std::uint64_t begin) {
  return (begin & kBeginMask) | static_cast<std::uint64_t>(tag) << (64 - kTagBits);
}
constexpr std::uint64_t pack_meta(const pscope_op& op) {  // w1 without duration, status and sampled
  return static_cast<std::uint64_t>(op.kind & 31) << 40 |
         static_cast<std::uint64_t>(op.algorithm & 31) << 45 |
         static_cast<std::uint64_t>(op.protocol & 7) << 50 |
         static_cast<std::uint64_t>(op.dtype & 15) << 53 |
         static_cast<std::uint64_t>(op.async & 1) << 63;
}
constexpr std::uint64_t pack_w2(std::uint64_t bytes, std::uint64_t comm, std::uint64_t stream) {
  return (bytes < kBytesMax ? bytes : kBytesMax) | (comm & 0xFFF) << 40 | stream << 52;
}
constexpr std::uint64_t pack_w3(std::uint64_t sequence, std::uint64_t peer) {
  return (sequence & kSequenceMask) | peer << kSequenceBits;
}

// The same in the ring: four relaxed atomic words, so that a reader that races a writer reads garbage, not undefined
// behaviour; it finds out by the head and drops it.
struct Slot {
  Word w0, w1, w2, w3;
};
static_assert(sizeof(Slot) == 32 && Word::is_always_lock_free);

// ---- the ring: one writer, any number of readers that the writer does not know --------------------------------------

// Record i lies in the last block with base <= i, in slot i & (capacity - 1). A ring that is too small for its rate gets a
// further block; the old ones stay readable.
struct RingBlock {
  Word base;    // the first record's index
  Word offset;  // of its slots in the file
  Word log2_capacity;
};

// An open operation: a cache line, written at begin, `w0` last and zeroed at the end. Slot in use <=> w0 != 0.
struct alignas(64) InFlightSlot {
  Word w0, w1, w2, w3;  // as in a record; the duration is 0
  Word mark;            // comprehensive: ticks of the last phase mark
  Word call_site;       // comprehensive: a code address
  Word host_end;        // asynchronous: ticks when the host was done, 0 until then
  Word generation;      // of the token that owns it
};

struct KindCounters {
  Word operations, bytes, errors;
};

struct RingHeader {
  // the writer's line
  alignas(64) Word head;  // records written so far; released after the record's words
  Word dropped;           // operations not recorded: interrupted record, in-flight table full
  Word
      skipped;  // operations counted only: filtered out (what level basic does not sample is not counted here)
  HalfWord tid;  // of the thread that owns it now; 0: none, free for the next thread
  HalfWord block_count;
  Word lap_ticks;  // what the last lap took
  HalfWord
      wanted_log2;  // the writer would like a block of this size; 0: content; readers add kGrowthClaimed
  HalfWord owners;  // how many threads have owned it
  // the readers' line
  alignas(64) Word
      offer;  // offset in pages << 8 | log2 of capacity; 0: none. Taken by the writer at the end of a lap
  alignas(64) RingBlock blocks[kMaxBlocks];
  KindCounters kinds[kKinds];
  InFlightSlot in_flight[kInFlightSlots];
};
static_assert(sizeof(RingHeader) % 64 == 0);

// ---- the header ------------------------------------------------------------------------------------------------------

enum class ClockSource : std::uint32_t { tsc = 1, monotonic = 2 };
enum class SegmentState : std::uint32_t { opening = 0, live = 1, ended = 2 };

// Written by the owner or by any reader; read by the owner at each operation.
//
// Who changes a filter stores 0 to `filtered`, then the fields, then 1 with release. An operation that begins meanwhile
// finds no filter and is recorded: too much, never too little. One that has seen an old 1 may see some fields of the new
// filter: its fate is undecided, that of all later ones is not.
struct Control {
  HalfWord level;
  HalfWord filtered;  // 1: the filter below applies
  HalfWord kinds;
  HalfWord detail_budget_ppm;  // see pscope_options
  Word min_bytes, max_bytes, devices;
  HalfWord comm_count;          // 0: all communicators pass; else those with one of these ids
  HalfWord flags;               // kPassWithoutDevice
  Word comms[kMaxFilterComms];  // ids; 0 matches nothing
};

// In Control::flags: what is on no device, or on one above 63, passes whatever `devices` says.
inline constexpr std::uint32_t kPassWithoutDevice = 1;

struct Calibration {  // ticks and the kernel's clocks at one instant
  Word ticks, mono_ns, real_ns, uncertainty_ns;
};

struct SegmentHeader {
  std::uint64_t magic;
  std::uint32_t version, header_bytes;
  std::uint64_t segment_bytes;  // the file's size; most of it a hole at first
  std::uint64_t boot_id;        // a segment of an earlier boot is dead
  std::uint64_t start_time;     // of the process (/proc/PID/stat, field 22): a pid may be reused
  std::uint32_t pid, parent_pid;
  std::uint32_t uid;
  std::uint32_t initial_level;
  std::uint64_t created_real_ns, created_mono_ns;
  std::uint32_t clock_source;  // ClockSource
  std::uint32_t basic_sampling;
  char session[48];
  char name[64];
  char library_version[16];

  alignas(64) Control control;
  alignas(64) HalfWord state;  // SegmentState
  HalfWord ring_count, name_count, comm_count, stream_count, metric_count, histogram_count,
      calibration_count;
  Word used;  // bytes of the file that are allocated
  Word name_bytes_used;
  Word unrecorded;  // operations of threads that got no ring
  Word ended_mono_ns;
  Word pair_cost_ps;  // begin + end at detailed, measured at open: the recorder's own cost
  Word control_changes;
  HalfWord calibration_lock;
  HalfWord reserved;
  alignas(64) Calibration calibrations[kMaxCalibrations];  // entry i & (kMaxCalibrations - 1)
};
static_assert(sizeof(SegmentHeader) <= kPageBytes);

// ---- the tables --------------------------------------------------------------------------------------------------------

struct NameEntry {
  std::uint32_t offset, length;  // in Tables::name_bytes
};

struct alignas(64) CommEntry {
  std::uint64_t id;
  std::uint32_t rank, ranks;
  std::uint16_t device, backend, name;
  std::uint16_t reserved;
  Word next_collective;  // for PSCOPE_SEQUENCE_AUTO
  Word next_other;
};

struct StreamEntry {
  std::uint64_t handle;
  std::uint16_t device, name;
  std::uint32_t reserved;
};

enum class MetricKind : std::uint32_t { counter = 1, gauge = 2, histogram = 3 };
struct alignas(64) MetricEntry {
  std::uint32_t type;  // MetricKind
  std::uint16_t name, unit;
  std::uint32_t histogram;  // index of its buckets
  std::uint32_t reserved;
  Word value;  // counter: total; gauge: bits of a double; histogram: sum
  Word count;
};

struct DeviceClockEntry {  // first and latest sample: rate and offset
  HalfWord samples;
  HalfWord reserved;
  Word first_device_ns, first_host_ns;
  Word last_device_ns, last_host_ns;
  Word uncertainty_ns;
};

struct Tables {
  Word ring_offsets[kMaxRings];  // of RingHeaders in the file
  NameEntry names[kMaxNames];    // id 1 is names[1]
  char name_bytes[kNameBytes];
  CommEntry comms[kMaxComms];
  StreamEntry streams[kMaxStreams];
  MetricEntry metrics[kMaxMetrics];
  Word histograms[kMaxHistograms][kHistogramBuckets];
  DeviceClockEntry device_clocks[kMaxDeviceClocks];
};

constexpr std::uint64_t round_up(std::uint64_t bytes, std::uint64_t step) {
  return (bytes + step - 1) / step * step;
}

inline constexpr std::uint64_t kTablesOffset = round_up(sizeof(SegmentHeader), kPageBytes);
inline constexpr std::uint64_t kRingsOffset = round_up(kTablesOffset + sizeof(Tables), kPageBytes);

inline constexpr unsigned kFirstRingLog2 = 12;  // 4,096 records, 128 KiB: rings made at open
inline constexpr unsigned kSmallRingLog2 = 10;  // 1,024 records: rings of later threads
inline constexpr unsigned kGrowthLog2 = 3;      // each block is 8 times the one before
inline constexpr std::uint32_t kGrowthClaimed =
    0x100;                                        // in wanted_log2: a reader is preparing the block
inline constexpr unsigned kLargestRingLog2 = 19;  // 524,288 records, 16 MiB
inline constexpr std::uint64_t kSlowLapNs =
    250'000'000;  // a lap that takes longer needs no larger block

constexpr std::uint64_t block_bytes(unsigned log2_capacity) {
  return sizeof(Slot) << log2_capacity;
}
constexpr std::uint64_t ring_bytes(unsigned log2_capacity) {  // header and first block in one piece
  return round_up(sizeof(RingHeader) + block_bytes(log2_capacity), kPageBytes);
}

// Bucket of a value in a metric's histogram: 8 linear steps an octave, exact below 8, relative error at most 1/16.
constexpr std::uint32_t histogram_bucket(std::uint64_t value) {
  if (value < 8) return static_cast<std::uint32_t>(value);
  const auto octave = static_cast<std::uint32_t>(63 - __builtin_clzll(value));
  const std::uint32_t bucket =
      (octave - 2) * 8 + static_cast<std::uint32_t>((value >> (octave - 3)) & 7);
  return bucket < kHistogramBuckets ? bucket : kHistogramBuckets - 1;
}

}  // namespace peerscope
