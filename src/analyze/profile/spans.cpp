#include "analyze/profile/spans.hpp"

#include <algorithm>
#include <set>

namespace peerscope {
namespace {

constexpr std::size_t kMaxRuns =
    4096;  // of one rank's sequence numbers; then the gaps between them count, too

template <class Spans>
std::int64_t edge(const Spans& spans, bool first) {
  std::int64_t at = first ? INT64_MAX : INT64_MIN;
  for (const ProfileSpan& span : spans)
    at = first ? std::min(at, span.begin_ns) : std::max(at, span.end_ns);
  return spans.empty() ? 0 : at;
}

std::uint64_t thread_key(std::uint32_t process, std::uint32_t thread) {
  return std::uint64_t{process} << 32 | thread;
}

std::pair<std::uint64_t, std::uint64_t> identity(const Op& op) {
  // Collectives of our own backends are counted together, everything else by its kind (as the joiner does).
  const bool by_kind = op.backend == Backend::nccl || !is_collective(op.kind);
  return {op.comm,
          std::uint64_t{op.rank} << 8 | (by_kind ? static_cast<std::uint64_t>(op.kind) : 0xFF)};
}

}  // namespace

std::int64_t ProfileSession::first_ns() const { return edge(spans, true); }
std::int64_t ProfileSession::last_ns() const { return edge(spans, false); }

std::size_t ProfileSession::open() const {
  return static_cast<std::size_t>(
      std::count_if(spans.begin(), spans.end(), [](const ProfileSpan& s) { return s.open; }));
}

std::size_t ProfileSession::processes() const {
  std::set<std::uint32_t> all;
  for (const ProfileSpan& span : spans) all.insert(span.process);
  return all.size();
}

std::string_view profile_session_of(std::string_view event_name) {
  if (event_name.substr(0, kProfilePrefixLength) != kProfilePrefix) return {};
  return event_name.substr(kProfilePrefixLength);
}

void SpanTracker::add(std::string_view session, const ProfileEvent& event) {
  auto found = known_.find(session);
  if (found == known_.end()) found = known_.emplace(std::string(session), Known{}).first;
  Known& known = found->second;
  const ProfileMark mark = profile_mark(event.value);
  const std::pair key{event.process, mark.begin_ns};
  ProfileSpan span;
  span.process = event.process;
  span.thread = event.thread;
  span.scope = mark.scope;
  // The event's own time: of a trace that was merged, only that is on the common clock.
  span.begin_ns = mark.begins ? event.at_ns : mark.begin_ns;
  span.end_ns = event.at_ns;
  Pending& pending = known.pending[key];
  std::vector<ProfileSpan>& partners = mark.begins ? pending.ends : pending.begins;
  if (!partners.empty()) {
    ProfileSpan whole = mark.begins ? span : partners.back();
    whole.end_ns = mark.begins ? partners.back().end_ns : span.end_ns;
    partners.pop_back();
    known.closed.push_back(whole);
    if (pending.begins.empty() && pending.ends.empty()) known.pending.erase(key);
    return;
  }
  if (spans_ >= max_spans_) {
    ++known.beyond;
    if (pending.begins.empty() && pending.ends.empty()) known.pending.erase(key);
    return;
  }
  ++spans_;
  (mark.begins ? pending.begins : pending.ends).push_back(span);
}

std::vector<ProfileSession> SpanTracker::sessions(std::int64_t now_ns) const {
  std::vector<ProfileSession> all;
  for (const auto& [name, known] : known_) {
    ProfileSession session;
    session.name = name;
    session.beyond = known.beyond;
    const auto keep = [&](const ProfileSpan& span) {
      if (span.end_ns < span.begin_ns) {
        ++session.backwards;
      } else {
        session.spans.push_back(span);
      }
    };
    for (const ProfileSpan& span : known.closed) keep(span);
    for (const auto& [key, pending] : known.pending) {
      for (ProfileSpan span : pending.begins) {
        span.open = true;
        span.end_ns = std::max(now_ns, span.begin_ns);
        keep(span);
      }
      for (ProfileSpan span : pending.ends) {
        span.begin_lost = true;
        keep(span);
      }
    }
    std::stable_sort(
        session.spans.begin(), session.spans.end(),
        [](const ProfileSpan& a, const ProfileSpan& b) { return a.begin_ns < b.begin_ns; });
    all.push_back(std::move(session));
  }
  return all;
}

void TimeRanges::settle() {
  std::sort(ranges_.begin(), ranges_.end());
  std::size_t kept = 0;
  for (const auto& range : ranges_) {
    if (kept > 0 && range.first <= ranges_[kept - 1].second) {
      ranges_[kept - 1].second = std::max(ranges_[kept - 1].second, range.second);
    } else {
      ranges_[kept++] = range;
    }
  }
  ranges_.resize(kept);
}

bool TimeRanges::holds(std::int64_t at_ns) const {
  const auto after =
      std::upper_bound(ranges_.begin(), ranges_.end(), at_ns,
                       [](std::int64_t at, const auto& range) { return at < range.first; });
  return after != ranges_.begin() && at_ns < std::prev(after)->second;
}

std::int64_t TimeRanges::length_ns() const {
  std::int64_t sum = 0;
  for (const auto& [begin_ns, end_ns] : ranges_) sum += end_ns - begin_ns;
  return sum;
}

ProfileSelection ProfileSelection::window(std::int64_t from_ns, std::int64_t to_ns) {
  ProfileSelection selection;
  selection.everybody_ = true;
  selection.from_ns_ = from_ns;
  selection.to_ns_ = to_ns;
  const bool bounded = from_ns != INT64_MIN && to_ns != INT64_MAX && to_ns > from_ns;
  selection.covered_ns_ = bounded ? to_ns - from_ns : 0;
  return selection;
}

ProfileSelection ProfileSelection::session(const ProfileSession& session,
                                           std::vector<std::uint32_t> sessions_of) {
  ProfileSelection selection;
  selection.from_ns_ = session.first_ns();
  selection.to_ns_ = session.last_ns();
  selection.sessions_of_ = std::move(sessions_of);
  for (const ProfileSpan& span : session.spans) {
    selection.all_.add(span.begin_ns, span.end_ns);
    const std::uint64_t group =
        span.process < selection.sessions_of_.size() ? selection.sessions_of_[span.process] : 0;
    TimeRanges& ranges = span.scope == ProfileScope::thread
                             ? selection.by_thread_[thread_key(span.process, span.thread)]
                         : span.scope == ProfileScope::session
                             ? selection.by_session_[group]
                             : selection.by_process_[span.process];
    ranges.add(span.begin_ns, span.end_ns);
  }
  selection.all_.settle();
  selection.covered_ns_ = selection.all_.length_ns();
  for (auto* group : {&selection.by_process_, &selection.by_thread_, &selection.by_session_}) {
    for (auto& [key, ranges] : *group) ranges.settle();
  }
  return selection;
}

bool ProfileSelection::holds(const Op& op) const {
  if (everybody_) return op.begin_ns >= from_ns_ && op.begin_ns < to_ns_;
  if (!all_.holds(op.begin_ns)) return false;
  const auto in = [&op](const auto& group, std::uint64_t key) {
    const auto found = group.find(key);
    return found != group.end() && found->second.holds(op.begin_ns);
  };
  if (!by_process_.empty() && in(by_process_, op.process)) return true;
  if (!by_thread_.empty() && in(by_thread_, thread_key(op.process, op.thread))) return true;
  const std::uint64_t group = op.process < sessions_of_.size() ? sessions_of_[op.process] : 0;
  return !by_session_.empty() && in(by_session_, group);
}

// Numbers mostly follow each other (at level basic in steps of the sampling), so that few runs say it all.
void ProfileSelection::note(const Op& op) {
  auto& runs = taken_[identity(op)].runs;
  const std::uint64_t step = std::max<std::uint32_t>(op.weight, 1);
  const bool grows =
      !runs.empty() && op.sequence >= runs.back().first && op.sequence <= runs.back().second + step;
  if (grows || runs.size() >= kMaxRuns) {
    runs.back().second = std::max(runs.back().second, op.sequence);
    runs.back().first = std::min(runs.back().first, op.sequence);
  } else {
    runs.emplace_back(op.sequence, op.sequence);
  }
}

bool ProfileSelection::noted(const Op& op) const {
  const auto found = taken_.find(identity(op));
  if (found == taken_.end()) return false;
  const auto& runs = found->second.runs;
  for (std::size_t i = runs.size(); i-- > 0;) {
    if (op.sequence >= runs[i].first && op.sequence <= runs[i].second) return true;
  }
  return false;
}

bool ProfileSelection::takes(const Op& op) {
  if (everybody_ && from_ns_ == INT64_MIN && to_ns_ == INT64_MAX) return true;
  // Device times without a communicator to know them by go by their own begin.
  if (op.device_only && op.comm != 0) return noted(op);
  const bool taken = holds(op);
  const bool on_a_device = op.async || op.device != kNoDevice;
  if (taken && op.comm != 0 && on_a_device) note(op);
  return taken;
}

}  // namespace peerscope
