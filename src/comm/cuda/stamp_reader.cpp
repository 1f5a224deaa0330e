#include "comm/cuda/stamp_reader.hpp"

#include <cstring>

#include "record/finished.hpp"

namespace peerscope {
namespace {

using cuda::Stamp;

constexpr auto kPeriod = std::chrono::milliseconds(5);
constexpr std::uint64_t kClocksEveryNs = 100'000'000;
constexpr std::uint64_t kUnderWay = 4;  // stamps that may be counted and not yet be written
constexpr std::size_t kMostCalls = 0xFFFF;
constexpr int kUnsureShift = 42;  // a send's and its recv's differ; a record holds 48 bits

bool same(const pscope_op& a, const pscope_op& b) {
  return a.bytes == b.bytes && a.kind == b.kind && a.algorithm == b.algorithm &&
         a.protocol == b.protocol && a.dtype == b.dtype && a.peer == b.peer;
}

}  // namespace

struct StampReader::Buffers {  // pinned
  std::uint64_t counts[2];
  std::uint64_t clock;  // of the device; written by a kernel
  Stamp stamps[cuda::kStamps];
};

StampReader::StampReader(const CudaDevice& device, const cuda::Kernels& kernels, CudaPointer region,
                         const cuda::Layout& layout, pscope_session* session,
                         std::uint16_t pscope_comm)
    : device_(device),
      kernels_(kernels),
      region_(region),
      layout_(layout),
      session_(session),
      comm_(pscope_comm) {
  if (session_ == nullptr) return;
  f_ = *peer_functions();
  Result<CudaStream> stream = device_.make_stream();
  void* memory = nullptr;
  if (!stream || f_->cuMemHostAlloc(&memory, sizeof(Buffers), kCudaHostMapped) != kCudaSuccess)
    return;
  stream_ = std::move(*stream);
  buffers_.reset(new (memory) Buffers);
  calls_.push_back({});  // id 0: unknown
  thread_ = std::thread([this] { work(); });
}

StampReader::~StampReader() {
  if (thread_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  if (buffers_) f_->cuMemFreeHost(buffers_.release());
}

std::uint16_t StampReader::id_of(const pscope_op& op) {
  Recent& recent = recent_[(op.bytes ^ op.bytes >> 6 ^ op.kind * 7u ^ op.algorithm) % 64];
  if (recent.id != 0 && same(recent.op, op)) return recent.id;
  const std::uint64_t what = op.kind | std::uint64_t{op.algorithm} << 8 |
                             std::uint64_t{op.protocol} << 16 | std::uint64_t{op.dtype} << 24 |
                             std::uint64_t{op.peer} << 32;
  const std::lock_guard lock(calls_mutex_);
  if (calls_.empty()) return 0;
  const auto [found, is_new] =
      ids_.try_emplace({op.bytes, what}, static_cast<std::uint16_t>(calls_.size()));
  if (is_new && calls_.size() > kMostCalls) {
    ids_.erase(found);
    return 0;  // so many different calls: no more are told apart
  }
  if (is_new) calls_.push_back(op);
  recent = {op, found->second};
  return recent.id;
}

void StampReader::work() {
  if (!device_.make_current()) return;
  std::unique_lock lock(mutex_);
  while (!ending_) {
    wake_.wait_for(lock, kPeriod);
    read_all();
  }
  read_all();
}

void StampReader::flush() {
  if (!buffers_) return;
  const std::lock_guard lock(mutex_);
  read_all();
}

void StampReader::read_all() {
  if (!buffers_ || !device_.make_current()) return;
  tie_clocks();
  const CudaPointer counts = region_ + layout_.states + offsetof(cuda::BlockState, operations);
  if (f_->cuMemcpyDtoHAsync(buffers_->counts, counts, sizeof buffers_->counts, stream_.get()) !=
          kCudaSuccess ||
      f_->cuStreamSynchronize(stream_.get()) != kCudaSuccess)
    return;
  const std::uint64_t counted[2] = {buffers_->counts[0], buffers_->counts[1]};
  for (int ring = 0; ring < 2; ++ring) {
    if (counted[ring] > read_[ring]) read_ring(ring, counted[ring]);
  }
}

void StampReader::read_ring(int ring, std::uint64_t count) {
  std::uint64_t& read = read_[ring];
  if (count - read > cuda::kStamps) {
    note_lost(ring, count - read - cuda::kStamps);
    read = count - cuda::kStamps;
  }
  const CudaPointer base =
      region_ + layout_.stamps + static_cast<std::uint64_t>(ring) * cuda::kStamps * sizeof(Stamp);
  const std::uint64_t first = read % cuda::kStamps, n = count - read;
  const std::uint64_t to_end = std::min(n, cuda::kStamps - first);
  f_->cuMemcpyDtoHAsync(buffers_->stamps, base + first * sizeof(Stamp), to_end * sizeof(Stamp),
                        stream_.get());
  if (n > to_end)
    f_->cuMemcpyDtoHAsync(buffers_->stamps + to_end, base, (n - to_end) * sizeof(Stamp),
                          stream_.get());
  if (f_->cuStreamSynchronize(stream_.get()) != kCudaSuccess) return;
  for (std::uint64_t i = 0; i < n; ++i, ++read) {
    const Stamp& stamp = buffers_->stamps[i];
    const bool is_it = stamp.turn == static_cast<std::uint16_t>(read / cuda::kStamps + 1);
    if (is_it) {
      record(ring, read, stamp);
    } else if (i + kUnderWay >= n) {
      return;  // not there yet: the next time
    } else {
      note_lost(ring, 1);  // overwritten meanwhile
    }
  }
}

void StampReader::note_lost(int ring, std::uint64_t count) {
  lost_.fetch_add(count, std::memory_order_relaxed);
  if (ring != 0) numbers_lost_ = true;
}

void StampReader::record(int ring, std::uint64_t number, const Stamp& stamp) {
  pscope_op op{};
  {
    const std::lock_guard lock(calls_mutex_);
    if (stamp.id >= calls_.size()) return;
    op = calls_[stamp.id];
  }
  op.comm = comm_;
  op.async = 1;
  op.sequence = ring == 0 ? number : numbers_[{op.kind, op.peer}]++;
  if (ring != 0 && numbers_lost_) op.sequence += std::uint64_t{op.kind + 1u} << kUnsureShift;
  Recorder& recorder = *as_recorder(session_);
  const std::int64_t ago_ns = static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)) -
                              (static_cast<std::int64_t>(stamp.begin_ns) + host_ahead_ns_);
  const double ago_ticks =
      clocks_tied_ns_ == 0 || ago_ns < 0 ? 0.0 : static_cast<double>(ago_ns) / recorder.ns_per_tick;
  record_observed(recorder, op, ticks_now(recorder.clock) - static_cast<std::uint64_t>(ago_ticks));
  const pscope_device_times times{
      op.sequence, stamp.begin_ns, stamp.begin_ns + stamp.duration_ns,
      op.bytes,    comm_,          static_cast<std::uint16_t>(device_.ordinal()),
      op.kind,     op.algorithm,   0};
  pscope_op_device_times(session_, &times);
}

