#include "collect/decoder.hpp"

#include <algorithm>

namespace peerscope {
namespace {
constexpr std::uint64_t kLatestNs = std::uint64_t{1} << 61;  // 73 years of uptime
constexpr double kFarNs = static_cast<double>(kLatestNs);
}  // namespace

const Decoder::Comm& Decoder::load_comms(const SegmentView& segment, std::uint16_t id) {
  while (comms_.size() <= id) {
    const auto info = segment.comm(static_cast<std::uint16_t>(comms_.size()));
    if (!info) return comms_[0];  // not registered: a corrupt record
    comms_.push_back({info->id, info->rank, info->ranks, info->device, info->backend});
  }
  return comms_[id];
}

void Decoder::decode(const SegmentView& segment, const ClockMap& clock, const Record& record,
                     std::uint32_t thread, Op& out) {
  const Comm& comm = comm_of(segment, record.comm());
  out.bytes = record.bytes();
  out.sequence = record.sequence();
  out.comm = comm.id;
  out.process = process_;
  out.thread = thread;
  out.weight = record.sampled() ? sampling_ : 1;
  out.rank = comm.rank;
  out.ranks = comm.ranks;
  out.device = comm.device;
  out.backend = comm.backend;
  out.kind = static_cast<Kind>(record.kind());
  out.algorithm = static_cast<Algorithm>(record.algorithm());
  out.protocol = static_cast<Protocol>(record.protocol());
  out.dtype = static_cast<Dtype>(record.dtype());
  out.status = static_cast<OpStatus>(record.status());
  out.async = record.async();
  out.device_begin_ns = out.device_duration_ns = kUnknownNs;
  out.channel = 0;
  if (record.tag() == Tag::device_times) {
    decode_device_times(segment, record, out);
    return;
  }
  out.begin_ns = last_begin_ns_ = to_ns(clock, record.begin());
  // An enqueue that takes for ever is one that nobody saw.
  out.host_duration_ns = record.async() && record.duration() == kDurationMax
                             ? kUnknownNs
                             : duration_ns(clock, record.duration());
  out.peer = record.peer();
  out.stream = record.stream();
  out.device_only = false;
}

// Device time to host time by the clock's samples: its offset at the last, its rate from first to last.
void Decoder::decode_device_times(const SegmentView& segment, const Record& record, Op& out) const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  const DeviceClockEntry& clock =
      segment.tables()
          .device_clocks[std::min<std::uint32_t>(record.stream(), kMaxDeviceClocks - 1)];
  out.host_duration_ns = kUnknownNs;
  out.device_duration_ns = static_cast<std::int64_t>(record.duration());
  out.device_only = true;
  const bool one_sided = out.kind == Kind::copy;  // has no channels, but a destination
  out.channel = one_sided ? std::uint16_t{0} : record.peer();
  out.peer = one_sided ? record.peer() : kNoPeer;
  out.stream = 0;
  out.begin_ns = last_begin_ns_;
  if (clock.samples.load(std::memory_order_acquire) == 0)
    return;  // unknown on the host's clock: duration only
  // Unsigned and clamped: what a corrupt clock says is wrong, but not undefined.
  const std::uint64_t last_device = clock.last_device_ns.load(kRelaxed);
  const std::uint64_t last_host = clock.last_host_ns.load(kRelaxed);
  const auto device_span =
      static_cast<std::int64_t>(last_device - clock.first_device_ns.load(kRelaxed));
  const auto host_span = static_cast<std::int64_t>(last_host - clock.first_host_ns.load(kRelaxed));
  const double rate =
      device_span > 0 ? static_cast<double>(host_span) / static_cast<double>(device_span) : 1.0;
  // A record keeps the lower bits of the device's time: the nearest to the last sample is meant.
  constexpr unsigned kLost = 64 - kBeginBits;
  const auto after = static_cast<std::int64_t>((record.begin() - last_device) << kLost) >> kLost;
  const auto since = static_cast<double>(after);
  const auto since_ns = static_cast<std::int64_t>(std::clamp(since * rate, -kFarNs, kFarNs));
  out.device_begin_ns = static_cast<std::int64_t>(std::min(last_host, kLatestNs)) + since_ns;
  out.begin_ns = out.device_begin_ns;
}

}  // namespace peerscope
