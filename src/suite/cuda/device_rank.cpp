#include "suite/cuda/device_rank.hpp"

#include <algorithm>
#include <chrono>

#include "comm/cuda/peer_driver.hpp"
#include "suite/cuda/overlap.hpp"

namespace peerscope {

Status DeviceRank::prepare() {
  Result<CudaStream> stream = comm_.device().make_stream();
  if (!stream) return stream.error();
  stream_ = std::move(*stream);
  for (CudaEvent* event : {&begin_, &end_}) {
    Result<CudaEvent> made = comm_.device().make_event();
    if (!made) return made.error();
    *event = std::move(*made);
  }
  return Done{};
}

Result<void*> DeviceRank::allocate(std::size_t bytes) {
  Result<CudaMemory> memory = comm_.device().allocate(std::max<std::size_t>(bytes, 256));
  if (!memory) return memory.error();
  auto* at = reinterpret_cast<void*>(memory->get());
  blocks_.emplace(at, std::move(*memory));
  return at;
}

void DeviceRank::release(void* memory) { blocks_.erase(memory); }

Result<Block> DeviceRank::register_memory(std::size_t bytes) {
  return allocate_registered(comm_, bytes);
}

Status DeviceRank::upload(void* to, const void* from, std::size_t bytes) {
  const Status done = comm_.device().upload(reinterpret_cast<CudaPointer>(to), from, bytes);
  return done ? comm_.settle() : done;
}

Status DeviceRank::download(void* to, const void* from, std::size_t bytes) {
  return comm_.device().download(to, reinterpret_cast<CudaPointer>(from), bytes);
}

Status DeviceRank::fill(void* to, std::byte value, std::size_t bytes) {
  const Status done = comm_.device().fill(reinterpret_cast<CudaPointer>(to), value, bytes);
  return done ? comm_.settle() : done;
}

Status DeviceRank::barrier() { return host_.barrier(); }

Status DeviceRank::enqueue(const Call& call, int count) {
  for (int i = 0; i < count; ++i) {
    compute_for(compute_us);
    if (Status done = comm_.enqueue(call, stream_.get()); !done) return done;
  }
  return Done{};
}

Result<CudaGraph> DeviceRank::capture(const Call& call, int count) {
  if (Status ok = comm_.device().begin_capture(stream_); !ok) return ok.error();
  const Status enqueued = enqueue(call, count);
  Result<CudaGraph> graph = comm_.device().end_capture(stream_);
  if (!enqueued) return enqueued.error();
  if (graph) {  // so that its first launch is like any other
    const CudaResult uploaded = (*peer_functions())->cuGraphUpload(graph->get(), stream_.get());
    if (Status ok = comm_.device().check(uploaded, "cuGraphUpload"); !ok) return ok.error();
    if (Status ok = comm_.synchronize(stream_.get()); !ok) return ok.error();
  }
  return graph;
}

Result<BatchTime> DeviceRank::run(const Call& call, int count, bool graph) {
  using Clock = std::chrono::steady_clock;
  CudaGraph captured;
  if (graph) {
    Result<CudaGraph> made = capture(call, count);
    if (!made) return made.error();
    captured = std::move(*made);
  }
  if (Status together = host_.barrier(); !together) return together.error();
  const CudaDevice& device = comm_.device();
  const Clock::time_point begin = Clock::now();
  if (Status ok = device.record(begin_, stream_); !ok) return ok.error();
  if (Status ok = graph ? device.launch(captured, stream_) : enqueue(call, count); !ok)
    return ok.error();
  if (Status ok = device.record(end_, stream_); !ok) return ok.error();
  if (Status ok = comm_.synchronize(stream_.get()); !ok) return ok.error();
  BatchTime time;
  time.host_ns = std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
  const Result<double> elapsed = device.elapsed_ns(begin_, end_);
  if (!elapsed) return elapsed.error();
  time.device_ns = *elapsed;
  return time;
}

Result<OverlapTime> DeviceRank::overlap(const Call& call, int count) {
  return overlap_on_gpu(comm_, host_, stream_, call, count);
}

}  // namespace peerscope
