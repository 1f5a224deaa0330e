// Profile sessions: each begin and end is one event (model/profile_mark.hpp).
#include <cstdio>

#include "model/profile_mark.hpp"
#include "peerscope/peerscope.h"
#include "record/hot.hpp"

namespace peerscope {
namespace {

constexpr std::size_t kLongestName = 200;

// Also at level off: what was begun is ended.
bool write_mark(pscope_session* session, std::uint16_t name, std::int64_t value) {
  Recorder& recorder = *as_recorder(session);
  Writer* writer = writer_of(recorder);
  if (writer == nullptr || !enter(*writer)) return false;
  const std::uint64_t now = ticks_now(recorder.clock);
  write(*writer, pack_w0(Tag::event, now),
        static_cast<std::uint64_t>(PSCOPE_SEVERITY_TRACE) << 40 | name,
        static_cast<std::uint64_t>(value), pack_w3(0, PSCOPE_NO_PEER));
  if (at_lap_end(*writer)) end_of_lap(*writer, now);
  leave(*writer);
  return true;
}

}  // namespace
}  // namespace peerscope

using namespace peerscope;  // NOLINT(google-build-using-namespace): the C ABI is made of it

extern "C" {

uint16_t pscope_profile_name(pscope_session* session, const char* text) {
  if (session == nullptr || text == nullptr || *text == '\0') return 0;
  char name[kProfilePrefixLength + kLongestName + 1];
  std::snprintf(name, sizeof name, "%s%.*s", kProfilePrefix, static_cast<int>(kLongestName), text);
  return pscope_name(session, name);
}

pscope_profile pscope_profile_begin_(pscope_session* session, uint16_t name, int scope) {
  const bool known = scope >= PSCOPE_SCOPE_PROCESS && scope <= PSCOPE_SCOPE_SESSION;
  if (name == 0 || !known) return {};
  const ProfileMark mark{static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)),
                         static_cast<ProfileScope>(scope), true};
  const std::int64_t value = profile_value(mark);
  if (!write_mark(session, name, value)) return {};
  return {value, name, {0, 0, 0}};
}

void pscope_profile_end_(pscope_session* session, pscope_profile profile) {
  if (session == nullptr || profile.name == 0 || profile.mark <= 0) return;
  write_mark(session, profile.name, -profile.mark);
}

}  // extern "C"
