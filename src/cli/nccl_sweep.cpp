#include "cli/nccl_sweep.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "cli/measure.hpp"
#include "cli/nccl_levels.hpp"
#include "comm/nccl/nccl_ranks.hpp"

namespace peerscope {
namespace {

constexpr std::byte kPoison{0xFF};  // no element that is ever right

NcclOp nccl_op(const std::string& op) {
  return op == "prod"  ? NcclOp::prod
         : op == "max" ? NcclOp::max
         : op == "min" ? NcclOp::min
         : op == "avg" ? NcclOp::avg
                       : NcclOp::sum;
}

struct RankBuffers {
  CudaMemory send, recv;  // recv holds the larger side, for what is done in place
  CudaEvent begin, end;
  CudaGraph graph;
};

class Sweep {
 public:
  Sweep(const NcclOptions& options, const NcclWorker& worker, NcclBoard& board, NcclRanks& ranks)
      : options_(options),
        worker_(worker),
        board_(board),
        ranks_(ranks),
        width_(dtype_bytes(options.dtype)),
        sizes_(nccl_sizes(options)),
        reference_({options.kind, options.dtype, options.op, ranks.count(), options.root},
                   sizes_.back().send) {}

  Status run() {
    if (options_.levels && worker_.process == 0) {
      const char* session = std::getenv("PEERSCOPE_SESSION");
      Result<LevelSwitch> opened = LevelSwitch::open(session != nullptr ? session : "");
      if (!opened) return opened.error();
      levels_ = std::move(*opened);
    }
    for (NcclRank& rank : ranks_.local()) {
      Status made = make_buffers(rank);
      if (!made) return made;
    }
    for (std::size_t at = 0; at < sizes_.size(); ++at) {
      for (const bool in_place : {false, true}) {
        if (in_place && !nccl_has_in_place(options_.kind)) continue;
        Status ok = run_size(sizes_[at], in_place, board_.places[at][in_place ? 1 : 0]);
        if (!ok) {
          return Error{ok.error().code,
                       fmt::format("{} of {} bytes{}: {}", name(options_.kind), sizes_[at].bytes,
                                   in_place ? " in place" : "", ok.error().message)};
        }
      }
    }
    return Done{};
  }

 private:
  Status make_buffers(NcclRank& rank) {
    const NcclLengths& most = sizes_.back();
    Status ok = rank.device.make_current();
    if (!ok) return ok;
    RankBuffers b;
    Result<CudaMemory> send = rank.device.allocate(most.send * width_);
    if (!send) return send.error();
    Result<CudaMemory> recv = rank.device.allocate(std::max(most.send, most.recv) * width_);
    if (!recv) return recv.error();
    Result<CudaEvent> begin = rank.device.make_event();
    if (!begin) return begin.error();
    Result<CudaEvent> end = rank.device.make_event();
    if (!end) return end.error();
    b.send = std::move(*send);
    b.recv = std::move(*recv);
    b.begin = std::move(*begin);
    b.end = std::move(*end);
    const auto input = reference_.input(rank.rank);
    ok = rank.device.upload(b.send.get(), input.data(), input.size());
    if (!ok) return ok;
    ok = rank.device.repeat(b.send.get(), input.size(), most.send * width_);
    if (!ok) return ok;
    buffers_.push_back(std::move(b));
    return rank.device.synchronize();  // our streams do not wait for these copies
  }

  // In place as NCCL defines it: the smaller side is this rank's share of the larger.
  std::vector<NcclCall> calls_of(const NcclLengths& size, bool in_place) {
    std::vector<NcclCall> calls;
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      const std::uint64_t share =
          static_cast<std::uint64_t>(ranks_.local()[i].rank) * size.count * width_;
      NcclCall call{.kind = options_.kind,
                    .send = in_place ? buffers_[i].recv.get() : buffers_[i].send.get(),
                    .recv = buffers_[i].recv.get(),
                    .count = size.count,
                    .type = nccl_type(options_.dtype).value_or(NcclType::f32),
                    .op = nccl_op(options_.op),
                    .root = options_.root};
      if (in_place && options_.kind == Kind::all_gather) call.send += share;
      if (in_place && options_.kind == Kind::reduce_scatter) call.recv += share;
      calls.push_back(call);
    }
    return calls;
  }

