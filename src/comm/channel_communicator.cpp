#include "comm/channel_communicator.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "comm/algorithms.hpp"
#include "comm/pool_gauges.hpp"

namespace peerscope {

ChannelCommunicator::ChannelCommunicator(Identity identity, std::unique_ptr<Transport> transport,
                                         std::span<std::byte> pool, const CostModel& costs,
                                         TunedChoices tuned)
    : Communicator(std::move(identity)),
      transport_(std::move(transport)),
      pool_(pool),
      costs_(costs),
      tuned_(std::move(tuned)),
      executor_(*transport_, rank(), ranks()) {
  show_pool(pool_, Communicator::identity().session, Communicator::rank(), name());
}

Result<Algorithm> ChannelCommunicator::choose(const Call& call) const {
  if (!is_collective(call.kind)) return Algorithm::direct;
  if (call.algorithm != Algorithm::unknown) return call.algorithm;
  Choice& last = choices_[static_cast<std::size_t>(call.kind)];
  const std::uint64_t bytes = call_bytes(call, ranks());
  if (last.bytes == bytes) return last.algorithm;
  const auto tuned = tuned_.find(peerscope::name(identity().backend), call.kind, ranks(), bytes);
  const std::vector<Algorithm> known = supported_algorithms(call.kind);
  const bool usable = tuned && std::find(known.begin(), known.end(), *tuned) != known.end();
  last = {bytes, usable ? *tuned : choose_algorithm(costs_, call, ranks())};
  return last.algorithm;
}

Status ChannelCommunicator::admit(const Call& call) {
  if (call.kind == Kind::copy || call.kind == Kind::get) return admit_one_sided(call);
  const PlanKey key{call.kind, call.algorithm, std::max(call.peer, 0)};
  auto found = plans_.find(key);
  if (found == plans_.end()) {
    Result<Plan> made =
        make_plan(call.algorithm, {call.kind, rank(), ranks(), std::max(call.peer, 0)});
    if (!made) return made.error();
    found = plans_.emplace(key, std::move(*made)).first;
  }
  plan_ = &found->second;
  return Done{};
}

Status ChannelCommunicator::admit_one_sided(const Call& call) const {
  const std::size_t bytes = call_bytes(call, ranks());
  if (transport_->remote(call.peer, call.offset, bytes)) return Done{};
  return Error{ErrorCode::invalid_argument,
               fmt::format("{}: {} B at offset {} reach outside the registered memory of rank {}",
                           peerscope::name(call.kind), bytes, call.offset, call.peer)};
}

Status ChannelCommunicator::perform(const Operation& operation, Marks& marks) {
  const Call& call = operation.call;
  const Envelope envelope = make_envelope(call, operation.sequence, operation.bytes);
  if (Status entered = transport_->enter(envelope); !entered) return entered;
  if (call.kind == Kind::copy || call.kind == Kind::get) return move_one_sided(call);
  const Task task{.envelope = envelope,
                  .input = static_cast<const std::byte*>(call.input),
                  .output = static_cast<std::byte*>(call.output),
                  .elements = operation.bytes / dtype_bytes(call.dtype),
                  .counts = call.counts,
                  .kind = call.kind,
                  .reduction = {call.dtype, call.op, call.op == ReduceOp::avg ? ranks() : 1}};
  return executor_.run(*plan_, task, marks);
}

Status ChannelCommunicator::move_one_sided(const Call& call) {
  const std::size_t bytes = call_bytes(call, ranks());
  std::byte* const remote = transport_->remote(call.peer, call.offset, bytes);
  if (bytes == 0) return Done{};
  if (call.kind == Kind::copy) {
    std::memmove(remote, call.input, bytes);
  } else {
    std::memmove(call.output, remote, bytes);
  }
  return Done{};
}

}  // namespace peerscope
