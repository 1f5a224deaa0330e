#include "source/exllama/tracker.hpp"

#include <algorithm>
#include <bit>

namespace peerscope::exllama {
namespace {

constexpr std::size_t kMostSteps = 4096;
constexpr std::uint64_t kBroadcastStageBytes = 16384;
constexpr std::uint64_t kLlMostBytes = 2048;  // what goes by the low-latency way

std::int32_t ahead(std::uint32_t a, std::uint32_t b) {  // of 31-bit counters
  return static_cast<std::int32_t>((a - b) << 1) >> 1;
}

template <class F>
void each(std::uint32_t devices, F function) {
  for (; devices != 0; devices &= devices - 1) function(std::countr_zero(devices));
}

std::uint32_t bit(int device) { return 1u << device; }

std::size_t at(int device) { return static_cast<std::size_t>(device); }

void add_time(Share& share, double ns, std::uint64_t collective) {
  share.ns += ns;
  ++share.samples;
  if (share.seen == 0 || share.last_seen != collective) ++share.seen;
  share.last_seen = collective;
}

}  // namespace

bool Observed::timed() const {
  bool all = devices != 0;
  each(devices, [&](int device) { all = all && arrival[at(device)].known(); });
  return all;
}

void judge_last(Observed& observed) {
  observed.last = -1;
  if (!observed.timed() || std::popcount(observed.devices) < 2) return;
  Bounds first, last;
  int last_device = -1, latest = 0;
  each(observed.devices, [&](int device) {
    const Bounds& when = observed.arrival[at(device)];
    if (!first.known() || when.sample < first.sample) first = when;
    if (last.known() && when.sample == last.sample) ++latest;
    if (!last.known() || when.sample > last.sample) {
      last = when;
      last_device = device;
      latest = 1;
    }
  });
  if (latest == 1) observed.last = last_device;
  // In one sample: anything from nothing to the whole time between two samples.
  observed.late_least_ns =
      last.sample == first.sample ? 0 : std::max<std::int64_t>(last.after_ns - first.by_ns, 0);
  observed.late_most_ns = last.by_ns - first.after_ns;
}

// Nothing can be said of the jobs under way; the next end of a pass settles which stage is whose.
void Tracker::forget_jobs() {
  totals_.lost += static_cast<std::uint64_t>(
      std::count_if(pending_.begin(), pending_.end(),
                    [](const Pending& job) { return job.chunks != 0 && job.number > 0; }));
  pending_.clear();
  synced_ = false;
  pushed_chunks_ = 0;
  base_least_ = INT64_MIN;
  base_most_ = INT64_MAX;
}

void Tracker::restart(const Sample& sample) {
  forget_jobs();
  released_ = sample.state.released;
  for (int i = 0; i < kMaxDevices; ++i) {
    steps_[at(i)].clear();
    arrived_[at(i)] = released_ + ahead(sample.state.arrived[at(i)], sample.state.released);
  }
}

void Tracker::add_jobs(const Sample& sample) {
  for (std::size_t i = 0; i < sample.jobs.size(); ++i) {
    const Job& job = sample.jobs[i];
    const std::uint32_t chunks = chunks_of(layout_, job);
    pending_.push_back({job, sample.first_job + i, pushed_chunks_, chunks});
    pushed_chunks_ += chunks;
    reduce_devices_ |= job.devices;
    totals_.devices |= job.devices;
    active_ = true;
  }
}

// The CPU has released all chunks of the jobs before the last that it took, and some of that one: so each
// sample bounds the stage at which the jobs began; an end of a pass, which has no chunks, settles it.
bool Tracker::synchronise(const Sample& sample) {
  const Pending* taken = nullptr;
  for (const Pending& job : pending_) {
    if (job.number < sample.popped) taken = &job;
  }
  if (taken == nullptr) return true;  // known from before
  const std::int64_t least = released_ - (taken->begin + taken->chunks);
  base_least_ = std::max(base_least_, least);
  base_most_ = std::min(base_most_, least + taken->chunks);
  if (base_least_ > base_most_) return false;
  synced_ = synced_ || base_least_ == base_most_;
  return true;
}

void Tracker::add_arrivals(const State& state) {
  for (int i = 0; i < kMaxDevices; ++i) {
    const std::int64_t stage = released_ + ahead(state.arrived[at(i)], state.released);
    if (stage <= arrived_[at(i)]) continue;
    const std::int64_t from = arrived_[at(i)];
    arrived_[at(i)] = stage;
    active_ = true;
    auto& steps = steps_[at(i)];
    if (steps.size() >= kMostSteps) steps.pop_front();
    steps.push_back({from, stage, now()});
  }
}

Bounds Tracker::arrival_of(int device, std::int64_t begin) const {
  // Its flag is read before that of the CPU: the sum may be seen before what went into it.
  if (arrived_[at(device)] <= begin) return now();
  for (const Step& step : steps_[at(device)]) {
    if (step.from <= begin && step.stage > begin) return step.when;
  }
  return {};  // before we came
}

void Tracker::deliver(const Pending& job, bool timed) {
  Observed out;
  out.kind = Kind::all_reduce;
  out.sequence = totals_.released++;
  out.bytes = job.job.bytes;
  out.devices = job.job.devices;
  out.all_devices = totals_.devices;
  out.dtype = layout_.wire_dtype && job.job.wire == 1 ? Dtype::f16 : Dtype::bf16;
  out.release = release_;
  if (timed) {
    each(out.devices, [&](int device) {
      out.arrival[at(device)] = arrival_of(device, base_least_ + job.begin);
    });
    judge_last(out);
  }
  deliver_(out);
}

void Tracker::complete(const Sample& sample) {
  while (!pending_.empty()) {
    const Pending& job = pending_.front();
    const bool taken = job.number < sample.popped;
    const bool before_last = job.number + 1 < sample.popped;
    const bool over =
        synced_ ? taken && base_least_ + job.begin + job.chunks <= released_ : before_last;
    if (!over) break;
    // Number 0 was taken before we came, and may have been over for long.
    if (job.number > 0 && job.chunks == 0) ++totals_.passes;
    if (job.number > 0 && job.chunks != 0) deliver(job, synced_ && started_);
    pending_.pop_front();
  }
  // The job that was taken last stays in mind until its stage is known.
  const std::int64_t done =
      pending_.empty() || !synced_ ? released_ : base_least_ + pending_.front().begin;
  for (auto& steps : steps_) {
    while (synced_ && !steps.empty() && steps.front().stage <= done) steps.pop_front();
  }
}

void Tracker::note_stages(const State& state) {
  const auto most = [](const std::array<std::uint32_t, kMaxDevices>& all) {
    return *std::max_element(all.begin(), all.end());
  };
  if (const std::uint32_t stages = most(state.broadcast); stages != 0) {
    barrier_.kind = Kind::broadcast;
    barrier_.most_stages = std::max<std::uint64_t>(barrier_.most_stages, stages);
  } else if (most(state.gather_produced) != 0) {
    barrier_.kind = Kind::gather;
  } else if (most(state.reduce_produced) != 0) {
    barrier_.kind = Kind::all_reduce;
  }
}

// Epochs that ended between two samples; of the only one, who came when.
void Tracker::add_epochs(Epochs& epochs, std::uint32_t epoch,
                         const std::array<std::uint32_t, kMaxDevices>& devices, Kind kind) {
  const std::uint32_t ended = epochs.known ? epoch - epochs.epoch : 0;
  const auto arrive = [&](std::uint32_t in) {
    for (int i = 0; i < kMaxDevices; ++i) {
      if (in != 0 && devices[at(i)] == in && !epochs.arrival[at(i)].known())
        epochs.arrival[at(i)] = now();
    }
  };
  if (ended > 0 && ended < 1u << 30) {
    active_ = true;
    const bool timed = ended == 1 && epochs.whole;
    if (timed) arrive(epochs.epoch);
    for (std::uint32_t i = 0; i < ended; ++i) {
      Observed out;
      out.kind = kind;
      out.sequence = epochs.count++;
      out.all_devices = totals_.devices;
      if (kind == Kind::barrier) out.bytes = 0;
      if (kind == Kind::broadcast && epochs.most_stages > 0)
        out.least_bytes = (epochs.most_stages - 1) * kBroadcastStageBytes + 1;
      if (kind == Kind::broadcast && epochs.most_stages == 0) out.most_bytes = kLlMostBytes;
      out.release = now();
      if (timed) {
        out.arrival = epochs.arrival;
        for (int device = 0; device < kMaxDevices; ++device) {
          if (out.arrival[at(device)].known()) out.devices |= bit(device);
        }
        judge_last(out);
      }
      deliver_(out);
    }
    epochs.arrival = {};
    epochs.kind = Kind::barrier;
    epochs.most_stages = 0;
  } else if (ended != 0) {
    ++totals_.inconsistent;
  }
  epochs.whole = epochs.known && (epochs.whole || ended > 0);
  epochs.epoch = epoch;
  epochs.known = true;
  arrive(epoch);
  for (int i = 0; i < kMaxDevices; ++i) {
    if (devices[at(i)] != 0) totals_.devices |= bit(i);
  }
}

void Tracker::open(Waiting waiting) {
  waiting.since_ns = time_.end_ns;
  for (const Waiting& before : waiting_before_) {
    if (before.kind == waiting.kind && before.sequence == waiting.sequence)
      waiting.since_ns = before.since_ns;
  }
  active_ = true;
  waiting_.push_back(waiting);
}

void Tracker::count_states(std::uint32_t there, std::uint32_t missing) {
  if (!started_) return;
  const auto ns = static_cast<double>(time_.begin_ns - last_.begin_ns);
  const auto collective = static_cast<std::uint64_t>(released_) + 1;
  if (there == 0) return;
  if (missing == 0) add_time(totals_.summing, ns, collective);
  each(missing, [&](int device) { add_time(totals_.waited_for[at(device)], ns, collective); });
  if (std::popcount(missing) == 1)
    add_time(totals_.last[at(std::countr_zero(missing))], ns, collective);
}

void Tracker::look_who_waits(const Sample& sample) {
  waiting_before_ = std::move(waiting_);
  waiting_.clear();
  const State& state = sample.state;
  std::uint32_t there = 0, in_barrier = 0, in_ll = 0, behind = 0, got = 0;
  const std::uint32_t stages = *std::max_element(state.broadcast.begin(), state.broadcast.end());
  each(totals_.devices, [&](int i) {
    if ((reduce_devices_ & bit(i)) != 0 && arrived_[at(i)] > released_) there |= bit(i);
    if (state.barrier[at(i)] == state.barrier_epoch) in_barrier |= bit(i);
    if (state.ll_epoch != 0 && state.ll_sequence[at(i)] == state.ll_epoch) in_ll |= bit(i);
    (state.broadcast[at(i)] < stages ? behind : got) |= bit(i);
  });
  const std::uint32_t missing = there == 0 ? 0 : reduce_devices_ & ~there;
  count_states(there, missing);
  if (there != 0) {
    Waiting open_reduce{Kind::all_reduce,
                        there,
                        missing,
                        kUnknownBytes,
                        static_cast<std::uint64_t>(released_),
                        0,
                        false};
    for (const Pending& job : pending_) {
      const std::int64_t begin = base_least_ + job.begin;
      if (synced_ && job.chunks != 0 && begin <= released_ && released_ < begin + job.chunks)
        open_reduce.bytes = job.job.bytes;
    }
    open(open_reduce);
  }
  const auto guess = [&](Kind kind, std::uint32_t in, std::uint32_t epoch, std::uint64_t bytes) {
    if (in != 0) open({kind, in, totals_.devices & ~in, bytes, epoch, 0, true});
  };
  guess(barrier_.kind, in_barrier, state.barrier_epoch,
        barrier_.kind == Kind::barrier ? 0 : kUnknownBytes);
  if (in_barrier == 0 && stages != 0 && behind != 0)
    guess(Kind::broadcast, got, state.barrier_epoch, kUnknownBytes);
  guess(Kind::broadcast, in_ll, state.ll_epoch, kUnknownBytes);
}

void Tracker::add(const Sample& sample) {
  time_ = sample.time;
  active_ = false;
  const State& state = sample.state;
  if (!started_) {
    last_ = time_;
    restart(sample);
  } else if (const std::int32_t more = ahead(state.released, state_.released); more >= 0) {
    released_ += more;
  } else {
    ++totals_.inconsistent;
    restart(sample);
  }
  ++totals_.samples;
  if (started_) totals_.sampled_ns += static_cast<double>(time_.begin_ns - last_.begin_ns);
  add_jobs(sample);
  if (!synchronise(sample)) {
    ++totals_.inconsistent;
    forget_jobs();
  }
  if (started_) add_arrivals(state);
  release_ = now();
  complete(sample);
  note_stages(state);
  add_epochs(barrier_, state.barrier_epoch, state.barrier, barrier_.kind);
  if (state.ll_epoch != 0) add_epochs(ll_, state.ll_epoch, state.ll_sequence, Kind::broadcast);
  look_who_waits(sample);
  if (state.sync_timeout != 0 && !totals_.timeout) {
    totals_.timeout = true;
    totals_.timeout_ns = time_.end_ns;
  }
  state_ = state;
  last_ = time_;
  started_ = true;
}

}  // namespace peerscope::exllama
