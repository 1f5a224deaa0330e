// Ranks on the host device, a process each, that reduce until something happens to one of them.
#pragma once

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "comm/host/host.hpp"
#include "peerscope/peerscope.h"

namespace peerscope {

class DebugRanks {
 public:
  struct Shared {
    std::atomic<std::uint64_t> rounds[8]{};  // that each rank has done
  };
  // One turn of a rank. False: it is done.
  using Turn = std::function<bool(Communicator& comm, std::uint64_t turn)>;

  DebugRanks(int ranks, Turn turn, std::chrono::seconds timeout = std::chrono::seconds(60))
      : shared_(new(mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Shared) {
    HostOptions options;
    options.name = "tp";
    options.id = 0x7470;
    options.ranks = ranks;
    options.timeout = timeout;
    const Result<HostWorld> world = HostWorld::create(options);
    EXPECT_TRUE(world);
    std::fflush(nullptr);
    for (int rank = 0; rank < ranks; ++rank) {
      const pid_t pid = fork();
      if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(run(*world, rank, turn));
      }
      pids_.push_back(pid);
    }
  }
  ~DebugRanks() {
    for (std::size_t i = 0; i < pids_.size(); ++i) kill(static_cast<int>(i), SIGKILL);
    munmap(shared_, sizeof(Shared));
  }
  DebugRanks(const DebugRanks&) = delete;
  DebugRanks& operator=(const DebugRanks&) = delete;

  // Until every rank has done so many turns.
  void wait_for(std::uint64_t turns) const {
    for (std::size_t i = 0; i < pids_.size(); ++i) {
      while (shared_->rounds[i] < turns) usleep(500);
    }
  }
  [[nodiscard]] pid_t pid(int rank) const { return pids_[static_cast<std::size_t>(rank)]; }
  // Sends a signal; one that ends the rank is waited for.
  void kill(int rank, int signal) {
    pid_t& pid = pids_[static_cast<std::size_t>(rank)];
    if (pid < 0) return;
    ::kill(pid, signal);
    if (signal != SIGKILL) return;
    waitpid(pid, nullptr, 0);
    pid = -1;
  }
  void wait() {
    for (pid_t& pid : pids_) {
      if (pid >= 0) waitpid(pid, nullptr, 0);
      pid = -1;
    }
  }

  static Status all_reduce(Communicator& comm, std::size_t bytes) {
    std::vector<float> data(bytes / sizeof(float), 1.0F);
    return comm.all_reduce({data.data(), data.size(), Dtype::f32}, data.data(), ReduceOp::avg);
  }

 private:
  int run(const HostWorld& world, int rank, const Turn& turn) const {
    const std::string name = fmt::format("rank {}", rank);
    pscope_options options = PSCOPE_OPTIONS_INIT;
    options.name = name.c_str();
    options.session = "ranks";
    options.level = PSCOPE_LEVEL_COMPREHENSIVE;
    pscope_session* session = pscope_open(&options, nullptr);
    auto comm = world.open(rank, session);
    if (!comm) return 1;
    for (std::uint64_t i = 0; turn(**comm, i); ++i)
      shared_->rounds[static_cast<std::size_t>(rank)].fetch_add(1);
    pscope_close(session);
    return 0;
  }

  Shared* shared_;
  std::vector<pid_t> pids_;
};

}  // namespace peerscope
