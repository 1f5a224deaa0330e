#include "cli/select.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "collect/directory.hpp"
#include "record/ticks.hpp"

namespace peerscope {
namespace {

bool share(const std::vector<std::uint64_t>& a, const std::vector<std::uint64_t>& b) {
  return std::any_of(a.begin(), a.end(), [&](std::uint64_t id) {
    return std::find(b.begin(), b.end(), id) != b.end();
  });
}

}  // namespace

std::vector<SessionInfo> find_sessions() {
  std::map<std::string, SessionInfo> by_id;
  for (const std::string& path : list_segments(runtime_dirs())) {
    const Result<SegmentView> segment = SegmentView::open(path);
    if (!segment) continue;
    const auto [at, is_new] = by_id.emplace(segment->session(), SessionInfo{});
    SessionInfo& session = at->second;
    const ProcessState state = segment->state();
    session.id = at->first;
    session.state = is_new ? state : combine(session.state, state);
    session.created_real_ns = std::max(
        session.created_real_ns, static_cast<std::int64_t>(segment->header().created_real_ns));
    session.paths.push_back(path);
    for (std::uint16_t id = 1;; ++id) {
      const auto comm = segment->comm(id);
      if (!comm) break;
      if (comm->ranks > 1) session.communicators.push_back(comm->id);
    }
  }
  std::vector<SessionInfo> sessions;
  for (auto& [id, session] : by_id) sessions.push_back(std::move(session));
  std::sort(sessions.begin(), sessions.end(),
            [](const auto& a, const auto& b) { return a.created_real_ns > b.created_real_ns; });
  return sessions;
}

Result<std::vector<std::string>> select_sessions(const std::string& wanted) {
  const std::vector<SessionInfo> sessions = find_sessions();
  if (sessions.empty()) {
    return Error{
        ErrorCode::not_found,
        fmt::format("no session was found in {}; start one with: peerscope demo, or peerscope run "
                    "-- CMD",
                    fmt::join(runtime_dirs(), " or "))};
  }
  std::vector<std::string> ids;
  if (wanted.empty()) {
    for (const SessionInfo& session : sessions) {
      const bool related =
          ids.empty() || share(session.communicators, sessions.front().communicators);
      if (related) ids.push_back(session.id);
    }
    return ids;
  }
  for (const SessionInfo& session : sessions) {
    if (session.id == wanted) return std::vector<std::string>{wanted};
    if (wanted == "all" || session.id.rfind(wanted, 0) == 0) ids.push_back(session.id);
  }
  if (!ids.empty() && (wanted == "all" || ids.size() == 1)) return ids;
  std::vector<std::string> known;
  for (const SessionInfo& session : sessions) known.push_back(session.id);
  return Error{ErrorCode::not_found, fmt::format("{} session '{}'; there are: {}",
                                                 ids.empty() ? "there is no" : "more than one",
                                                 wanted, fmt::join(known, ", "))};
}

std::string session_or(const std::string& own) {
  const char* given = std::getenv("PEERSCOPE_SESSION");
  return given != nullptr && *given != '\0' ? given : own;
}

int prune_sessions(std::int64_t age_ns) {
  const auto now_ns = static_cast<std::int64_t>(clock_ns(CLOCK_REALTIME));
  int removed = 0;
  for (const SessionInfo& session : find_sessions()) {
    if (session.state == ProcessState::live || now_ns - session.created_real_ns < age_ns) continue;
    for (const std::string& path : session.paths) removed += unlink(path.c_str()) == 0;
  }
  return removed;
}

}  // namespace peerscope
