// Profile sessions from their marks: which stretches of time, of whom. And whether an operation lies in one.
//
// Marks may come in any order: rings are read one after another, and a span may be closed on another thread than the one
// that opened it. A mark that was overwritten leaves a span that is open, or one whose end still says when it began.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/op.hpp"
#include "model/profile_mark.hpp"

namespace peerscope {

struct ProfileSpan {
  std::int64_t begin_ns = 0, end_ns = 0;  // operations that begin in [begin, end) belong to it
  std::uint32_t process = 0, thread = 0;
  ProfileScope scope = ProfileScope::process;
  bool open = false;        // nobody has closed it yet: it ends now
  bool begin_lost = false;  // overwritten; the end says when it was
};

struct ProfileSession {
  std::string name;
  std::vector<ProfileSpan> spans;  // by begin
  std::uint64_t backwards = 0;     // left out: they end before they begin
  std::uint64_t beyond = 0;        // left out: there was no room for more spans

  [[nodiscard]] std::int64_t first_ns() const;  // 0 without spans
  [[nodiscard]] std::int64_t last_ns() const;
  [[nodiscard]] std::size_t open() const;
  [[nodiscard]] std::size_t processes() const;
};

struct ProfileEvent {
  std::int64_t at_ns = 0, value = 0;
  std::uint32_t process = 0, thread = 0;
};

// The session's name if this event is a mark of one, else "".
std::string_view profile_session_of(std::string_view event_name);

class SpanTracker {
 public:
  static constexpr std::size_t kMaxSpans = std::size_t{1} << 20;  // 48 MB
  explicit SpanTracker(std::size_t max_spans = kMaxSpans) : max_spans_(max_spans) {}

  void add(std::string_view session, const ProfileEvent& event);
  // All sessions, by name. What is open ends at `now_ns`.
  [[nodiscard]] std::vector<ProfileSession> sessions(std::int64_t now_ns) const;

 private:
  struct Pending {
    std::vector<ProfileSpan> begins, ends;  // that wait for each other
  };
  struct Known {
    std::vector<ProfileSpan> closed;
    std::map<std::pair<std::uint32_t, std::int64_t>, Pending> pending;  // by process and begin
    std::uint64_t beyond = 0;
  };
  std::map<std::string, Known, std::less<>> known_;
  std::size_t spans_ = 0, max_spans_;
};

// Disjoint stretches of time.
class TimeRanges {
 public:
  void add(std::int64_t begin_ns, std::int64_t end_ns) { ranges_.emplace_back(begin_ns, end_ns); }
  void settle();  // after the last add
  [[nodiscard]] bool holds(std::int64_t at_ns) const;
  [[nodiscard]] std::int64_t length_ns() const;

 private:
  std::vector<std::pair<std::int64_t, std::int64_t>> ranges_;
};

// Which operations a report is about. Device times belong to it if their operation does, however late the device was.
class ProfileSelection {
 public:
  // All that begins in [from, to).
  static ProfileSelection window(std::int64_t from_ns, std::int64_t to_ns);
  // All that belongs to the session. `sessions_of` numbers each process' recording session: what is marked for a whole
  // session holds the processes of the same number.
  static ProfileSelection session(const ProfileSession& session,
                                  std::vector<std::uint32_t> sessions_of);

  [[nodiscard]] bool takes(const Op& op);
  [[nodiscard]] std::int64_t from_ns() const { return from_ns_; }
  [[nodiscard]] std::int64_t to_ns() const { return to_ns_; }
  [[nodiscard]] std::int64_t covered_ns() const { return covered_ns_; }  // of whoever's spans

 private:
  struct Runs {  // of sequence numbers that were taken
    std::vector<std::pair<std::uint64_t, std::uint64_t>> runs;
  };
  [[nodiscard]] bool holds(const Op& op) const;
  void note(const Op& op);
  [[nodiscard]] bool noted(const Op& op) const;

  std::int64_t from_ns_ = INT64_MIN, to_ns_ = INT64_MAX, covered_ns_ = 0;
  bool everybody_ = false;
  TimeRanges all_;
  std::unordered_map<std::uint64_t, TimeRanges> by_process_, by_thread_, by_session_;
  std::vector<std::uint32_t> sessions_of_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Runs> taken_;  // by communicator, rank and kind
};

}  // namespace peerscope
