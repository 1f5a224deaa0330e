// Opening and closing a session: everything that may take its time.
#include <new>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "record/hot.hpp"

#ifndef PSCOPE_VERSION
#define PSCOPE_VERSION "0.0.0"
#endif

namespace peerscope {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr double kDetailBurstNs = 2'000;  // some two hundred phases at once

void* map_private(std::size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

// Letters, digits, '.', '_' and '-' only: it becomes part of a file's name.
void copy_clean(char* out, std::size_t bytes, const char* text) {
  std::size_t n = 0;
  for (; text[n] != '\0' && n + 1 < bytes; ++n) {
    const char c = text[n];
    const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '-' || (c == '.' && n > 0);
    out[n] = fine ? c : '_';
  }
  out[n] = '\0';
}

void choose_names(Recorder& recorder, const pscope_options& options) {
  const char* session = options.session != nullptr ? options.session : getenv("PEERSCOPE_SESSION");
  if (session != nullptr && session[0] != '\0') {
    copy_clean(recorder.session, sizeof recorder.session, session);
  } else {
    snprintf(recorder.session, sizeof recorder.session, "s%llx-%d",
             static_cast<unsigned long long>(clock_ns(CLOCK_REALTIME) / 1'000'000),
             static_cast<int>(getpid()));
  }
  snprintf(recorder.name, sizeof recorder.name, "%s",
           options.name != nullptr ? options.name : program_invocation_short_name);
}

bool choose_directory(Recorder& recorder, const pscope_options& options) {
  const char* directory = options.runtime_dir != nullptr ? options.runtime_dir : "";
  const int length = snprintf(recorder.runtime_dir, sizeof recorder.runtime_dir, "%s", directory);
  return length >= 0 && static_cast<std::size_t>(length) < sizeof recorder.runtime_dir;
}

int choose_level(int wanted) {
  if (wanted >= PSCOPE_LEVEL_OFF && wanted <= PSCOPE_LEVEL_COMPREHENSIVE) return wanted;
  const char* text = getenv("PEERSCOPE_LEVEL");
  const char* const names[] = {"off", "basic", "detailed", "comprehensive"};
  for (int i = 0; text != nullptr && i < 4; ++i) {
    if (strcmp(text, names[i]) == 0) return i;
  }
  if (text != nullptr && text[0] != '\0') {
    fprintf(stderr,
            "peerscope: PEERSCOPE_LEVEL=%s is no level (off, basic, detailed, comprehensive); it "
            "is detailed\n",
            text);
  }
  return PSCOPE_LEVEL_DETAILED;
}

std::uint64_t choose_bytes(std::uint64_t wanted) {
  if (wanted != 0) return wanted;
  const char* text = getenv("PEERSCOPE_SEGMENT_BYTES");
  if (text == nullptr || text[0] == '\0') return 0;
  char* end = nullptr;
  std::uint64_t bytes = strtoull(text, &end, 10);
  const char units[] = "KMG";
  for (int i = 0; i < 3; ++i) {
    if ((*end & ~0x20) != units[i]) continue;
    bytes <<= 10 * (i + 1);
    ++end;
    break;
  }
  if (end != text && *end == '\0') return bytes;
  fprintf(stderr,
          "peerscope: PEERSCOPE_SEGMENT_BYTES=%s is no size (67108864, 64M, 1G); it is 64M\n",
          text);
  return 0;
}

// "1 %", "0.5%", whatever the locale.
std::uint32_t budget_of(const char* text) {
  std::uint64_t ppm = 0, unit = 10'000;  // of one percent
  const char* at = text;
  for (; *at >= '0' && *at <= '9' && ppm < PSCOPE_UNLIMITED; ++at)
    ppm = ppm * 10 + static_cast<std::uint64_t>(*at - '0') * unit;
  if (*at == '.') {
    for (++at; *at >= '0' && *at <= '9'; ++at)
      ppm += static_cast<std::uint64_t>(*at - '0') * (unit /= 10);
  }
  while (*at == ' ') ++at;
  if (at != text && *at == '%' && at[1] == '\0' && ppm <= 1'000'000)
    return static_cast<std::uint32_t>(ppm);
  fprintf(
      stderr,
      "peerscope: PEERSCOPE_OVERHEAD__BUDGET=%s is no percentage up to 100 (1 %%); it is 1 %%\n",
      text);
  return kDetailBudgetPpm;
}

std::uint32_t choose_budget(std::uint32_t wanted) {
  if (wanted != 0) return wanted;
  const char* text = getenv("PEERSCOPE_OVERHEAD__BUDGET");
  return text == nullptr || text[0] == '\0' ? kDetailBudgetPpm : budget_of(text);
}

void fill_identity(Recorder& recorder, int level) {
  SegmentHeader& header = recorder.segment.header();
  header.version = kSegmentVersion;
  header.header_bytes = sizeof(SegmentHeader);
  header.segment_bytes = recorder.segment.bytes;
  header.boot_id = read_boot_id();
  header.pid = static_cast<std::uint32_t>(getpid());
  header.parent_pid = static_cast<std::uint32_t>(getppid());
  header.start_time = process_start_time(header.pid);
  header.uid = geteuid();
  header.initial_level = static_cast<std::uint32_t>(level);
  header.created_mono_ns = clock_ns(CLOCK_MONOTONIC);
  header.created_real_ns = clock_ns(CLOCK_REALTIME);
  header.clock_source = static_cast<std::uint32_t>(recorder.clock);
  header.basic_sampling = kBasicSampling;
  snprintf(header.session, sizeof header.session, "%s", recorder.session);
  snprintf(header.name, sizeof header.name, "%s", recorder.name);
  snprintf(header.library_version, sizeof header.library_version, "%s", PSCOPE_VERSION);
  header.used.store(kRingsOffset, kRelaxed);
  header.control.level.store(static_cast<std::uint32_t>(level), kRelaxed);
  header.control.detail_budget_ppm.store(recorder.detail_budget_ppm, kRelaxed);
}

// A forked child goes on with its parent's ids: names, communicators (with their counts), streams and metrics. Their
// values start at zero, or a reader would count them twice.
void inherit_tables(Recorder& recorder, const Segment& parent) {
  SegmentHeader& header = recorder.segment.header();
  const SegmentHeader& old = parent.header();
  // The parent goes on registering meanwhile: counts first, then what they count.
  header.comm_count.store(old.comm_count.load(std::memory_order_acquire), kRelaxed);
  header.stream_count.store(old.stream_count.load(std::memory_order_acquire), kRelaxed);
  header.metric_count.store(old.metric_count.load(std::memory_order_acquire), kRelaxed);
  header.histogram_count.store(old.histogram_count.load(kRelaxed), kRelaxed);
  const std::uint32_t names = old.name_count.load(std::memory_order_acquire);
  header.name_bytes_used.store(old.name_bytes_used.load(kRelaxed), kRelaxed);
  memcpy(static_cast<void*>(&recorder.segment.tables()), static_cast<const void*>(&parent.tables()),
         sizeof(Tables));
  memset(static_cast<void*>(recorder.segment.tables().ring_offsets), 0,
         sizeof(Tables::ring_offsets));
  memset(static_cast<void*>(recorder.segment.tables().histograms), 0, sizeof(Tables::histograms));
  for (MetricEntry& metric : recorder.segment.tables().metrics) {
    metric.value.store(0, kRelaxed);
    metric.count.store(0, kRelaxed);
  }
  header.name_count.store(names, std::memory_order_release);
  Control& control = header.control;
  control.kinds.store(old.control.kinds.load(kRelaxed), kRelaxed);
  control.min_bytes.store(old.control.min_bytes.load(kRelaxed), kRelaxed);
  control.max_bytes.store(old.control.max_bytes.load(kRelaxed), kRelaxed);
  control.devices.store(old.control.devices.load(kRelaxed), kRelaxed);
  control.comm_count.store(old.control.comm_count.load(kRelaxed), kRelaxed);
  control.flags.store(old.control.flags.load(kRelaxed), kRelaxed);
  for (std::uint32_t i = 0; i < kMaxFilterComms; ++i)
    control.comms[i].store(old.control.comms[i].load(kRelaxed), kRelaxed);
  control.detail_budget_ppm.store(old.control.detail_budget_ppm.load(kRelaxed), kRelaxed);
  control.filtered.store(old.control.filtered.load(kRelaxed), kRelaxed);
}

// What begin + end costs here, in picoseconds: the best of a few rounds, on a ring that nobody has yet.
std::uint64_t measure_pair_cost(Recorder& recorder, Writer& writer) {
  pscope_op op{};
  op.sequence = 0;
  writer.recorder.store(&recorder, kRelaxed);
  std::uint64_t best = UINT64_MAX;
  for (int round = 0; round < 4; ++round) {
    const std::uint64_t before = ticks_now(recorder.clock);
    for (int i = 0; i < 64; ++i) {
      const pscope_token token = open_slot(recorder, writer, op, {0, 0, TokenType::timed, false});
      close_slot(recorder, writer, slot_of(token), PSCOPE_STATUS_OK);
    }
    const std::uint64_t ticks = ticks_now(recorder.clock) - before;
    if (ticks < best) best = ticks;
  }
  // A phase or a call site is one clock read and one record: half of it.
  recorder.detail_cost = static_cast<std::int64_t>(best * (1'000'000 / 128));
  recorder.detail_burst = static_cast<std::int64_t>(kDetailBurstNs / recorder.ns_per_tick * 1e6);
  // The end of a lap runs once here, so that the first one in earnest meets no cold page of code.
  const std::uint64_t now = ticks_now(recorder.clock);
  writer.lap_head = 0;
  writer.lap_begin = now - recorder.slow_lap_ticks;
  end_of_lap(writer, now);
  for (std::uint64_t i = 0; i < writer.head; ++i) {
    memset(static_cast<void*>(&writer.slots[i]), 0, sizeof(Slot));
  }
  writer.head = 0;
  writer.ring->head.store(0, kRelaxed);
  writer.recorder.store(nullptr, kRelaxed);
  return static_cast<std::uint64_t>(static_cast<double>(best) * recorder.ns_per_tick * 1000.0 /
                                    64.0);
}

void measure_rate(Recorder& recorder, const ClockPair& first, const ClockPair& second) {
  if (recorder.clock == ClockSource::tsc && second.ticks > first.ticks &&
      second.mono_ns > first.mono_ns) {
    recorder.ns_per_tick = static_cast<double>(second.mono_ns - first.mono_ns) /
                           static_cast<double>(second.ticks - first.ticks);
  }
  recorder.slow_lap_ticks =
      static_cast<std::uint64_t>(static_cast<double>(kSlowLapNs) / recorder.ns_per_tick);
}

}  // namespace

const char* attach_segment(Recorder& recorder, const Segment* parent) {
  const int level = static_cast<int>(recorder.private_level.load(kRelaxed));
  const std::uint64_t bytes = parent != nullptr ? parent->bytes : recorder.segment.bytes;
  const char* why =
      create_segment(recorder.segment, {recorder.runtime_dir, recorder.session, bytes});
  if (why != nullptr) {
    recorder.private_level.store(PSCOPE_LEVEL_OFF, kRelaxed);
    recorder.pub.level = reinterpret_cast<const std::uint32_t*>(&recorder.private_level);
    return why;
  }
  fill_identity(recorder, level);
  if (parent != nullptr) inherit_tables(recorder, *parent);
  SegmentHeader& header = recorder.segment.header();
  const ClockPair first = read_clock_pair(recorder.clock);
  add_calibration(header, first);
  // A few rings and two larger blocks are touched now, so that no early operation pays for it.
  constexpr int kReadyRings = 4;
  for (int i = 0; i < kReadyRings; ++i) add_ring(recorder, kFirstRingLog2);
  for (Word& spare : recorder.spare_blocks) {
    const std::uint64_t offset = allocate(recorder.segment, block_bytes(kSpareLog2));
    if (offset != 0) touch(recorder.segment, offset, block_bytes(kSpareLog2));
    spare.store(offset, kRelaxed);
  }
  while (clock_ns(CLOCK_MONOTONIC) < first.mono_ns + 1'000'000)
    continue;  // a millisecond fixes the rate to 50 ppm
  const ClockPair second = read_clock_pair(recorder.clock);
  add_calibration(header, second);
  measure_rate(recorder, first, second);
  if (recorder.writers[0].ring != nullptr) {
    header.pair_cost_ps.store(measure_pair_cost(recorder, recorder.writers[0]), kRelaxed);
  }
  recorder.pub.level = reinterpret_cast<const std::uint32_t*>(&header.control.level);
  header.state.store(static_cast<std::uint32_t>(SegmentState::live), kRelaxed);
  std::atomic_thread_fence(
      std::memory_order_release);  // a reader that sees the magic sees the header
  reinterpret_cast<Word*>(&header.magic)->store(kSegmentMagic, std::memory_order_release);
  // Unseen, it still serves this process' own counters.
  return publish_segment(recorder.segment)
             ? nullptr
             : "the segment file cannot be given its name: nobody will find it";
}

}  // namespace peerscope

