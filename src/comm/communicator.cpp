#include "comm/communicator.hpp"

#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "comm/elements.hpp"
#include "model/op.hpp"

namespace peerscope {
namespace {

Error invalid(std::string message) {
  return Error{ErrorCode::invalid_argument, std::move(message)};
}

OpStatus status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::timeout:
      return OpStatus::timeout;
    case ErrorCode::peer_lost:
      return OpStatus::peer_lost;
    case ErrorCode::mismatch:
      return OpStatus::mismatch;
    case ErrorCode::no_memory:
      return OpStatus::no_memory;
    default:
      return OpStatus::error;
  }
}

bool has_peer(Kind kind) {
  return has_root(kind) || kind == Kind::send || kind == Kind::recv || kind == Kind::copy ||
         kind == Kind::get;
}

bool is_ours(Kind kind) {
  return (is_collective(kind) && kind != Kind::scatter) || (has_peer(kind) && !has_root(kind));
}

bool is_aligned(const void* data, std::size_t bytes) {
  return (std::bit_cast<std::uintptr_t>(data) & (bytes - 1)) == 0;
}

// Whether this rank's buffers are needed at all.
bool reads_input(const Call& call, int rank) {
  if (call.kind == Kind::recv || call.kind == Kind::get || call.kind == Kind::barrier) return false;
  return call.kind != Kind::broadcast || call.peer == rank;
}
bool writes_output(const Call& call, int rank) {
  if (call.kind == Kind::send || call.kind == Kind::copy || call.kind == Kind::barrier)
    return false;
  return (call.kind != Kind::reduce && call.kind != Kind::gather) || call.peer == rank;
}

Status check_buffers(const Call& call, int rank) {
  const std::size_t element = dtype_bytes(call.dtype);
  if (element == 0) return invalid(fmt::format("{}: the type has no size", name(call.kind)));
  const bool needs_input = reads_input(call, rank) && call.count > 0;
  const bool needs_output = writes_output(call, rank) && call_bytes(call, 1) > 0;
  if ((needs_input && !call.input) || (needs_output && !call.output)) {
    return invalid(fmt::format("{}: {} is null", name(call.kind),
                               needs_input && !call.input ? "input" : "output"));
  }
  if (!is_aligned(call.input, element) || !is_aligned(call.output, element)) {
    return invalid(fmt::format("{}: buffers of {} must be aligned to {} bytes", name(call.kind),
                               name(call.dtype), element));
  }
  return Done{};
}

}  // namespace

Result<Block> allocate_registered(Communicator& comm, std::size_t bytes) {
  if (comm.pool() == nullptr)
    return Error{ErrorCode::unsupported, "this backend has no registered memory"};
  return comm.pool()->allocate(std::max<std::size_t>(bytes, 1));
}

Communicator::Communicator(Identity identity)
    : identity_(std::move(identity)),
      sent_(static_cast<std::size_t>(identity_.ranks)),
      received_(sent_.size()),
      traffic_(sent_.size()) {
  const pscope_comm_desc desc{.id = identity_.id,
                              .name = identity_.name.c_str(),
                              .rank = static_cast<std::uint32_t>(identity_.rank),
                              .ranks = static_cast<std::uint32_t>(identity_.ranks),
                              .device = identity_.device,
                              .backend = static_cast<std::uint16_t>(identity_.backend),
                              .reserved = 0};
  if (!identity_.session) return;
  recorded_as_ = pscope_comm_register(identity_.session, &desc);
  mark_names_ = register_mark_names(identity_.session);
}

Status Communicator::run(const Call& call) {
  const Result<Operation> operation = begin(call);
  if (!operation) return operation.error();
  return record_and_perform(*operation);
}

Result<Operation> Communicator::begin(const Call& call) {
  if (failure_) return refusal();
  if (Status fine = check(call); !fine) return fine.error();
  const Result<Algorithm> algorithm = choose(call);
  if (!algorithm) return algorithm.error();
  Operation operation{.call = call, .sequence = 0, .bytes = call_bytes(call, identity_.ranks)};
  operation.call.algorithm = *algorithm;
  if (Status fine = admit(operation.call); !fine) return fine.error();
  operation.sequence = counter_of(call)++;
  if (call.kind == Kind::copy)
    traffic_[static_cast<std::size_t>(call.peer)].put_bytes += operation.bytes;
  if (call.kind == Kind::get)
    traffic_[static_cast<std::size_t>(call.peer)].get_bytes += operation.bytes;
  return operation;
}

Status Communicator::record_and_perform(const Operation& operation) {
  const Call& call = operation.call;
  const pscope_op op{.bytes = operation.bytes,
                     .sequence = operation.sequence,
                     .comm = recorded_as_,
                     .stream = 0,
                     .peer = has_peer(call.kind) ? static_cast<std::uint16_t>(call.peer) : kNoPeer,
                     .kind = static_cast<std::uint8_t>(call.kind),
                     .algorithm = static_cast<std::uint8_t>(call.algorithm),
                     .protocol = PSCOPE_PROTOCOL_UNKNOWN,
                     .dtype = static_cast<std::uint8_t>(call.dtype),
                     .async = 0,
                     .reserved = 0,
                     .call_site = nullptr};
  pscope_session* const session = identity_.session;
  const pscope_token token = pscope_op_begin(session, &op);
  Marks marks;
  if (token != 0 && pscope_get_level(session) == PSCOPE_LEVEL_COMPREHENSIVE)
    marks = Marks(session, token, mark_names_);
  Status status = perform(operation, marks);
  pscope_op_end(session, token,
                static_cast<int>(status ? OpStatus::ok : status_of(status.error().code)));
  if (!status) failure_ = status.error();
  return status;
}