// A kernel reads the device's clock between two readings of the host's.
void StampReader::tie_clocks() {
  const std::uint64_t before = clock_ns(CLOCK_MONOTONIC);
  if (clocks_tied_ns_ != 0 && before - clocks_tied_ns_ < kClocksEveryNs) return;
  CudaPointer at = 0;
  if (f_->cuMemHostGetDevicePointer(&at, &buffers_->clock, 0) != kCudaSuccess) return;
  void* parameters[] = {&at};
  CudaLaunchConfig config;
  config.stream = stream_.get();
  volatile std::uint64_t& clock = buffers_->clock;
  clock = 0;
  const std::uint64_t begin = clock_ns(CLOCK_MONOTONIC);
  if (f_->cuLaunchKernelEx(&config, kernels_.clock(), parameters, nullptr) != kCudaSuccess) return;
  while (clock == 0) {
    if (clock_ns(CLOCK_MONOTONIC) - begin > 10'000'000) return;  // busy: another time
  }
  const std::uint64_t end = clock_ns(CLOCK_MONOTONIC);
  clocks_tied_ns_ = end;
  host_ahead_ns_ =
      static_cast<std::int64_t>(begin + (end - begin) / 2) - static_cast<std::int64_t>(clock);
  pscope_device_clock(session_, static_cast<std::uint16_t>(device_.ordinal()), clock, begin, end);
}

}  // namespace peerscope
