#include "suite/cuda/overlap.hpp"

#include <algorithm>

#include "comm/cuda/kernels.hpp"

namespace peerscope {
namespace {

constexpr unsigned
    kBlocks = 264,
    kThreads = 256;  // two on each multiprocessor of an H200: room is left for communication
constexpr std::uint64_t kProbe = 10'000;  // turns, to see how long one takes

// A stream with a pair of events around what is given to it.
struct Timed {
  CudaStream own;
  CudaEvent begin, end;

  static Result<Timed> make(const CudaDevice& device) {
    Timed timed;
    Result<CudaStream> stream = device.make_stream();
    Result<CudaEvent> begin = device.make_event(), end = device.make_event();
    if (!stream) return stream.error();
    if (!begin) return begin.error();
    if (!end) return end.error();
    timed.own = std::move(*stream);
    timed.begin = std::move(*begin);
    timed.end = std::move(*end);
    return timed;
  }
};

class Overlap {
 public:
  Overlap(DeviceCommunicator& comm, const CudaStream& stream, cuda::Kernels kernels, Timed comms,
          Timed compute)
      : comm_(comm),
        stream_(stream),
        kernels_(std::move(kernels)),
        comms_(std::move(comms)),
        compute_(std::move(compute)) {}

  Status begin_comm(const Call& call, int count) {
    if (Status ok = comm_.device().record(comms_.begin, stream_); !ok) return ok;
    for (int i = 0; i < count; ++i) {
      if (Status ok = comm_.enqueue(call, stream_.get()); !ok) return ok;
    }
    return comm_.device().record(comms_.end, stream_);
  }
  Result<double> end_comm() {
    if (Status ok = comm_.synchronize(stream_.get()); !ok) return ok.error();
    return comm_.device().elapsed_ns(comms_.begin, comms_.end);
  }
  Status begin_compute(std::uint64_t turns) {
    CudaPointer nowhere = 0;  // nothing is ever written
    void* parameters[] = {&nowhere, &turns};
    CudaLaunchConfig config;
    config.grid[0] = kBlocks;
    config.block[0] = kThreads;
    config.stream = compute_.own.get();
    const CudaDevice& device = comm_.device();
    if (Status ok = device.record(compute_.begin, compute_.own); !ok) return ok;
    const CudaResult launched =
        (*peer_functions())->cuLaunchKernelEx(&config, kernels_.busy(), parameters, nullptr);
    if (Status ok = device.check(launched, "cuLaunchKernelEx"); !ok) return ok;
    return device.record(compute_.end, compute_.own);
  }
  Result<double> end_compute() {
    const CudaResult done = (*peer_functions())->cuStreamSynchronize(compute_.own.get());
    if (Status ok = comm_.device().check(done, "cuStreamSynchronize"); !ok) return ok.error();
    return comm_.device().elapsed_ns(compute_.begin, compute_.end);
  }
  Result<double> compute(std::uint64_t turns) {
    if (Status ok = begin_compute(turns); !ok) return ok.error();
    return end_compute();
  }

 private:
  DeviceCommunicator& comm_;
  const CudaStream& stream_;
  cuda::Kernels kernels_;
  Timed comms_, compute_;
};

// The four times, in the order in which they are measured.
Status measure(Overlap& overlap, Communicator& host, const Call& call, int count,
               OverlapTime& out) {
  const auto keep = [](double& to, const Result<double>& ns) {
    return ns ? (to = *ns, Status(Done{})) : Status(ns.error());
  };
  double probe = 0;
  if (Status met = host.barrier(); !met) return met;
  if (Status ok = overlap.begin_comm(call, count); !ok) return ok;
  if (Status ok = keep(out.comm_alone_ns, overlap.end_comm()); !ok) return ok;
  if (Status ok = keep(probe, overlap.compute(kProbe)); !ok) return ok;
  if (Status ok = keep(probe, overlap.compute(kProbe)); !ok) return ok;  // the first one warms up
  const auto turns =
      static_cast<std::uint64_t>(out.comm_alone_ns / std::max(probe, 1.0) * kProbe) + 1;
  if (Status ok = keep(out.compute_alone_ns, overlap.compute(turns)); !ok) return ok;
  if (Status met = host.barrier(); !met) return met;
  if (Status ok = overlap.begin_compute(turns); !ok) return ok;
  if (Status ok = overlap.begin_comm(call, count); !ok) return ok;
  if (Status ok = keep(out.comm_beside_ns, overlap.end_comm()); !ok) return ok;
  return keep(out.compute_beside_ns, overlap.end_compute());
}

}  // namespace

Result<OverlapTime> overlap_on_gpu(DeviceCommunicator& comm, Communicator& host,
                                   const CudaStream& stream, const Call& call, int count) {
  const CudaDevice& device = comm.device();
  if (Status ok = device.make_current(); !ok) return ok.error();
  Result<cuda::Kernels> kernels = cuda::Kernels::load(device);
  if (!kernels) return kernels.error();
  Result<Timed> comms = Timed::make(device), compute = Timed::make(device);
  if (!comms) return comms.error();
  if (!compute) return compute.error();
  Overlap overlap(comm, stream, std::move(*kernels), std::move(*comms), std::move(*compute));
  OverlapTime out;
  if (Status done = measure(overlap, host, call, count, out); !done) return done.error();
  return out;
}

}  // namespace peerscope
