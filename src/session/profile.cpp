#include "session/profile.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/units.hpp"
#include "collect/joiner.hpp"

namespace peerscope {
namespace {

// Operations that belong to it, and the collectives they make.
class Feed final : public CollectiveSink {
 public:
  Feed(ProfileSelection selection, const AggregatorOptions& options)
      : selection_(std::move(selection)), profiler_(options), joiner_(*this) {}

  void add(std::span<const Op> ops) {
    taken_.clear();
    for (const Op& op : ops) {
      if (selection_.takes(op))
        taken_.push_back(op);
      else if (op.device_only)
        early_.push_back(op);
      if (early_.size() > kMostEarly) early_.pop_front();
    }
    profiler_.add(taken_);
    joiner_.add(taken_);
  }
  void on_collective(const Collective& collective) override { profiler_.add(collective); }
  Profiler finish() {
    taken_.clear();
    for (const Op& op : early_) {
      if (selection_.takes(op)) taken_.push_back(op);
    }
    profiler_.add(taken_);
    joiner_.add(taken_);
    joiner_.flush_all();
    return std::move(profiler_);
  }

 private:
  static constexpr std::size_t kMostEarly = 65'536;

  ProfileSelection selection_;
  Profiler profiler_;
  Joiner joiner_;
  std::vector<Op> taken_;
  // Device times may be read before their operation, which another ring holds: they are asked for again at the end.
  std::deque<Op> early_;
};

std::string names_of(const std::vector<ProfileSession>& sessions) {
  std::vector<std::string> names;
  for (const ProfileSession& session : sessions) names.push_back(session.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

Error unknown_session(const std::string& wanted, const std::vector<ProfileSession>& sessions,
                      const std::string& source) {
  if (sessions.empty()) {
    return {ErrorCode::not_found,
            fmt::format("there is no profile session '{}' in {}: nobody has marked any there "
                        "(pscope_profile_begin, peerscope::ScopedProfile); --from and --to take a "
                        "window of time",
                        wanted, source)};
  }
  return {ErrorCode::not_found, fmt::format("there is no profile session '{}' in {}; there are: {}",
                                            wanted, source, names_of(sessions))};
}

std::string seconds(double s) { return fmt::format("{:.6g} s", s); }

// A bound of the window in ns. Beyond the run it is the run's own.
std::int64_t bound_ns(const ProfileSurvey& survey, std::optional<double> at_s, bool begin) {
  const std::int64_t end_ns = survey.last_ns + 1;
  if (!at_s) return begin ? survey.first_ns : end_ns;
  const double span_ns = static_cast<double>(end_ns - survey.first_ns);
  const double at_ns = std::signbit(*at_s) ? span_ns + *at_s * 1e9 : *at_s * 1e9;
  return survey.first_ns + static_cast<std::int64_t>(std::clamp(at_ns, 0.0, span_ns));
}

Result<ProfileSelection> window_of(const ProfileSurvey& survey, const ProfileRequest& request,
                                   std::string& title) {
  if (!request.from_s && !request.to_s) {
    title = "the whole run";
    return ProfileSelection::window(INT64_MIN, INT64_MAX);
  }
  const std::int64_t from_ns = bound_ns(survey, request.from_s, true);
  const std::int64_t to_ns = bound_ns(survey, request.to_s, false);
  const double length_s = static_cast<double>(survey.last_ns - survey.first_ns) / 1e9;
  if (from_ns >= to_ns) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("the window from {} to {} holds nothing: the run lasts from 0 to {}",
                             request.from_s ? seconds(*request.from_s) : "the beginning",
                             request.to_s ? seconds(*request.to_s) : "the end", seconds(length_s))};
  }
  const auto since = [&](std::int64_t ns) {
    return static_cast<double>(ns - survey.first_ns) / 1e9;
  };
  title = fmt::format("{} to {}", seconds(since(from_ns)), seconds(since(to_ns)));
  return ProfileSelection::window(from_ns, to_ns);
}

std::string span_count(std::size_t n) { return n == 1 ? "1 span" : fmt::format("{} spans", n); }

// What is odd about a session's marks, in sentences.
void note_marks(const ProfileSession& session, ProfileReport& report) {
  const auto lost = static_cast<std::size_t>(
      std::count_if(session.spans.begin(), session.spans.end(),
                    [](const ProfileSpan& span) { return span.begin_lost; }));
  if (session.open() > 0)
    report.notes.push_back(fmt::format("Still open, or never closed: {} of {}", session.open(),
                                       span_count(session.spans.size())));
  if (lost > 0)
    report.notes.push_back(fmt::format(
        "The begin of {} was overwritten, and maybe operations in it", span_count(lost)));
  if (session.backwards > 0)
    report.notes.push_back(
        fmt::format("{} spans end before they begin: their clock ran backwards; they are left out",
                    session.backwards));
  if (session.beyond > 0)
    report.notes.push_back(fmt::format("There are more than {} spans: {} are left out",
                                       SpanTracker::kMaxSpans, session.beyond));
}

Profiled finished(Profiler profiler) {
  ProfileReport report = profiler.report();
  return {std::move(report), std::move(profiler)};
}

}  // namespace

Result<Profiled> profile(ProfileSource& source, const ProfileRequest& request,
                         const AggregatorOptions& options,
                         const std::function<void(std::uint64_t)>& progress) {
  const Result<ProfileSurvey> survey = source.survey();
  if (!survey) return survey.error();
  const ProfileSession* session = nullptr;
  for (const ProfileSession& each : survey->sessions)
    session = !request.name.empty() && each.name == request.name ? &each : session;
  std::string title = request.name;
  Result<ProfileSelection> selection = Error{};
  if (request.name.empty()) {
    selection = window_of(*survey, request, title);
  } else if (session == nullptr) {
    return unknown_session(request.name, survey->sessions, source.name());
  } else if (session->spans.empty()) {
    return Error{ErrorCode::corrupt,
                 fmt::format("all {} spans of profile session '{}' end before they begin: their "
                             "clock ran backwards",
                             session->backwards, request.name)};
  } else {
    selection = ProfileSelection::session(*session, survey->sessions_of);
  }
  if (!selection) return selection.error();
  const std::int64_t from_ns = selection->from_ns(), to_ns = selection->to_ns();
  const std::int64_t covered_ns = selection->covered_ns();
  Feed feed(std::move(*selection), options);
  std::uint64_t done = 0;
  const Status read = source.read(from_ns, to_ns, [&](std::span<const Op> ops) {
    feed.add(ops);
    done += ops.size();
    if (progress) progress(done);
  });
  if (!read) return read.error();
  Profiled out = finished(feed.finish());
  ProfileReport& report = out.report;
  report.title = title;
  report.source = source.name();
  report.origin_ns = survey->first_ns;
  if (from_ns != INT64_MIN) {
    report.from_ns = from_ns;
    report.to_ns = to_ns;
  }
  report.covered_ns = covered_ns > 0 ? covered_ns : report.to_ns - report.from_ns;
  if (session != nullptr) {
    report.spans = session->spans.size();
    note_marks(*session, report);
  }
  for (const ProfileSession& each : survey->sessions) {
    if (each.name != request.name) report.other_sessions.push_back(each.name);
  }
  source.add_facts(report.from_ns, report.to_ns, report);
  add_notes(report);
  return out;
}

namespace {

// A collector whose operations are profiled as they come.
class Watch final : public Sink {
 public:
  Watch(const MonitorOptions& options, std::int64_t from_ns, std::int64_t to_ns)
      : feed_(ProfileSelection::window(from_ns, to_ns), options.aggregate),
        collector_(options.collect, *this) {}
  void on_ops(std::span<const Op> ops) override { feed_.add(ops); }
  void on_collective(const Collective&) override {}  // the feed joins what it has taken
  Collector& collector() { return collector_; }
  Profiler finish() { return feed_.finish(); }

