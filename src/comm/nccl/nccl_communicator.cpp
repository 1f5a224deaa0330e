#include "comm/nccl/nccl_communicator.hpp"

#include <cstring>
#include <future>
#include <thread>

#include <fmt/format.h>

#include "base/units.hpp"
#include "comm/cuda/exchange.hpp"
#include "model/op.hpp"

namespace peerscope {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kTurnsBetweenLooks = 256;  // at the clock, and for errors that NCCL notices later

CudaPointer at(const void* memory) { return reinterpret_cast<CudaPointer>(memory); }

NcclOp op_of(ReduceOp op) {
  switch (op) {
    case ReduceOp::min:
      return NcclOp::min;
    case ReduceOp::max:
      return NcclOp::max;
    case ReduceOp::avg:
      return NcclOp::avg;
    case ReduceOp::sum:
      break;
  }
  return NcclOp::sum;
}

struct Joined {
  Status status = Done{};
  NcclComm comm = nullptr;
};

}  // namespace

struct NcclCommunicator::Card {
  ProcessId process;
  char bus[16] = {};
  std::int32_t ready = 0;
  NcclUniqueId id{};  // rank 0's counts
};

NcclCommunicator::NcclCommunicator(Identity identity, const NcclLibrary& nccl,
                                   const NcclCommOptions& options, Own own)
    : DeviceCommunicator(std::move(identity)),
      nccl_(nccl),
      options_(options),
      own_(std::move(own)) {}

Result<std::unique_ptr<NcclCommunicator>> NcclCommunicator::open(
    const CudaDriver& driver, const NcclLibrary& nccl, const NcclCommOptions& options,
    std::unique_ptr<Communicator> bootstrap) {
  auto opened = join(driver, nccl, options, *bootstrap);
  const Result<std::int32_t> fine = least_of_all(*bootstrap, opened ? 1 : 0);
  if (!opened) return opened.error();
  if (fine && *fine == 1) return opened;
  const Error why{fine ? ErrorCode::peer_lost : fine.error().code,
                  fmt::format("communicator {}: another rank could not open it; {}", options.name,
                              fine ? "its error says why" : fine.error().message)};
  static_cast<void>((*opened)->give_up(why));  // to destroy it would be to wait for the others
  return why;
}

Result<NcclCommunicator::Own> NcclCommunicator::prepare(const CudaDriver& driver, int device) {
  Result<CudaDevice> opened = CudaDevice::open(driver, device);
  if (!opened) return opened.error();
  Result<CudaStream> stream = opened->make_stream();
  if (!stream) return stream.error();
  Result<CudaMemory> word = opened->allocate(sizeof(std::int32_t));
  if (!word) return word.error();
  if (Status zero = opened->fill(word->get(), std::byte{0}, sizeof(std::int32_t)); !zero)
    return zero.error();
  return Own{std::move(*opened), std::move(*stream), std::move(*word)};
}

// Every rank goes through the same calls of the bootstrap, whatever fails on the way. Who has met the others connects: NCCL itself
// would wait for ever for a rank that has no GPU.
Result<std::unique_ptr<NcclCommunicator>> NcclCommunicator::join(const CudaDriver& driver,
                                                                 const NcclLibrary& nccl,
                                                                 const NcclCommOptions& options,
                                                                 Communicator& bootstrap) {
  Result<Own> own = prepare(driver, options.device);
  Status ready = own ? Status(Done{}) : Status(own.error());
  Card me{.process = this_process()};
  if (ready && bootstrap.rank() == 0)
    ready = nccl.check(nccl->ncclGetUniqueId(&me.id), "ncclGetUniqueId", 0);
  if (const auto info = describe(driver, options.device); info)
    info->pci_bus_id.copy(me.bus, sizeof me.bus - 1);
  me.ready = ready ? 1 : 0;
  std::vector<Card> all(static_cast<std::size_t>(bootstrap.ranks()));
  if (Status met = bootstrap.all_gather({&me, sizeof me, Dtype::u8}, all.data()); !met)
    return met.error();
  if (!ready) return ready.error();
  for (std::size_t r = 0; r < all.size(); ++r) {
    if (all[r].ready == 0)
      return Error{
          ErrorCode::peer_lost,
          fmt::format("communicator {}: rank {} could not open its GPU; its error says why",
                      options.name, r)};
    for (std::size_t other = 0; other < r; ++other) {
      if (std::strcmp(all[r].bus, all[other].bus) == 0)
        return Error{ErrorCode::unsupported,
                     fmt::format("NCCL wants a GPU for each rank: ranks {} and {} share GPU {}",
                                 other, r, all[r].bus)};
    }
  }
  Identity identity{.id = options.id,
                    .name = options.name,
                    .rank = bootstrap.rank(),
                    .ranks = bootstrap.ranks(),
                    .backend = Backend::nccl,
                    .device = static_cast<std::uint16_t>(options.device),
                    .session = options.session};
  std::unique_ptr<NcclCommunicator> comm(
      new NcclCommunicator(std::move(identity), nccl, options, std::move(*own)));
  for (const Card& card : all) comm->processes_.push_back(card.process);
  if (Status connected = comm->connect(all[0].id); !connected) return connected.error();
  return comm;
}

