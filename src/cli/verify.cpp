// peerscope verify: random operations on a backend, every element against a float64 reference.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/measure.hpp"
#include "cli/progress.hpp"
#include "cli/verify_kills.hpp"
#include "comm/cuda/cuda_communicator.hpp"
#include "comm/host/host.hpp"
#include "comm/verify/random_case.hpp"

namespace peerscope {
namespace {

struct VerifyOptions {
  std::string backend = "host";
  int ranks = 2, cases = 1000, seed = 1;
  std::uint64_t most = 1 << 20;
  double timeout_s = 10;
  bool json = false;
};

const std::vector<Kind> kKinds{Kind::all_reduce, Kind::broadcast,      Kind::reduce,
                               Kind::all_gather, Kind::reduce_scatter, Kind::gather,
                               Kind::all_to_all, Kind::barrier,        Kind::send};

// What all ranks know of how it goes.
struct Outcome {
  std::mutex mutex;
  std::atomic<int> done{0}, failed{0}, graphs{0};
  std::string first;  // what went wrong first

  void fail(const std::string& why) {
    const std::lock_guard lock(mutex);
    if (failed++ == 0) first = why;
  }
};

struct Free {
  void operator()(std::byte* memory) const { std::free(memory); }
};

Status verify_host(const VerifyOptions& options, Communicator& comm, Outcome& outcome) {
  for (int i = 0; i < options.cases && outcome.failed == 0; ++i) {
    const RandomCase what = RandomCase::draw(
        static_cast<std::uint64_t>(options.seed) << 32 | static_cast<std::uint32_t>(i),
        {kKinds, options.ranks, options.most});
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

// One rank on a GPU: a case by run(), on another stream, or as a graph that is launched twice.
class CudaVerifier {
 public:
  CudaVerifier(const VerifyOptions& options, CudaCommunicator& comm, Outcome& outcome)
      : options_(options), comm_(comm), outcome_(outcome) {}

  Status run() {
    Result<CudaStream> stream = comm_.device().make_stream();
    if (!stream) return stream.error();
    stream_ = std::move(*stream);
    if (Status ok = make_room(); !ok) return ok;
    for (int i = 0; i < options_.cases && outcome_.failed == 0; ++i) {
      const RandomCase what = RandomCase::draw(
          static_cast<std::uint64_t>(options_.seed) << 32 | static_cast<std::uint32_t>(i),
          {kKinds, options_.ranks, options_.most});
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
  CudaCommunicator& comm_;
  Outcome& outcome_;
  CudaStream stream_;
  CudaMemory memory_;
  std::size_t room_ = 0;
  std::vector<std::byte> after_;
};

Status verify_rank(const VerifyOptions& options, const CudaDriver* driver, const HostWorld& world,
                   int rank, Outcome& outcome) {
  Result<std::unique_ptr<Communicator>> host = world.open(rank);
  if (!host) return host.error();
  if (driver == nullptr) return verify_host(options, **host, outcome);
  CudaOptions cuda;
  cuda.name = "verify";
  cuda.id = static_cast<std::uint64_t>(options.seed);
  cuda.device = rank % driver->device_count();
  cuda.timeout = std::chrono::nanoseconds(static_cast<std::int64_t>(options.timeout_s * 1e9));
  Result<std::unique_ptr<CudaCommunicator>> comm =
      CudaCommunicator::open(*driver, cuda, std::move(*host));
  if (!comm) return comm.error();
  return CudaVerifier(options, **comm, outcome).run();
}

int say_outcome(const VerifyOptions& options, const Outcome& outcome, double seconds) {
  const bool fine = outcome.failed == 0;
  if (options.json) {
    fmt::print("{}\n", nlohmann::json{{"backend", options.backend},
                                      {"ranks", options.ranks},
                                      {"seed", options.seed},
                                      {"cases", outcome.done.load()},
                                      {"graphs", outcome.graphs.load()},
                                      {"failed", outcome.failed.load()},
                                      {"first", fine ? nlohmann::json(nullptr)
                                                     : nlohmann::json(outcome.first)},
                                      {"seconds", seconds}}
                           .dump(2));
  } else if (fine) {
    fmt::print(
        "● {} random operations of {} ranks on {} are what float64 says ({:.1f} s, seed {})\n",
        outcome.done.load(), options.ranks, options.backend, seconds, options.seed);
  } else {
    fmt::print("■ {} wrong; the first: {}\n", outcome.failed.load(), outcome.first);
  }
  return fine ? 0 : 1;
}

// A killed rank must be named within the time-out and a second.
int say_kills(const VerifyOptions& options, int kills) {
  const KillOptions asked{
      .backend = options.backend,
      .kills = kills,
      .seed = options.seed,
      .timeout = std::chrono::nanoseconds(static_cast<std::int64_t>(options.timeout_s * 1e9))};
  const Result<std::vector<KillTurn>> turns = verify_kills(asked);
  if (!turns) {
    fmt::print(stderr, "peerscope verify: {}\n", turns.error().message);
    return 2;
  }
  int late = 0, unnamed = 0;
  double most = 0;
  for (const KillTurn& turn : *turns) {
    late += turn.hung || turn.told_s > options.timeout_s + 1 ? 1 : 0;
    unnamed += turn.sentence.find("rank 1") == std::string::npos ? 1 : 0;
    most = std::max(most, turn.told_s);
  }
  const std::string example = turns->empty() ? "" : turns->back().sentence;
  if (options.json) {
    fmt::print("{}\n", nlohmann::json{{"backend", options.backend},
                                      {"kills", kills},
                                      {"late", late},
                                      {"unnamed", unnamed},
                                      {"most_s", most},
                                      {"timeout_s", options.timeout_s},
                                      {"example", example}}
                           .dump(2));
  } else {
    fmt::print(
        "{} {} ranks killed on {}: {} told too late (time-out {} s, at most {:.2f} s), {} without "
        "naming it\n  {}\n",
        late + unnamed == 0 ? "●" : "■", kills, options.backend, late, options.timeout_s, most,
        unnamed, example);
  }
  return late + unnamed == 0 ? 0 : 1;
}

int verify_main(Args& args) {
  VerifyOptions options;
  int kills = 0;
  args.choice("--backend", options.backend, {"host", "cuda"},
              "where the ranks are (default: host)");
  args.integer("-g,--ranks", options.ranks, 1, kMaxRanks,
               "ranks, threads of this process; GPUs are shared where there are fewer");
  args.integer("-n,--cases", options.cases, 1, 100'000'000, "random operations");
  args.integer("--seed", options.seed, 0, 1 << 30, "of what is drawn");
  args.bytes("--most", options.most, "largest tensor (default: 1M)");
  args.real("--timeout", options.timeout_s, 0.001, 3600,
            "seconds that a rank waits for another one");
  args.integer("--kills", kills, 0, 10'000,
               "instead: kill one of two processes so often, and see what the other one says");
  args.flag("--json", options.json, "print one JSON object");
  if (const auto status = args.parse()) return *status;
  if (kills > 0) return say_kills(options, kills);
  setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32",
         0);  // ranks that share a GPU wait for one another: no two in one queue
  std::optional<CudaDriver> driver;
  if (options.backend == "cuda") {
    Result<CudaDriver> opened = CudaDriver::open();
    if (!opened) {
      fmt::print(stderr, "peerscope verify: {}\n", opened.error().message);
      return 2;
    }
    driver.emplace(std::move(*opened));
  }
  HostOptions host;
  host.name = "verify";
  host.ranks = options.ranks;
  const Result<HostWorld> world = HostWorld::create(host);
  if (!world) {
    fmt::print(stderr, "peerscope verify: {}\n", world.error().message);
    return 2;
  }
  Outcome outcome;
  std::atomic<int> running{options.ranks};
  const std::int64_t begin_ns = monotonic_ns();
  std::vector<std::thread> threads;
  for (int rank = 0; rank < options.ranks; ++rank) {
    threads.emplace_back([&, rank] {
      const Status done = verify_rank(options, driver ? &*driver : nullptr, *world, rank, outcome);
      if (!done) outcome.fail(fmt::format("rank {}: {}", rank, done.error().message));
      --running;
    });
  }
  Progress progress(fmt::format("random operations on {}", options.backend),
                    static_cast<std::uint64_t>(options.cases));
  while (running > 0) {
    progress.update(static_cast<std::uint64_t>(outcome.done.load()));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  for (std::thread& thread : threads) thread.join();
  return say_outcome(options, outcome, static_cast<double>(monotonic_ns() - begin_ns) / 1e9);
}

}  // namespace

const Command kVerifyCommand{
    {"verify", "random operations of the P2P backend, every element against float64",
     "  peerscope verify                                 1,000 on the host, 2 ranks\n"
     "  peerscope verify --backend cuda -n 10000         on this machine's GPUs\n"
     "  peerscope verify --backend cuda -g 8 --seed 7    eight ranks, sharing GPUs\n"
     "  peerscope verify --kills 50 --timeout 0.5        a process killed in the middle\n",
     "1  something was wrong, or a rank failed"},
    verify_main};

}  // namespace peerscope
