#include "suite/cuda/p2p.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "comm/cuda/kernels.hpp"

namespace peerscope {
namespace {

constexpr int kCopies = 16;  // between two events
constexpr int kMostDevices = 16;
constexpr std::uint32_t kChaseStride = 4096;  // bytes from one place to the next
constexpr std::uint32_t kChaseSteps = 4096;
constexpr unsigned kCopyBlocks = 128;

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values.empty() ? 0 : values[values.size() / 2];
}

// All GPUs of this process, each with memory that the others reach.
class Gpus {
 public:
  static Result<std::unique_ptr<Gpus>> open(int count, std::size_t bytes) {
    if (count < 2 || count > kMostDevices)
      return Error{ErrorCode::invalid_argument,
                   fmt::format("-g must be 2 to {} GPUs", kMostDevices)};
    auto gpus = std::make_unique<Gpus>();
    Result<CudaDriver> driver = CudaDriver::open();
    if (!driver) return driver.error();
    gpus->driver_ = std::make_unique<CudaDriver>(std::move(*driver));
    if (count > gpus->driver_->device_count())
      return Error{ErrorCode::invalid_argument,
                   fmt::format("-g {}, but there {} GPU{}", count,
                               gpus->driver_->device_count() == 1
                                   ? "is 1"
                                   : fmt::format("are {}", gpus->driver_->device_count()),
                               gpus->driver_->device_count() == 1 ? "" : "s")};
    for (int i = 0; i < count; ++i) {
      if (Status added = gpus->add(i, bytes); !added) return added.error();
    }
    for (int i = 0; i < count; ++i) {
      if (Status mapped = gpus->map_others(i); !mapped) return mapped.error();
    }
    return gpus;
  }

  struct Gpu {
    CudaDevice device;
    cuda::Kernels kernels;
    CudaStream stream;
    CudaEvent begin, end;
    PeerMemory from, to;            // its own
    std::vector<PeerMemory> views;  // of the others' `to`, by device; its own is empty
  };
  [[nodiscard]] Gpu& at(int i) { return *gpus_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] CudaPointer view(int of, int from) {
    return of == from ? at(of).to.at() : at(from).views[static_cast<std::size_t>(of)].at();
  }

  // GB/s of `kCopies` copies that `by` makes.
  Result<double> copy_gbs(int by, CudaPointer to, CudaPointer from, std::size_t bytes,
                          bool engine) {
    if (Status begun = begin_copies(by, to, from, bytes, engine); !begun) return begun.error();
    return end_copies(by, bytes);
  }
  Status begin_copies(int by, CudaPointer to, CudaPointer from, std::size_t bytes, bool engine) {
    Gpu& gpu = at(by);
    if (Status ok = gpu.device.make_current(); !ok) return ok;
    if (Status ok = gpu.device.record(gpu.begin, gpu.stream); !ok) return ok;
    for (int i = 0; i < kCopies; ++i) {
      if (Status ok =
              engine ? gpu.device.check(
                           (*peer_functions())->cuMemcpyAsync(to, from, bytes, gpu.stream.get()),
                           "cuMemcpyAsync")
                     : copy_by_kernel(gpu, to, from, bytes);
          !ok)
        return ok;
    }
    return gpu.device.record(gpu.end, gpu.stream);
  }
  Result<double> end_copies(int by, std::size_t bytes) {
    Gpu& gpu = at(by);
    if (Status ok = gpu.device.make_current(); !ok) return ok.error();
    if (Status ok = gpu.device.check((*peer_functions())->cuStreamSynchronize(gpu.stream.get()),
                                     "cuStreamSynchronize");
        !ok)
      return ok.error();
    const Result<double> ns = gpu.device.elapsed_ns(gpu.begin, gpu.end);
    if (!ns) return ns.error();
    return static_cast<double>(bytes) * kCopies / *ns;
  }

