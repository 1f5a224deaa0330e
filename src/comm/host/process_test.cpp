// Processes as ranks: a file of shared memory, or memory inherited by fork.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "comm/algorithms.hpp"
#include "comm/host/ranks_for_test.hpp"

namespace peerscope {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Clock = std::chrono::steady_clock;

// A directory of the test's own, gone at its end.
struct Directory {
  Directory() {
    std::string path = testing::TempDir() + "pscope-comm-XXXXXX";
    name = mkdtemp(path.data());
  }
  ~Directory() { std::filesystem::remove_all(name); }
  bool is_empty() const { return std::filesystem::is_empty(name); }
  std::string name;
};

// Runs `body` in a child; it exits with what `body` returns.
pid_t start(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  return child;
}

int exit_of(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

// 0 if the sums and the gathered blocks are right, else which one was wrong.
int exercise(Communicator& comm) {
  const std::size_t count = 50'001, n = static_cast<std::size_t>(comm.ranks());
  int step = 1;
  for (const Algorithm algorithm : supported_algorithms(Kind::all_reduce)) {
    std::vector<std::int32_t> data(count, comm.rank() + 1);
    if (!comm.all_reduce({data.data(), count, Dtype::i32}, data.data(), ReduceOp::sum, algorithm))
      return step;
    for (const std::int32_t x : data) {
      if (x != comm.ranks() * (comm.ranks() + 1) / 2) return step;
    }
    ++step;
  }
  std::vector<std::int32_t> mine(count, comm.rank()), all(count * n);
  if (!comm.all_gather({mine.data(), count, Dtype::i32}, all.data())) return step;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i] != static_cast<std::int32_t>(i / count)) return step;
  }
  return 0;
}

TEST(Processes, ExchangeThroughAFileThatIsGoneAfterwards) {
  for (const int ranks : {2, 3, 5}) {
    const Directory directory;
    std::vector<pid_t> children;
    for (int rank = 0; rank < ranks; ++rank) {
      children.push_back(start([&] {
        for (int round = 0; round < 3; ++round) {  // the name is free again each time
          auto comm = open_host(
              {.directory = directory.name, .name = "tp", .id = 1, .rank = rank, .ranks = ranks});
          if (!comm) return std::fprintf(stderr, "%s\n", comm.error().message.c_str()), 100;
          if (const int wrong = exercise(**comm); wrong != 0) return wrong;
        }
        return 0;
      }));
    }
    for (const pid_t child : children) EXPECT_EQ(exit_of(child), 0);
    EXPECT_TRUE(directory.is_empty());
  }
}

TEST(Processes, ExchangeThroughMemoryInheritedByFork) {
  const Result<HostWorld> world = HostWorld::create({.name = "tp", .ranks = 3});
  ASSERT_TRUE(world);
  std::vector<pid_t> children;
  for (int rank = 0; rank < 3; ++rank) {
    children.push_back(start([&] {
      auto comm = world->open(rank);
      return comm ? exercise(**comm) : 100;
    }));
  }
  for (const pid_t child : children) EXPECT_EQ(exit_of(child), 0);
}

TEST(Processes, AKilledRankIsNamedLongBeforeTheTimeout) {
  const Directory directory;
  const auto options = [&](int rank) {
    return HostOptions{
        .directory = directory.name, .name = "tp", .rank = rank, .ranks = 3, .timeout = 30s};
  };
  const pid_t victim = start([&]() -> int {
    auto comm = open_host(options(1));
    if (comm) (void)(*comm)->barrier();
    for (;;) pause();
  });
  const auto survivor = [&](int rank) {
    auto comm = open_host(options(rank));
    if (!comm || !(*comm)->barrier()) return 100;
    if (rank == 0) kill(victim, SIGKILL);  // stays a zombie: nobody has waited for it
    const Clock::time_point begin = Clock::now();
    const Status status = (*comm)->barrier();
    const bool soon = Clock::now() - begin < (kSanitised ? 3s : 500ms);
    const bool named = !status && status.error().code == ErrorCode::peer_lost &&
                       status.error().message ==
                           "barrier #1 on communicator tp: rank 1 has died (its process is gone)";
    if (!named) std::fprintf(stderr, "rank %d: %s\n", rank, text_of(status).c_str());
    return (soon ? 0 : 1) + (named ? 0 : 2);
  };
  const pid_t other = start([&] { return survivor(2); });
  const pid_t first = start([&] { return survivor(0); });
  EXPECT_EQ(exit_of(first), 0);
  EXPECT_EQ(exit_of(other), 0);
  EXPECT_EQ(exit_of(victim), -SIGKILL);
  EXPECT_TRUE(directory.is_empty());
}

TEST(Open, NamesTheRanksThatDidNotJoinAndLeavesNothing) {
  const Directory directory;
  const auto comm = open_host(
      {.directory = directory.name, .name = "tp", .rank = 0, .ranks = 3, .timeout = 50ms});
  ASSERT_FALSE(comm);
  EXPECT_EQ(comm.error().code, ErrorCode::timeout);
  EXPECT_EQ(comm.error().message,
            "opening communicator tp: ranks 1 and 2 did not join within 50.0 ms");
  EXPECT_TRUE(directory.is_empty());
}

TEST(Open, TakesOverFromACrashedRun) {
  const Directory directory;
  const HostOptions options{
      .directory = directory.name, .name = "tp", .rank = 0, .ranks = 2, .timeout = 5s};
  const pid_t crashed = start([&] {
    (void)open_host(options);
    return 0;
  });
  std::this_thread::sleep_for(100ms);
  kill(crashed, SIGKILL);
  exit_of(crashed);
  EXPECT_FALSE(directory.is_empty()) << "the file of the crashed run";
  const pid_t peer = start([&] {
    HostOptions own = options;
    own.rank = 1;
    auto comm = open_host(own);
    return comm ? exercise(**comm) : 100;
  });
  auto comm = open_host(options);
  EXPECT_TRUE(comm);
  EXPECT_EQ(comm ? exercise(**comm) : 100, 0);
  EXPECT_EQ(exit_of(peer), 0);
}

TEST(Open, FileIsForItsOwnerOnly) {
  const Directory directory;
  const pid_t child = start([&] {
    (void)open_host(
        {.directory = directory.name, .name = "tp", .rank = 0, .ranks = 2, .timeout = 300ms});
    return 0;
  });
  struct stat status{};
  for (int attempt = 0; attempt < 200 && status.st_ino == 0; ++attempt) {
    std::this_thread::sleep_for(1ms);
    stat((directory.name + "/pscope-comm-tp-0000000000000000").c_str(), &status);
  }
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  exit_of(child);
}

TEST(Open, RanksMustAgreeOnTheirNumber) {
  const Directory directory;
  const pid_t child = start([&] {
    (void)open_host(
        {.directory = directory.name, .name = "tp", .rank = 0, .ranks = 2, .timeout = 500ms});
    return 0;
  });
  std::this_thread::sleep_for(100ms);
  const auto comm = open_host(
      {.directory = directory.name, .name = "tp", .rank = 1, .ranks = 3, .timeout = 500ms});
  ASSERT_FALSE(comm);
  EXPECT_EQ(comm.error().code, ErrorCode::mismatch);
  exit_of(child);
}

TEST(Open, ADirectoryThatDoesNotExistIsSaidSo) {
  const auto comm = open_host({.directory = "/nowhere", .name = "tp", .ranks = 1});
  ASSERT_FALSE(comm);
  EXPECT_THAT(comm.error().message, HasSubstr("cannot create /nowhere/"));
}

}  // namespace
}  // namespace peerscope