  Status run_size(const NcclLengths& size, bool in_place, NcclPlaceTimes& times) {
    const std::vector<NcclCall> calls = calls_of(size, in_place);
    Status ok = warm_up(calls);
    for (int round = 0; ok && round < options_.rounds; ++round)
      ok = time_round(calls, round, times);
    if (ok && !options_.event_times.empty() && !in_place) ok = time_each(size, calls);
    if (ok && options_.check != 0) ok = check(size, calls, in_place, times);
    if (!ok) return ok;
    times.done.fetch_add(1, std::memory_order_release);  // publishes the times of this process
    return Done{};
  }

  Status warm_up(const std::vector<NcclCall>& calls) {
    for (int i = 0; i < options_.warmup; ++i) {
      Status ok = ranks_.enqueue(calls);
      if (!ok) return ok;
    }
    Status ok = ranks_.wait();
    if (!ok || options_.graph_launches == 0) return ok;
    ok = capture(calls);
    if (!ok) return ok;
    ok = launch_graphs();  // the first launch uploads it
    return ok ? ranks_.wait() : ok;
  }

  Status capture(const std::vector<NcclCall>& calls) {
    for (const NcclRank& rank : ranks_.local()) {
      Status ok = rank.device.begin_capture(rank.stream);
      if (!ok) return ok;
    }
    for (int i = 0; i < options_.iterations; ++i) {
      Status ok = ranks_.enqueue(calls);
      if (!ok) return ok;
    }
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      const NcclRank& rank = ranks_.local()[i];
      Status ok = rank.device.make_current();
      if (!ok) return ok;
      Result<CudaGraph> graph = rank.device.end_capture(rank.stream);
      if (!graph) return graph.error();
      buffers_[i].graph = std::move(*graph);
    }
    return Done{};
  }