using namespace peerscope;  // NOLINT(google-build-using-namespace): the C ABI is made of it

extern "C" {

pscope_session* pscope_open(const pscope_options* given, const char** why) {
  const char* ignored = nullptr;
  if (why == nullptr) why = &ignored;
  *why = nullptr;
  pscope_options options = PSCOPE_OPTIONS_INIT;
  if (given != nullptr)
    memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
  void* memory = map_private(sizeof(Recorder));
  void* writers = map_private(sizeof(Writer) * kMaxRings);
  if (memory == nullptr || writers == nullptr) {
    *why = "no memory for the recorder";
    return nullptr;
  }
  auto* recorder = ::new (memory) Recorder;
  recorder->writers = static_cast<Writer*>(writers);
  pthread_mutex_init(&recorder->mutex, nullptr);
  recorder->pub.level = reinterpret_cast<const std::uint32_t*>(&recorder->private_level);
  choose_names(*recorder, options);
  recorder->clock = choose_clock_source();
  recorder->private_level.store(static_cast<std::uint32_t>(choose_level(options.level)), kRelaxed);
  recorder->segment.bytes = choose_bytes(options.segment_bytes);
  recorder->detail_budget_ppm = choose_budget(options.detail_budget_ppm);
  if (!watch_fork(*recorder)) {
    *why = "the process has no thread key left; nothing is recorded";
    recorder->private_level.store(PSCOPE_LEVEL_OFF, kRelaxed);
    return &recorder->pub;
  }
  if (!choose_directory(*recorder, options)) {
    *why = "the name of the runtime directory is too long";
    recorder->private_level.store(PSCOPE_LEVEL_OFF, kRelaxed);
    return &recorder->pub;
  }
  *why = attach_segment(*recorder, nullptr);
  return &recorder->pub;
}

void pscope_close(pscope_session* session) {
  if (session == nullptr) return;
  Recorder& recorder = *as_recorder(session);
  if (!lock(recorder)) return;
  recorder.private_level.store(PSCOPE_LEVEL_OFF, kRelaxed);
  recorder.pub.level = reinterpret_cast<const std::uint32_t*>(&recorder.private_level);
  Segment segment = recorder.segment;
  const bool stale = recorder.stale.exchange(0, kRelaxed) !=
                     0;  // a forked child that never recorded: not ours to end
  forget_writers_of(recorder);
  bool others = false;
  for (std::uint32_t i = 0; i < kMaxRings && recorder.writers[i].ring != nullptr; ++i) {
    others = others || recorder.writers[i].recorder.load(kRelaxed) != nullptr;
    recorder.writers[i].recorder.store(nullptr, kRelaxed);
    recorder.writers[i].ring = nullptr;
  }
  if (segment.base != nullptr && !stale) {
    SegmentHeader& header = segment.header();
    add_calibration(header, read_clock_pair(recorder.clock));
    header.ended_mono_ns.store(clock_ns(CLOCK_MONOTONIC), kRelaxed);
    header.state.store(static_cast<std::uint32_t>(SegmentState::ended), std::memory_order_release);
  }
  recorder.segment.base = nullptr;
  if (!others)
    unmap_segment(segment);  // else a thread may be about to write there: the mapping stays
  unlock(recorder);
  unwatch_fork(recorder);
}

const char* pscope_version(void) { return PSCOPE_VERSION; }

const char* pscope_segment_path(const pscope_session* session) {
  return session == nullptr ? "" : reinterpret_cast<const Recorder*>(session)->segment.path;
}

}  // extern "C"
