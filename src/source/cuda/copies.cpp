#include "source/cuda/copies.hpp"

#include <atomic>

#include "record/finished.hpp"
#include "source/cuda/driver.hpp"
#include "source/cuda/session.hpp"

namespace peerscope::cuda {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

constinit std::atomic<std::uint32_t> g_captures{0};  // streams that are being captured
constinit std::atomic<bool> g_keep{false};
constinit std::atomic<std::uint64_t> g_kept{0};

// This thread is in a function of the runtime: what that calls of the driver is no other copy. It is, if this is the number
// of now: another one is from before a pause, and the function's end was not told.
constinit std::atomic<std::uint32_t> g_pauses{1};
constinit thread_local std::uint32_t t_inside = 0;
bool is_inside() { return t_inside == g_pauses.load(kRelaxed); }

struct Ends {
  std::uint32_t source = kNoDevice, destination = kNoDevice;
  std::uint64_t bytes = 0;
  [[nodiscard]] bool between_devices() const {
    return source < kDevices && destination < kDevices && source != destination;
  }
};

// Calls whose device times may come, by CUPTI's correlation number. Written by the threads that copy, each its own place.
struct Call {
  std::atomic<std::uint64_t> sequence{0};
  std::atomic<std::uint32_t> correlation{0};  // last: publishes the rest. 0: none
  std::atomic<std::uint32_t> ends{0};         // source 16 | destination 16
};
constexpr std::uint32_t kCalls = 8192;
constinit Call g_calls[kCalls];

std::uint32_t pack(const Ends& ends) { return ends.source << 16 | ends.destination; }

void keep_call(std::uint32_t correlation, const Ends& ends, std::uint64_t sequence) {
  Call& call = g_calls[correlation % kCalls];
  g_kept.store(g_kept.load(kRelaxed) + 1, kRelaxed);  // whether it moves is all that is asked
  call.correlation.store(0, kRelaxed);
  std::atomic_thread_fence(std::memory_order_release);
  call.sequence.store(sequence, kRelaxed);
  call.ends.store(pack(ends), kRelaxed);
  call.correlation.store(correlation, std::memory_order_release);
}

// True once: the call is forgotten with it.
bool take_call(std::uint32_t correlation, const Ends& ends, std::uint64_t& sequence) {
  Call& call = g_calls[correlation % kCalls];
  if (correlation == 0 || call.correlation.load(std::memory_order_acquire) != correlation)
    return false;
  sequence = call.sequence.load(kRelaxed);
  if (call.ends.load(kRelaxed) != pack(ends)) return false;
  return call.correlation.compare_exchange_strong(correlation, 0, std::memory_order_acq_rel);
}

pscope_op op_of(const Series& series, const Ends& ends, std::uint64_t sequence) {
  pscope_op op{};
  op.bytes = ends.bytes;
  op.sequence = sequence;
  op.comm = series.id.load(kRelaxed);
  op.peer = static_cast<std::uint16_t>(ends.destination);
  op.kind = PSCOPE_KIND_COPY;
  op.async = 1;
  return op;
}

// ---- what a call's arguments say ----------------------------------------------------------------------------------------

Ends by_pointers(DevicePointer source, DevicePointer destination, std::uint64_t bytes,
                 std::uint64_t now) {
  Ends ends;
  ends.source = device_of_pointer(source, now);
  if (ends.source == kNoDevice) return ends;
  ends.destination = device_of_pointer(destination, now);
  ends.bytes = bytes;
  return ends;
}

Ends ends_of(const Copy3dPeer& copy) {
  if (copy.source.memory_type == kMemoryHost || copy.destination.memory_type == kMemoryHost)
    return {};
  return {device_of_context(copy.source.context), device_of_context(copy.destination.context),
          std::uint64_t{copy.width_bytes} * copy.height * copy.depth};
}

Ends ends_of(const RuntimeCopy3dPeer& copy) {
  const bool arrays = copy.source.array != nullptr || copy.destination.array != nullptr;
  // Of an array the width is in elements, and their size is not said.
  const std::uint64_t bytes = arrays ? 0 : std::uint64_t{copy.width} * copy.height * copy.depth;
  return {static_cast<std::uint32_t>(copy.source.device),
          static_cast<std::uint32_t>(copy.destination.device), bytes};
}

Ends ends_of(const RuntimePlainArguments& a, std::uint64_t now) {
  if (a.direction != kDeviceToDevice && a.direction != kInferredDirection) return {};
  return by_pointers(reinterpret_cast<DevicePointer>(a.source),
                     reinterpret_cast<DevicePointer>(a.destination), a.bytes, now);
}

// Batches are in several parts, and not here.
Ends ends_of(Shape shape, const void* arguments, std::uint64_t now) {
  switch (shape) {
    case Shape::peer: {
      const auto& a = *static_cast<const PeerArguments*>(arguments);
      return {device_of_context(a.source_context), device_of_context(a.destination_context),
              a.bytes};
    }
    case Shape::plain: {
      const auto& a = *static_cast<const PlainArguments*>(arguments);
      return by_pointers(a.source, a.destination, a.bytes, now);
    }
    case Shape::copy_3d: {
      const auto& a = *static_cast<const Copy3dPeerArguments*>(arguments);
      return a.copy != nullptr ? ends_of(*a.copy) : Ends{};
    }
    case Shape::runtime_peer: {
      const auto& a = *static_cast<const RuntimePeerArguments*>(arguments);
      return {static_cast<std::uint32_t>(a.source_device),
              static_cast<std::uint32_t>(a.destination_device), a.bytes};
    }
    case Shape::runtime_plain:
      return ends_of(*static_cast<const RuntimePlainArguments*>(arguments), now);
    case Shape::runtime_copy_3d: {
      const auto& a = *static_cast<const RuntimeCopy3dPeerArguments*>(arguments);
      return a.copy != nullptr ? ends_of(*a.copy) : Ends{};
    }
    default:
      return {};
  }
}

void* stream_of(Shape shape, const void* arguments) {
  switch (shape) {
    case Shape::peer:
      return static_cast<const PeerArguments*>(arguments)->stream;
    case Shape::plain:
      return static_cast<const PlainArguments*>(arguments)->stream;
    case Shape::copy_3d:
      return static_cast<const Copy3dPeerArguments*>(arguments)->stream;
    case Shape::batch_v1:
      return static_cast<const BatchArguments*>(arguments)->stream_of_first_version;
    case Shape::batch:
      return static_cast<const BatchArguments*>(arguments)->stream;
    case Shape::runtime_peer:
      return static_cast<const RuntimePeerArguments*>(arguments)->stream;
    case Shape::runtime_plain:
      return static_cast<const RuntimePlainArguments*>(arguments)->stream;
    case Shape::runtime_copy_3d:
      return static_cast<const RuntimeCopy3dPeerArguments*>(arguments)->stream;
    default:
      return nullptr;
  }
}

bool captured(const Function& function, const void* arguments) {
  if (__builtin_expect(g_captures.load(kRelaxed) == 0, 1) || !function.has_stream) return false;
  void* stream = stream_of(function.shape, arguments);
  return stream != nullptr && is_capturing(stream);
}

// ---- recording ----------------------------------------------------------------------------------------------------------

void record_call(const Ends& ends, std::uint64_t begin_ticks, std::uint32_t correlation) {
  Series* series = copies_of(ends.source);
  if (series == nullptr) return;
  const std::uint64_t sequence = series->next.fetch_add(1, kRelaxed);
  if (g_keep.load(kRelaxed) && correlation != 0) keep_call(correlation, ends, sequence);
  record_finished(*recorder(), op_of(*series, ends, sequence), begin_ticks);
}

// One call, many copies: which of them a record of the device is of cannot be told.
void record_batch(const BatchArguments& a, std::uint64_t begin, std::uint64_t now) {
  if (a.sources == nullptr || a.destinations == nullptr || a.bytes == nullptr) return;
  constexpr std::size_t kMost = 4096;
  for (std::size_t i = 0; i < a.count && i < kMost; ++i) {
    const Ends ends = by_pointers(a.sources[i], a.destinations[i], a.bytes[i], now);
    if (ends.between_devices()) record_call(ends, begin, 0);
  }
}

void end_copy(const Function& function, const CallbackData& data, std::uint64_t begin,
              const Recorder& session) {
  if (data.arguments == nullptr) return;
  const bool batch = function.shape == Shape::batch || function.shape == Shape::batch_v1;
  const Ends ends = batch ? Ends{} : ends_of(function.shape, data.arguments, begin);
  if (!batch && !ends.between_devices()) return;
  if (data.result != nullptr && *static_cast<const int*>(data.result) != 0)
    return count(Counter::failed);
  if (captured(function, data.arguments)) return count(Counter::captured);
  if (!batch) return record_call(ends, begin, data.correlation);
  record_batch(*static_cast<const BatchArguments*>(data.arguments), begin,
               ticks_now(session.clock));
}

void follow_capture(Shape shape) {
  if (shape == Shape::capture_begin) {
    g_captures.fetch_add(1, kRelaxed);
    return;
  }
  std::uint32_t captures = g_captures.load(kRelaxed);
  while (captures != 0 && !g_captures.compare_exchange_weak(captures, captures - 1, kRelaxed))
    continue;
}

void begin(Domain domain, const CallbackData& data, const Recorder& session) {
  if (data.shared == nullptr) return;
  *data.shared = 0;
  if (domain == Domain::driver && is_inside()) return;  // the runtime's function is the copy
  if (domain == Domain::runtime) t_inside = g_pauses.load(kRelaxed);
  if (level_now() != PSCOPE_LEVEL_OFF) *data.shared = ticks_now(session.clock);
}

}  // namespace

