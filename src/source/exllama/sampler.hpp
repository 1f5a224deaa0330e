// Samples one context again and again, as often as its share of a processor allows.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "source/exllama/context_file.hpp"
#include "source/exllama/tracker.hpp"

namespace peerscope::exllama {

struct SamplerOptions {
  double rate_hz = 0;        // 0: adaptive, between 1 and 20 kHz while something happens
  double cpu_budget = 0.02;  // of one processor, for the adaptive rate
};

struct SamplerCost {
  double wall_s = 0, cpu_s = 0;
  std::int64_t period_ns = 0;    // as it is now
  std::int64_t read_p50_ns = 0;  // how long a look takes: arrivals within it cannot be told apart
  std::int64_t spacing_p50_ns = 0, spacing_p99_ns = 0;  // between samples while something happened
};

// One thread at a time.
class Sampler {
 public:
  Sampler(ContextFile file, SamplerOptions options, Tracker::Deliver deliver);

  // One look; false: no further one will succeed, see error().
  bool look();
  // Sleeps until the next look is due: a period, a little more or less each time so that no rhythm of the
  // job hides between samples. At most `most_ns`.
  void sleep(std::int64_t most_ns);

  [[nodiscard]] const ContextFile& file() const { return file_; }
  [[nodiscard]] const Tracker* tracker() const { return tracker_.get(); }  // null: layout undecided
  [[nodiscard]] const Error& error() const { return file_.error(); }
  [[nodiscard]] SamplerCost cost() const;

 private:
  void adapt(std::int64_t now_ns);

  ContextFile file_;
  SamplerOptions options_;
  Tracker::Deliver deliver_;
  std::unique_ptr<Tracker> tracker_;
  Sample sample_;
  std::int64_t period_ns_ = 1'000'000;
  std::int64_t begin_ns_, next_adapt_ns_, active_until_ns_ = 0, before_ns_ = 0;
  double cpu_before_s_, cpu_begin_s_;
  std::uint64_t random_ = 0x9E3779B97F4A7C15u;
  std::vector<std::int64_t> spacings_, reads_;  // the latest, in a ring
  std::size_t at_ = 0;
};

}  // namespace peerscope::exllama
