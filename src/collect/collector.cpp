#include "collect/collector.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "collect/directory.hpp"
#include "collect/status.hpp"
#include "record/segment.hpp"

namespace peerscope {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr std::size_t kBatch = 256;  // records a turn: stays in the first-level cache
constexpr std::int64_t kDiscoverNs = 20'000'000;
constexpr std::int64_t kStateNs = 50'000'000;
constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kGiveUpNs =
    10'000'000'000;                              // an incomplete collective is flushed after this
constexpr std::int64_t kWaitingNs = 50'000'000;  // before that, ranks are merely not equally fast
constexpr std::int64_t kFastPollNs = 1'000'000, kSlowPollNs = 20'000'000;
constexpr std::uint64_t kTouchStep = 256 * 1024;  // of a growing block, a poll: 64 pages

}  // namespace

struct Collector::Ring {
  Ring(const SegmentView& segment, std::uint32_t index) : tail(segment, index) {}
  RingTail tail;
  std::uint64_t grow_offset = 0, grow_touched = 0;  // a block in preparation
  std::uint32_t grow_log2 = 0, refused_log2 = 0;
  std::int64_t claimed_since_ns = 0;
  std::uint64_t until =
      0;  // the head when the poll began: what comes meanwhile is for the next one
  std::uint64_t seen_head = 0;
  std::int64_t seen_at_ns = 0;
};

struct Collector::Process {
  Process(SegmentView view, std::uint32_t at)
      : segment(std::move(view)), decoder(segment, at), index(at) {}
  SegmentView segment;
  Decoder decoder;
  std::uint32_t index;
  std::vector<Ring> rings;
  ProcessState state = ProcessState::live;
  ControlState control;               // as last seen
  std::uint64_t control_changes = 0;  // then
  std::vector<std::string> wanted;    // communicators that this collector has asked for
  std::uint32_t comms_looked_at = 0;  // when they were last looked up
  std::array<Record, kBatch> records;
  std::array<Op, kBatch> ops;
};

Collector::Collector(CollectorOptions options, Sink& sink)
    : options_(std::move(options)), sink_(sink), joiner_(sink) {
  if (options_.dirs.empty()) options_.dirs = runtime_dirs();
  clock_.add(read_clock_pair(ClockSource::tsc));
  std::this_thread::sleep_for(
      std::chrono::milliseconds(1));  // a rate of our own, to judge what segments say by
  clock_.add(read_clock_pair(ClockSource::tsc));
  discover();
}

Collector::~Collector() = default;

void Collector::discover() {
  for (const std::string& path : list_segments(options_.dirs)) {
    const auto at = std::lower_bound(known_.begin(), known_.end(), path);
    if (at == known_.end() || *at != path) attach(path);
  }
}

void Collector::attach(const std::string& path) {
  const auto remember = [&] {
    known_.insert(std::lower_bound(known_.begin(), known_.end(), path), path);
  };
  Result<SegmentView> opened = SegmentView::open(path);
  if (!opened) {
    remember();
    problems_.push_back(opened.error().message);
    return;
  }
  remember();
  const SegmentHeader& header = opened->header();
  const auto& wanted = options_.sessions;
  if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), opened->session()) == wanted.end())
    return;
  if (options_.pid != 0 && header.pid != options_.pid) return;
  const ProcessState state = opened->state();
  if (options_.only_live && state != ProcessState::live) return;
  // After a boot the counter has begun anew: what a segment in /tmp says of an earlier one holds no more.
  if (header.clock_source == static_cast<std::uint32_t>(ClockSource::tsc) &&
      header.boot_id == read_boot_id()) {
    const std::uint32_t count = header.calibration_count.load(std::memory_order_acquire);
    for (std::uint32_t i = count > kMaxCalibrations ? count - kMaxCalibrations : 0; i < count;
         ++i) {
      const Calibration& c = header.calibrations[i % kMaxCalibrations];
      clock_.offer({c.ticks.load(kRelaxed), c.mono_ns.load(kRelaxed), c.real_ns.load(kRelaxed),
                    c.uncertainty_ns.load(kRelaxed)});
    }
  }
  auto process =
      std::make_unique<Process>(std::move(*opened), static_cast<std::uint32_t>(processes_.size()));
  process->state = state;
  if (state == ProcessState::live && options_.on_attach) {
    if (const ControlChange change = options_.on_attach(); !change.empty()) tell(*process, change);
  }
  process->control_changes =
      process->segment.header().control_changes.load(std::memory_order_acquire);
  process->control = control_of(process->segment);
  processes_.push_back(std::move(process));
}