void on_function(Domain domain, std::uint32_t id, const CallbackData& data) {
  const Recorder* session = recorder();
  if (session == nullptr || id >= kIds || domain == Domain::resource) return;
  const Function& function =
      domain == Domain::driver ? kFunctionIndex.driver[id] : kFunctionIndex.runtime[id];
  if (function.shape == Shape::none) return;
  const bool capture =
      function.shape == Shape::capture_begin || function.shape == Shape::capture_end;
  if (data.site == Site::enter) {
    // Before it ends: other threads may copy into the capture as soon as it has begun.
    if (function.shape == Shape::capture_begin && (domain == Domain::runtime || !is_inside()))
      follow_capture(function.shape);
    return begin(domain, data, *session);
  }
  const bool nested = domain == Domain::driver && is_inside();
  if (domain == Domain::runtime) t_inside = 0;
  if (nested) return;
  if (capture) {
    const bool refused = data.result != nullptr && *static_cast<const int*>(data.result) != 0;
    // A capture that did not begin has not to end.
    if (function.shape == Shape::capture_end || refused) follow_capture(Shape::capture_end);
    return;
  }
  const std::uint64_t begin_ticks = data.shared != nullptr ? *data.shared : 0;
  if (begin_ticks != 0) end_copy(function, data, begin_ticks, *session);
}

