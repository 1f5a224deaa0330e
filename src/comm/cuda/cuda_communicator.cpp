#include "comm/cuda/cuda_communicator.hpp"

#include <algorithm>
#include <cstring>
#include <thread>

#include <fmt/format.h>

#include "base/units.hpp"
#include "comm/algorithms.hpp"
#include "comm/cuda/exchange.hpp"
#include "comm/pool_gauges.hpp"
#include "model/op.hpp"

namespace peerscope {
namespace {

using cuda::Fault;

// Of NVLink between two H200 (docs/benchmarks/comm.md). A step is a wait for a peer's flag and two barriers of a block.
constexpr CostModel kNvlink{.hop_ns = 1'500,
                            .message_ns = 300,
                            .byte_ns = 0.0013,
                            .turn_bytes = 4 << 20,
                            .cores = kMaxRanks};
// Up to here the multiprocessors are faster than a copy engine, which takes longer to begin.
constexpr std::uint64_t kCopyByKernel = 256 << 10;
constexpr std::size_t kPlanBytes = 1 << 20;

pscope_op op_of(const Operation& operation, bool low_latency) {
  const Call& call = operation.call;
  pscope_op op{};
  op.bytes = operation.bytes;
  const bool pairwise = has_root(call.kind) || !is_collective(call.kind);
  op.peer = pairwise && call.peer >= 0 ? static_cast<std::uint16_t>(call.peer) : kNoPeer;
  op.kind = static_cast<std::uint8_t>(call.kind);
  op.algorithm = static_cast<std::uint8_t>(call.algorithm);
  op.protocol = low_latency ? PSCOPE_PROTOCOL_LL : PSCOPE_PROTOCOL_SIMPLE;
  op.dtype = static_cast<std::uint8_t>(call.dtype);
  return op;
}

bool is_supported(Algorithm algorithm, Kind kind) {
  return std::ranges::any_of(strategies(), [&](const Strategy& strategy) {
    return strategy.algorithm == algorithm &&
           std::ranges::find(strategy.kinds, kind) != strategy.kinds.end();
  });
}

// What pack_what put together, in words.
std::string words_of(std::uint64_t what) {
  const auto field = [&](int shift, int bits) {
    return what >> shift & ((std::uint64_t{1} << bits) - 1);
  };
  return fmt::format("{} of {} {} ({})", name(static_cast<Kind>(field(59, 5))),
                     format_bytes(field(0, 42)), name(static_cast<Dtype>(field(55, 4))),
                     name(static_cast<Algorithm>(field(48, 5))));
}

class RelaxedCapture {  // what is done once may be done while a stream is captured
 public:
  explicit RelaxedCapture(const PeerFunctions& f) : f_(f) {
    f_.cuThreadExchangeStreamCaptureMode(&mode_);
  }
  ~RelaxedCapture() { f_.cuThreadExchangeStreamCaptureMode(&mode_); }
  RelaxedCapture(const RelaxedCapture&) = delete;
  RelaxedCapture& operator=(const RelaxedCapture&) = delete;

