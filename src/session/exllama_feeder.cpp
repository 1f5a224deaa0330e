#include "session/exllama_feeder.hpp"

#include <algorithm>
#include <atomic>
#include <bitset>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "record/ticks.hpp"
#include "source/exllama/mapping.hpp"
#include "source/exllama/ops.hpp"
#include "source/exllama/sampler.hpp"
#include "source/exllama/summary.hpp"

namespace peerscope {
namespace {

using namespace exllama;

constexpr std::int64_t kDiscoverEveryNs = 1'000'000'000, kPublishEveryNs = 20'000'000;
constexpr std::size_t kMostWaiting = 1 << 18;  // collectives that nobody has fetched
constexpr std::size_t kRecent = 256;

std::int64_t monotonic_ns() { return static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)); }

// What the sampling thread hands over of one context.
struct Seen {
  std::string name;
  std::uint64_t comm = 0;
  std::vector<Observed> observed;
  std::uint64_t lost = 0;  // nobody came for them
  std::uint32_t devices = 0, pid = 0;
  std::vector<Waiting> waiting;
  std::vector<Finding> findings;
  bool ended = false;
};

// Whether samples tell arrivals apart often enough that what they tell is not a selection of the slow.
class Resolved {
 public:
  void add(bool told) { recent_[at_++ % kRecent] = told; }
  [[nodiscard]] bool enough() const {
    const std::size_t known = std::min(at_, kRecent);
    return known >= 32 && recent_.count() * 4 >= known * 3;
  }

 private:
  std::bitset<kRecent> recent_;
  std::size_t at_ = 0;
};

class ExllamaFeeder final : public Feeder {
 public:
  explicit ExllamaFeeder(ExllamaFeederOptions options)
      : options_(std::move(options)), thread_([this] { run(); }) {}
  ~ExllamaFeeder() override {
    stopping_.store(true, std::memory_order_relaxed);
    thread_.join();
  }

  void poll(Sink& sink) override;
  void add_to(Snapshot& snapshot) override;
  void add_findings(Snapshot& snapshot) override;
  [[nodiscard]] bool live() const override { return live_.load(std::memory_order_relaxed); }

 private:
  struct Context {
    std::unique_ptr<Sampler> sampler;
    std::vector<Observed> fresh;
    std::string path;
    std::uint64_t inode = 0;
    std::uint32_t pid = 0;
  };

  void run();
  void discover();
  [[nodiscard]] bool wanted(const Mappers& mappers) const;
  void publish(Context& context, bool ended);

  const ExllamaFeederOptions options_;
  std::atomic<bool> stopping_{false}, live_{false};
  std::map<std::uint64_t, std::unique_ptr<Context>> contexts_;  // by inode; of the thread
  std::set<std::uint64_t> left_;                                // refused or of other sessions
  std::mutex mutex_;                                            // of what follows
  std::map<std::uint64_t, Seen> seen_;                          // by communicator
  // Of the Monitor's thread.
  std::map<std::uint64_t, Resolved> resolved_;
  std::vector<Op> ops_;
  std::thread thread_;
};

bool ExllamaFeeder::wanted(const Mappers& mappers) const {
  return options_.sessions.empty() ||
         std::any_of(mappers.processes.begin(), mappers.processes.end(), [&](const Mapper& mapper) {
           return std::find(options_.sessions.begin(), options_.sessions.end(), mapper.session) !=
                  options_.sessions.end();
         });
}

void ExllamaFeeder::discover() {
  for (const Found& found : find_contexts(options_.dir)) {
    if (contexts_.count(found.inode) != 0 || left_.count(found.inode) != 0) continue;
    const Mappers mappers = who_maps(found.path, found.inode);
    // Files come one after the other, processes later: what is not whole is looked at again.
    if (!found.refusal.empty() || mappers.processes.empty()) continue;
    Result<ContextFile> file = ContextFile::open(found);
    if (!wanted(mappers) || !file) {
      left_.insert(found.inode);
      continue;
    }
    auto context = std::make_unique<Context>();
    Context& at = *context;
    at.path = found.path;
    at.inode = found.inode;
    at.pid = mappers.processes.front().pid;
    at.sampler = std::make_unique<Sampler>(
        std::move(*file), SamplerOptions{.rate_hz = options_.rate_hz},
        [&at](const Observed& observed) { at.fresh.push_back(observed); });
    contexts_.emplace(found.inode, std::move(context));
  }
}