Error Communicator::refusal() const {
  return {failure_->code,
          fmt::format("communicator {} has failed and takes no further operations: {}",
                      identity_.name, failure_->message)};
}

std::uint64_t& Communicator::counter_of(const Call& call) {
  const auto peer = static_cast<std::size_t>(call.peer);
  switch (call.kind) {
    case Kind::send:
      return sent_[peer];
    case Kind::recv:
      return received_[peer];
    case Kind::copy:
      return traffic_[peer].puts;
    case Kind::get:
      return traffic_[peer].gets;
    default:
      return collectives_;
  }
}

bool Communicator::reduces(Dtype dtype) const { return can_reduce(dtype); }

Status Communicator::check(const Call& call) const {
  const int ranks = identity_.ranks;
  const auto n = static_cast<std::size_t>(ranks);
  if (!is_ours(call.kind))
    return Error{ErrorCode::unsupported,
                 fmt::format("no operation {}", peerscope::name(call.kind))};
  if (has_peer(call.kind) && (call.peer < 0 || call.peer >= ranks)) {
    return invalid(fmt::format("{}: there is no rank {}: communicator {} has {}",
                               peerscope::name(call.kind), call.peer, identity_.name, ranks));
  }
  if ((call.kind == Kind::send || call.kind == Kind::recv) && call.peer == identity_.rank) {
    return invalid(
        fmt::format("{}: rank {} cannot be its own peer", peerscope::name(call.kind), call.peer));
  }
  if ((call.kind == Kind::reduce_scatter || call.kind == Kind::all_to_all) && call.count % n != 0) {
    return invalid(fmt::format("{}: {} elements cannot be dealt evenly to {} ranks",
                               peerscope::name(call.kind), call.count, ranks));
  }
  if (call.kind == Kind::gather &&
      (call.counts.size() != n ||
       call.counts[static_cast<std::size_t>(identity_.rank)] != call.count)) {
    return invalid(
        fmt::format("gather: `counts` must have {} entries, and rank {}'s must be its {} elements",
                    ranks, identity_.rank, call.count));
  }
  if (is_reduction(call.kind) && !reduces(call.dtype)) {
    return Error{ErrorCode::unsupported,
                 fmt::format("{}: no arithmetic for {}: use f32, f16, bf16, i32, i8 or u8",
                             peerscope::name(call.kind), peerscope::name(call.dtype))};
  }
  return check_buffers(call, identity_.rank);
}

Status Communicator::send(const Source& input, int to) {
  return run({.kind = Kind::send,
              .input = input.data,
              .count = input.count,
              .dtype = input.dtype,
              .peer = to});
}

Status Communicator::recv(const Target& output, int from) {
  return run({.kind = Kind::recv,
              .output = output.data,
              .count = output.count,
              .dtype = output.dtype,
              .peer = from});
}

Status Communicator::copy(const Source& input, const Remote& to) {
  return run({.kind = Kind::copy,
              .input = input.data,
              .count = input.count,
              .dtype = input.dtype,
              .peer = to.rank,
              .offset = to.offset});
}

Status Communicator::get(const Target& output, const Remote& from) {
  return run({.kind = Kind::get,
              .output = output.data,
              .count = output.count,
              .dtype = output.dtype,
              .peer = from.rank,
              .offset = from.offset});
}

Status Communicator::broadcast(const Source& input, void* output, int root, Algorithm algorithm) {
  return run({.kind = Kind::broadcast,
              .input = input.data,
              .output = output,
              .count = input.count,
              .dtype = input.dtype,
              .algorithm = algorithm,
              .peer = root});
}

Status Communicator::reduce(const Source& input, void* output, ReduceOp op, int root,
                            Algorithm algorithm) {
  return run({.kind = Kind::reduce,
              .input = input.data,
              .output = output,
              .count = input.count,
              .dtype = input.dtype,
              .op = op,
              .algorithm = algorithm,
              .peer = root});
}

Status Communicator::all_reduce(const Source& input, void* output, ReduceOp op,
                                Algorithm algorithm) {
  return run({.kind = Kind::all_reduce,
              .input = input.data,
              .output = output,
              .count = input.count,
              .dtype = input.dtype,
              .op = op,
              .algorithm = algorithm});
}

Status Communicator::all_gather(const Source& input, void* output, Algorithm algorithm) {
  return run({.kind = Kind::all_gather,
              .input = input.data,
              .output = output,
              .count = input.count,
              .dtype = input.dtype,
              .algorithm = algorithm});
}

Status Communicator::reduce_scatter(const Source& input, void* output, ReduceOp op,
                                    Algorithm algorithm) {
  return run({.kind = Kind::reduce_scatter,
              .input = input.data,
              .output = output,
              .count = input.count,
              .dtype = input.dtype,
              .op = op,
              .algorithm = algorithm});
}

Status Communicator::gather(const Source& input, void* output, std::span<const std::size_t> counts,
                            int root, Algorithm algorithm) {
  return run({.kind = Kind::gather,
              .input = input.data,
              .output = output,
              .count = input.count,
              .dtype = input.dtype,
              .algorithm = algorithm,
              .peer = root,
              .counts = counts});
}

Status Communicator::all_to_all(const Source& input, void* output, Algorithm algorithm) {
  return run({.kind = Kind::all_to_all,
              .input = input.data,
              .output = output,
              .count = input.count,
              .dtype = input.dtype,
              .algorithm = algorithm});
}

Status Communicator::barrier(Algorithm algorithm) {
  return run({.kind = Kind::barrier, .algorithm = algorithm});
}

}  // namespace peerscope
