// Whether a recording process is still there.
#pragma once

#include <cstdint>

namespace peerscope {

enum class ProcessState : std::uint8_t {
  live,
  ended,  // closed its session
  dead,   // went without closing it
};

constexpr const char* name(ProcessState state) {
  constexpr const char* kNames[] = {"live", "ended", "dead"};
  return kNames[static_cast<int>(state)];
}

// Of several processes together: live while one of them is, dead if one went without closing and none lives.
constexpr ProcessState combine(ProcessState a, ProcessState b) {
  if (a == ProcessState::live || b == ProcessState::live) return ProcessState::live;
  return a == ProcessState::dead || b == ProcessState::dead ? ProcessState::dead
                                                            : ProcessState::ended;
}

}  // namespace peerscope
