// How the begin and the end of a profile session travel: as two events, so that a ring, a trace file and readers of
// before need nothing new for them.
//
// The event's name is "profile:" and the session's own name. Its value is (begin << 2 | scope), with `begin` in ns of
// CLOCK_MONOTONIC, negated at the end: an end whose begin was overwritten still says when it was.
#pragma once

#include <cstdint>

#include "peerscope/peerscope.h"

namespace peerscope {

inline constexpr char kProfilePrefix[] = "profile:";
inline constexpr unsigned kProfilePrefixLength = sizeof kProfilePrefix - 1;

// Whose operations count while the session is open.
enum class ProfileScope : std::uint8_t {
  process = PSCOPE_SCOPE_PROCESS,  // of all threads of the process
  thread = PSCOPE_SCOPE_THREAD,    // of the thread that began it
  session = PSCOPE_SCOPE_SESSION,  // of all processes that record into the same session
};

struct ProfileMark {
  std::int64_t begin_ns = 0;  // 1 or later: nothing is marked while the machine boots
  ProfileScope scope = ProfileScope::process;
  bool begins = true;
};

constexpr std::int64_t profile_value(const ProfileMark& mark) {
  const std::int64_t value = mark.begin_ns << 2 | static_cast<std::int64_t>(mark.scope);
  return mark.begins ? value : -value;
}

constexpr ProfileMark profile_mark(std::int64_t value) {
  const std::uint64_t bits = static_cast<std::uint64_t>(value);
  const std::uint64_t magnitude = value < 0 ? 0 - bits : bits;
  const auto scope = static_cast<std::uint8_t>(magnitude & 3);
  return {static_cast<std::int64_t>(magnitude >> 2),
          scope > PSCOPE_SCOPE_SESSION ? ProfileScope::process : static_cast<ProfileScope>(scope),
          value >= 0};
}

}  // namespace peerscope