 private:
  Feed feed_;
  Collector collector_;
};

}  // namespace

Result<Profiled> profile_from_now(const MonitorOptions& options, double seconds_long,
                                  const std::function<bool()>& stop) {
  const auto now_ns = [] { return static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)); };
  const std::int64_t from_ns = now_ns();
  const std::int64_t to_ns = from_ns + static_cast<std::int64_t>(seconds_long * 1e9);
  Watch watch(options, from_ns, to_ns);
  watch.collector().discover();
  if (!watch.collector().any_live())
    return Error{ErrorCode::not_found,
                 "no process of the session is alive: leave out --seconds to profile what it left"};
  while (now_ns() < to_ns && !stop() && watch.collector().any_live()) {
    watch.collector().poll();
    std::this_thread::sleep_for(std::chrono::nanoseconds(watch.collector().next_poll_ns()));
  }
  watch.collector().poll();
  Profiled out = finished(watch.finish());
  ProfileReport& report = out.report;
  report.from_ns = from_ns;
  report.to_ns = std::min(to_ns, now_ns());
  report.origin_ns = from_ns;
  report.covered_ns = report.to_ns - report.from_ns;
  report.title = fmt::format("the last {}", seconds(static_cast<double>(report.covered_ns) / 1e9));
  const auto source = profile_source(options);
  report.source = source->name();
  source->add_facts(from_ns, to_ns, report);
  add_notes(report);
  return out;
}

}  // namespace peerscope
