// What ranks do in an iteration: work, collectives, and exchanges with neighbours.
#include "comm/sim/simulation_state.hpp"

namespace peerscope::sim {
namespace {

constexpr double kLaunchNs = 2'000;       // of a kernel, seen by its host
constexpr double kEnterNs = 400;          // scatter of what ranks do between calls
constexpr double kStallShare = 2e-4;      // of a rank's pieces of work: the processor was elsewhere
constexpr double kTransferStalls = 1e-3;  // of transfers
constexpr double kCheckNs = 20'000;       // until ranks know that they disagree
constexpr double kWorkSigma = 0.03, kTransferSigma = 0.04;

}  // namespace

double Simulation::State::transfer_factor(Kind kind) {
  double factor = now.kind_slowness[static_cast<std::size_t>(kind)];
  factor *= 1.0 + (warm_ - 1.0) * 0.3;
  if (options.noise <= 0) return factor;
  factor *= random_.jitter(kTransferSigma * options.noise);
  if (random_.chance(kTransferStalls * options.noise)) factor *= random_.between(2.0, 6.0);
  return factor;
}

// Leaves in `arrived_` when each rank is ready for the step's communication.
void Simulation::State::compute(const WorkStep& step) {
  for (int rank = 0; rank < ranks(); ++rank) {
    double work = step.compute_ns * bias_[at(rank)] * wander_ * warm_;
    double enter = 0;
    if (options.noise > 0) {
      work *= random_.jitter(kWorkSigma * options.noise);
      enter = kEnterNs * options.noise * random_.uniform();
      if (work > 0 && random_.chance(kStallShare * options.noise))
        work += random_.between(0.3e6, 3e6);
    }
    if (step.compute_ns > 0) work += now.late_ns[at(rank)];
    if (options.workload.async) {
      host_[at(rank)] += options.workload.enqueue_ns;
      free_[at(rank)] = std::max(free_[at(rank)], host_[at(rank)]);
    }
    arrived_[at(rank)] = free_[at(rank)] + work + enter;
  }
}

Op Simulation::State::op_of(int rank, const WorkStep& step) const {
  Op op;
  op.bytes = step.bytes;
  op.comm = options.comm;
  op.process = static_cast<std::uint32_t>(rank);
  op.rank = static_cast<std::uint16_t>(rank);
  op.ranks = static_cast<std::uint16_t>(ranks());
  op.device = static_cast<std::uint16_t>(rank);
  op.kind = step.kind;
  op.protocol = Protocol::simple;
  op.dtype = Dtype::bf16;
  op.backend = Backend::sim;
  op.sequence = sequence_;
  op.async = options.workload.async;
  return op;
}

// `begin_ns`: when the rank was ready. Device times are the kernel's, which waits for its peers, too.
void Simulation::State::emit(Op op, double begin_ns, double end_ns) {
  const double launched = std::min(begin_ns + kLaunchNs, end_ns);
  ++made_;
  if (!op.async) {
    op.begin_ns = clock(begin_ns);
    op.host_duration_ns = clock(end_ns) - op.begin_ns;
    op.device_begin_ns = clock(launched);
    op.device_duration_ns = clock(end_ns) - op.device_begin_ns;
    held.push_back(op);
    return;
  }
  // The call comes back at once; what the device says comes as a record of its own.
  const double host = host_[op.rank];
  op.begin_ns = clock(host - options.workload.enqueue_ns);
  op.host_duration_ns = static_cast<std::int64_t>(options.workload.enqueue_ns);
  held.push_back(op);
  op.device_only = true;
  op.begin_ns = op.device_begin_ns = clock(begin_ns);
  op.device_duration_ns = clock(end_ns) - op.device_begin_ns;
  op.host_duration_ns = kUnknownNs;
  held.push_back(op);
}

void Simulation::State::emit_collective(const WorkStep& step, Algorithm algorithm,
                                        const std::vector<double>& ends, OpStatus status) {
  for (int rank = 0; rank < ranks(); ++rank) {
    Op op = op_of(rank, step);
    op.algorithm = algorithm;
    op.status = status;
    if (status == OpStatus::mismatch && now.mismatch && now.mismatch->rank == rank) op.bytes /= 2;
    emit(op, arrived_[at(rank)], ends[at(rank)]);
    free_[at(rank)] = ends[at(rank)];
  }
  ++sequence_;
}

// Nothing moves from here on: who has come waits.
void Simulation::State::lose(const WorkStep& step) {
  const Lost& lost = *now.lost;
  const auto algorithm = book.fastest(step.kind, step.bytes);
  for (int rank = 0; rank < ranks(); ++rank) {
    if (rank == lost.rank && !lost.inside) continue;
    Op op = op_of(rank, step);
    if (algorithm) op.algorithm = *algorithm;
    op.begin_ns = clock(arrived_[at(rank)]);
    stuck_in.push_back(op);
  }
  if (lost.inside) {
    dead_rank = lost.rank;
    dead_since_ns = *std::max_element(arrived_.begin(), arrived_.end()) + kLaunchNs;
  }
  stuck = true;
}

void Simulation::State::disagree_in_sequence(const WorkStep& step, const WorkStep& other) {
  for (int rank = 0; rank < ranks(); ++rank) {
    Op op = op_of(rank, rank == now.mismatch->rank ? other : step);
    op.begin_ns = clock(arrived_[at(rank)]);
    stuck_in.push_back(op);
  }
  stuck = true;
}

// The next step, if it is another collective: who has left this one out is in that.
std::optional<WorkStep> Simulation::State::next_other(std::size_t index) const {
  if (index + 1 >= steps_.size()) return std::nullopt;
  const WorkStep& here = steps_[index];
  const WorkStep& next = steps_[index + 1];
  if (next.type != StepType::collective) return std::nullopt;
  if (next.kind == here.kind && next.bytes == here.bytes) return std::nullopt;
  return next;
}

void Simulation::State::collective(const WorkStep& step, std::size_t index) {
  compute(step);
  if (now.lost) return lose(step);
  const double last = *std::max_element(arrived_.begin(), arrived_.end());
  std::vector<double> ends(at(ranks()));
  if (now.mismatch) {
    const bool of_size = now.mismatch->about == Disagreement::size;
    const auto other = of_size ? std::nullopt : next_other(index);
    if (other) return disagree_in_sequence(step, *other);
    if (of_size && step.kind == Kind::all_reduce && step.bytes == options.workload.prefill_bytes) {
      for (double& end : ends) end = last + kCheckNs + kEnterNs * random_.uniform();
      return emit_collective(step, *book.fastest(step.kind, step.bytes), ends, OpStatus::mismatch);
    }
  }
  Algorithm algorithm = *book.fastest(step.kind, step.bytes);
  if (now.forced && now.forced->kind == step.kind && now.forced->bytes == step.bytes)
    algorithm = now.forced->algorithm;
  const Cost& cost = **book.collective(step.kind, algorithm, step.bytes, 0);
  for (const auto& [link, bytes] : cost.bytes) counters.own_bytes[at(link)] += bytes;
  const double factor = transfer_factor(step.kind);
  for (int rank = 0; rank < ranks(); ++rank) {
    const double scatter = options.noise > 0 ? kEnterNs * options.noise * random_.uniform() : 0;
    ends[at(rank)] = last + kLaunchNs + cost.end_ns[at(rank)] * factor + scatter;
  }
  emit_collective(step, algorithm, ends, OpStatus::ok);
}

// A send that fails and is sent again; the time that the failure has taken.
double Simulation::State::send_again(int rank, int peer, const WorkStep& step) {
  double late = 0;
  for (const Failing& failing : now.failing) {
    if (failing.rank != rank || (failing.peer >= 0 && failing.peer != peer)) continue;
    if (!random_.chance(failing.share)) continue;
    Op op = op_of(rank, step);
    op.peer = static_cast<std::uint16_t>(peer);
    op.sequence = sends_[at(rank)]++;
    op.status = failing.status;
    const double begin = arrived_[at(rank)] + late;
    emit(op, begin, begin + failing.costs_ns);
    events.push_back({clock(begin + failing.costs_ns), rank, PSCOPE_SEVERITY_WARNING,
                      failing.status == OpStatus::no_memory ? "send: no room in the pool, again"
                                                            : "send failed, again",
                      peer});
    late += failing.costs_ns + kLaunchNs;
  }
  return late;
}

// Each rank sends to one and receives from another at once.
void Simulation::State::exchange(const WorkStep& step) {
  if (options.workload.paced)
    std::fill(free_.begin(), free_.end(), *std::max_element(free_.begin(), free_.end()));
  compute(step);
  const Cost& cost = book.shift(step.shift, step.bytes);
  for (const auto& [link, bytes] : cost.bytes) counters.own_bytes[at(link)] += bytes;
  std::vector<double> done(at(ranks()), 0.0);
  for (int rank = 0; rank < ranks(); ++rank) {
    const int to = (rank + step.shift) % ranks();
    const double ready = arrived_[at(rank)] + send_again(rank, to, step);
    const double both = std::max(ready, arrived_[at(to)]);
    const double end = both + kLaunchNs + cost.end_ns[at(rank)] * transfer_factor(Kind::send);
    Op send = op_of(rank, step);
    send.peer = static_cast<std::uint16_t>(to);
    send.sequence = sends_[at(rank)]++;
    emit(send, ready, end);
    Op receive = op_of(to, step);
    receive.kind = Kind::recv;
    receive.peer = static_cast<std::uint16_t>(rank);
    receive.sequence = receives_[at(to)]++;
    emit(receive, arrived_[at(to)], end);
    done[at(rank)] = std::max(done[at(rank)], end);
    done[at(to)] = std::max(done[at(to)], end);
  }
  free_ = done;
}

void Simulation::State::iteration() {
  const double begin = *std::min_element(free_.begin(), free_.end());
  account(begin);
  now = conditions_at(static_cast<std::int64_t>(begin), options.faults, healthy);
  book.set_links(now.links);
  if (options.noise > 0) used_share = 0.4 + 0.02 * options.noise * random_.uniform();
  wander_ = options.noise > 0 ? random_.jitter(0.02 * options.noise) : 1.0;
  constexpr std::uint64_t kWarmIterations = 5;
  warm_ = options.noise > 0 && iteration_ < kWarmIterations
              ? 1.0 + 0.5 * static_cast<double>(kWarmIterations - iteration_)
              : 1.0;
  steps_ = iteration_steps(options.workload, ranks(), iteration_);
  for (std::size_t i = 0; i < steps_.size() && !stuck && made_ < options.most_operations; ++i) {
    if (steps_[i].type == StepType::collective) {
      collective(steps_[i], i);
    } else {
      exchange(steps_[i]);
    }
  }
  if (options.workload.async) host_ = free_;  // they wait for their devices
  ++iteration_;
}

}  // namespace peerscope::sim
