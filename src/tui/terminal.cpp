#include "tui/terminal.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace peerscope::tui {
namespace {

// Other screen, no cursor, no wrapping at the margin; clicks and wheel, in the form without limits.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?1000h\x1b[?1006h\x1b[2J";
constexpr std::string_view kLeave = "\x1b[m\x1b[?1006l\x1b[?1000l\x1b[?7h\x1b[?25h\x1b[?1049l";
constexpr std::array kStopping{SIGINT, SIGTERM, SIGHUP};
constexpr std::array kCrashes{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

// A signal handler has no other way to know: what to give back, and whom to wake.
struct Shared {
  termios before{};
  int input = -1;
  std::array<int, 2> wake{-1, -1};
  volatile std::sig_atomic_t entered = 0, stop = 0, suspend = 0, renewed = 0;
};
Shared g_shared;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

void write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd out{STDOUT_FILENO, POLLOUT, 0};
      poll(&out, 1, 1000);
    } else if (errno != EINTR) {
      return;  // nobody is there
    }
  }
}

void enter() {
  termios raw = g_shared.before;
  raw.c_iflag &= ~static_cast<tcflag_t>(IXON | ICRNL | INLCR | IGNCR | ISTRIP);
  raw.c_lflag &=
      ~static_cast<tcflag_t>(ICANON | ECHO | ECHONL | IEXTEN);  // Ctrl-C and Ctrl-Z stay signals
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  tcsetattr(g_shared.input, TCSANOW, &raw);
  g_shared.entered = 1;
  write_all(kEnter);
}

// Async-signal-safe.
void leave() {
  if (g_shared.entered == 0) return;
  g_shared.entered = 0;
  write_all(kLeave);
  tcsetattr(g_shared.input, TCSANOW, &g_shared.before);
}

void on_signal(int signal) {
  const int kept = errno;
  if (signal == SIGTSTP) {
    g_shared.suspend = 1;
  } else if (signal == SIGWINCH || signal == SIGCONT) {
    g_shared.renewed = 1;
  } else {
    g_shared.stop = 1;
  }
  const char byte = 0;
  if (::write(g_shared.wake[1], &byte, 1) < 0) errno = 0;  // full: somebody is woken anyway
  errno = kept;
}

void on_crash(int signal) {
  leave();
  std::signal(signal, SIG_DFL);
  raise(signal);
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(signal, &action, nullptr);
}

void handle_all() {
  for (const int signal : kStopping) handle(signal, on_signal);
  for (const int signal : {SIGTSTP, SIGWINCH, SIGCONT}) handle(signal, on_signal);
  for (const int signal : kCrashes) handle(signal, on_crash);
}
void handle_none() {
  for (const int signal : kStopping) handle(signal, SIG_DFL);
  for (const int signal : {SIGTSTP, SIGWINCH, SIGCONT}) handle(signal, SIG_DFL);
  for (const int signal : kCrashes) handle(signal, SIG_DFL);
}

void suspend() {
  leave();
  handle(SIGTSTP, SIG_DFL);
  raise(SIGTSTP);  // here until somebody says fg
  handle(SIGTSTP, on_signal);
  enter();
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

Result<std::unique_ptr<Terminal>> Terminal::open() {
  if (isatty(STDOUT_FILENO) == 0)
    return Error{ErrorCode::unsupported, "standard output is no terminal; use --plain or --json"};
  const bool own = isatty(STDIN_FILENO) == 0;
  const int input = own ? ::open("/dev/tty", O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
  if (input < 0 || tcgetattr(input, &g_shared.before) != 0)
    return Error{ErrorCode::unsupported,
                 "there is no terminal to read keys from; use --plain or --json"};
  if (pipe2(g_shared.wake.data(), O_CLOEXEC | O_NONBLOCK) != 0)
    return Error{ErrorCode::io, std::string("no pipe can be made: ") + std::strerror(errno)};
  g_shared.input = input;
  g_shared.stop = 0;
  g_shared.suspend = 0;
  g_shared.renewed = 0;
  handle_all();
  enter();
  return std::unique_ptr<Terminal>(new Terminal(input, own));
}

Terminal::~Terminal() {
  leave();
  handle_none();
  for (const int end : g_shared.wake) close(end);
  if (owned_) close(input_);
}

Woken Terminal::wait(std::int64_t timeout_ns) {
  std::array<pollfd, 2> fds{{{input_, POLLIN, 0}, {g_shared.wake[0], POLLIN, 0}}};
  const timespec timeout{timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
  Woken woken;
  if (ppoll(fds.data(), fds.size(), &timeout, nullptr) > 0) {
    std::array<char, 1024> buffer{};
    if (fds[0].revents != 0) {
      const ssize_t got = read(input_, buffer.data(), buffer.size());
      if (got > 0) woken.bytes.assign(buffer.data(), static_cast<std::size_t>(got));
      // Ready, and nothing to read: the terminal has hung up.
      if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) woken.stop = true;
    }
    while (read(g_shared.wake[0], buffer.data(), buffer.size()) > 0) continue;
  }
  if (g_shared.suspend != 0) {
    g_shared.suspend = 0;
    suspend();
    woken.renewed = true;
  }
  if (g_shared.renewed != 0) {
    g_shared.renewed = 0;         // first: a signal that comes from here on is for the next time
    if (!woken.renewed) enter();  // a shell may have taken the terminal meanwhile
    woken.renewed = true;
  }
  woken.stop = woken.stop || g_shared.stop != 0;
  return woken;
}

void Terminal::write(std::string_view bytes) { write_all(bytes); }

Terminal::Size Terminal::size() const {
  winsize now{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &now) != 0 || now.ws_col == 0 || now.ws_row == 0) return {};
  return {std::min<int>(now.ws_col, 1000), std::min<int>(now.ws_row, 500)};
}

bool can_draw() {
  const std::string term = variable("TERM");
  return !term.empty() && term != "dumb";
}

bool wants_colour() { return variable("NO_COLOR").empty(); }

bool knows_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string value = variable(name);
    if (value.empty()) continue;
    for (char& c : value) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return value.find("UTF-8") != std::string::npos || value.find("UTF8") != std::string::npos;
  }
  return false;
}

}  // namespace peerscope::tui
