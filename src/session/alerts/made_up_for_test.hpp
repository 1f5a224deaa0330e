// Alerts, folders and waiting that tests share.
#pragma once

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include "analyze/alert/notices.hpp"

namespace peerscope {

inline Notice notice_of(const std::string& rule = "slow all_reduce") {
  Notice notice;
  Alert& alert = notice.alert;
  alert.id = "0123456789abcdef";
  alert.rule = rule;
  alert.state = AlertState::firing;
  alert.severity = Severity::critical;
  alert.subject.rank = 3;
  alert.sentence = "Rank 3 arrives 214 µs late.";
  alert.action = "peerscope debug trace --rank 3";
  alert.value = 231e3;
  alert.threshold = 200e3;
  alert.unit = "ns";
  alert.since_ns = 1'000'000'000;
  alert.fired_ns = 2'000'000'000;
  alert.real_offset_ns = 1'767'323'045'000'000'000;  // 2026-01-02T03:04:05Z
  alert.labels = {{"rank", "3"}, {"rule", rule}, {"severity", "critical"}};
  return notice;
}

class TestFolder {
 public:
  TestFolder() {
    char name[] = "/tmp/peerscope-alerts-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Until it holds, at most 20 s.
template <class Condition>
bool eventually(const Condition& condition) {
  for (int i = 0; i < 4000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

}  // namespace peerscope
