// Names, communicators, streams, metrics, device clocks: registered once, referred to by number.
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "record/recorder.hpp"

namespace peerscope {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// Holds the recorder's mutex, and knows whether there is a segment to write to.
class Access {
 public:
  explicit Access(pscope_session* session)
      : recorder_(session != nullptr ? as_recorder(session) : nullptr) {
    if (recorder_ == nullptr) return;
    // In a forked child the tables are made by its first writer.
    if (recorder_->stale.load(kRelaxed) != 0) find_writer(*recorder_);
    locked_ = lock(*recorder_);
  }
  ~Access() {
    if (locked_) unlock(*recorder_);
  }
  Access(const Access&) = delete;
  Access& operator=(const Access&) = delete;

  explicit operator bool() const { return locked_ && recorder_->segment.base != nullptr; }
  [[nodiscard]] Recorder& recorder() const { return *recorder_; }
  [[nodiscard]] SegmentHeader& header() const { return recorder_->segment.header(); }
  [[nodiscard]] Tables& tables() const { return recorder_->segment.tables(); }

 private:
  Recorder* recorder_;
  bool locked_ = false;
};

bool same_comm(const CommEntry& entry, const pscope_comm_desc& desc) {
  return entry.id == desc.id && entry.rank == desc.rank && entry.ranks == desc.ranks &&
         entry.device == desc.device && entry.backend == desc.backend;
}

pscope_metric add_metric(pscope_session* session, const char* name, const char* unit,
                         MetricKind type) {
  const Access access(session);
  if (!access || name == nullptr) return 0;
  const std::uint16_t name_id = intern_name(access.recorder(), name);
  const std::uint32_t count = access.header().metric_count.load(kRelaxed);
  for (std::uint32_t i = 1; i <= count; ++i) {
    const MetricEntry& entry = access.tables().metrics[i];
    if (entry.name == name_id && entry.type == static_cast<std::uint32_t>(type)) return i;
  }
  const std::uint32_t histograms = access.header().histogram_count.load(kRelaxed);
  if (name_id == 0 || count + 1 >= kMaxMetrics) return 0;
  if (type == MetricKind::histogram && histograms >= kMaxHistograms) return 0;
  MetricEntry& entry = access.tables().metrics[count + 1];
  entry.type = static_cast<std::uint32_t>(type);
  entry.name = name_id;
  entry.unit = intern_name(access.recorder(), unit);
  if (type == MetricKind::histogram) {
    entry.histogram = histograms;
    access.header().histogram_count.store(histograms + 1, kRelaxed);
  }
  access.header().metric_count.store(count + 1, std::memory_order_release);  // publishes the entry
  return count + 1;
}

// The metric's entry if there is something to write to. No lock: entries never move, and a stale child makes its own later.
MetricEntry* metric_of(pscope_session* session, pscope_metric metric, MetricKind type) {
  if (session == nullptr || metric == 0 || metric >= kMaxMetrics) return nullptr;
  Recorder& recorder = *as_recorder(session);
  if (recorder.stale.load(std::memory_order_acquire) != 0) {
    find_writer(recorder);
    if (recorder.stale.load(kRelaxed) != 0)
      return nullptr;  // a signal has interrupted the making of the segment
  }
  if (recorder.segment.base == nullptr) return nullptr;
  MetricEntry& entry = recorder.segment.tables().metrics[metric];
  return entry.type == static_cast<std::uint32_t>(type) ? &entry : nullptr;
}

}  // namespace

std::uint16_t intern_name(Recorder& recorder, const char* text) {
  if (text == nullptr || recorder.segment.base == nullptr) return 0;
  SegmentHeader& header = recorder.segment.header();
  Tables& tables = recorder.segment.tables();
  const std::size_t length = strnlen(text, 255);
  const std::uint32_t count = header.name_count.load(kRelaxed);
  for (std::uint32_t i = 1; i <= count; ++i) {
    const NameEntry& entry = tables.names[i];
    if (entry.length == length && memcmp(tables.name_bytes + entry.offset, text, length) == 0) {
      return static_cast<std::uint16_t>(i);
    }
  }
  const std::uint64_t used = header.name_bytes_used.load(kRelaxed);
  if (count + 1 >= kMaxNames || used + length > kNameBytes) return 0;
  memcpy(tables.name_bytes + used, text, length);
  tables.names[count + 1] = {static_cast<std::uint32_t>(used), static_cast<std::uint32_t>(length)};
  header.name_bytes_used.store(used + length, kRelaxed);
  header.name_count.store(count + 1, std::memory_order_release);  // publishes the name
  return static_cast<std::uint16_t>(count + 1);
}