// On a thread that can be left behind: NCCL waits for ever for a rank that has failed on the way.
Status NcclCommunicator::connect(const NcclUniqueId& id) {
  std::promise<Joined> promise;
  std::future<Joined> joined = promise.get_future();
  std::thread thread([promise = std::move(promise), nccl = nccl_, device = &own_.device,
                      ranks = ranks(), id, rank = rank()]() mutable {
    Joined out;
    out.status = device->make_current();  // NCCL takes the device that is current
    if (out.status)
      out.status =
          nccl.check(nccl->ncclCommInitRank(&out.comm, ranks, id, rank), "ncclCommInitRank", rank);
    promise.set_value(std::move(out));
  });
  if (joined.wait_for(options_.open_timeout) != std::future_status::ready) {
    thread.detach();
    return Error{ErrorCode::timeout,
                 fmt::format("communicator {}, rank {}: NCCL has not connected the ranks for {}: "
                             "another one is not there{}. NCCL_DEBUG=INFO tells more",
                             name(), rank(),
                             format_duration(static_cast<double>(options_.open_timeout.count())),
                             who_is_gone())};
  }
  thread.join();
  Joined out = joined.get();
  if (!out.status) return out.status;
  comm_ = out.comm;
  return own_.device.make_current();
}

NcclCommunicator::~NcclCommunicator() {
  if (comm_ == nullptr || !own_.device.make_current()) return;
  (failure() ? nccl_->ncclCommAbort : nccl_->ncclCommDestroy)(comm_);
}

Result<Algorithm> NcclCommunicator::choose(const Call& call) const {
  if (call.algorithm == Algorithm::unknown) return Algorithm::unknown;
  return Error{ErrorCode::unsupported,
               fmt::format("{}: NCCL chooses the algorithm, {} cannot be asked for; see NCCL_ALGO",
                           peerscope::name(call.kind), peerscope::name(call.algorithm))};
}

Status NcclCommunicator::admit(const Call& call) {
  if (call.kind == Kind::copy || call.kind == Kind::get)
    return Error{ErrorCode::unsupported,
                 fmt::format("{}: NCCL has no one-sided operations that we use: send and recv, or "
                             "the cuda backend's copy and get",
                             peerscope::name(call.kind))};
  if (call.kind == Kind::all_to_all && call.count > 0 && call.input == call.output)
    return Error{ErrorCode::unsupported,
                 "all_to_all: NCCL does not work in place here: give it an output of its own"};
  return Done{};
}

Status NcclCommunicator::perform(const Operation& operation, Marks&) {
  if (Status launched = launch(operation, own_.stream.get()); !launched) return launched;
  return synchronize(own_.stream.get());
}

Status NcclCommunicator::enqueue(const Call& call, CudaStreamHandle stream) {
  const Result<Operation> operation = begin(call);
  if (!operation) return operation.error();
  return launch(*operation, stream);
}