void forget_where_threads_are() {
  g_pauses.fetch_add(1, kRelaxed);
  g_captures.store(0, kRelaxed);
}

void keep_calls(bool keep) { g_keep.store(keep, kRelaxed); }
std::uint64_t calls_kept() { return g_kept.load(kRelaxed); }

void on_peer_copy(const PeerCopyRecord& record, std::uint64_t host_ns) {
  Recorder* session = recorder();
  const Ends ends{record.source_device, record.destination_device, record.bytes};
  if (record.end_ns <= record.start_ns || ends.source >= kDevices || ends.destination >= kDevices)
    return count(Counter::refused_records);
  Series* series = session != nullptr ? copies_of(ends.source) : nullptr;
  if (series == nullptr || ends.source == ends.destination) return;
  std::uint64_t sequence = 0;
  if (record.graph_node != 0 || !take_call(record.correlation, ends, sequence)) {
    sequence = series->next.fetch_add(1, kRelaxed);
    // Of a graph each run is an operation of its own. Any other has been counted at its call, or will not be counted twice.
    if (record.graph_node != 0 && host_ns != 0) {
      record_observed(*session, op_of(*series, ends, sequence), ticks_of(host_ns));
    } else {
      count(Counter::unmatched);
    }
  }
  const pscope_device_times times{
      sequence,         record.start_ns,           record.end_ns,
      ends.bytes,       series->id.load(kRelaxed), kClock,
      PSCOPE_KIND_COPY, PSCOPE_ALGORITHM_UNKNOWN,  static_cast<std::uint16_t>(ends.destination)};
  pscope_op_device_times(&session->pub, &times);
  count(Counter::sampled_copies);
}

}  // namespace peerscope::cuda