 private:
  const PeerFunctions& f_;
  int mode_ = kCudaCaptureRelaxed;
};

}  // namespace

CudaCommunicator::CudaCommunicator(Identity identity, CudaDevice device, cuda::Kernels kernels,
                                   const CudaOptions& options)
    : DeviceCommunicator(std::move(identity)),
      device_(std::move(device)),
      options_(options),
      f_(*peer_functions()),
      kernels_(std::move(kernels)),
      processes_(static_cast<std::size_t>(ranks())),
      costs_(kNvlink) {}

// What a rank needs before it meets the others.
Result<std::unique_ptr<CudaCommunicator>> CudaCommunicator::open_alone(const CudaDriver& driver,
                                                                       const CudaOptions& options,
                                                                       int rank, int ranks) {
  Result<CudaDevice> device = CudaDevice::open(driver, options.device);
  if (!device) return device.error();
  Result<cuda::Kernels> kernels = cuda::Kernels::load(*device, options.kernels);
  if (!kernels) return kernels.error();
  Identity identity{.id = options.id,
                    .name = options.name,
                    .rank = rank,
                    .ranks = ranks,
                    .backend = Backend::cuda,
                    .device = static_cast<std::uint16_t>(options.device),
                    .session = nullptr};
  std::unique_ptr<CudaCommunicator> comm(
      new CudaCommunicator(std::move(identity), std::move(*device), std::move(*kernels), options));
  if (!options.tuning_file.empty()) {
    Result<TunedChoices> tuned = TunedChoices::read(options.tuning_file);
    if (!tuned) return tuned.error();
    comm->tuned_ = std::move(*tuned);
  }
  return comm;
}

// Every rank goes through the same calls of the bootstrap, whatever fails on the way.
Result<std::unique_ptr<CudaCommunicator>> CudaCommunicator::open(
    const CudaDriver& driver, const CudaOptions& options, std::unique_ptr<Communicator> bootstrap) {
  const auto all_are = [&](const Status& mine) -> Status {
    const Result<std::int32_t> fine = least_of_all(*bootstrap, mine ? 1 : 0);
    if (!mine) return mine;
    if (!fine) return fine.error();
    if (*fine != 0) return Done{};
    return Error{
        ErrorCode::peer_lost,
        fmt::format("communicator {}: another rank could not open its GPU; its error says why",
                    options.name)};
  };
  auto opened = open_alone(driver, options, bootstrap->rank(), bootstrap->ranks());
  if (Status fine = all_are(opened ? Status(Done{}) : opened.error()); !fine) return fine.error();
  if (Status fine = all_are((*opened)->share_memory(*bootstrap)); !fine) return fine.error();
  (*opened)->bootstrap_ = std::move(bootstrap);
  return opened;
}

// Who the ranks are, and how many of them share a GPU: kernels that wait for each other must fit on it together.
Status CudaCommunicator::meet(Communicator& bootstrap) {
  struct Rank {
    ProcessId process;
    char bus[16] = {};
    int multiprocessors = 0;
    std::uint64_t pool_bytes = 0;
  };
  Rank me{.process = this_process(), .pool_bytes = options_.pool_bytes};
  const Result<CudaDeviceInfo> info = describe(device_.driver(), device_.ordinal());
  if (info) info->pci_bus_id.copy(me.bus, sizeof me.bus - 1);
  f_->cuDeviceGetAttribute(&me.multiprocessors, kCudaMultiprocessors, device_.ordinal());
  std::vector<Rank> all(static_cast<std::size_t>(ranks()));
  if (Status gathered = bootstrap.all_gather({&me, sizeof me, Dtype::u8}, all.data()); !gathered)
    return gathered;
  std::ptrdiff_t sharing = 1;
  int multiprocessors = me.multiprocessors;
  for (std::size_t r = 0; r < all.size(); ++r) {
    if (all[r].pool_bytes != all[0].pool_bytes)
      return Error{ErrorCode::mismatch,
                   fmt::format("communicator {}: rank 0 has {} B of registered memory, rank {} has "
                               "{} B: all must have as much",
                               name(), all[0].pool_bytes, r, all[r].pool_bytes)};
    processes_[r] = all[r].process;
    multiprocessors = std::min(multiprocessors, all[r].multiprocessors);
    sharing = std::max(sharing, std::ranges::count_if(all, [&](const Rank& other) {
                         return std::strcmp(other.bus, all[r].bus) == 0;
                       }));
  }
  int major = 0;
  f_->cuDeviceGetAttribute(&major, kCudaComputeMajor, device_.ordinal());
  may_be_early_ = sharing == 1 && major >= 9;
  // On each multiprocessor of a rank's share one block of a plan, or two of low-latency operations (kernels.cu).
  layout_ =
      cuda::make_layout(ranks(), options_.pool_bytes, static_cast<int>(multiprocessors / sharing));
  return Done{};
}

// Every rank goes through the same calls of the bootstrap, whatever fails on the way.
Status CudaCommunicator::share_memory(Communicator& bootstrap) {
  if (Status met = meet(bootstrap); !met) return met;
  Result<PeerMemory> own = PeerMemory::create(device_, layout_.total);
  Status status = own ? Status(Done{}) : Status(own.error());
  Descriptor exported;
  if (status) {
    const Result<int> fd = own->export_fd(device_);
    if (fd) exported = Descriptor(*fd);
    if (!fd) status = fd.error();
  }
  if (status) {
    status = device_.fill(own->at(), std::byte{0}, layout_.pool);
    if (status) status = settle();
  }
  const Result<std::int32_t> all = least_of_all(bootstrap, status ? 1 : 0);
  if (!status) return status;
  if (!all) return all.error();
  if (*all == 0)
    return Error{ErrorCode::peer_lost, "another rank has no memory to share; its error says why"};
  Result<std::vector<Descriptor>> descriptors =
      exchange_descriptors(bootstrap, exported.get(), options_.timeout);
  if (!descriptors) return descriptors.error();
  const auto self = static_cast<std::size_t>(rank());
  for (std::size_t peer = 0; peer < descriptors->size(); ++peer) {
    if (peer == self) {
      regions_.push_back(std::move(*own));
      continue;
    }
    Result<PeerMemory> mapped =
        PeerMemory::import(device_, (*descriptors)[peer].release(),
                           regions_.empty() ? own->bytes() : regions_.front().bytes());
    if (!mapped)
      return Error{ErrorCode::unsupported,
                   fmt::format("GPU {} cannot map the memory of rank {}'s GPU: {}. nvidia-smi topo "
                               "-p2p rw shows who reaches whom",
                               device_.ordinal(), peer, mapped.error().message)};
    regions_.push_back(std::move(*mapped));
  }
  Result<CudaStream> stream = device_.make_stream();
  if (!stream) return stream.error();
  stream_ = std::move(*stream);
  if (Result<CudaPointer> plans = room_for_plan(0); !plans) return plans.error();
  void* failure = nullptr;
  CudaPointer failure_at = 0;
  if (Status ok = device_.check(
          f_->cuMemHostAlloc(&failure, sizeof(cuda::Failure), kCudaHostMapped), "cuMemHostAlloc");
      !ok)
    return ok;
  failure_ = new (failure) cuda::Failure{};
  if (Status ok = device_.check(f_->cuMemHostGetDevicePointer(&failure_at, failure, 0),
                                "cuMemHostGetDevicePointer");
      !ok)
    return ok;
  for (std::size_t peer = 0; peer < regions_.size(); ++peer)
    template_.regions[peer] = reinterpret_cast<std::byte*>(regions_[peer].at());
  template_.layout = layout_;
  template_.timeout_ns = static_cast<std::uint64_t>(options_.timeout.count());
  template_.failure = reinterpret_cast<cuda::Failure*>(failure_at);
  pool_.emplace(std::span(template_.regions[self] + layout_.pool, options_.pool_bytes));
  if (options_.session != nullptr) {
    const pscope_comm_desc desc{options_.id,
                                options_.name.c_str(),
                                static_cast<std::uint32_t>(rank()),
                                static_cast<std::uint32_t>(ranks()),
                                static_cast<std::uint16_t>(options_.device),
                                static_cast<std::uint16_t>(Backend::cuda),
                                0};
    recorded_as_ = pscope_comm_register(options_.session, &desc);
  }
  stamps_ = std::make_unique<StampReader>(device_, kernels_, regions_[self].at(), layout_,
                                          options_.session, recorded_as_);
  show_pool(*pool_, options_.session, rank(), name());
  return Done{};
}

CudaCommunicator::~CudaCommunicator() {
  static_cast<void>(device_.make_current());
  if (!failure() && failure_ != nullptr) static_cast<void>(synchronize(stream_.get()));
  stamps_.reset();
  // Peers may still be at an operation that writes to us: memory is mapped until they have given it back, too.
  plan_memory_.clear();
  regions_.clear();
  if (failure_ != nullptr) f_->cuMemFreeHost(failure_);
}

Result<Algorithm> CudaCommunicator::choose(const Call& call) const {
  if (!is_collective(call.kind))
    return call.algorithm == Algorithm::unknown ? Algorithm::direct : call.algorithm;
  if (call.algorithm != Algorithm::unknown) return call.algorithm;
  const auto tuned = tuned_.find("cuda", call.kind, ranks(), call_bytes(call, ranks()));
  if (tuned && is_supported(*tuned, call.kind)) return *tuned;
  // Between two everything is one hop, and no algorithm moves fewer bytes over the link.
  if (ranks() <= 2) return Algorithm::direct;
  return choose_algorithm(costs_, call, ranks());
}

Status CudaCommunicator::admit(const Call& call) {
  admitted_ = nullptr;
  if (call.kind == Kind::copy || call.kind == Kind::get) {
    const std::uint64_t bytes = call_bytes(call, ranks());
    if (call.offset <= options_.pool_bytes && bytes <= options_.pool_bytes - call.offset)
      return Done{};
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("{}: {} B at offset {} reach outside the registered memory of rank {} ({} B)",
                    peerscope::name(call.kind), bytes, call.offset, call.peer,
                    options_.pool_bytes)};
  }
  if (is_low_latency(call, call_bytes(call, ranks()))) return Done{};
  const Result<const LoadedPlan*> plan = plan_for(call);
  if (!plan) return plan.error();
  admitted_ = *plan;
  return Done{};
}