void Collector::calibrate(std::int64_t now_ns) {
  next_calibration_ns_ = now_ns + kSecondNs;
  clock_.add(read_clock_pair(ClockSource::tsc));
  for (auto& process : processes_) {
    if (process->state != ProcessState::live || !process->segment.writable()) continue;
    SegmentHeader& header = process->segment.writable_header();
    if (!calibration_is_due(header, static_cast<std::uint64_t>(now_ns))) continue;
    add_calibration(header, read_clock_pair(static_cast<ClockSource>(header.clock_source)));
  }
}

// Asks the kernel who is still there: a file read a process, so not at each poll. Who is gone stays gone.
void Collector::refresh_states(std::int64_t now_ns) {
  next_state_ns_ = now_ns + kStateNs;
  for (auto& process : processes_) {
    if (process->state != ProcessState::live) continue;
    watch_control(*process, now_ns);
    process->state = process->segment.state();
  }
}

bool Collector::tell(Process& process, const ControlChange& change) {
  const std::uint32_t comms = process.segment.header().comm_count.load(std::memory_order_acquire);
  if (!apply(change, process.segment)) return false;
  if (change.communicators) {
    process.wanted = *change.communicators;
    process.comms_looked_at = comms;
  }
  return true;
}

// Communicators that were asked for by name may appear later. Who else changes them has the last word.
void Collector::watch_control(Process& process, std::int64_t now_ns) {
  const SegmentHeader& header = process.segment.header();
  const std::uint64_t changes = header.control_changes.load(std::memory_order_acquire);
  if (changes != process.control_changes) {
    const ControlState now = control_of(process.segment);
    if (!process.wanted.empty() && now.comms != process.control.comms &&
        now.comms != resolve(process.wanted, process.segment))
      process.wanted.clear();
    if (now != process.control) sink_.on_control({process.index, now_ns, process.control, now});
    process.control = now;
    process.control_changes = changes;
  }
  const std::uint32_t comms = header.comm_count.load(std::memory_order_acquire);
  if (process.wanted.empty() || comms == process.comms_looked_at) return;
  process.comms_looked_at = comms;
  if (resolve(process.wanted, process.segment) != process.control.comms)
    tell(process, {.communicators = process.wanted});
}

std::uint64_t Collector::poll(std::uint64_t max_records) {
  auto now_ns = static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC));
  if (now_ns >= next_discovery_ns_) {
    discover();
    next_discovery_ns_ = now_ns + kDiscoverNs;
  }
  if (now_ns >= next_calibration_ns_) calibrate(now_ns);
  if (now_ns >= next_state_ns_) refresh_states(now_ns);
  next_poll_ns_ = kSlowPollNs;
  for (auto& process : processes_) {
    for (auto i = static_cast<std::uint32_t>(process->rings.size());
         i < process->segment.ring_count(); ++i) {
      process->rings.emplace_back(process->segment, i);
    }
    for (Ring& ring : process->rings)
      ring.until = ring.tail.cursor() + ring.tail.backlog(process->segment);
  }
  // A turn a ring, round after round: so that what ranks say about one collective comes close together.
  std::uint64_t total = 0;
  for (std::uint64_t round = 1; round != 0;) {
    round = 0;
    for (auto& process : processes_) {
      for (Ring& ring : process->rings) {
        if (ring.tail.cursor() < ring.until) round += drain(*process, ring);
      }
    }
    total += round;
    if (max_records != 0 && total >= max_records) break;
  }
  now_ns = static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC));
  for (auto& process : processes_) {
    if (process->state != ProcessState::live) continue;
    for (Ring& ring : process->rings) {
      serve_growth(*process, ring, now_ns);
      plan_next_poll(*process, ring, now_ns);
    }
  }
  if (now_ns >= next_flush_ns_) {
    joiner_.flush_before(now_ns - kGiveUpNs);
    next_flush_ns_ = now_ns + kSecondNs;
  }
  return total;
}

