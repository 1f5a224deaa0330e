// In a build without FTXUI.
#include "tui/run.hpp"

namespace peerscope::tui {

Status screen_ready() {
  return Error{ErrorCode::unsupported,
               "this build has no full-screen view (FTXUI was not there; ./dev deps builds it), so "
               "here is text"};
}

Status run_screen(const Watch&) { return screen_ready(); }

}  // namespace peerscope::tui