bool CudaCommunicator::is_low_latency(const Call& call, std::uint64_t bytes) const {
  return call.kind == Kind::all_reduce && call.algorithm == Algorithm::direct && ranks() > 1 &&
         bytes > 0 &&
         bytes <= std::min(cuda::low_latency_limit(layout_),
                           options_.low_latency_most / static_cast<std::uint64_t>(ranks() - 1));
}

Result<const CudaCommunicator::LoadedPlan*> CudaCommunicator::plan_for(const Call& call) {
  const PlanKey key{call.kind, call.algorithm, std::max(call.peer, 0)};
  const auto found = plans_.find(key);
  if (found != plans_.end()) return &found->second;
  const Result<Plan> made =
      make_plan(call.algorithm, {call.kind, rank(), ranks(), std::max(call.peer, 0)});
  if (!made) return made.error();
  const cuda::CompiledPlan compiled = cuda::compile(*made, rank());
  const RelaxedCapture relaxed(*f_);
  if (Status ok = device_.make_current(); !ok) return ok.error();
  const std::size_t bytes = compiled.steps.size() * sizeof(cuda::DeviceStep);
  const Result<CudaPointer> memory = room_for_plan(bytes);
  if (!memory) return memory.error();
  // By our own stream: the default one may not be touched while a stream that waits for it is captured.
  const CudaResult copied =
      f_->cuMemcpyHtoDAsync(*memory, compiled.steps.data(), bytes, stream_.get());
  if (Status ok = device_.check(copied, "cuMemcpyHtoDAsync"); !ok) return ok.error();
  if (Status ok = device_.check(f_->cuStreamSynchronize(stream_.get()), "cuStreamSynchronize"); !ok)
    return ok.error();
  LoadedPlan loaded{*memory, static_cast<std::uint32_t>(compiled.steps.size()), compiled.halves};
  return &plans_.emplace(key, std::move(loaded)).first->second;
}