Status NcclCommunicator::launch(const Operation& operation, CudaStreamHandle stream) {
  const Call& call = operation.call;
  last_ = operation;
  last_.call.counts = {};  // the caller's, and may be gone by then
  Status done = own_.device.make_current();
  if (!done) return give_up(done.error());
  const NcclEnd end{comm_, rank(), ranks(), stream};
  // What NCCL has no name for is moved as bytes; nothing that is as wide as two has none.
  const NcclType type = nccl_type(call.dtype).value_or(NcclType::u8);
  const NcclTransfer transfer{call.kind == Kind::send,
                              at(call.kind == Kind::send ? call.input : call.output), call.count,
                              call.peer};
  const bool shared = call.kind == Kind::reduce_scatter || call.kind == Kind::all_to_all;
  switch (call.kind) {
    case Kind::send:
    case Kind::recv:
      if (call.count > 0) done = nccl_exchange(nccl_, end, type, {&transfer, 1});
      break;
    case Kind::gather:
      done = gather(call, end, type);
      break;
    case Kind::barrier:
      done = nccl_enqueue(nccl_, end,
                          {Kind::all_reduce, own_.word.get(), own_.word.get(), 1, NcclType::i32});
      break;
    default:
      done = nccl_enqueue(nccl_, end,
                          {call.kind, at(call.input), at(call.output),
                           shared ? call.count / static_cast<std::size_t>(ranks()) : call.count,
                           type, op_of(call.op), has_root(call.kind) ? call.peer : 0});
  }
  return done ? done : give_up(done.error());
}

// Ranks that give nothing take no part: both sides know it.
Status NcclCommunicator::gather(const Call& call, const NcclEnd& end, NcclType type) const {
  std::vector<NcclTransfer> transfers;
  const bool is_root = call.peer == rank();
  CudaPointer to = at(call.output);
  for (int peer = 0; is_root && peer < ranks(); ++peer) {
    const std::size_t count = call.counts[static_cast<std::size_t>(peer)];
    const bool is_there = peer == rank() && to == at(call.input);
    if (count > 0 && !is_there) transfers.push_back({false, to, count, peer});
    if (count > 0 && !is_there && peer == rank())
      transfers.push_back({true, at(call.input), count, peer});
    to += count * dtype_bytes(call.dtype);
  }
  if (!is_root && call.count > 0)
    transfers.push_back({true, at(call.input), call.count, call.peer});
  return transfers.empty() ? Status(Done{}) : nccl_exchange(nccl_, end, type, transfers);
}

Status NcclCommunicator::synchronize(CudaStreamHandle stream) {
  if (failure()) return *failure();
  if (Status ok = own_.device.make_current(); !ok) return ok;
  const CudaDriver& cuda = own_.device.driver();
  const Clock::time_point begin = Clock::now();
  for (int turn = 1;; ++turn) {
    const CudaResult state = cuda->cuStreamQuery(stream);
    if (state == kCudaSuccess) return Done{};
    if (state != kCudaNotReady)
      return give_up(
          own_.device.check(state, "cuStreamQuery (an operation failed on the device)").error());
    if (turn % kTurnsBetweenLooks == 0) {
      if (Status fine = look_for_error(); !fine) return give_up(fine.error());
      if (Clock::now() - begin > options_.timeout) return give_up(late());
    }
    if (turn > 20'000) std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
}

Status NcclCommunicator::look_for_error() {
  NcclResult later = kNcclSuccess;
  const NcclResult asked = nccl_->ncclCommGetAsyncError(comm_, &later);
  if (asked != kNcclSuccess) return nccl_.check(asked, "ncclCommGetAsyncError", rank());
  if (later == kNcclInProgress) return Done{};
  const Status noticed = nccl_.check(later, "an operation of NCCL (ncclCommGetAsyncError)", rank());
  if (noticed || who_is_gone().empty()) return noticed;
  return Error{ErrorCode::peer_lost, noticed.error().message + who_is_gone()};
}

Status NcclCommunicator::give_up(const Error& why) {
  fail(why);
  if (comm_ != nullptr && own_.device.make_current()) nccl_->ncclCommAbort(comm_);
  comm_ = nullptr;
  return why;
}

Error NcclCommunicator::late() const {
  const std::string gone = who_is_gone();
  return {gone.empty() ? ErrorCode::timeout : ErrorCode::peer_lost,
          fmt::format("communicator {}, rank {}: {} of {} {} has not ended for {}: {}; it was "
                      "aborted",
                      name(), rank(), peerscope::name(last_.call.kind), format_bytes(last_.bytes),
                      peerscope::name(last_.call.dtype),
                      format_duration(static_cast<double>(options_.timeout.count())),
                      gone.empty() ? "another rank has not come, or is at another operation (NCCL "
                                     "does not say which)"
                                   : gone.substr(2))};
}

std::string NcclCommunicator::who_is_gone() const {
  std::string text;
  for (std::size_t r = 0; r < processes_.size(); ++r) {
    if (is_gone(processes_[r]))
      text += fmt::format("; rank {}'s process {} is gone", r, processes_[r].pid);
  }
  return text;
}

}  // namespace peerscope
