// Profiles of trace files.
#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "session/profile_source.hpp"
#include "session/replay.hpp"

namespace peerscope {
namespace {

constexpr std::int64_t kDeviceLagNs =
    5'000'000'000;  // how late a device may be with what was enqueued in time

std::int64_t plus(std::int64_t ns, std::int64_t more) {
  return ns > INT64_MAX - more ? INT64_MAX : ns + more;
}

class TraceSource final : public ProfileSource {
 public:
  explicit TraceSource(const TraceReader& trace) : trace_(trace) {}

  [[nodiscard]] std::string name() const override { return trace_.path(); }

  Result<ProfileSurvey> survey() override {
    ProfileSurvey survey;
    survey.first_ns = INT64_MAX;
    survey.last_ns = INT64_MIN;
    for (const ChunkInfo& chunk : trace_.chunks()) {
      survey.first_ns = std::min(survey.first_ns, chunk.first_ns);
      survey.last_ns = std::max(survey.last_ns, chunk.last_ns);
    }
    if (trace_.chunks().empty()) {
      survey.first_ns = 0;
      survey.last_ns = -1;
    }
    SpanTracker tracker;
    std::int64_t latest_ns = survey.last_ns;
    const Status read = trace_.for_each_marks([&](std::span<const Mark> marks) {
      for (const Mark& mark : marks) {
        latest_ns = std::max(latest_ns, mark.at_ns);
        if (mark.type != MarkType::event) continue;
        const std::string_view session =
            profile_session_of(trace_.meta().name(mark.process, mark.name));
        if (session.empty()) continue;
        const auto thread = static_cast<std::uint32_t>(mark.sequence > 0 ? mark.sequence - 1 : 0);
        tracker.add(session, {mark.at_ns, mark.value, mark.process, thread});
      }
      return true;
    });
    if (!read) return read.error();
    survey.sessions = tracker.sessions(plus(latest_ns, 1));
    std::map<std::string, std::uint32_t> numbers;
    for (const TraceProcess& process : trace_.meta().processes) {
      if (process.index >= kMostProcesses) continue;
      if (survey.sessions_of.size() <= process.index) survey.sessions_of.resize(process.index + 1);
      const auto next = static_cast<std::uint32_t>(numbers.size());
      survey.sessions_of[process.index] = numbers.try_emplace(process.session, next).first->second;
    }
    return survey;
  }

  Status read(std::int64_t from_ns, std::int64_t to_ns, const OpsCallback& callback) override {
    OpFilter filter;
    filter.from_ns = from_ns;
    filter.to_ns = plus(to_ns, kDeviceLagNs);
    return trace_.for_each_ops(filter, [&](std::span<const Op> ops) {
      callback(ops);
      return true;
    });
  }

  void add_facts(std::int64_t from_ns, std::int64_t to_ns, ProfileReport& report) override {
    const TraceMeta& meta = trace_.meta();
    for (const TraceComm& comm : meta.communicators)
      report.communicators.push_back({comm.id, comm.name});
    add_call_sites(from_ns, to_ns, report);
    if (const auto stored = stored_snapshot(trace_)) {
      for (const MetricView& metric : stored->metrics) {
        if (metric.name.rfind("pool.", 0) == 0) report.pools.push_back(metric);
      }
      report.machine = stored->machine;
    }
    if (const std::string note = trace_.note(); !note.empty()) report.notes.push_back(note);
    std::uint64_t before = 0;
    for (const TraceProcess& process : meta.processes) before += process.before;
    if (before > 0)
      report.notes.push_back(
          fmt::format("{} records were overwritten before the recording began", before));
    if (meta.lost + meta.not_written > 0)
      report.notes.push_back(fmt::format(
          "{} records were overwritten before they could be read, {} were not written: counts are "
          "too low",
          meta.lost, meta.not_written));
  }

 private:
  static constexpr std::uint32_t kMostProcesses = 1U << 20;

  void add_call_sites(std::int64_t from_ns, std::int64_t to_ns, ProfileReport& report) const {
    std::map<std::pair<Kind, std::string>, std::uint64_t> sites;
    static_cast<void>(trace_.for_each_marks([&](std::span<const Mark> marks) {
      for (const Mark& mark : marks) {
        if (mark.type != MarkType::call_site || mark.at_ns < from_ns || mark.at_ns >= to_ns)
          continue;
        ++sites[{mark.kind, std::string(trace_.meta().name(mark.process, mark.name))}];
      }
      return true;
    }));
    for (const auto& [key, count] : sites)
      report.call_sites.push_back({key.first, key.second, count});
    std::stable_sort(report.call_sites.begin(), report.call_sites.end(),
                     [](const auto& a, const auto& b) { return a.count > b.count; });
  }

  const TraceReader& trace_;
};

}  // namespace

std::unique_ptr<ProfileSource> profile_source(const TraceReader& trace) {
  return std::make_unique<TraceSource>(trace);
}

}  // namespace peerscope
