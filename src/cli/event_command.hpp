// Runs a command for events (--exec), beside what is going on: nobody waits for it.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace peerscope {

// A shell command, with PEERSCOPE_EVENT_* in its environment and the event as one line of JSON on its
// standard input. At most kAtOnce run at a time, each for kLongestS; kMostWaiting wait, more are skipped.
class EventCommand {
 public:
  static constexpr std::size_t kAtOnce = 4, kMostWaiting = 256;
  static constexpr double kLongestS = 30;
  using Variables = std::vector<std::pair<std::string, std::string>>;

  explicit EventCommand(std::string command) : command_(std::move(command)) {}
  ~EventCommand() { wait(0); }
  EventCommand(const EventCommand&) = delete;
  EventCommand& operator=(const EventCommand&) = delete;

  void add(Variables variables, std::string json);
  void poll();                // ends what has run too long, starts what waits
  void wait(double seconds);  // for all of them; what is left then is ended

  [[nodiscard]] std::uint64_t ran() const { return ran_; }
  [[nodiscard]] std::uint64_t failed() const { return failed_; }  // exit status not 0, or ended
  [[nodiscard]] std::uint64_t skipped() const { return skipped_; }

 private:
  struct Waiting {
    Variables variables;
    std::string json;
  };
  struct Running {
    pid_t pid = -1;
    std::int64_t until_ns = 0;
    bool ended = false;
  };
  void start(const Waiting& event);
  void reap();

  std::string command_;
  std::deque<Waiting> waiting_;
  std::vector<Running> running_;
  std::uint64_t ran_ = 0, failed_ = 0, skipped_ = 0;
};

}  // namespace peerscope
