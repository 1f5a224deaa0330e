#include "cli/stop.hpp"

#include <csignal>

#include <unistd.h>

namespace peerscope {
namespace {

volatile std::sig_atomic_t g_requested =
    0;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): a handler has no other way

void on_signal(int) {
  if (g_requested != 0) _exit(130);
  g_requested = 1;
}

}  // namespace

void stop_on_interrupt() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool stop_requested() { return g_requested != 0; }

}  // namespace peerscope
