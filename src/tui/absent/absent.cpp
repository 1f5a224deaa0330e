// In a build without FTXUI.
#include "tui/run.hpp"

namespace peerscope::tui {

Status screen_ready() {
  return Error{ErrorCode::unsupported,
               "no full screen in this build: FTXUI was not there (./dev deps gets it)"};
}

Status run_screen(const Watch&) { return screen_ready(); }

}  // namespace peerscope::tui
