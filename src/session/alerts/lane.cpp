#include "session/alerts/lane.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>

#include "record/ticks.hpp"

namespace peerscope {
namespace {

std::int64_t now_ns() { return static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)); }

}  // namespace

Lane::Lane(LaneOptions options, Send send)
    : options_(std::move(options)), send_(std::move(send)), chance_(std::random_device{}()) {
  view_.receiver = options_.receiver;
  view_.target = options_.target;
  thread_ = std::thread([this] { run(); });
}

Lane::~Lane() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Lane::put(Notice notice) {
  if (notice.reason == NoticeReason::refresh && !options_.wants_refresh) return;
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= options_.queue) {
      queue_.pop_front();
      ++view_.dropped;
    }
    queue_.push_back(std::move(notice));
  }
  changed_.notify_all();
}

bool Lane::drain(std::int64_t timeout_ns) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::nanoseconds(timeout_ns),
                           [this] { return queue_.empty() && !busy_; });
}

DeliveryView Lane::view() const {
  const std::lock_guard lock(mutex_);
  DeliveryView out = view_;
  out.waiting = queue_.size() + (busy_ ? 1 : 0);
  return out;
}

void Lane::run() {
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    const Notice notice = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    lock.unlock();
    deliver(notice);
    lock.lock();
    busy_ = false;
    lock.unlock();
    changed_.notify_all();
  }
}

void Lane::deliver(const Notice& notice) {
  int attempts = 0;
  const Outcome outcome = try_until_over(notice, attempts);
  const bool ok = outcome.sent == Sent::ok;
  const std::lock_guard lock(mutex_);
  ++(ok ? view_.delivered : view_.failed);
  view_.retried += static_cast<std::uint64_t>(attempts - 1);
  if (ok && notice.reason == NoticeReason::refresh) return;
  view_.last.push_back({notice.alert.id, notice.alert.rule, notice.reason, ok, attempts,
                        static_cast<std::int64_t>(clock_ns(CLOCK_REALTIME)), outcome.detail});
  if (view_.last.size() > kMostOutcomes) view_.last.pop_front();
}

Outcome Lane::try_until_over(const Notice& notice, int& attempts) {
  const std::int64_t end_ns = now_ns() + options_.retry_for_ns;
  std::int64_t delay_ns = options_.first_retry_ns;
  for (;;) {
    ++attempts;
    Outcome outcome = send_(notice, stopping_);
    // A refresh that failed is old by the time that it could be tried again.
    if (outcome.sent != Sent::later || notice.reason == NoticeReason::refresh) return outcome;
    // Up to a quarter more: many that failed together do not come again together.
    const std::int64_t chance_ns =
        delay_ns / 4 * static_cast<std::int64_t>(chance_() % 1000) / 1000;
    const std::int64_t wait_ns = std::max(delay_ns + chance_ns, outcome.retry_after_ns);
    if (wait_ns > end_ns - now_ns() || !nap(wait_ns)) return outcome;
    delay_ns = std::min(2 * delay_ns, options_.most_retry_ns);
  }
}

bool Lane::nap(std::int64_t ns) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, std::chrono::nanoseconds(ns),
                            [this] { return stopping_.load(); });
}

}  // namespace peerscope