  // ns of one dependent load by `by` from `of`'s memory.
  Result<double> latency_ns(int by, int of) {
    Gpu& gpu = at(by);
    if (Status ok = gpu.device.make_current(); !ok) return ok.error();
    CudaPointer memory = view(of, by), out = gpu.from.at();
    std::uint32_t steps = kChaseSteps, stride = kChaseStride;
    void* parameters[] = {&memory, &out, &steps, &stride};
    CudaLaunchConfig config;
    config.stream = gpu.stream.get();
    for (const bool is_timed : {false, true}) {
      if (is_timed) {
        if (Status ok = gpu.device.record(gpu.begin, gpu.stream); !ok) return ok.error();
      }
      if (Status ok = gpu.device.check(
              (*peer_functions())
                  ->cuLaunchKernelEx(&config, gpu.kernels.chase(), parameters, nullptr),
              "cuLaunchKernelEx");
          !ok)
        return ok.error();
    }
    if (Status ok = gpu.device.record(gpu.end, gpu.stream); !ok) return ok.error();
    if (Status ok = gpu.device.synchronize(); !ok) return ok.error();
    const Result<double> ns = gpu.device.elapsed_ns(gpu.begin, gpu.end);
    if (!ns) return ns.error();
    return *ns / steps;
  }

  [[nodiscard]] int count() const { return static_cast<int>(gpus_.size()); }

 private:
  Status add(int ordinal, std::size_t bytes) {
    Result<CudaDevice> device = CudaDevice::open(*driver_, ordinal);
    if (!device) return device.error();
    Result<cuda::Kernels> kernels = cuda::Kernels::load(*device);
    if (!kernels) return kernels.error();
    Result<CudaStream> stream = device->make_stream();
    Result<CudaEvent> begin = device->make_event(), end = device->make_event();
    if (!stream) return stream.error();
    if (!begin || !end) return Error{ErrorCode::io, "no event could be made"};
    const std::size_t room = std::max<std::size_t>(bytes, std::size_t{kChaseStride} * kChaseSteps);
    Result<PeerMemory> from = PeerMemory::create(*device, room),
                       to = PeerMemory::create(*device, room);
    if (!from) return from.error();
    if (!to) return to.error();
    for (const PeerMemory* memory : {&*from, &*to}) {
      if (Status ok = device->fill(memory->at(), std::byte{0}, memory->bytes()); !ok) return ok;
    }
    if (Status ok = device->synchronize(); !ok) return ok;
    gpus_.push_back(std::make_unique<Gpu>(Gpu{std::move(*device),
                                              std::move(*kernels),
                                              std::move(*stream),
                                              std::move(*begin),
                                              std::move(*end),
                                              std::move(*from),
                                              std::move(*to),
                                              {}}));
    return Done{};
  }
  Status map_others(int i) {
    for (int other = 0; other < count(); ++other) {
      if (Status ok = at(i).device.make_current(); !ok) return ok;
      if (other == i) {
        Result<PeerMemory> nothing = PeerMemory::create(at(i).device, 1);
        if (!nothing) return nothing.error();
        at(i).views.push_back(std::move(*nothing));
        continue;
      }
      const Result<int> fd = at(other).to.export_fd(at(other).device);
      if (!fd) return fd.error();
      Result<PeerMemory> mapped = PeerMemory::import(at(i).device, *fd, at(other).to.bytes());
      if (!mapped)
        return Error{ErrorCode::unsupported,
                     fmt::format("GPU {} cannot reach the memory of GPU {}: {}", i, other,
                                 mapped.error().message)};
      at(i).views.push_back(std::move(*mapped));
    }
    return Done{};
  }
  static Status copy_by_kernel(Gpu& gpu, CudaPointer to, CudaPointer from, std::uint64_t bytes) {
    void* parameters[] = {&to, &from, &bytes};
    CudaLaunchConfig config;
    config.grid[0] = kCopyBlocks;
    config.block[0] = 512;
    config.stream = gpu.stream.get();
    return gpu.device.check(
        (*peer_functions())->cuLaunchKernelEx(&config, gpu.kernels.copy(), parameters, nullptr),
        "cuLaunchKernelEx");
  }