std::uint16_t intern_call_site(Writer& writer, std::uint64_t address) {
  const std::size_t at =
      (address * 0x9E3779B97F4A7C15u) >> 58;  // top 6 bits: kInFlightSlots entries
  if (writer.call_site_keys[at] == address) return writer.call_site_names[at];
  Recorder& recorder = *writer.recorder.load(kRelaxed);
  char text[200];
  Dl_info info{};
  if (dladdr(reinterpret_cast<void*>(address), &info) != 0 && info.dli_fname != nullptr) {
    const char* slash = strrchr(info.dli_fname, '/');
    const char* module = slash != nullptr ? slash + 1 : info.dli_fname;
    const auto symbol = reinterpret_cast<std::uint64_t>(info.dli_saddr);
    const auto base = reinterpret_cast<std::uint64_t>(info.dli_fbase);
    const char* name = info.dli_sname != nullptr ? info.dli_sname : "";
    snprintf(
        text, sizeof text, "%.60s!%.110s+0x%llx", module, name,
        static_cast<unsigned long long>(address - (info.dli_sname != nullptr ? symbol : base)));
  } else {
    snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(address));
  }
  if (!lock(recorder)) return 0;
  const std::uint16_t id = intern_name(recorder, text);
  unlock(recorder);
  writer.call_site_keys[at] = address;
  writer.call_site_names[at] = id;
  return id;
}

}  // namespace peerscope

using namespace peerscope;  // NOLINT(google-build-using-namespace): the C ABI is made of it

