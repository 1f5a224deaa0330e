#include "comm/sim/simulation.hpp"

#include "comm/sim/simulation_state.hpp"

namespace peerscope::sim {
namespace {

constexpr double kPoolBytes = 4.0 * (1 << 30);

std::int64_t end_of(const Op& op) {
  return op.begin_ns + (op.device_only ? op.device_duration_ns : op.host_duration_ns);
}

}  // namespace

Simulation::State::State(SimulationOptions given)
    : options(std::move(given)),
      routes(options.topology),
      book(options.topology, routes, options.cost),
      view(options.topology, routes),
      healthy(healthy_conditions(options.topology)),
      now(healthy),
      random_(options.seed) {
  const auto links = options.topology.links.size();
  const auto n = options.topology.gpus.size();
  counters = {std::vector<double>(2 * links, 0.0), std::vector<double>(2 * links, 0.0),
              std::vector<double>(links, 0.0)};
  bias_.assign(n, 1.0);
  free_.assign(n, 0.0);
  host_.assign(n, 0.0);
  arrived_.assign(n, 0.0);
  sends_.assign(n, 0);
  receives_.assign(n, 0);
}

std::optional<Error> Simulation::State::prepare() {
  if (auto error = check(options.topology)) return error;
  FaultScene scene{&options.topology, &routes, all_reduce_sizes(options.workload),
                   options.origin_ns};
  Random chosen = random_.fork();  // noise does not depend on the faults
  for (Fault& fault : options.faults) {
    auto placed = place_fault(std::move(fault), scene, chosen);
    if (!placed) return placed.error();
    fault = std::move(*placed);
    truths.push_back(truth_of(fault, scene));
    if (fault.bytes == 0) continue;
    Conditions conditions = healthy;
    fault.kind->act(fault, 0, conditions);
    if (!conditions.forced) continue;
    const auto cost =
        book.collective(conditions.forced->kind, conditions.forced->algorithm, fault.bytes, 0);
    if (!cost) return cost.error();
  }
  for (double& bias : bias_) bias = 1.0 + 0.004 * options.noise * random_.normal();
  for (const WorkStep& step : iteration_steps(options.workload, ranks(), 0)) {
    if (step.type != StepType::collective) continue;
    const auto algorithm = book.fastest(step.kind, step.bytes);
    if (!algorithm) return algorithm.error();
  }
  return std::nullopt;
}

void Simulation::State::account(double until_ns) {
  const double for_s = std::max(0.0, until_ns - accounted_ns_) / 1e9;
  for (std::size_t i = 0; i < now.links.size(); ++i) {
    const LinkCondition& link = now.links[i];
    const double foreign = link.foreign * link.share * options.topology.links[i].bytes_per_s;
    counters.foreign_bytes[2 * i] += foreign * for_s;
    counters.foreign_bytes[2 * i + 1] += foreign * for_s;
    counters.errors[i] += link.errors_per_s * for_s;
  }
  accounted_ns_ = std::max(accounted_ns_, until_ns);
}

bool Simulation::State::advance(std::int64_t until_ns, SimSink& sink) {
  asked_ns = std::max(asked_ns, until_ns);
  const auto until = static_cast<double>(until_ns - options.origin_ns);
  while (!stuck && made_ < options.most_operations &&
         *std::min_element(free_.begin(), free_.end()) <= until)
    iteration();
  if (stuck) {
    account(until);
    now = conditions_at(static_cast<std::int64_t>(until), options.faults, healthy);
  }
  deliver(until_ns, sink);
  return stuck || made_ < options.most_operations || !held.empty();
}

void Simulation::State::deliver(std::int64_t until_ns, SimSink& sink) {
  std::stable_sort(held.begin(), held.end(),
                   [](const Op& a, const Op& b) { return end_of(a) < end_of(b); });
  const auto first_left =
      std::upper_bound(held.begin(), held.end(), until_ns,
                       [](std::int64_t time, const Op& op) { return time < end_of(op); });
  auto count = static_cast<std::uint64_t>(first_left - held.begin());
  const bool last = delivered + count >= options.most_operations;
  if (last) count = options.most_operations - delivered;
  if (count > 0) sink.on_ops(std::span(held).first(static_cast<std::size_t>(count)));
  delivered += count;
  held.erase(held.begin(), last ? held.end() : first_left);
  const auto later = std::stable_partition(
      events.begin(), events.end(), [&](const SimEvent& event) { return event.at_ns <= until_ns; });
  for (auto event = events.begin(); event != later; ++event) sink.on_event(*event);
  events.erase(events.begin(), later);
}

Simulation::Simulation(std::unique_ptr<State> state) : state_(std::move(state)) {}
Simulation::~Simulation() = default;

Result<std::unique_ptr<Simulation>> Simulation::make(SimulationOptions options) {
  auto state = std::make_unique<State>(std::move(options));
  if (auto error = state->prepare()) return *error;
  return std::unique_ptr<Simulation>(new Simulation(std::move(state)));
}

bool Simulation::advance(std::int64_t until_ns, SimSink& sink) {
  return state_->advance(until_ns, sink);
}

std::vector<InFlight> Simulation::in_flight() const {
  std::vector<InFlight> all;
  const std::int64_t now_ns = state_->asked_ns;
  const auto add = [&](const Op& op) {
    if (op.begin_ns > now_ns) return;
    InFlight entry;
    entry.op = op;
    entry.pid = pid_of(op.rank);
    entry.tid = entry.pid;
    entry.enqueued = op.device_only;  // its call has come back, the device is in it
    entry.op.device_only = false;
    const bool dead = op.rank == state_->dead_rank;
    entry.age_ns = dead ? std::max<std::int64_t>(0, last_sign_ns(op.rank) - op.begin_ns)
                        : now_ns - op.begin_ns;
    entry.op.host_duration_ns = kUnknownNs;
    entry.op.device_begin_ns = entry.op.device_duration_ns = kUnknownNs;
    all.push_back(entry);
  };
  for (const Op& op : state_->held) add(op);
  for (const Op& op : state_->stuck_in) add(op);
  return all;
}

MachineReading Simulation::machine() {
  State& state = *state_;
  const std::int64_t since_ns = state.asked_ns - state.options.origin_ns;
  if (!state.stuck) state.account(static_cast<double>(since_ns));
  return state.view.read(state.asked_ns, state.now, state.counters);
}

PoolGauge Simulation::pool(int rank) const {
  const double share = state_->now.pool_used_share[static_cast<std::size_t>(rank)];
  return {(share < 0 ? state_->used_share : share) * kPoolBytes, kPoolBytes};
}

ProcessState Simulation::process_state(int rank) const {
  const bool dead = rank == state_->dead_rank && state_->asked_ns >= last_sign_ns(rank);
  return dead ? ProcessState::dead : ProcessState::live;
}

std::int64_t Simulation::last_sign_ns(int rank) const {
  if (rank != state_->dead_rank) return state_->asked_ns;
  return state_->options.origin_ns + static_cast<std::int64_t>(state_->dead_since_ns);
}

const std::vector<Truth>& Simulation::truths() const { return state_->truths; }
const std::vector<Fault>& Simulation::faults() const { return state_->options.faults; }
const SimulationOptions& Simulation::options() const { return state_->options; }
std::uint64_t Simulation::operations() const { return state_->delivered; }
bool Simulation::stuck() const { return state_->stuck; }
const std::vector<double>& Simulation::link_bytes() const { return state_->counters.own_bytes; }

}  // namespace peerscope::sim