// In pieces, kept to the end: to allocate or free may wait for all that runs on a device, and so for ranks that wait for us.
Result<CudaPointer> CudaCommunicator::room_for_plan(std::size_t bytes) {
  if (plan_memory_.empty() || plan_used_ + bytes > kPlanBytes) {
    Result<CudaMemory> piece = device_.allocate(std::max(bytes, kPlanBytes));
    if (!piece) return piece.error();
    plan_memory_.push_back(std::move(*piece));
    plan_used_ = 0;
  }
  const CudaPointer at = plan_memory_.back().get() + plan_used_;
  plan_used_ += cuda::align_up(bytes, 16);
  return at;
}

// Of what is one-sided the host's side is recorded: a copy engine stamps nothing. What a graph replays is not seen.
pscope_token CudaCommunicator::begin_record(const Operation& operation, CudaStreamHandle stream,
                                            bool async) const {
  const Kind kind = operation.call.kind;
  if (options_.session == nullptr || (kind != Kind::copy && kind != Kind::get)) return 0;
  int capturing = 0;
  if (async && (f_->cuStreamIsCapturing(stream, &capturing) != kCudaSuccess || capturing != 0))
    return 0;
  pscope_op op = op_of(operation, false);
  op.sequence = operation.sequence;
  op.comm = recorded_as_;
  op.async = async ? 1 : 0;
  return pscope_op_begin(options_.session, &op);
}

