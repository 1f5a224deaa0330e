#include "cli/verify_cases.hpp"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "comm/verify/random_case.hpp"

namespace peerscope {
namespace {

const std::vector<Kind> kKinds{Kind::all_reduce, Kind::broadcast,      Kind::reduce,
                               Kind::all_gather, Kind::reduce_scatter, Kind::gather,
                               Kind::all_to_all, Kind::barrier,        Kind::send};

// The same on all ranks. NCCL chooses its algorithms, and wants another output for all_to_all.
RandomCase draw_case(const VerifyOptions& options, int i) {
  RandomCase what = RandomCase::draw(
      static_cast<std::uint64_t>(options.seed) << 32 | static_cast<std::uint32_t>(i),
      {kKinds, options.ranks, options.most});
  if (options.backend != "nccl") return what;
  what.algorithm = Algorithm::unknown;
  if (what.kind == Kind::all_to_all) what.in_place = false;
  return what;
}

struct Free {
  void operator()(std::byte* memory) const { std::free(memory); }
};

class DeviceVerifier {
 public:
  DeviceVerifier(const VerifyOptions& options, DeviceCommunicator& comm, VerifyOutcome& outcome)
      : options_(options), comm_(comm), outcome_(outcome) {}

  Status run() {
    Result<CudaStream> stream = comm_.device().make_stream();
    if (!stream) return stream.error();
    stream_ = std::move(*stream);
    if (Status ok = make_room(); !ok) return ok;
    for (int i = 0; i < options_.cases && outcome_.failed == 0; ++i) {
      const RandomCase what = draw_case(options_, i);
      if (what.takes_part(comm_.rank())) {
        if (Status done = one(what, i % 4); !done)
          return Error{done.error().code, what.text() + ": " + done.error().message};
      }
      if (comm_.rank() == 0) outcome_.done = i + 1;
    }
    return Done{};
  }

 private:
  Status one(const RandomCase& what, int way) {
    const CaseMemory memory(what, comm_.rank());
    if (memory.initial().size() > room_)
      return Error{ErrorCode::no_memory, "the case is larger than it may be"};
    const Call call = memory.call(reinterpret_cast<void*>(memory_.get()));
    if (way == 3) return as_graph(what, memory, call);
    if (Status ok = upload(memory); !ok) return ok;
    if (way == 2) {
      if (Status ok = comm_.enqueue(call, stream_.get()); !ok) return ok;
      if (Status ok = comm_.synchronize(stream_.get()); !ok) return ok;
    } else if (Status ok = comm_.run(call); !ok) {
      return ok;
    }
    return look(what, memory);
  }

  Status as_graph(const RandomCase& what, const CaseMemory& memory, const Call& call) {
    if (Status ok = comm_.device().begin_capture(stream_); !ok) return ok;
    const Status enqueued = comm_.enqueue(call, stream_.get());
    const Result<CudaGraph> graph = comm_.device().end_capture(stream_);
    if (!enqueued) return enqueued;
    if (!graph) return graph.error();
    ++outcome_.graphs;
    for (int launch = 0; launch < 2; ++launch) {
      if (Status ok = upload(memory); !ok) return ok;
      if (Status ok = comm_.device().launch(*graph, stream_); !ok) return ok;
      if (Status ok = comm_.synchronize(stream_.get()); !ok) return ok;
      if (Status ok = look(what, memory); !ok) return ok;
    }
    return Done{};
  }

  // Once: to free memory waits for all that runs on a device, and so for ranks that wait for us.
  Status make_room() {
    room_ = 4 * options_.most + (64 << 10);
    Result<CudaMemory> memory = comm_.device().allocate(room_);
    if (!memory) return memory.error();
    memory_ = std::move(*memory);
    return Done{};
  }
  Status upload(const CaseMemory& memory) {
    const Status ok =
        comm_.device().upload(memory_.get(), memory.initial().data(), memory.initial().size());
    return ok ? comm_.settle() : ok;
  }
  Status look(const RandomCase& what, const CaseMemory& memory) {
    after_.resize(memory.initial().size());
    if (Status ok = comm_.device().download(after_.data(), memory_.get(), after_.size()); !ok)
      return ok;
    if (const std::string fault = memory.fault(after_); !fault.empty())
      outcome_.fail(what.text() + ": " + fault);
    return Done{};
  }

  const VerifyOptions& options_;
  DeviceCommunicator& comm_;
  VerifyOutcome& outcome_;
  CudaStream stream_;
  CudaMemory memory_;
  std::size_t room_ = 0;
  std::vector<std::byte> after_;
};

}  // namespace

Status verify_host(const VerifyOptions& options, Communicator& comm, VerifyOutcome& outcome) {
  for (int i = 0; i < options.cases && outcome.failed == 0; ++i) {
    const RandomCase what = draw_case(options, i);
    if (!what.takes_part(comm.rank())) continue;
    const CaseMemory memory(what, comm.rank());
    const std::size_t bytes = memory.initial().size();
    const std::unique_ptr<std::byte, Free> piece(
        static_cast<std::byte*>(std::aligned_alloc(256, (bytes + 255) / 256 * 256)));
    std::memcpy(piece.get(), memory.initial().data(), bytes);
    if (Status done = comm.run(memory.call(piece.get())); !done)
      return Error{done.error().code, what.text() + ": " + done.error().message};
    if (const std::string fault = memory.fault({piece.get(), bytes}); !fault.empty())
      outcome.fail(what.text() + ": " + fault);
    if (comm.rank() == 0) outcome.done = i + 1;
  }
  return Done{};
}

Status verify_device(const VerifyOptions& options, DeviceCommunicator& comm,
                     VerifyOutcome& outcome) {
  return DeviceVerifier(options, comm, outcome).run();
}

}  // namespace peerscope
