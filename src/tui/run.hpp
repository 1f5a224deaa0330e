// The full-screen view, from the first frame until the person quits. Draws where FTXUI is (tui/screen);
// elsewhere it says so (tui/absent).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "analyze/snapshot.hpp"
#include "base/result.hpp"
#include "model/device.hpp"

namespace peerscope::tui {

struct Watch {
  std::function<std::shared_ptr<const Snapshot>()> latest;         // never null
  std::function<std::shared_ptr<const MachineReading>()> reading;  // may be null
  std::function<void(std::int64_t)> publish_every;  // the person has changed the interval
  std::string session;                              // or a file's name
  bool recording = false;
  std::int64_t interval_ns = 1'000'000'000;
};

// Whether there is a screen to draw on: not without FTXUI, nor on a terminal that cannot move its cursor.
Status screen_ready();
// Gives the terminal back as it was, whatever happens.
Status run_screen(const Watch& watch);

}  // namespace peerscope::tui
