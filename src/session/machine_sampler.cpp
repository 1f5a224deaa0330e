#include "session/machine_sampler.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

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
  std::mutex mutex;  // of the two below, and never held while the driver is asked
  std::condition_variable changed;
  bool stopping = false, done = false;

  // True: it is time to stop. Not sooner than a rate takes to mean something.
  bool wait() {
    std::this_thread::sleep_for(std::chrono::nanoseconds(kLeastNs));
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::nanoseconds(interval_ns), [&] { return stopping; });
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
    for (bool last = false;; last = wait()) {
      tally.add((*machine)->read());
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

void MachineSampler::stop() {
  std::unique_lock lock(state_->mutex);
  if (state_->stopping) return;  // was waited for already
  state_->stopping = true;
  state_->changed.notify_all();
  state_->changed.wait_for(lock, std::chrono::nanoseconds(patience_ns_),
                           [&] { return state_->done; });
}

}  // namespace peerscope
