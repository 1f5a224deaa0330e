// Ctrl-C ends a command in good order: what it has seen is still printed.
#pragma once

namespace peerscope {

void stop_on_interrupt();  // SIGINT and SIGTERM set a flag; a second one ends at once
bool stop_requested();

}  // namespace peerscope
