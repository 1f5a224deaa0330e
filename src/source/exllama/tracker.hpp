// What a series of samples says of an ExLlamaV3 context: its collectives, who came when, who is waited for.
// Pure: no clock, no file. What happened between two samples is known to lie between them, and no better.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <vector>

#include "model/kinds.hpp"
#include "source/exllama/context_file.hpp"
#include "source/exllama/layout.hpp"

namespace peerscope::exllama {

inline constexpr std::uint64_t kUnknownBytes = UINT64_MAX;

// Something happened after `after_ns` and not later than `by_ns`; by_ns 0: nobody saw it.
struct Bounds {
  std::int64_t after_ns = 0, by_ns = 0;
  std::uint64_t sample = 0;  // that saw it first
  [[nodiscard]] bool known() const { return by_ns != 0; }
  [[nodiscard]] std::int64_t width_ns() const { return by_ns - after_ns; }
};

// One collective that is over. Devices are numbered as CUDA numbers them in that job.
struct Observed {
  Kind kind = Kind::other;
  std::uint64_t sequence = 0;           // in the count of its kind, of those that were seen
  std::uint64_t bytes = kUnknownBytes;  // as they travel
  std::uint64_t least_bytes = 0;        // where `bytes` is unknown
  std::uint64_t most_bytes = kUnknownBytes;
  std::uint32_t devices = 0;      // a bit for each that takes part; 0: unknown
  std::uint32_t all_devices = 0;  // of the context, as far as is known
  Dtype dtype = Dtype::unknown;
  std::array<Bounds, kMaxDevices> arrival{};
  Bounds release;
  // Who came last, where samples saw the others there and this one missing; else -1. Then how late it was
  // after the first, at least and at most.
  int last = -1;
  std::int64_t late_least_ns = 0, late_most_ns = 0;
  [[nodiscard]] bool timed() const;  // all arrivals are bounded
};

// What is open at the last sample: somebody is there and somebody is not, or the sum is under way.
struct Waiting {
  Kind kind = Kind::other;
  std::uint32_t there = 0, missing = 0;  // devices; nobody missing: the CPU is at it
  std::uint64_t bytes = kUnknownBytes;
  std::uint64_t sequence = 0;
  std::int64_t since_ns = 0;  // of the sample that saw it first
  bool guess = false;         // who takes part is assumed: all devices that were ever seen
};

// Time in which all-reduces stood in a state, over samples: exact in the mean, however short each is,
// as samples fall where they may. `seen` are the collectives that were met in that state.
struct Share {
  double ns = 0;
  std::uint64_t samples = 0, seen = 0;
  std::uint64_t last_seen = 0;  // the collective counted last, for `seen`
};

struct ContextTotals {
  std::uint64_t samples = 0, unsteady = 0, inconsistent = 0,
                lost = 0;  // lost: all-reduces not followed
  double sampled_ns = 0;
  std::uint64_t passes = 0;    // forward passes that ended
  std::uint64_t released = 0;  // all-reduces done, timed or not
  std::array<Share, kMaxDevices>
      waited_for{};  // this one and maybe others are missing, somebody is there
  std::array<Share, kMaxDevices> last{};  // this one alone is missing
  Share summing;                          // all are there, the sum is not given back
  std::uint32_t devices = 0;              // that took part in anything
  bool timeout = false;                   // sync_timeout was set
  std::int64_t timeout_ns = 0;
};

class Tracker {
 public:
  using Deliver = std::function<void(const Observed&)>;
  Tracker(const Layout& layout, Deliver deliver) : layout_(layout), deliver_(std::move(deliver)) {}

  void add(const Sample& sample);
  void add_unsteady() { ++totals_.unsteady; }

  [[nodiscard]] const ContextTotals& totals() const { return totals_; }
  [[nodiscard]] const std::vector<Waiting>& waiting() const { return waiting_; }
  // Was anything open or did anything change in the last sample.
  [[nodiscard]] bool active() const { return active_; }
  [[nodiscard]] bool synced() const { return synced_; }

 private:
  struct Pending {
    Job job;
    std::uint64_t number = 0;  // as Sample counts them
    std::int64_t begin = 0;    // its first chunk, relative to base_
    std::uint32_t chunks = 0;
  };
  struct Step {  // a device's stage went from `from` to `stage`
    std::int64_t from = 0, stage = 0;
    Bounds when;
  };
  struct Epochs {                       // barriers, or low-latency broadcasts
    bool known = false, whole = false;  // whole: it was seen to begin
    std::uint32_t epoch = 0;
    std::uint64_t count = 0;
    std::array<Bounds, kMaxDevices> arrival{};
    std::uint64_t most_stages = 0;  // of a broadcast that was seen in it
    Kind kind = Kind::barrier;
  };

  void restart(const Sample& sample);
  void forget_jobs();
  void add_jobs(const Sample& sample);
  bool synchronise(const Sample& sample);
  void add_arrivals(const State& state);
  void complete(const Sample& sample);
  void deliver(const Pending& job, bool timed);
  [[nodiscard]] Bounds arrival_of(int device, std::int64_t begin) const;
  void add_epochs(Epochs& epochs, std::uint32_t epoch,
                  const std::array<std::uint32_t, kMaxDevices>& devices, Kind kind);
  void note_stages(const State& state);
  void look_who_waits(const Sample& sample);
  void count_states(std::uint32_t there, std::uint32_t missing);
  void open(Waiting waiting);
  [[nodiscard]] Bounds now() const { return {last_.begin_ns, time_.end_ns, totals_.samples}; }

  const Layout& layout_;
  Deliver deliver_;
  ContextTotals totals_;
  std::vector<Waiting> waiting_, waiting_before_;
  ReadTime last_, time_;  // of the last sample and this
  bool started_ = false, synced_ = false, active_ = false;
  State state_;
  std::deque<Pending> pending_;
  std::int64_t pushed_chunks_ = 0;               // of all jobs since the restart
  std::int64_t released_ = 0;                    // unwrapped
  std::int64_t base_least_ = 0, base_most_ = 0;  // stage at which pending jobs began
  std::array<std::deque<Step>, kMaxDevices> steps_;
  std::array<std::int64_t, kMaxDevices> arrived_{};
  Bounds release_;
  std::uint32_t reduce_devices_ = 0;
  Epochs barrier_, ll_;
};

// Bounds of the last arrival after the first; which device that is, where samples tell.
void judge_last(Observed& observed);

}  // namespace peerscope::exllama
