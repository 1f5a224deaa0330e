// Who is to be told what, and when again.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "analyze/alert/alert.hpp"

namespace peerscope {

enum class NoticeReason : std::uint8_t {
  fired,
  worse,     // it fires still, and its severity has risen
  repeated,  // it fires still
  resolved,
  refresh,  // nothing new: for receivers that forget what they do not hear of (Alertmanager)
  test
};

constexpr const char* name(NoticeReason reason) {
  constexpr const char* kNames[] = {"fired", "worse", "repeated", "resolved", "refresh", "test"};
  return kNames[static_cast<int>(reason)];
}

struct Notice {
  Alert alert;
  NoticeReason reason = NoticeReason::fired;
};

struct NoticeOptions {
  std::int64_t repeat_ns = 4 * 3'600'000'000'000;  // 0: never
  std::int64_t refresh_ns = 60'000'000'000;
};

// Nothing is said of an alert that is silenced or inhibited. That one is over is told to whom it was told of.
class Notices {
 public:
  explicit Notices(const NoticeOptions& options = {}) : options_(options) {}
  void set_options(const NoticeOptions& options) { options_ = options; }
  std::vector<Notice> plan(std::span<const Alert> alerts, std::int64_t now_ns);

 private:
  struct Told {
    std::int64_t said_ns = 0, refreshed_ns = 0;
    Severity severity = Severity::info;
  };
  NoticeOptions options_;
  std::map<std::string, Told> told_;  // by the alert's id
  std::int64_t now_ns_ = 0;
};

}  // namespace peerscope
