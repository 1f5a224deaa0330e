#include "cli/progress.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <unistd.h>

#include "base/units.hpp"
#include "record/ticks.hpp"

namespace peerscope {
namespace {

constexpr std::int64_t kPatienceNs = 300'000'000;  // what takes less needs no line
constexpr std::int64_t kRenewNs = 100'000'000;
constexpr int kWidth = 24;

std::int64_t now_ns() { return static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)); }

}  // namespace

Progress::Progress(std::string what, std::uint64_t total)
    : what_(std::move(what)),
      total_(total),
      begin_ns_(now_ns()),
      next_ns_(begin_ns_ + kPatienceNs) {}

Progress::~Progress() { hide(); }

void Progress::hide() {
  if (shown_) fmt::print(stderr, "\r\x1b[K");
  shown_ = false;
  next_ns_ = std::min(next_ns_, now_ns());
}

void Progress::update(std::uint64_t done) {
  const std::int64_t now = now_ns();
  if (now < next_ns_ || isatty(STDERR_FILENO) == 0) return;
  next_ns_ = now + kRenewNs;
  shown_ = true;
  const auto elapsed_ns = static_cast<double>(now - begin_ns_);
  if (total_ == 0) {  // nobody knows how much it will be
    fmt::print(stderr, "\r  {} {} · {} \x1b[K", what_, format_count(done),
               format_rate(static_cast<double>(done) * 1e9 / elapsed_ns));
    return;
  }
  const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total_));
  std::string bar;
  for (int i = 0; i < kWidth; ++i) bar += i < static_cast<int>(share * kWidth) ? "█" : "░";
  const double left_ns = share > 0 ? elapsed_ns / share - elapsed_ns : 0;
  fmt::print(stderr, "\r  {} {} {} · {} left \x1b[K", what_, bar, format_percent(share),
             format_duration(left_ns));
}

}  // namespace peerscope
