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

}  // namespace peerscope
