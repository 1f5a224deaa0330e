// Profiles of what is still in the rings: of processes that run, have ended, or were killed.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "session/profile_source.hpp"

namespace peerscope {
namespace {

std::int64_t monotonic_now_ns() { return static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)); }

// One reading of all rings, from what is left of their beginning to where they are now.
class Reading final : public Sink {
 public:
  explicit Reading(const CollectorOptions& options) : collector_(options, *this) {}

  void run(const ProfileSource::OpsCallback& on_ops,
           const std::function<void(const Event&)>& on_event) {
    on_ops_ = on_ops;
    on_event_ = on_event;
    collector_.discover();
    collector_.poll();
    collector_.finish();
  }
  // Before run(): as another reading has numbered the processes. They are told apart by their files.
  void number_as(const std::vector<std::string>& paths) {
    collector_.discover();
    for (const ProcessStatus& status : collector_.processes()) {
      const auto found = std::find(paths.begin(), paths.end(), status.path);
      const auto number = static_cast<std::uint32_t>(found - paths.begin());
      numbers_.push_back(found == paths.end() ? number + status.index : number);
      renumbers_ = renumbers_ || numbers_.back() != status.index;
    }
  }
  [[nodiscard]] const Collector& collector() const { return collector_; }

  void on_ops(std::span<const Op> ops) override {
    if (!renumbers_) {
      on_ops_(ops);
      return;
    }
    std::vector<Op> renumbered(ops.begin(), ops.end());
    for (Op& op : renumbered) {
      if (op.process < numbers_.size()) op.process = numbers_[op.process];
    }
    on_ops_(renumbered);
  }
  void on_collective(const Collective&) override {}
  void on_event(const Event& event) override { on_event_(event); }

 private:
  Collector collector_;
  ProfileSource::OpsCallback on_ops_;
  std::function<void(const Event&)> on_event_;
  std::vector<std::uint32_t> numbers_;
  bool renumbers_ = false;
};

class LiveSource final : public ProfileSource {
 public:
  explicit LiveSource(const MonitorOptions& options) : options_(options) {}

  [[nodiscard]] std::string name() const override {
    std::string text;
    for (const std::string& session : options_.collect.sessions)
      text += (text.empty() ? "" : ", ") + session;
    return text;
  }

  Result<ProfileSurvey> survey() override {
    ProfileSurvey survey;
    survey.first_ns = INT64_MAX;
    survey.last_ns = INT64_MIN;
    SpanTracker tracker;
    Reading reading(options_.collect);
    reading.run(
        [&](std::span<const Op> ops) {
          for (const Op& op : ops) {
            if (op.device_only) continue;
            survey.first_ns = std::min(survey.first_ns, op.begin_ns);
            survey.last_ns = std::max(survey.last_ns, op.begin_ns);
          }
        },
        [&](const Event& event) {
          const std::string text = reading.collector().text(event.process, event.name);
          const std::string_view session = profile_session_of(text);
          if (!session.empty())
            tracker.add(session, {event.at_ns, event.value, event.process, event.thread});
        });
    if (survey.last_ns == INT64_MIN) {
      survey.first_ns = 0;
      survey.last_ns = -1;
    }
    const bool live = reading.collector().any_live();
    survey.sessions =
        tracker.sessions(live ? monotonic_now_ns() : reading.collector().last_activity_ns());
    std::map<std::string, std::uint32_t> numbers;
    paths_.clear();
    for (const ProcessStatus& status : reading.collector().processes()) {
      const auto next = static_cast<std::uint32_t>(numbers.size());
      survey.sessions_of.push_back(numbers.try_emplace(status.session, next).first->second);
      paths_.push_back(status.path);
    }
    return survey;
  }

  Status read(std::int64_t from_ns, std::int64_t to_ns, const OpsCallback& callback) override {
    static_cast<void>(from_ns);
    static_cast<void>(to_ns);
    Reading reading(options_.collect);
    reading.number_as(paths_);
    reading.run(callback, [](const Event&) {});
    return Done{};
  }

  void add_facts(std::int64_t from_ns, std::int64_t to_ns, ProfileReport& report) override {
    static_cast<void>(from_ns);
    static_cast<void>(to_ns);
    MonitorOptions options = options_;
    options.recording = nullptr;
    options.debug = nullptr;
    options.feeders.clear();
    Monitor monitor(options);
    monitor.poll();
    const auto snapshot = monitor.snapshot();
    report.communicators = snapshot->communicators;
    report.call_sites = snapshot->call_sites;
    for (const MetricView& metric : snapshot->metrics) {
      if (metric.name.rfind("pool.", 0) == 0) report.pools.push_back(metric);
    }
    std::uint64_t before = 0;
    for (const ProcessView& process : snapshot->processes) before += process.before + process.lost;
    if (before > 0)
      report.notes.push_back(fmt::format(
          "{} records were overwritten: the rings hold the last of a longer run (peerscope record "
          "keeps all of it)",
          before));
    if (!report.call_sites.empty())
      report.notes.push_back("Call sites are those of all that is in the rings");
  }

 private:
  MonitorOptions options_;
  std::vector<std::string> paths_;  // of processes, as the survey has numbered them
};

}  // namespace

std::unique_ptr<ProfileSource> profile_source(const MonitorOptions& options) {
  return std::make_unique<LiveSource>(options);
}

}  // namespace peerscope
