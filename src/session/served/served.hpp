// What many look at at the same time: a live session, or a file. Its thread keeps it up to date; who asks gets what
// was published last and never waits for that thread's work.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "analyze/debug/event.hpp"
#include "session/debug_watch.hpp"
#include "session/monitor.hpp"
#include "session/published.hpp"
#include "session/served/overview.hpp"
#include "store/store.hpp"

namespace peerscope {

struct ServedOptions {
  MonitorOptions
      monitor;  // of a session: whose (collect.sessions), with a recording; of a file: for its analysis
  std::string id;    // of the session, or the file's name
  std::string path;  // of the file to read, or the one that the recording writes; "": no history
  std::int64_t follow_ns = 250'000'000;  // how often the history looks at that
  bool file = false;
  DebugOptions debug;
};

struct ServedEvent {
  std::uint64_t id = 0;  // rises by one
  DebugEvent event;
};

class Served {
 public:
  // Called by its thread: after each new snapshot; with events as soon as they are read, before the snapshot that counts
  // what they tell of. Both may ask everything below.
  using OnLook = std::function<void(const Served&)>;
  using OnEvents = std::function<void(const Served&, const std::vector<ServedEvent>&)>;

  static Result<std::unique_ptr<Served>> open(ServedOptions options);
  ~Served();
  Served(const Served&) = delete;
  Served& operator=(const Served&) = delete;

  void start(OnLook on_look, OnEvents on_events);  // once
  void stop();  // reads the rest of a session; the last snapshot stays

  [[nodiscard]] const std::string& id() const { return options_.id; }
  [[nodiscard]] bool is_file() const { return options_.file; }
  [[nodiscard]] bool live() const { return live_.load(std::memory_order_acquire); }
  [[nodiscard]] std::shared_ptr<const Snapshot> snapshot() const { return snapshot_.load(); }
  // What all times are counted from: when the first process began, else the first operation. CLOCK_MONOTONIC.
  [[nodiscard]] std::int64_t start_ns() const { return start_ns_.load(std::memory_order_acquire); }
  [[nodiscard]] const Store* store() const { return store_.get(); }  // null: no history
  [[nodiscard]] double analysed_share() const { return analysed_.load(std::memory_order_relaxed); }

  // The newest first. `before`: only ids below (0: all).
  [[nodiscard]] std::vector<ServedEvent> events(
      std::uint64_t before, std::size_t limit,
      const std::function<bool(const DebugEvent&)>& wanted) const;
  [[nodiscard]] std::vector<Point> points(std::size_t last) const;  // the oldest first
  [[nodiscard]] std::string errors_json() const;                    // as `debug errors --json`

 private:
  explicit Served(ServedOptions options)
      : options_(std::move(options)), snapshot_(std::make_shared<Snapshot>()) {}
  void run();
  void run_live();
  void run_file();
  void take(std::shared_ptr<const Snapshot> snapshot);
  void tell_events();
  void note_errors(const Snapshot& snapshot);
  void add_point(const Snapshot& snapshot);

  static constexpr std::size_t kMostEvents = 10'000, kMostPoints = 3600;

  ServedOptions options_;
  OnLook on_look_;
  OnEvents on_events_;
  std::shared_ptr<DebugWatch> watch_;
  std::unique_ptr<Monitor> monitor_;  // null: a file
  std::unique_ptr<Store> store_;
  Published<Snapshot> snapshot_;
  std::atomic<std::int64_t> start_ns_{0};
  std::atomic<bool> live_{false}, stopping_{false};
  std::atomic<double> analysed_{1};
  std::vector<ServedEvent> fresh_;  // its thread's
  std::uint64_t next_event_ = 1, failed_ = UINT64_MAX;
  std::int64_t next_point_ns_ = 0, next_errors_ns_ = 0, next_events_ns_ = 0;

  mutable std::mutex mutex_;  // of what follows: held for copies only
  std::deque<ServedEvent> events_;
  std::deque<Point> points_;
  std::string errors_;
  std::thread thread_;
};

}  // namespace peerscope