std::uint64_t Collector::drain(Process& process, Ring& ring) {
  const std::size_t count = ring.tail.read(process.segment, process.records);
  if (count != 0) route(process, ring.tail.index(), {process.records.data(), count});
  return count;
}

void Collector::route(Process& process, std::uint32_t thread, std::span<const Record> records) {
  std::size_t ops = 0;
  for (const Record& record : records) {
    if (record.tag() == Tag::op || record.tag() == Tag::device_times) {
      process.decoder.decode(process.segment, clock_, record, thread, process.ops[ops]);
      ++ops;
    } else {
      route_other(process, thread, record);
    }
  }
  const std::span<const Op> batch{process.ops.data(), ops};
  if (ops != 0) sink_.on_ops(batch);
  joiner_.add(batch);
}

void Collector::route_other(Process& process, std::uint32_t thread, const Record& record) {
  const std::int64_t at_ns = process.decoder.to_ns(clock_, record.begin());
  if (record.tag() == Tag::phase) {
    Op op;
    process.decoder.decode(process.segment, clock_, record, 0, op);
    sink_.on_phase({at_ns, op.host_duration_ns, op.comm, op.sequence, process.index, op.rank,
                    record.peer(), op.kind});
  } else if (record.tag() == Tag::call_site) {
    sink_.on_call_site({process.index, static_cast<std::uint16_t>(record.bytes()),
                        static_cast<Kind>(record.kind())});
  } else if (record.tag() == Tag::complete) {
    Op op;
    process.decoder.decode(process.segment, clock_, record, 0, op);
    sink_.on_completion({at_ns, op.host_duration_ns, op.comm, op.sequence, process.index, op.rank,
                         op.kind, op.status});
  } else if (record.tag() == Tag::event) {
    const auto comm = static_cast<std::uint16_t>(record.w3);
    const auto [id, rank] = process.decoder.member(process.segment, comm);
    sink_.on_event({at_ns, static_cast<std::int64_t>(record.w2), process.index,
                    static_cast<std::uint16_t>(record.w1), comm,
                    static_cast<std::uint8_t>((record.w1 >> 40) & 7), thread, id, rank});
  }
}

// Takes on a ring's wish for a larger block, unless another reader has. One that went away without keeping its word is
// overruled after a second.
bool Collector::claim_growth(Ring& ring, RingHeader& header, std::int64_t now_ns) {
  std::uint32_t wanted = header.wanted_log2.load(kRelaxed);
  if (wanted == 0 || header.offer.load(kRelaxed) != 0) {
    ring.claimed_since_ns = 0;
    return false;
  }
  if ((wanted & kGrowthClaimed) != 0) {
    if (ring.claimed_since_ns == 0) ring.claimed_since_ns = now_ns;
    if (now_ns - ring.claimed_since_ns < kSecondNs) return false;
  }
  ring.claimed_since_ns = 0;
  const std::uint32_t log2_capacity = wanted & ~kGrowthClaimed;
  if (log2_capacity > kLargestRingLog2 || log2_capacity == ring.refused_log2) return false;
  if (!header.wanted_log2.compare_exchange_strong(wanted, log2_capacity | kGrowthClaimed, kRelaxed))
    return false;
  ring.grow_log2 = log2_capacity;
  return true;
}

