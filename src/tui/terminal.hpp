// The terminal while it is ours: raw, on its other screen, with the mouse. Given back on every way out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace peerscope::tui {

struct Woken {
  std::string bytes;  // typed
  bool stop = false;  // Ctrl-C, SIGTERM, SIGHUP, or the terminal is gone
  bool renewed =
      false;  // another size, or back from the background: nothing of the last frame is left
};

// One at a time: signal handlers know it.
class Terminal {
 public:
  // Of standard output. The error says what it lacks.
  static Result<std::unique_ptr<Terminal>> open();
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  // Until a key, a signal, or so long. Suspends the process itself when it is told to.
  Woken wait(std::int64_t timeout_ns);
  void write(std::string_view bytes);
  struct Size {
    int width = 80, height = 24;
  };
  [[nodiscard]] Size size() const;

 private:
  Terminal(int input, bool owned) : input_(input), owned_(owned) {}
  int input_;
  bool owned_;  // the input is /dev/tty, opened here
};

// What the environment says of the terminal.
bool can_draw();      // not TERM=dumb, nor none
bool wants_colour();  // not with NO_COLOR
bool knows_utf8();    // by the locale

}  // namespace peerscope::tui
