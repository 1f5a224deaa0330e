#include "session/machine_sampler.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "analyze/debug/machine_changes.hpp"
#include "session/published.hpp"

namespace peerscope {
namespace {

constexpr std::int64_t kLeastNs = 110'000'000;  // the performance monitor wants 100 ms

}  // namespace

// Shared with the thread, which may outlive the sampler.
struct MachineSampler::State {
  nvml::MachineOptions options;
  std::int64_t interval_ns = kIntervalNs;
  Published<MachineSummary> latest{nullptr};
  Published<MachineReading> reading{nullptr};
  std::mutex mutex;  // of what is below, and never held while the driver is asked
  std::condition_variable changed;
  bool stopping = false, done = false;
  std::vector<DebugEvent> changes;

  // True: it is time to stop. Not sooner than a rate takes to mean something.
  bool wait() {
    std::this_thread::sleep_for(std::chrono::nanoseconds(kLeastNs));
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::nanoseconds(interval_ns), [&] { return stopping; });
  }

  void note(const std::vector<DebugEvent>& events) {
    const std::lock_guard lock(mutex);
    const std::size_t room = kMostChanges - std::min(changes.size(), kMostChanges);
    changes.insert(changes.end(), events.begin(),
                   events.begin() + static_cast<std::ptrdiff_t>(std::min(room, events.size())));
  }

  void sample() {
    const auto machine = nvml::Machine::open(options);
    if (!machine) {
      MachineSummary nothing;
      nothing.missing = machine.error().message;
      latest.store(std::make_shared<const MachineSummary>(std::move(nothing)));
      return;
    }
    MachineTally tally;
    MachineChanges compared;
    for (bool last = false;; last = wait()) {
      auto now = std::make_shared<const MachineReading>((*machine)->read());
      tally.add(*now);
      note(compared.add(*now));
      reading.store(std::move(now));
      latest.store(std::make_shared<const MachineSummary>(tally.summary()));
      if (last) return;
    }
  }

  void run() {
    sample();
    const std::lock_guard lock(mutex);
    done = true;
    changed.notify_all();
  }
};

MachineSampler::MachineSampler(const nvml::MachineOptions& options, std::int64_t interval_ns,
                               std::int64_t patience_ns)
    : state_(std::make_shared<State>()), patience_ns_(patience_ns) {
  state_->options = options;
  state_->interval_ns = interval_ns;
  std::thread([state = state_] { state->run(); }).detach();
}

MachineSampler::~MachineSampler() { stop(); }

std::shared_ptr<const MachineSummary> MachineSampler::latest() const {
  return state_->latest.load();
}

std::shared_ptr<const MachineReading> MachineSampler::reading() const {
  return state_->reading.load();
}

std::vector<DebugEvent> MachineSampler::take_changes() {
  const std::lock_guard lock(state_->mutex);
  return std::exchange(state_->changes, {});
}

void MachineSampler::stop() {
  std::unique_lock lock(state_->mutex);
  if (state_->stopping) return;  // was waited for already
  state_->stopping = true;
  state_->changed.notify_all();
  state_->changed.wait_for(lock, std::chrono::nanoseconds(patience_ns_),
                           [&] { return state_->done; });
}

}  // namespace peerscope