// A ring that laps too fast asks for a larger block. Its pages are brought into memory here, a few a poll;
// what is left to the job is to map them.
void Collector::serve_growth(Process& process, Ring& ring, std::int64_t now_ns) {
  if (!process.segment.writable()) return;
  RingHeader* header = process.segment.writable_ring(ring.tail.index());
  if (header == nullptr) return;
  if (ring.grow_offset == 0) {
    if (!claim_growth(ring, *header, now_ns)) return;
    ring.grow_touched = 0;
    ring.grow_offset = process.segment.allocate_block(ring.grow_log2);
    if (ring.grow_offset == 0) ring.refused_log2 = ring.grow_log2;  // no room, now or later
    if (ring.grow_offset == 0) return;
  }
  const std::uint64_t bytes = block_bytes(ring.grow_log2);
  const std::uint64_t step = std::min(kTouchStep, bytes - ring.grow_touched);
  process.segment.touch_block(ring.grow_offset + ring.grow_touched, step);
  ring.grow_touched += step;
  next_poll_ns_ = kFastPollNs;
  if (ring.grow_touched < bytes) return;
  header->offer.store(ring.grow_offset / kPageBytes << 8 | ring.grow_log2,
                      std::memory_order_release);
  ring.grow_offset = 0;
}

// Soon enough that the ring is at most a quarter full by then, at the rate of the last interval.
void Collector::plan_next_poll(const Process& process, Ring& ring, std::int64_t now_ns) {
  const RingHeader* header = process.segment.ring(ring.tail.index());
  if (header == nullptr) return;
  const std::uint64_t head = ring.tail.cursor();
  const std::uint64_t records = head - ring.seen_head;
  const std::int64_t elapsed_ns = now_ns - ring.seen_at_ns;
  if (records > 0 && ring.seen_at_ns != 0 && elapsed_ns > 0) {
    const std::uint32_t count =
        std::min(header->block_count.load(std::memory_order_acquire), kMaxBlocks);
    const std::uint64_t log2 =
        count > 0 ? header->blocks[count - 1].log2_capacity.load(kRelaxed) : kSmallRingLog2;
    const double quarter =
        static_cast<double>(std::uint64_t{1} << std::min<std::uint64_t>(log2, kLargestRingLog2)) /
        4;
    const auto fill_ns = static_cast<std::int64_t>(quarter / static_cast<double>(records) *
                                                   static_cast<double>(elapsed_ns));
    next_poll_ns_ = std::clamp(fill_ns, kFastPollNs, next_poll_ns_);
  }
  ring.seen_head = head;
  ring.seen_at_ns = now_ns;
}

std::vector<ProcessStatus> Collector::processes() const {
  std::vector<ProcessStatus> all;
  for (const auto& process : processes_) {
    ProcessStatus status = status_of(process->segment);
    status.index = process->index;
    if (status.state == ProcessState::dead) {
      status.last_sign_ns = peerscope::last_activity_ns(process->segment, process->decoder, clock_);
    }
    for (const Ring& ring : process->rings) {
      status.delivered += ring.tail.delivered();
      status.lost += ring.tail.lost();
      status.before += ring.tail.before();
    }
    all.push_back(std::move(status));
  }
  return all;
}

std::vector<InFlight> Collector::in_flight(std::int64_t now_ns) const {
  std::vector<InFlight> all;
  for (const auto& process : processes_) {
    const std::size_t first = all.size();
    append_in_flight(process->segment, process->decoder, clock_, all);
    const bool live = process->segment.state() == ProcessState::live;
    const std::int64_t until_ns =
        live ? now_ns : peerscope::last_activity_ns(process->segment, process->decoder, clock_);
    for (std::size_t i = first; i < all.size(); ++i) {
      all[i].op.process = process->index;
      all[i].age_ns = std::max<std::int64_t>(until_ns - all[i].op.begin_ns, 0);
    }
  }
  append_waiting(now_ns, all);
  return all;
}

