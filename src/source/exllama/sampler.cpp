#include "source/exllama/sampler.hpp"

#include <algorithm>
#include <ctime>

#include <sys/prctl.h>

namespace peerscope::exllama {
namespace {

constexpr std::int64_t kLeastPeriodNs = 50'000, kMostPeriodNs = 1'000'000,
                       kIdlePeriodNs = 10'000'000;
constexpr std::int64_t kAdaptEveryNs = 250'000'000, kIdleAfterNs = 500'000'000;
constexpr std::size_t kKept = 4096;

std::int64_t clock_of(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

double cpu_s() { return static_cast<double>(clock_of(CLOCK_THREAD_CPUTIME_ID)) / 1e9; }

std::int64_t quantile(std::vector<std::int64_t> values, double share) {
  if (values.empty()) return 0;
  const auto place =
      values.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

void keep(std::vector<std::int64_t>& ring, std::size_t at, std::int64_t value) {
  if (ring.size() < kKept)
    ring.push_back(value);
  else
    ring[at % kKept] = value;
}

}  // namespace

Sampler::Sampler(ContextFile file, SamplerOptions options, Tracker::Deliver deliver)
    : file_(std::move(file)),
      options_(options),
      deliver_(std::move(deliver)),
      begin_ns_(clock_of(CLOCK_MONOTONIC)),
      next_adapt_ns_(begin_ns_ + kAdaptEveryNs),
      cpu_before_s_(cpu_s()),
      cpu_begin_s_(cpu_before_s_) {
  if (options_.rate_hz > 0) period_ns_ = static_cast<std::int64_t>(1e9 / options_.rate_hz);
}

bool Sampler::look() {
  const Read read = file_.read(sample_);
  if (read == Read::failed) return false;
  if (!tracker_ && file_.layout() != nullptr)
    tracker_ = std::make_unique<Tracker>(*file_.layout(), deliver_);
  if (read == Read::unsteady && tracker_) tracker_->add_unsteady();
  if (read != Read::ok) return true;
  tracker_->add(sample_);
  const std::int64_t now_ns = sample_.time.end_ns;
  if (tracker_->active()) {
    if (before_ns_ != 0 && active_until_ns_ > before_ns_) {
      keep(spacings_, at_, sample_.time.begin_ns - before_ns_);
      keep(reads_, at_++, sample_.time.end_ns - sample_.time.begin_ns);
    }
    active_until_ns_ = now_ns + kIdleAfterNs;
  }
  before_ns_ = sample_.time.begin_ns;
  adapt(now_ns);
  return true;
}

void Sampler::adapt(std::int64_t now_ns) {
  if (options_.rate_hz > 0 || now_ns < next_adapt_ns_) return;
  const double cpu = cpu_s();
  const double wall = static_cast<double>(now_ns - next_adapt_ns_ + kAdaptEveryNs) / 1e9;
  const double share = (cpu - cpu_before_s_) / wall;
  if (now_ns < active_until_ns_) {
    // Half way towards the period that would take just the budget.
    const double factor = std::clamp(share / options_.cpu_budget, 0.5, 2.0);
    period_ns_ =
        std::clamp(static_cast<std::int64_t>(static_cast<double>(period_ns_) * (1 + factor) / 2),
                   kLeastPeriodNs, kMostPeriodNs);
  }
  cpu_before_s_ = cpu;
  next_adapt_ns_ = now_ns + kAdaptEveryNs;
}

void Sampler::sleep(std::int64_t most_ns) {
  const bool idle = options_.rate_hz <= 0 && before_ns_ >= active_until_ns_;
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  const double around = 0.75 + 0.5 * static_cast<double>(random_ >> 11) / 9007199254740992.0;
  const auto period =
      static_cast<std::int64_t>(static_cast<double>(idle ? kIdlePeriodNs : period_ns_) * around);
  const std::int64_t nap_ns =
      std::clamp<std::int64_t>(period, 0, std::max<std::int64_t>(most_ns, 0));
  prctl(PR_SET_TIMERSLACK, 1);  // of this thread: 50 µs of slack would be all of a period
  const timespec nap{nap_ns / 1'000'000'000, nap_ns % 1'000'000'000};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, nullptr);
}

SamplerCost Sampler::cost() const {
  SamplerCost cost;
  cost.wall_s = static_cast<double>(clock_of(CLOCK_MONOTONIC) - begin_ns_) / 1e9;
  cost.cpu_s = cpu_s() - cpu_begin_s_;
  cost.period_ns = period_ns_;
  cost.read_p50_ns = quantile(reads_, 0.5);
  cost.spacing_p50_ns = quantile(spacings_, 0.5);
  cost.spacing_p99_ns = quantile(spacings_, 0.99);
  return cost;
}

}  // namespace peerscope::exllama