void ExllamaFeeder::publish(Context& context, bool ended) {
  const Tracker* tracker = context.sampler->tracker();
  if (tracker == nullptr) return;
  const std::string name = name_of(context.path);
  std::vector<Finding> found = findings(*tracker, name, monotonic_ns());
  const std::uint64_t comm = comm_of(context.path, context.inode);
  const std::lock_guard lock(mutex_);
  Seen& seen = seen_[comm];
  seen.name = name;
  seen.comm = comm;
  seen.devices = tracker->totals().devices;
  seen.pid = context.pid;
  seen.waiting = ended ? std::vector<Waiting>() : tracker->waiting();
  seen.findings = std::move(found);
  seen.ended = ended;
  const std::size_t room = kMostWaiting - std::min(kMostWaiting, seen.observed.size());
  const std::size_t taken = std::min(room, context.fresh.size());
  seen.observed.insert(seen.observed.end(), context.fresh.begin(),
                       context.fresh.begin() + static_cast<std::ptrdiff_t>(taken));
  seen.lost += context.fresh.size() - taken;
  context.fresh.clear();
}

void ExllamaFeeder::run() {
  std::int64_t next_discovery_ns = 0, next_publish_ns = 0;
  while (!stopping_.load(std::memory_order_relaxed)) {
    const std::int64_t now_ns = monotonic_ns();
    if (now_ns >= next_discovery_ns) {
      discover();
      next_discovery_ns = now_ns + kDiscoverEveryNs;
    }
    const bool due = now_ns >= next_publish_ns;
    for (auto at = contexts_.begin(); at != contexts_.end();) {
      Context& context = *at->second;
      const bool ended = !context.sampler->look() || (due && context.sampler->file().removed());
      if (due || ended) publish(context, ended);
      if (ended) left_.insert(at->first);
      at = ended ? contexts_.erase(at) : std::next(at);
    }
    if (due) next_publish_ns = now_ns + kPublishEveryNs;
    live_.store(!contexts_.empty(), std::memory_order_relaxed);
    if (contexts_.empty())
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    else
      contexts_.begin()->second->sampler->sleep(kPublishEveryNs);
  }
  for (auto& [inode, context] : contexts_) publish(*context, false);
}

void ExllamaFeeder::poll(Sink& sink) {
  std::map<std::uint64_t, std::vector<Observed>> fresh;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [comm, seen] : seen_) fresh[comm].swap(seen.observed);
  }
  for (const auto& [comm, all] : fresh) {
    Resolved& resolved = resolved_[comm];
    ops_.clear();
    std::array<Arrival, kMaxDevices> arrivals;
    for (const Observed& observed : all) {
      const bool joinable = observed.kind == Kind::all_reduce;
      if (joinable) resolved.add(observed.last >= 0);
      const bool joined = joinable && observed.timed() && resolved.enough();
      append_ops(observed, comm, kNoProcess, joined, ops_);
      if (joined) sink.on_collective(collective_of(observed, comm, arrivals));
    }
    if (!ops_.empty()) sink.on_ops(ops_);
  }
}

void ExllamaFeeder::add_to(Snapshot& snapshot) {
  const std::lock_guard lock(mutex_);
  for (const auto& [comm, seen] : seen_) {
    snapshot.communicators.push_back({comm, seen.name});
    snapshot.lost += seen.lost;
    const std::size_t first = snapshot.in_flight.size();
    for (const Waiting& waiting : seen.waiting) {
      if (waiting.missing != 0)  // else the CPU adds up: nobody is waited for
        append_in_flight(waiting, seen.devices, comm, kNoProcess, snapshot.now_ns,
                         snapshot.in_flight);
    }
    for (std::size_t i = first; i < snapshot.in_flight.size(); ++i)
      snapshot.in_flight[i].pid = seen.pid;
  }
}

// Hangs and, where arrivals are joined, stragglers are found from operations like everybody's.
void ExllamaFeeder::add_findings(Snapshot& snapshot) {
  const std::lock_guard lock(mutex_);
  for (const auto& [comm, seen] : seen_) {
    for (const Finding& finding : seen.findings) {
      const bool known = std::any_of(
          snapshot.findings.begin(), snapshot.findings.end(), [&](const Finding& other) {
            return other.kind == finding.kind &&
                   other.subject.communicator == finding.subject.communicator;
          });
      if (!known) snapshot.findings.push_back(finding);
    }
  }
}

}  // namespace

std::shared_ptr<Feeder> exllama_feeder(ExllamaFeederOptions options) {
  return std::make_shared<ExllamaFeeder>(std::move(options));
}

std::vector<std::shared_ptr<Feeder>> session_feeders(const Config& config,
                                                     const std::vector<std::string>& sessions) {
  std::vector<std::shared_ptr<Feeder>> all;
  if (config.boolean("source.exllama"))
    all.push_back(exllama_feeder({.dir = "/dev/shm", .sessions = sessions}));
  return all;
}

}  // namespace peerscope