// Sources that only see the enqueue, such as NCCL's, have nothing in flight of their own. But where a rank has not come,
// the others are waiting for it, whatever the device does.
void Collector::append_waiting(std::int64_t now_ns, std::vector<InFlight>& all) const {
  const std::vector<Collective> waiting = joiner_.waiting(now_ns - kWaitingNs);
  if (waiting.empty()) return;
  const auto known = memberships();
  for (const Collective& c : waiting) {
    for (const Arrival& arrival : c.arrivals) {
      const auto at = std::find_if(known.begin(), known.end(), [&](const auto& member) {
        return member.second.id == c.comm && member.second.rank == arrival.rank;
      });
      if (at == known.end() || processes_[at->first]->state != ProcessState::live) continue;
      const auto is_it = [&](const InFlight& entry) {
        return entry.op.comm == c.comm && entry.op.sequence == c.sequence &&
               entry.op.rank == arrival.rank;
      };
      if (std::any_of(all.begin(), all.end(), is_it)) continue;
      InFlight entry;
      entry.op.begin_ns = arrival.begin_ns;
      entry.op.bytes = c.bytes;
      entry.op.sequence = c.sequence;
      entry.op.comm = c.comm;
      entry.op.process = at->first;
      entry.op.weight = c.weight;
      entry.op.rank = arrival.rank;
      entry.op.ranks = c.ranks;
      entry.op.device = at->second.device;
      entry.op.kind = c.kind;
      entry.op.algorithm = c.algorithm;
      entry.op.backend = c.backend;
      entry.op.async = true;
      entry.pid = processes_[at->first]->segment.header().pid;
      entry.age_ns = now_ns - arrival.begin_ns;
      entry.enqueued = true;
      all.push_back(entry);
    }
  }
}

std::vector<MetricValue> Collector::metrics() const {
  std::vector<MetricValue> all;
  for (const auto& process : processes_) append_metrics(process->segment, process->index, all);
  return all;
}

std::vector<std::pair<std::uint32_t, CommInfo>> Collector::memberships() const {
  std::vector<std::pair<std::uint32_t, CommInfo>> all;
  for (const auto& process : processes_) {
    for (std::uint16_t id = 1; id < kMaxComms; ++id) {
      auto info = process->segment.comm(id);
      if (!info) break;
      all.emplace_back(process->index, std::move(*info));
    }
  }
  return all;
}

std::vector<CommInfo> Collector::communicators() const {
  std::vector<CommInfo> all;
  for (auto& [process, info] : memberships()) {
    const bool known =
        std::any_of(all.begin(), all.end(), [&](const CommInfo& c) { return c.id == info.id; });
    if (!known) all.push_back(info);
  }
  return all;
}

void Collector::finish() { joiner_.flush_all(); }

bool Collector::any_live() const {
  return std::any_of(processes_.begin(), processes_.end(),
                     [](const auto& process) { return process->state == ProcessState::live; });
}

std::int64_t Collector::last_activity_ns() const {
  std::int64_t last = 0;
  for (const auto& process : processes_) {
    last = std::max(last, peerscope::last_activity_ns(process->segment, process->decoder, clock_));
  }
  return last;
}

std::string Collector::text(std::uint32_t process, std::uint16_t name) const {
  return process < processes_.size() ? processes_[process]->segment.text(name) : std::string();
}

int Collector::set_control(const ControlChange& change) {
  int reached = 0;
  for (auto& process : processes_) {
    if (process->segment.state() == ProcessState::live && tell(*process, change)) ++reached;
  }
  return reached;
}

std::vector<ControlState> Collector::controls() const {
  std::vector<ControlState> all;
  for (const auto& process : processes_) all.push_back(control_of(process->segment));
  return all;
}

}  // namespace peerscope
