// A line each, to stderr or to a file.
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "session/alerts/receivers.hpp"
#include "session/json.hpp"

namespace peerscope {
namespace {

// One line stays one line, and a terminal is not told what to do.
std::string plain(const std::string& text) {
  std::string out;
  for (const char c : text) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
  return out;
}

// One write: lines of several processes do not mix.
Outcome write_line(int file, const std::string& line, const std::string& path) {
  const ssize_t written = write(file, line.data(), line.size());
  if (written == static_cast<ssize_t>(line.size())) return {};
  return {Sent::later,
          fmt::format("{} cannot be written: {}", path,
                      written < 0 ? std::strerror(errno) : "the disk is full"),
          0};
}

}  // namespace

std::string notice_line(const Notice& notice) {
  const Alert& alert = notice.alert;
  const std::int64_t at_ns = alert.state == AlertState::resolved ? alert.resolved_ns
                             : alert.fired_ns != kUnknownNs      ? alert.fired_ns
                                                                 : alert.since_ns;
  std::string line =
      fmt::format("{} {} {} {}: {}", time_text(at_ns + alert.real_offset_ns), name(alert.state),
                  name(alert.severity), alert.rule, alert.sentence);
  if (notice.reason == NoticeReason::repeated || notice.reason == NoticeReason::worse ||
      notice.reason == NoticeReason::test)
    line += fmt::format(" ({})", name(notice.reason));
  if (!alert.action.empty() && alert.state != AlertState::resolved) line += " -> " + alert.action;
  return plain(line);
}

Send log_receiver(const std::string& path) {
  return [path](const Notice& notice, const std::atomic<bool>&) -> Outcome {
    const std::string line = notice_line(notice) + "\n";
    if (path == "stderr") return write_line(STDERR_FILENO, "peerscope: " + line, path);
    // A FIFO that nobody reads is an error: to wait for its reader would stop the lane for good.
    constexpr int kHow = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    const int file = open(path.c_str(), kHow, 0644);
    if (file < 0)
      return {Sent::later, fmt::format("{} cannot be opened: {}", path, std::strerror(errno)), 0};
    const Outcome outcome = write_line(file, line, path);
    close(file);
    return outcome;
  };
}

}  // namespace peerscope