  Status launch_graphs() {
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      const NcclRank& rank = ranks_.local()[i];
      Status ok = rank.device.launch(buffers_[i].graph, rank.stream);
      if (!ok) return ok;
    }
    return Done{};
  }

  Status batch(const std::vector<NcclCall>& calls) {
    const bool graphs = options_.graph_launches > 0;
    const int turns = graphs ? options_.graph_launches : options_.iterations;
    for (int i = 0; i < turns; ++i) {
      Status ok = graphs ? launch_graphs() : ranks_.enqueue(calls);
      if (!ok) return ok;
    }
    return Done{};
  }

  Status record(CudaEvent RankBuffers::* event) {
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      const NcclRank& rank = ranks_.local()[i];
      Status ok = rank.device.record(buffers_[i].*event, rank.stream);
      if (!ok) return ok;
    }
    return Done{};
  }

  // Some operations more, until all have noticed.
  Status change_level(const std::vector<NcclCall>& calls, int round) {
    Status ok = levels_ ? levels_->set(level_of_round(round)) : Status(Done{});
    if (!board_.barrier(worker_.processes))
      return Error{ErrorCode::peer_lost, "another rank has failed"};
    for (int i = 0; ok && i < 10; ++i) ok = ranks_.enqueue(calls);
    return ok ? ranks_.wait() : ok;
  }

  // As nccl-tests: from a barrier until the streams are empty, over the operations between.
  Status time_round(const std::vector<NcclCall>& calls, int round, NcclPlaceTimes& times) {
    if (options_.levels) {
      Status set = change_level(calls, round);
      if (!set) return set;
    }
    if (!board_.barrier(worker_.processes))
      return Error{ErrorCode::peer_lost, "another rank has failed"};
    Status ok = record(&RankBuffers::begin);
    if (!ok) return ok;
    const std::int64_t before_ns = monotonic_ns();
    ok = batch(calls);
    if (ok) ok = record(&RankBuffers::end);
    if (ok) ok = ranks_.wait();
    if (!ok) return ok;
    const auto ns = static_cast<double>(monotonic_ns() - before_ns);
    const double operations = options_.iterations * std::max(1, options_.graph_launches);
    times.host_us[round][worker_.process] = ns / 1e3 / operations;
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      const NcclRank& rank = ranks_.local()[i];
      const Result<double> device_ns = rank.device.elapsed_ns(buffers_[i].begin, buffers_[i].end);
      if (!device_ns) return device_ns.error();
      times.device_us[round][rank.rank] = *device_ns / 1e3 / operations;
    }
    board_.steps.fetch_add(1, std::memory_order_relaxed);
    return Done{};
  }

  // Each operation between two events of its own, enqueued without a pause; a line each.
  Status time_each(const NcclLengths& size, const std::vector<NcclCall>& calls) {
    const auto operations = static_cast<std::size_t>(options_.iterations);
    Status enough = make_pairs(operations * buffers_.size());
    if (!enough) return enough;
    if (!board_.barrier(worker_.processes))
      return Error{ErrorCode::peer_lost, "another rank has failed"};
    std::vector<std::uint64_t> first;
    for (const NcclRank& rank : ranks_.local())
      first.push_back(rank.calls[static_cast<std::size_t>(options_.kind)]);
    for (std::size_t op = 0; op < operations; ++op) {
      Status ok = record_pairs(op, &Pair::begin);
      if (ok) ok = ranks_.enqueue(calls);
      if (ok) ok = record_pairs(op, &Pair::end);
      if (!ok) return ok;
    }
    Status ended = ranks_.wait();
    if (!ended) return ended;
    return write_pairs(size, first);
  }

  struct Pair {
    CudaEvent begin, end;
  };

  Status make_pairs(std::size_t count) {
    while (pairs_.size() < count) {
      const CudaDevice& device = ranks_.local()[pairs_.size() % buffers_.size()].device;
      Status ok = device.make_current();
      if (!ok) return ok;
      Result<CudaEvent> begin = device.make_event();
      if (!begin) return begin.error();
      Result<CudaEvent> end = device.make_event();
      if (!end) return end.error();
      pairs_.push_back({std::move(*begin), std::move(*end)});
    }
    return Done{};
  }

  Status record_pairs(std::size_t op, CudaEvent Pair::* event) {
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      const NcclRank& rank = ranks_.local()[i];
      Status ok = rank.device.record(pairs_[op * buffers_.size() + i].*event, rank.stream);
      if (!ok) return ok;
    }
    return Done{};
  }

  Status write_pairs(const NcclLengths& size, const std::vector<std::uint64_t>& first) {
    std::string lines;
    for (std::size_t at = 0; at < static_cast<std::size_t>(options_.iterations) * buffers_.size();
         ++at) {
      const std::size_t i = at % buffers_.size();
      const NcclRank& rank = ranks_.local()[i];
      const Result<double> ns = rank.device.elapsed_ns(pairs_[at].begin, pairs_[at].end);
      if (!ns) return ns.error();
      lines += fmt::format(
          "{{\"operation\": \"{}\", \"bytes\": {}, \"rank\": {}, \"sequence\": {}, \"ns\": "
          "{:.0f}}}\n",
          name(options_.kind), size.bytes, rank.rank, first[i] + at / buffers_.size(), *ns);
    }
    const int fd = open(options_.event_times.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    const bool written =
        fd >= 0 && ::write(fd, lines.data(), lines.size()) == static_cast<ssize_t>(lines.size());
    if (fd >= 0) close(fd);
    if (written) return Done{};
    return Error{ErrorCode::io, fmt::format("{} cannot be written", options_.event_times)};
  }

  // One more operation, from fresh input into poisoned output, and every element is looked at.
  Status check(const NcclLengths& size, const std::vector<NcclCall>& calls, bool in_place,
               NcclPlaceTimes& times) {
    for (std::size_t i = 0; i < buffers_.size(); ++i) {
      const CudaDevice& device = ranks_.local()[i].device;
      Status ok = device.make_current();
      if (ok) ok = device.fill(buffers_[i].recv.get(), kPoison, size.bytes);
      if (ok && in_place)
        ok = device.copy(calls[i].send, buffers_[i].send.get(), size.send * width_);
      if (ok) ok = device.synchronize();
      if (!ok) return ok;
    }
    Status ok = ranks_.enqueue(calls);
    if (ok) ok = ranks_.wait();
    for (std::size_t i = 0; ok && i < buffers_.size(); ++i)
      ok = check_rank(size, ranks_.local()[i], calls[i].recv, times);
    board_.steps.fetch_add(1, std::memory_order_relaxed);
    return ok;
  }

  Status check_rank(const NcclLengths& size, const NcclRank& rank, CudaPointer output,
                    NcclPlaceTimes& times) {
    Status ok = rank.device.make_current();
    for (const NcclWindow& window : nccl_windows(size.recv, width_)) {
      if (!ok) break;
      host_.resize(window.elements * width_);
      ok = rank.device.download(host_.data(), output + window.first * width_, host_.size());
      if (!ok) break;
      times.wrong.fetch_add(reference_.count_wrong(rank.rank, size, window.first, host_),
                            std::memory_order_relaxed);
      times.checked.fetch_add(window.elements, std::memory_order_relaxed);
    }
    return ok;
  }

  const NcclOptions& options_;
  const NcclWorker& worker_;
  NcclBoard& board_;
  NcclRanks& ranks_;
  std::size_t width_;
  std::vector<NcclLengths> sizes_;
  NcclReference reference_;
  std::vector<RankBuffers> buffers_;
  std::vector<Pair> pairs_;
  std::optional<LevelSwitch> levels_;
  std::vector<std::byte> host_;
};

}  // namespace