Status CudaCommunicator::perform(const Operation& operation, Marks&) {
  const pscope_token token = begin_record(operation, stream_.get(), false);
  Status done = launch(operation, stream_.get());
  if (done) done = synchronize(stream_.get());
  pscope_op_end(options_.session, token, done ? PSCOPE_STATUS_OK : PSCOPE_STATUS_ERROR);
  return done;
}

Status CudaCommunicator::enqueue(const Call& call, CudaStreamHandle stream) {
  if (Status fine = look_for_failure(); !fine) return fine;
  const Result<Operation> operation = begin(call);
  if (!operation) return operation.error();
  const pscope_token token = begin_record(*operation, stream, true);
  Status launched = launch(*operation, stream);
  pscope_op_end(options_.session, token, launched ? PSCOPE_STATUS_OK : PSCOPE_STATUS_ERROR);
  if (!launched) fail(launched.error());
  return launched;
}

Status CudaCommunicator::launch(const Operation& operation, CudaStreamHandle stream) {
  if (Status ok = device_.make_current(); !ok) return ok;
  const Call& call = operation.call;
  if (call.kind == Kind::copy || call.kind == Kind::get) return move_one_sided(operation, stream);
  const bool small = is_low_latency(call, operation.bytes);
  cuda::PlanArguments arguments;
  arguments.common = template_;
  cuda::fill(arguments, call, rank(), ranks());
  cuda::Arguments& a = arguments.common;
  a.stamped = stamps_->reads() ? 1 : 0;
  a.id = a.stamped != 0 ? stamps_->id_of(op_of(operation, small)) : 0;
  a.early = may_be_early_ ? 1 : 0;
  const CudaFunction function =
      kernels_.find(small ? cuda::Family::low_latency : cuda::Family::plan, call.dtype, call.op);
  if (small)
    return launch_kernel(function, cuda::low_latency_shape(layout_, operation.bytes), &a, stream,
                         a.early != 0);
  arguments.steps = reinterpret_cast<const cuda::DeviceStep*>(admitted_->steps_at);
  arguments.step_count = admitted_->steps;
  cuda::Shape shape = cuda::plan_shape(layout_, operation.bytes);
  a.chunk_bytes = cuda::chunk_for(layout_, operation.bytes, shape.blocks);
  a.halves = admitted_->halves ? 1 : 0;
  if (admitted_->halves) shape.blocks *= 2;
  return launch_kernel(function, shape, &arguments, stream, a.early != 0);
}

Status CudaCommunicator::launch_kernel(CudaFunction function, const cuda::Shape& shape,
                                       void* arguments, CudaStreamHandle stream, bool early) {
  CudaLaunchAttribute attribute;
  attribute.id = kCudaLaunchEarly;
  attribute.value = 1;
  CudaLaunchConfig config;
  config.grid[0] = shape.blocks;
  config.block[0] = shape.threads;
  config.stream = stream;
  config.attributes = early ? &attribute : nullptr;
  config.attribute_count = early ? 1 : 0;
  void* parameters[] = {arguments};
  return device_.check(f_->cuLaunchKernelEx(&config, function, parameters, nullptr),
                       "cuLaunchKernelEx");
}

