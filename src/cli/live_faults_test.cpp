// Real processes in real trouble: which rank is it, while it happens.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/workload.hpp"
#include "session/monitor.hpp"

namespace peerscope {
namespace {

using Clock = std::chrono::steady_clock;

class LiveFaults : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = fmt::format("/dev/shm/peerscope-faults-{}", getpid());
    std::filesystem::remove_all(dir_);
    setenv("PEERSCOPE_RUNTIME_DIR", dir_.c_str(), 1);
    work_.session = "faults";
    work_.duration_s = 60;
    options_.collect.dirs = {dir_};
    options_.collect.sessions = {work_.session};
  }
  void TearDown() override {
    for (const pid_t pid : pids_) kill(pid, SIGKILL);
    finish_workload(pids_, true);
    std::filesystem::remove_all(dir_);
  }
  void start() {
    auto pids = start_workload(work_);
    ASSERT_TRUE(pids) << pids.error().message;
    pids_ = *pids;
    while (workload_start_ns() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  // Seconds until a finding of that kind is there; -1: not in time.
  double wait_for(Monitor& monitor, const char* kind, double seconds, Finding& found) {
    const auto begin = Clock::now();
    for (;;) {
      const double elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
      if (elapsed > seconds) return -1;
      monitor.poll();
      const auto snapshot = monitor.snapshot();
      for (const Finding& finding : snapshot->findings) {
        if (finding.kind != kind) continue;
        found = finding;
        return std::chrono::duration<double>(Clock::now() - begin).count();
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  std::string dir_;
  WorkloadOptions work_;
  MonitorOptions options_;
  std::vector<pid_t> pids_;
};

TEST_F(LiveFaults, TheRankThatIsBusyElsewhereIsNamed) {
  work_.slow_rank = 1;
  work_.slow_after_s = 1.0;
  work_.slow_by_us = 2'000;  // with a busy loop: it takes its neighbours' processor, too
  work_.slow_spins = true;
  work_.compute_us = 500;
  start();
  Monitor monitor(options_);
  Finding found;
  ASSERT_GE(wait_for(monitor, "straggler", 15, found), 0);
  EXPECT_EQ(found.subject.rank, 1) << found.sentence;
}

TEST_F(LiveFaults, TheRankThatIsStoppedIsNamedWithinASecond) {
  work_.slow_rank = -1;
  start();
  Monitor monitor(options_);
  const auto until = Clock::now() + std::chrono::milliseconds(1'500);
  while (Clock::now() < until) {
    monitor.poll();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ASSERT_EQ(kill(pids_[3], SIGSTOP), 0);
  Finding found;
  const double seconds = wait_for(monitor, "hang", 5, found);
  ASSERT_GE(seconds, 0);
  EXPECT_LE(seconds, 1.0);
  EXPECT_EQ(found.subject.rank, 3) << found.sentence;
  EXPECT_EQ(found.severity, Severity::critical);
  kill(pids_[3], SIGCONT);
}

TEST_F(LiveFaults, TheRankThatIsKilledIsNamedFromWhatItLeft) {
  work_.slow_rank = -1;
  work_.compute_us = 20;  // most of its time is inside
  start();
  Monitor monitor(options_);
  const auto until = Clock::now() + std::chrono::milliseconds(1'500);
  while (Clock::now() < until) {
    monitor.poll();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ASSERT_EQ(kill(pids_[2], SIGKILL), 0);
  const auto begin = Clock::now();
  bool named = false;
  while (!named && Clock::now() - begin < std::chrono::seconds(5)) {
    monitor.poll();
    const auto snapshot = monitor.snapshot();
    for (const Finding& finding : snapshot->findings) {
      if (finding.kind == "process_died") named = true;
      if (finding.kind == "hang" && finding.subject.rank == 2) named = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_TRUE(named);
  EXPECT_LE(std::chrono::duration<double>(Clock::now() - begin).count(), 1.0);
}

}  // namespace
}  // namespace peerscope