extern "C" {

uint16_t pscope_name(pscope_session* session, const char* text) {
  const Access access(session);
  return access ? intern_name(access.recorder(), text) : std::uint16_t{0};
}

uint16_t pscope_comm_register(pscope_session* session, const pscope_comm_desc* desc) {
  const Access access(session);
  if (!access || desc == nullptr) return 0;
  const std::uint32_t count = access.header().comm_count.load(kRelaxed);
  for (std::uint32_t i = 1; i <= count; ++i) {
    if (same_comm(access.tables().comms[i], *desc)) return static_cast<std::uint16_t>(i);
  }
  if (count + 1 >= kMaxComms) return 0;
  CommEntry& entry = access.tables().comms[count + 1];
  entry.id = desc->id;
  entry.rank = desc->rank;
  entry.ranks = desc->ranks;
  entry.device = desc->device;
  entry.backend = desc->backend;
  entry.name = intern_name(access.recorder(), desc->name);
  access.header().comm_count.store(count + 1, std::memory_order_release);  // publishes the entry
  return static_cast<std::uint16_t>(count + 1);
}

uint16_t pscope_stream_register(pscope_session* session, uint64_t handle, uint16_t device,
                                const char* name) {
  const Access access(session);
  if (!access) return 0;
  const std::uint32_t count = access.header().stream_count.load(kRelaxed);
  for (std::uint32_t i = 1; i <= count; ++i) {
    const StreamEntry& entry = access.tables().streams[i];
    if (entry.handle == handle && entry.device == device) return static_cast<std::uint16_t>(i);
  }
  if (count + 1 >= kMaxStreams) return 0;
  access.tables().streams[count + 1] = {handle, device, intern_name(access.recorder(), name), 0};
  access.header().stream_count.store(count + 1, std::memory_order_release);  // publishes the entry
  return static_cast<std::uint16_t>(count + 1);
}

void pscope_device_clock(pscope_session* session, uint16_t device_clock, uint64_t device_ns,
                         uint64_t host_before_ns, uint64_t host_after_ns) {
  const Access access(session);
  if (!access || device_clock >= kMaxDeviceClocks || host_after_ns < host_before_ns) return;
  DeviceClockEntry& entry = access.tables().device_clocks[device_clock];
  const std::uint64_t host_ns = host_before_ns + (host_after_ns - host_before_ns) / 2;
  if (entry.samples.load(kRelaxed) == 0) {
    entry.first_device_ns.store(device_ns, kRelaxed);
    entry.first_host_ns.store(host_ns, kRelaxed);
  }
  entry.last_device_ns.store(device_ns, kRelaxed);
  entry.last_host_ns.store(host_ns, kRelaxed);
  entry.uncertainty_ns.store(host_after_ns - host_before_ns, kRelaxed);
  entry.samples.fetch_add(1, std::memory_order_release);  // publishes the sample
}

pscope_metric pscope_counter(pscope_session* session, const char* name, const char* unit) {
  return add_metric(session, name, unit, MetricKind::counter);
}
pscope_metric pscope_gauge(pscope_session* session, const char* name, const char* unit) {
  return add_metric(session, name, unit, MetricKind::gauge);
}
pscope_metric pscope_histogram(pscope_session* session, const char* name, const char* unit) {
  return add_metric(session, name, unit, MetricKind::histogram);
}

void pscope_counter_add(pscope_session* session, pscope_metric metric, uint64_t amount) {
  MetricEntry* entry = metric_of(session, metric, MetricKind::counter);
  if (entry == nullptr) return;
  entry->value.fetch_add(amount, kRelaxed);
  entry->count.fetch_add(1, kRelaxed);
}

void pscope_gauge_set(pscope_session* session, pscope_metric metric, double value) {
  MetricEntry* entry = metric_of(session, metric, MetricKind::gauge);
  if (entry == nullptr) return;
  std::uint64_t bits = 0;
  memcpy(&bits, &value, sizeof bits);
  entry->value.store(bits, kRelaxed);
  entry->count.fetch_add(1, kRelaxed);
}

void pscope_histogram_observe(pscope_session* session, pscope_metric metric, uint64_t value) {
  MetricEntry* entry = metric_of(session, metric, MetricKind::histogram);
  if (entry == nullptr) return;
  entry->value.fetch_add(value, kRelaxed);
  entry->count.fetch_add(1, kRelaxed);
  Recorder& recorder = *as_recorder(session);
  recorder.segment.tables()
      .histograms[entry->histogram % kMaxHistograms][histogram_bucket(value)]
      .fetch_add(1, kRelaxed);
}

void pscope_set_level(pscope_session* session, int level) {
  if (session == nullptr || level < PSCOPE_LEVEL_OFF || level > PSCOPE_LEVEL_COMPREHENSIVE) return;
  Recorder& recorder = *as_recorder(session);
  if (recorder.segment.base == nullptr) return;  // closed, or never opened: the level stays off
  recorder.private_level.store(static_cast<std::uint32_t>(level), kRelaxed);
  if (recorder.stale.load(kRelaxed) != 0) return;
  recorder.segment.header().control.level.store(static_cast<std::uint32_t>(level), kRelaxed);
  recorder.segment.header().control_changes.fetch_add(1, kRelaxed);
}

int pscope_get_level(const pscope_session* session) {
  return session == nullptr ? PSCOPE_LEVEL_OFF
                            : static_cast<int>(__atomic_load_n(session->level, __ATOMIC_RELAXED));
}

int pscope_set_filter(pscope_session* session, const pscope_filter* filter) {
  const Access access(session);
  if (!access) return -ENODEV;
  Control& control = access.header().control;
  control.filtered.store(0, kRelaxed);  // see Control: nobody uses a filter that is half written
  if (filter != nullptr) {
    std::atomic_thread_fence(std::memory_order_release);  // orders the 0 before the fields
    control.comm_count.store(0, kRelaxed);
    control.flags.store(0, kRelaxed);
    control.kinds.store(filter->kinds, kRelaxed);
    control.min_bytes.store(filter->min_bytes, kRelaxed);
    control.max_bytes.store(filter->max_bytes, kRelaxed);
    control.devices.store(filter->devices, kRelaxed);
  }
  control.filtered.store(filter != nullptr ? 1 : 0,
                         std::memory_order_release);  // publishes the fields
  access.header().control_changes.fetch_add(1, kRelaxed);
  return 0;
}

int pscope_get_stats(const pscope_session* session, pscope_stats* out) {
  if (session == nullptr || out == nullptr) return -EINVAL;
  const Access access(const_cast<pscope_session*>(session));
  *out = pscope_stats{};
  if (!access) return -ENODEV;
  const SegmentHeader& header = access.header();
  const std::uint32_t rings = header.ring_count.load(std::memory_order_acquire);
  for (std::uint32_t i = 0; i < rings; ++i) {
    const RingHeader& ring = *access.recorder().writers[i].ring;
    for (const KindCounters& kind : ring.kinds) {
      out->operations += kind.operations.load(kRelaxed);
      out->bytes += kind.bytes.load(kRelaxed);
      out->errors += kind.errors.load(kRelaxed);
    }
    out->recorded += ring.head.load(kRelaxed);
    out->dropped += ring.dropped.load(kRelaxed);
    out->threads += ring.tid.load(kRelaxed) != 0;
  }
  out->dropped += header.unrecorded.load(kRelaxed);
  out->ring_bytes = header.used.load(kRelaxed) - kRingsOffset;
  out->overhead_ns = out->recorded * header.pair_cost_ps.load(kRelaxed) / 1000;
  return 0;
}

}  // extern "C"