  std::unique_ptr<CudaDriver> driver_;
  std::vector<std::unique_ptr<Gpu>> gpus_;
};

// A child that has not touched CUDA measures: this process may still have to fork ranks.
struct Answer {
  double cells[kMostDevices][kMostDevices];
  char error[512];
};
using Measure = Status (*)(Gpus& gpus, const P2pOptions& options, Answer& answer);

Result<std::unique_ptr<Answer>> in_child(const P2pOptions& options, Measure measure) {
  void* memory =
      mmap(nullptr, sizeof(Answer), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return Error{ErrorCode::no_memory, "no memory to share"};
  Answer& answer = *::new (memory) Answer{};
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    Result<std::unique_ptr<Gpus>> gpus = Gpus::open(options.ranks, options.bytes);
    const Status done = gpus ? measure(**gpus, options, answer) : Status(gpus.error());
    if (!done) std::snprintf(answer.error, sizeof answer.error, "%s", done.error().message.c_str());
    _exit(done ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  auto copy = std::make_unique<Answer>(answer);
  munmap(memory, sizeof(Answer));
  if (copy->error[0] != 0) return Error{ErrorCode::unsupported, copy->error};
  if (status != 0) return Error{ErrorCode::io, "the process that measured has died"};
  return copy;
}

Result<P2pMatrix> matrix(const P2pOptions& options, const char* unit, const char* rows,
                         const char* columns, Measure measure) {
  const Result<std::unique_ptr<Answer>> answer = in_child(options, measure);
  if (!answer) return answer.error();
  P2pMatrix out{unit, rows, columns, {}};
  for (int i = 0; i < options.ranks; ++i) {
    out.cells.emplace_back();
    for (int j = 0; j < options.ranks; ++j) out.cells.back().push_back((*answer)->cells[i][j]);
  }
  return out;
}

// The median of some samples of `once`, after one that is thrown away.
template <class Once>
Status sample(const P2pOptions& options, double& cell, const Once& once) {
  std::vector<double> samples;
  for (int i = -1; i < options.samples; ++i) {
    const Result<double> one = once();
    if (!one) return one.error();
    if (i >= 0) samples.push_back(*one);
  }
  cell = median(std::move(samples));
  return Done{};
}

// `once(i, j)` for each two GPUs; for one and itself where `itself`.
template <class Once>
Status sample_pairs(const Gpus& gpus, const P2pOptions& options, Answer& answer, bool itself,
                    const Once& once) {
  for (int i = 0; i < gpus.count(); ++i) {
    for (int j = 0; j < gpus.count(); ++j) {
      answer.cells[i][j] = -1;
      if (i == j && !itself) continue;
      if (Status done = sample(options, answer.cells[i][j], [&] { return once(i, j); }); !done)
        return done;
    }
  }
  return Done{};
}

// Each pair is a writer and whom it writes to, all at once: GB/s together.
Result<double> write_together(Gpus& gpus, const P2pOptions& options, bool engine,
                              const std::vector<std::pair<int, int>>& pairs) {
  for (const auto& [by, to] : pairs) {
    if (Status ok =
            gpus.begin_copies(by, gpus.view(to, by), gpus.at(by).from.at(), options.bytes, engine);
        !ok)
      return ok.error();
  }
  double sum = 0;
  for (const auto& [by, to] : pairs) {
    const Result<double> gbs = gpus.end_copies(by, options.bytes);
    if (!gbs) return gbs.error();
    sum += *gbs;
  }
  return sum;
}

template <bool kWrites, bool kEngine>
Status each_pair(Gpus& gpus, const P2pOptions& options, Answer& answer) {
  return sample_pairs(gpus, options, answer, false, [&](int i, int j) {
    const CudaPointer own = gpus.at(i).from.at(), theirs = gpus.view(j, i);
    return gpus.copy_gbs(i, kWrites ? theirs : own, kWrites ? own : theirs, options.bytes, kEngine);
  });
}

// i writes to j while j writes to i: both together.
template <bool kEngine>
Status both_ways(Gpus& gpus, const P2pOptions& options, Answer& answer) {
  return sample_pairs(gpus, options, answer, false, [&](int i, int j) {
    return write_together(gpus, options, kEngine, {{i, j}, {j, i}});
  });
}

Status latencies(Gpus& gpus, const P2pOptions& options, Answer& answer) {
  return sample_pairs(gpus, options, answer, true,
                      [&](int i, int j) { return gpus.latency_ns(i, j); });
}

// All others write to one: what arrives together.
Status all_to_one(Gpus& gpus, const P2pOptions& options, Answer& answer) {
  for (int to = 0; to < gpus.count(); ++to) {
    std::vector<std::pair<int, int>> pairs;
    for (int by = 0; by < gpus.count(); ++by) {
      if (by != to) pairs.emplace_back(by, to);
    }
    if (Status done = sample(options, answer.cells[0][to],
                             [&] { return write_together(gpus, options, true, pairs); });
        !done)
      return done;
  }
  return Done{};
}

// One writes to all others, in turn: it has one stream.
Status one_to_all(Gpus& gpus, const P2pOptions& options, Answer& answer) {
  const auto bytes = static_cast<double>(options.bytes);
  for (int by = 0; by < gpus.count(); ++by) {
    const auto once = [&]() -> Result<double> {
      double ns = 0;
      for (int to = 0; to < gpus.count(); ++to) {
        if (by == to) continue;
        const Result<double> gbs =
            gpus.copy_gbs(by, gpus.view(to, by), gpus.at(by).from.at(), options.bytes, true);
        if (!gbs) return gbs.error();
        ns += bytes / *gbs;
      }
      return bytes * (gpus.count() - 1) / ns;
    };
    if (Status done = sample(options, answer.cells[0][by], once); !done) return done;
  }
  return Done{};
}

Result<P2pMatrix> one_row(const P2pOptions& options, const char* columns, Measure measure) {
  Result<P2pMatrix> all = matrix(options, "GB/s", "", columns, measure);
  if (all) all->cells.resize(1);
  return all;
}

constexpr P2pCase kCases[] = {
    {"device_to_device_memcpy_write_ce", "a GPU's copy engine writes to another GPU",
     [](const P2pOptions& o) {
       return matrix(o, "GB/s", "writer", "owner", each_pair<true, true>);
     }},
    {"device_to_device_memcpy_read_ce", "a GPU's copy engine reads from another GPU",
     [](const P2pOptions& o) {
       return matrix(o, "GB/s", "reader", "owner", each_pair<false, true>);
     }},
    {"device_to_device_memcpy_write_sm", "a GPU's multiprocessors write to another GPU",
     [](const P2pOptions& o) {
       return matrix(o, "GB/s", "writer", "owner", each_pair<true, false>);
     }},
    {"device_to_device_memcpy_read_sm", "a GPU's multiprocessors read from another GPU",
     [](const P2pOptions& o) {
       return matrix(o, "GB/s", "reader", "owner", each_pair<false, false>);
     }},
    {"device_to_device_bidirectional_memcpy_write_ce",
     "two GPUs write to each other by copy engine: both ways together",
     [](const P2pOptions& o) { return matrix(o, "GB/s", "one", "other", both_ways<true>); }},
    {"device_to_device_bidirectional_memcpy_write_sm", "the same by multiprocessors",
     [](const P2pOptions& o) { return matrix(o, "GB/s", "one", "other", both_ways<false>); }},
    {"all_to_one_write_ce", "all other GPUs write to one: what arrives there",
     [](const P2pOptions& o) { return one_row(o, "owner", all_to_one); }},
    {"one_to_all_write_ce", "a GPU writes to all others: what it sends",
     [](const P2pOptions& o) { return one_row(o, "writer", one_to_all); }},
    {"device_to_device_latency_sm", "a dependent load from another GPU's memory (pointer chase)",
     [](const P2pOptions& o) { return matrix(o, "ns", "reader", "owner", latencies); }},
};

}  // namespace

std::span<const P2pCase> cuda_p2p_cases() { return kCases; }

double cuda_write_gbs(int ranks) {
  const Result<P2pMatrix> writes = kCases[0].run({.ranks = ranks, .samples = 3});
  double least = 0;
  if (!writes) return 0;
  for (const auto& row : writes->cells) {
    for (const double cell : row) {
      if (cell > 0 && (least == 0 || cell < least)) least = cell;
    }
  }
  return least;
}

}  // namespace peerscope
