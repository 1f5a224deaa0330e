#include "comm/sim/recorded.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "record/finished.hpp"

namespace peerscope::sim {
namespace {

constexpr std::uint16_t kClock = 0;  // all devices' clock: the host's

std::int64_t monotonic_ns() { return static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)); }

}  // namespace

struct Recorded::State final : SimSink {
  State(Simulation& simulation, pscope_session* opened) : run(simulation), session(opened) {}
  ~State() override { pscope_close(session); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void on_ops(std::span<const Op> ops) override;
  void on_event(const SimEvent& event) override;
  void tie_clock(std::int64_t now_ns);
  void enter_what_is_stuck();
  void set_gauges();
  [[nodiscard]] pscope_op record_of(const Op& op) const;
  [[nodiscard]] std::int64_t real_ns(std::int64_t virtual_ns) const {
    return begin_ns + virtual_ns - run.options().origin_ns;
  }

  Simulation& run;
  pscope_session* session;
  std::vector<std::uint16_t> comms;  // of each rank
  std::map<std::string, std::uint16_t> names;
  pscope_metric used = 0, capacity = 0;
  std::int64_t begin_ns = 0, tied_ns = 0;
  std::uint64_t begin_ticks = 0;
  bool stuck_entered = false;
};

pscope_op Recorded::State::record_of(const Op& op) const {
  pscope_op out{};
  out.bytes = op.bytes;
  out.sequence = op.sequence;
  out.comm = comms[op.rank];
  out.peer = op.peer;
  out.kind = static_cast<std::uint8_t>(op.kind);
  out.algorithm = static_cast<std::uint8_t>(op.algorithm);
  out.protocol = static_cast<std::uint8_t>(op.protocol);
  out.dtype = static_cast<std::uint8_t>(op.dtype);
  return out;
}

void Recorded::State::on_ops(std::span<const Op> ops) {
  Recorder& recorder = *as_recorder(session);
  const auto ticks = [&](std::int64_t ns) {
    return static_cast<std::uint64_t>(static_cast<double>(ns) / recorder.ns_per_tick);
  };
  for (const Op& op : ops) {
    const pscope_op record = record_of(op);
    if (!op.device_only) {
      const std::int64_t since_ns = op.begin_ns - run.options().origin_ns;
      record_timed(recorder, record, begin_ticks + ticks(since_ns), ticks(op.host_duration_ns),
                   static_cast<int>(op.status));
    }
    if (op.device_duration_ns < 0) continue;
    const pscope_device_times times{
        op.sequence,
        static_cast<std::uint64_t>(real_ns(op.device_begin_ns)),
        static_cast<std::uint64_t>(real_ns(op.device_begin_ns + op.device_duration_ns)),
        op.bytes,
        record.comm,
        kClock,
        record.kind,
        record.algorithm,
        0};
    pscope_op_device_times(session, &times);
  }
}

void Recorded::State::on_event(const SimEvent& event) {
  auto known = names.find(event.name);
  if (known == names.end())
    known = names.emplace(event.name, pscope_name(session, event.name.c_str())).first;
  pscope_event(session, event.severity, known->second, comms[static_cast<std::size_t>(event.rank)],
               event.value);
}

void Recorded::State::tie_clock(std::int64_t now_ns) {
  if (tied_ns != 0 && now_ns - tied_ns < 1'000'000'000) return;
  const auto now = static_cast<std::uint64_t>(now_ns);
  pscope_device_clock(session, kClock, now, now, now);
  tied_ns = now_ns;
}

void Recorded::State::enter_what_is_stuck() {
  if (stuck_entered || !run.stuck()) return;
  for (const InFlight& entry : run.in_flight()) {
    const pscope_op record = record_of(entry.op);
    pscope_op_begin(session, &record);
    stuck_entered = true;
  }
}

// The fullest pool stands for all: a process has each gauge once.
void Recorded::State::set_gauges() {
  PoolGauge fullest = run.pool(0);
  for (int rank = 1; rank < run.options().topology.ranks(); ++rank) {
    const PoolGauge pool = run.pool(rank);
    if (pool.used_bytes > fullest.used_bytes) fullest = pool;
  }
  pscope_gauge_set(session, used, fullest.used_bytes);
  pscope_gauge_set(session, capacity, fullest.capacity_bytes);
}

Result<std::unique_ptr<Recorded>> Recorded::open(Simulation& run, const char* name) {
  pscope_options options = PSCOPE_OPTIONS_INIT;
  options.name = name;
  const char* why = "";
  pscope_session* session = pscope_open(&options, &why);
  if (session == nullptr || *pscope_segment_path(session) == '\0') {
    pscope_close(session);
    return Error{ErrorCode::io, why};
  }
  auto state = std::make_unique<State>(run, session);
  const Topology& topology = run.options().topology;
  for (int rank = 0; rank < topology.ranks(); ++rank) {
    const pscope_comm_desc desc{run.options().comm,
                                "world",
                                static_cast<std::uint32_t>(rank),
                                static_cast<std::uint32_t>(topology.ranks()),
                                static_cast<std::uint16_t>(rank),
                                PSCOPE_BACKEND_SIM,
                                0};
    state->comms.push_back(pscope_comm_register(session, &desc));
    if (state->comms.back() == 0)
      return Error{
          ErrorCode::no_memory,
          fmt::format("the recorder has room for {} ranks in one process: use fewer", rank)};
  }
  state->used = pscope_gauge(session, "pool.used_bytes", "bytes");
  state->capacity = pscope_gauge(session, "pool.capacity_bytes", "bytes");
  state->begin_ns = monotonic_ns();
  state->begin_ticks = ticks_now(as_recorder(session)->clock);
  return std::unique_ptr<Recorded>(new Recorded(std::move(state)));
}

Recorded::Recorded(std::unique_ptr<State> state) : state_(std::move(state)) {}
Recorded::~Recorded() = default;

bool Recorded::catch_up() {
  State& state = *state_;
  const std::int64_t now_ns = monotonic_ns();
  state.tie_clock(now_ns);
  const std::int64_t virtual_ns = state.run.options().origin_ns + now_ns - state.begin_ns;
  const bool more = state.run.advance(virtual_ns, state);
  state.enter_what_is_stuck();
  state.set_gauges();
  return more;
}

double Recorded::elapsed_s() const {
  return static_cast<double>(monotonic_ns() - state_->begin_ns) / 1e9;
}

std::string Recorded::segment_path() const { return pscope_segment_path(state_->session); }

}  // namespace peerscope::sim
