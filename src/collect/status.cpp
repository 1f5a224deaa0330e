#include "collect/status.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace peerscope {
namespace {
constexpr auto kRelaxed = std::memory_order_relaxed;

// The value below which `share` of a metric's samples lie: the middle of its bucket.
double quantile(const Word* buckets, double share) {
  std::uint64_t count = 0;  // of the buckets: they may lag behind the metric's own
  for (std::uint32_t i = 0; i < kHistogramBuckets; ++i) count += buckets[i].load(kRelaxed);
  std::uint64_t below = 0;
  for (std::uint32_t i = 0; i < kHistogramBuckets; ++i) {
    below += buckets[i].load(kRelaxed);
    if (static_cast<double>(below) < share * static_cast<double>(count) || below == 0) continue;
    if (i < 8) return i;
    const std::uint32_t octave = i / 8 + 2;
    const double width = static_cast<double>(std::uint64_t{1} << (octave - 3));
    return (static_cast<double>(8 + i % 8) + 0.5) * width;
  }
  return 0;
}

MetricValue read_metric(const SegmentView& segment, std::uint32_t process, std::uint32_t id) {
  const MetricEntry& entry = segment.tables().metrics[id];
  MetricValue metric;
  metric.name = segment.text(entry.name);
  metric.unit = segment.text(entry.unit);
  metric.type = static_cast<MetricKind>(entry.type);
  metric.process = process;
  metric.count = entry.count.load(kRelaxed);
  const std::uint64_t raw = entry.value.load(kRelaxed);
  metric.value =
      metric.type == MetricKind::gauge ? std::bit_cast<double>(raw) : static_cast<double>(raw);
  if (metric.type == MetricKind::histogram && metric.count > 0) {
    metric.value /= static_cast<double>(metric.count);
    const Word* buckets = segment.tables().histograms[entry.histogram % kMaxHistograms];
    metric.p50 = quantile(buckets, 0.5);
    metric.p99 = quantile(buckets, 0.99);
  }
  return metric;
}

// Copies a slot if it is in use and did not change meanwhile.
bool read_slot(const InFlightSlot& slot, Record& record, std::uint64_t& host_end) {
  record.w0 = slot.w0.load(std::memory_order_acquire);  // pairs with the writer's release at begin
  if (record.w0 == 0) return false;
  record.w1 = slot.w1.load(kRelaxed);
  record.w2 = slot.w2.load(kRelaxed);
  record.w3 = slot.w3.load(kRelaxed);
  host_end = slot.host_end.load(kRelaxed);
  std::atomic_thread_fence(std::memory_order_acquire);
  return slot.w0.load(kRelaxed) == record.w0;
}

}  // namespace

ProcessStatus status_of(const SegmentView& segment) {
  const SegmentHeader& header = segment.header();
  ProcessStatus status;
  status.pid = header.pid;
  status.name = segment.process_name();
  const auto& version = segment.header().library_version;
  status.library_version.assign(version, strnlen(version, sizeof version));
  status.session = segment.session();
  status.path = segment.path();
  status.state = segment.state();
  status.level = static_cast<Level>(
      std::min<std::uint32_t>(header.control.level.load(kRelaxed), PSCOPE_LEVEL_COMPREHENSIVE));
  status.clock = static_cast<ClockSource>(header.clock_source);
  status.dropped = header.unrecorded.load(kRelaxed);
  for (std::uint32_t i = 0; i < segment.ring_count(); ++i) {
    const RingHeader* ring = segment.ring(i);
    if (ring == nullptr) continue;
    for (const KindCounters& kind : ring->kinds) {
      status.operations += kind.operations.load(kRelaxed);
      status.bytes += kind.bytes.load(kRelaxed);
      status.errors += kind.errors.load(kRelaxed);
    }
    status.recorded += ring->head.load(kRelaxed);
    status.dropped += ring->dropped.load(kRelaxed);
    status.threads += ring->tid.load(kRelaxed) != 0;
  }
  status.segment_bytes = header.used.load(kRelaxed);
  status.created_ns = static_cast<std::int64_t>(header.created_mono_ns);
  status.created_real_ns = static_cast<std::int64_t>(header.created_real_ns);
  status.last_sign_ns = segment.last_sign_ns();
  status.pair_cost_ns = static_cast<double>(header.pair_cost_ps.load(kRelaxed)) / 1000.0;
  return status;
}

void append_in_flight(const SegmentView& segment, Decoder& decoder, const ClockMap& clock,
                      std::vector<InFlight>& out) {
  for (std::uint32_t i = 0; i < segment.ring_count(); ++i) {
    const RingHeader* ring = segment.ring(i);
    if (ring == nullptr) continue;
    for (const InFlightSlot& slot : ring->in_flight) {
      Record record{};
      std::uint64_t host_end = 0;
      if (!read_slot(slot, record, host_end)) continue;
      InFlight entry;
      decoder.decode(segment, clock, record, i, entry.op);
      entry.op.host_duration_ns = kUnknownNs;
      entry.enqueued = host_end != 0 && entry.op.async;
      entry.pid = segment.header().pid;
      entry.tid = ring->tid.load(kRelaxed);
      out.push_back(entry);
    }
  }
}

std::int64_t last_activity_ns(const SegmentView& segment, const Decoder& decoder,
                              const ClockMap& clock) {
  std::int64_t last = segment.last_sign_ns();
  for (std::uint32_t i = 0; i < segment.ring_count(); ++i) {
    const RingHeader* ring = segment.ring(i);
    const std::uint64_t head = ring != nullptr ? ring->head.load(std::memory_order_acquire) : 0;
    const std::uint32_t blocks =
        head > 0 ? std::min(ring->block_count.load(std::memory_order_acquire), kMaxBlocks) : 0;
    if (blocks == 0) continue;
    const std::uint64_t log2_capacity = ring->blocks[blocks - 1].log2_capacity.load(kRelaxed);
    const Slot* slots =
        segment.block(ring->blocks[blocks - 1].offset.load(kRelaxed), log2_capacity);
    if (slots == nullptr) continue;
    const Slot& slot = slots[(head - 1) & ((std::uint64_t{1} << log2_capacity) - 1)];
    const Record record{slot.w0.load(kRelaxed), slot.w1.load(kRelaxed), slot.w2.load(kRelaxed),
                        slot.w3.load(kRelaxed)};
    if (record.tag() != Tag::op) continue;
    last = std::max(
        last, decoder.to_ns(clock, record.begin()) + decoder.duration_ns(clock, record.duration()));
  }
  return last;
}

void append_metrics(const SegmentView& segment, std::uint32_t process,
                    std::vector<MetricValue>& out) {
  const std::uint32_t count =
      std::min(segment.header().metric_count.load(std::memory_order_acquire), kMaxMetrics - 1);
  for (std::uint32_t id = 1; id <= count; ++id) out.push_back(read_metric(segment, process, id));
}

}  // namespace peerscope