std::vector<NcclLengths> nccl_sizes(const NcclOptions& options) {
  std::vector<NcclLengths> sizes;
  for (auto bytes = static_cast<double>(options.least);
       bytes <= static_cast<double>(options.most) && sizes.size() < kMostNcclSizes;
       bytes *= options.factor) {
    sizes.push_back(nccl_lengths(options.kind, static_cast<std::uint64_t>(bytes), options.dtype,
                                 options.ranks));
  }
  return sizes;
}

Status probe_nccl(const NcclOptions& options, NcclBoard& board) {
  const Result<CudaDriver> cuda = CudaDriver::open();
  if (!cuda) return cuda.error();
  const Result<NcclLibrary> nccl = NcclLibrary::open(options.nccl_path);
  if (!nccl) return nccl.error();
  board.driver_version = cuda->version();
  board.device_count = cuda->device_count();
  board.nccl_version = nccl->version();
  std::snprintf(board.nccl_path, sizeof board.nccl_path, "%s", nccl->path().c_str());
  for (int i = 0; i < std::min(cuda->device_count(), kMostNcclRanks); ++i) {
    const Result<CudaDeviceInfo> info = describe(*cuda, i);
    if (!info) return info.error();
    std::snprintf(board.devices[i].name, sizeof board.devices[i].name, "%s", info->name.c_str());
    std::snprintf(board.devices[i].pci_bus_id, sizeof board.devices[i].pci_bus_id, "%s",
                  info->pci_bus_id.c_str());
  }
  return Done{};
}

Status sweep_nccl(const NcclOptions& options, const NcclWorker& worker, NcclBoard& board) {
  const Result<CudaDriver> cuda = CudaDriver::open();
  if (!cuda) return cuda.error();
  const Result<NcclLibrary> nccl = NcclLibrary::open(board.nccl_path);
  if (!nccl) return nccl.error();
  if (worker.process == 0) {
    const Status got = nccl->check((*nccl)->ncclGetUniqueId(&board.id), "ncclGetUniqueId", -1);
    if (!got) return got;
  }
  if (!board.barrier(worker.processes))
    return Error{ErrorCode::peer_lost, "another rank has failed"};
  NcclRanks::Part part{
      .ranks = options.ranks, .first = worker.first_rank, .devices = {}, .id = board.id};
  for (int i = 0; i < worker.local_ranks; ++i) {
    part.devices.push_back(worker.first_rank + i);
    board.pids[worker.first_rank + i] = getpid();
  }
  Result<NcclRanks> ranks = NcclRanks::open(*cuda, *nccl, part);
  if (!ranks) return ranks.error();
  board.steps.fetch_add(1, std::memory_order_relaxed);
  const Status done = Sweep(options, worker, board, *ranks).run();
  if (!done)
    board.fail(done.error().message);  // before NCCL is taken down, which may take for ever
  return done;
}

}  // namespace peerscope