Status CudaCommunicator::move_one_sided(const Operation& operation, CudaStreamHandle stream) {
  const Call& call = operation.call;
  if (operation.bytes == 0) return Done{};
  const auto remote =
      reinterpret_cast<CudaPointer>(template_.regions[call.peer] + layout_.pool + call.offset);
  const bool puts = call.kind == Kind::copy;
  CudaPointer to = puts ? remote : reinterpret_cast<CudaPointer>(call.output);
  CudaPointer from = puts ? reinterpret_cast<CudaPointer>(call.input) : remote;
  const bool by_engine =
      call.algorithm == Algorithm::copy_engine ||
      (call.algorithm != Algorithm::symmetric && operation.bytes > kCopyByKernel);
  if (by_engine)
    return device_.check(f_->cuMemcpyAsync(to, from, operation.bytes, stream), "cuMemcpyAsync");
  std::uint64_t bytes = operation.bytes;
  void* parameters[] = {&to, &from, &bytes};
  CudaLaunchConfig config;
  config.grid[0] = static_cast<unsigned>(std::clamp<std::uint64_t>(bytes / (16 << 10), 1, 132));
  config.block[0] = 512;
  config.stream = stream;
  return device_.check(f_->cuLaunchKernelEx(&config, kernels_.copy(), parameters, nullptr),
                       "cuLaunchKernelEx");
}

Status CudaCommunicator::synchronize(CudaStreamHandle stream) {
  if (Status ok = device_.make_current(); !ok) return ok;
  for (int turn = 0;; ++turn) {
    const CudaResult state = device_.driver()->cuStreamQuery(stream);
    if (state == kCudaSuccess) return look_for_failure();
    if (state != kCudaNotReady) {
      const Status broken = device_.check(state, "cuStreamQuery");
      fail(broken.error());
      return broken;
    }
    if (turn > 20'000) std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}

Status CudaCommunicator::look_for_failure() {
  if (failure()) return *failure();
  if (__atomic_load_n(&failure_->state, __ATOMIC_ACQUIRE) == 0) return Done{};
  const Error why = explain();
  fail(why);
  return why;
}

// What a rank's device has begun last, read through our mapping of its memory.
std::string CudaCommunicator::progress_of(int rank) const {
  const auto r = static_cast<std::size_t>(rank);
  if (is_gone(processes_[r])) return fmt::format("its process {} is gone", processes_[r].pid);
  cuda::Control control{};
  if (!device_.download(&control, regions_[r].at(), sizeof control))
    return "its memory cannot be read";
  if (control.entered == 0) return "it has begun nothing yet";
  return fmt::format("it has begun {} operation{}, the last one {}", control.entered,
                     control.entered == 1 ? "" : "s", words_of(control.what));
}

Error CudaCommunicator::explain() const {
  const cuda::Failure& f = *failure_;
  const int peer = static_cast<int>(f.peer);
  const auto who = static_cast<std::size_t>(std::clamp(peer, 0, ranks() - 1));
  const std::string ours =
      fmt::format("communicator {}, rank {}, {}", name(), rank(), words_of(f.mine));
  const bool gone = is_gone(processes_[who]);
  switch (static_cast<Fault>(f.fault)) {
    case Fault::timeout_data:
    case Fault::timeout_room:
      return {gone ? ErrorCode::peer_lost : ErrorCode::timeout,
              fmt::format("{}: rank {} has {} for {}; {}", ours, peer,
                          static_cast<Fault>(f.fault) == Fault::timeout_data
                              ? "sent nothing"
                              : "taken nothing of what was sent",
                          format_duration(static_cast<double>(f.waited_ns)),
                          progress_of(static_cast<int>(who)))};
    case Fault::mismatch:
      return {ErrorCode::mismatch,
              fmt::format("{}: rank {} {}{}: {}", ours, peer,
                          f.theirs == f.mine ? "has other shares" : "is at another operation",
                          f.theirs >> 59 != 0 ? fmt::format(" ({})", words_of(f.theirs)) : "",
                          progress_of(static_cast<int>(who)))};
    default:
      return {gone ? ErrorCode::peer_lost : ErrorCode::mismatch,
              fmt::format("{}: rank {} gave up; its error says why ({})", ours, peer,
                          progress_of(static_cast<int>(who)))};
  }
}

}  // namespace peerscope
