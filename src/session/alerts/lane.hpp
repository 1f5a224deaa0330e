// One receiver, its queue and its thread: it tries again, gives up in time, and nobody waits for it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "analyze/alert/notices.hpp"

namespace peerscope {

enum class Sent : std::uint8_t {
  ok,
  later,   // it may go well another time
  refused  // it will not
};

struct Outcome {
  Sent sent = Sent::ok;
  std::string detail;               // why not, in a few words
  std::int64_t retry_after_ns = 0;  // not before
};

struct DeliveryOutcome {
  std::string alert, rule;
  NoticeReason reason = NoticeReason::fired;
  bool ok = false;
  int attempts = 0;
  std::int64_t at_real_ns = 0;
  std::string detail;
};

struct DeliveryView {
  std::string receiver, target;  // "webhook"; where to, without secrets
  std::uint64_t delivered = 0, failed = 0, retried = 0;
  std::uint64_t dropped = 0;  // no room in the queue
  std::size_t waiting = 0;    // in the queue, and the one that is being delivered
  std::deque<DeliveryOutcome>
      last;  // the last 32, the oldest first; without those that refresh and went well
};

// `stopping` turns true when it should hurry. Called on the lane's thread.
using Send = std::function<Outcome(const Notice& notice, const std::atomic<bool>& stopping)>;

struct LaneOptions {
  std::string receiver, target;
  bool wants_refresh = false;
  std::int64_t retry_for_ns = 0, first_retry_ns = 1'000'000'000, most_retry_ns = 60'000'000'000;
  std::size_t queue = 256;
};

class Lane {
 public:
  static constexpr std::size_t kMostOutcomes = 32;

  Lane(LaneOptions options, Send send);
  ~Lane();  // does not wait for what is not delivered yet
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  void put(Notice notice);  // never waits; the oldest gives way
  // Until all is delivered or given up. False: not within that time.
  bool drain(std::int64_t timeout_ns);
  [[nodiscard]] DeliveryView view() const;

 private:
  void run();
  void deliver(const Notice& notice);
  Outcome try_until_over(const Notice& notice, int& attempts);
  bool nap(std::int64_t ns);  // false: it is to stop

  const LaneOptions options_;
  const Send send_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Notice> queue_;
  bool busy_ = false;
  DeliveryView view_;
  std::atomic<bool> stopping_{false};
  std::minstd_rand chance_;  // of the thread
  std::thread thread_;
};

}  // namespace peerscope
