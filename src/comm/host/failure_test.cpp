// Ranks that do not come, go away, or disagree: everybody else gets an error that names them, soon.
#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/units.hpp"
#include "comm/algorithms.hpp"
#include "comm/host/ranks_for_test.hpp"

namespace peerscope {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using Clock = std::chrono::steady_clock;

constexpr auto kTimeout = kSanitised ? 1500ms : 200ms;
constexpr auto kSlack = 3s;  // a loaded machine is late

std::string time_text() {
  return format_duration(static_cast<double>(std::chrono::nanoseconds(kTimeout).count()));
}

// Where a rank stays that is alive but does not come, until the others have given up.
class Elsewhere {
 public:
  explicit Elsewhere(int others) : others_(others) {}
  Status given_up(Status status) {
    others_.fetch_sub(1);
    return status;
  }
  void stay() const {
    while (others_.load() > 0) std::this_thread::sleep_for(1ms);
  }

 private:
  std::atomic<int> others_;
};

struct Outcome {
  int rank = 0;
  ErrorCode code = ErrorCode::io;
  std::string text = "ok";
};

// What each rank's `body` came to.
std::vector<Outcome> outcomes(const HostOptions& options,
                              const std::function<Status(Communicator&)>& body) {
  std::mutex mutex;
  std::vector<Outcome> list;
  run_ranks(options, [&](Communicator& comm) {
    const Status status = body(comm);
    const std::lock_guard lock(mutex);
    list.push_back({comm.rank(), status ? ErrorCode::io : status.error().code, text_of(status)});
  });
  return list;
}

Status sum(Communicator& comm, std::size_t count, Algorithm algorithm = Algorithm::unknown) {
  std::vector<float> data(count);
  return comm.all_reduce({data.data(), count, Dtype::f32}, data.data(), ReduceOp::sum, algorithm);
}

TEST(Failure, ARankThatNeverComesIsNamedOnAllOthersWithinTheTimeout) {
  for (const Algorithm algorithm : supported_algorithms(Kind::all_reduce)) {
    const Clock::time_point begin = Clock::now();
    Elsewhere elsewhere(4);
    const auto list = outcomes({.name = "tp", .ranks = 5, .timeout = kTimeout},
                               [&](Communicator& comm) -> Status {
                                 EXPECT_EQ(text_of(sum(comm, 10, algorithm)), "ok");
                                 if (comm.rank() != 2)
                                   return elsewhere.given_up(sum(comm, 10, algorithm));
                                 elsewhere.stay();
                                 return Done{};
                               });
    EXPECT_LT(Clock::now() - begin, kTimeout + kSlack);
    for (const Outcome& outcome : list) {
      if (outcome.rank == 2) continue;
      EXPECT_EQ(outcome.code, ErrorCode::timeout);
      EXPECT_EQ(outcome.text,
                "all_reduce #1 on communicator tp: rank 2 did not arrive within " + time_text())
          << name(algorithm);
    }
  }
}

TEST(Failure, AllMissingRanksAreNamed) {
  Elsewhere elsewhere(3);
  const auto list =
      outcomes({.name = "tp", .ranks = 6, .timeout = kTimeout}, [&](Communicator& comm) -> Status {
        if (comm.rank() < 3) return elsewhere.given_up(comm.barrier());
        elsewhere.stay();
        return Done{};
      });
  for (const Outcome& outcome : list) {
    if (outcome.rank < 3) {
      EXPECT_THAT(outcome.text, HasSubstr("ranks 3, 4 and 5 did not arrive within"));
    }
  }
}

TEST(Failure, ALateRankLearnsWhyNobodyWaitedForIt) {
  Elsewhere elsewhere(2);
  const auto list =
      outcomes({.name = "tp", .ranks = 3, .timeout = kTimeout}, [&](Communicator& comm) {
        if (comm.rank() == 1) elsewhere.stay();
        return elsewhere.given_up(comm.barrier());
      });
  for (const Outcome& outcome : list) {
    EXPECT_THAT(outcome.text,
                HasSubstr("barrier #0 on communicator tp: rank 1 did not arrive within"));
  }
}

TEST(Failure, AFailedCommunicatorRefusesAtOnceAndSaysWhy) {
  Elsewhere elsewhere(1);
  outcomes({.name = "tp", .ranks = 2, .timeout = kTimeout}, [&](Communicator& comm) -> Status {
    if (comm.rank() == 1) return elsewhere.stay(), Status(Done{});
    EXPECT_FALSE(elsewhere.given_up(comm.barrier()));
    EXPECT_TRUE(comm.failure());
    const Clock::time_point begin = Clock::now();
    const Status status = sum(comm, 1);
    EXPECT_LT(Clock::now() - begin, kTimeout / 2);
    EXPECT_EQ(text_of(status),
              "communicator tp has failed and takes no further operations: "
              "barrier #0 on communicator tp: rank 1 did not arrive within " +
                  time_text());
    return status;
  });
}

TEST(Failure, ARankThatLeavesIsNamedBeforeTheTimeout) {
  const Result<HostWorld> world = HostWorld::create({.name = "tp", .ranks = 3});
  ASSERT_TRUE(world);
  std::vector<std::unique_ptr<Communicator>> ranks;
  for (int rank = 0; rank < 3; ++rank) ranks.push_back(std::move(*world->open(rank)));
  ranks[2].reset();
  const Clock::time_point begin = Clock::now();
  std::jthread other(
      [&] { EXPECT_THAT(text_of(ranks[0]->barrier()), HasSubstr("rank 2 has left")); });
  EXPECT_THAT(text_of(ranks[1]->barrier()), HasSubstr("rank 2 has left the communicator"));
  other.join();
  EXPECT_LT(Clock::now() - begin, 5s);
}

TEST(Failure, WhatARankSentBeforeItLeftStillArrives) {
  const Result<HostWorld> world = HostWorld::create({.name = "tp", .ranks = 2});
  ASSERT_TRUE(world);
  auto sender = std::move(*world->open(0));
  auto receiver = std::move(*world->open(1));
  float value = 3;
  ASSERT_TRUE(sender->send({&value, 1, Dtype::f32}, 1));
  sender.reset();
  value = 0;
  EXPECT_EQ(text_of(receiver->recv({&value, 1, Dtype::f32}, 0)), "ok");
  EXPECT_EQ(value, 3);
}

TEST(Failure, ASendThatNobodyTakesNamesThePeer) {
  Elsewhere elsewhere(1);
  const auto list =
      outcomes({.name = "tp", .ranks = 2, .timeout = kTimeout, .staging_bytes = 1},
               [&](Communicator& comm) -> Status {
                 std::vector<float> data(100'000);
                 if (comm.rank() == 0)
                   return elsewhere.given_up(comm.send({data.data(), data.size(), Dtype::f32}, 1));
                 elsewhere.stay();
                 return Done{};
               });
  for (const Outcome& outcome : list) {
    if (outcome.rank == 0) {
      EXPECT_THAT(outcome.text,
                  HasSubstr("send #0 on communicator tp: rank 1 did not take part within"));
    }
  }
}

struct Pair {
  const char* what;
  std::function<Status(Communicator&)> usual, odd;  // rank 1 does the odd one
};

class Mismatch : public testing::TestWithParam<Pair> {};

TEST_P(Mismatch, NamesWhoDisagreesWithoutHanging) {
  const Clock::time_point begin = Clock::now();
  const auto list = outcomes({.name = "tp", .ranks = 3}, [](Communicator& comm) -> Status {
    Status status = comm.rank() == 1 ? GetParam().odd(comm) : GetParam().usual(comm);
    return status ? comm.barrier()
                  : status;  // whose part was over before anybody noticed learns it here
  });
  EXPECT_LT(Clock::now() - begin, 5s);
  for (const Outcome& outcome : list) {
    EXPECT_EQ(outcome.code, ErrorCode::mismatch) << "rank " << outcome.rank;
    EXPECT_THAT(outcome.text, AllOf(HasSubstr("ranks disagree"), HasSubstr("rank 1 called")));
  }
}

Status spread(Communicator& comm, int root) {
  float x = 0;
  return comm.broadcast({&x, 1, Dtype::f32}, &x, root);
}
Status add_up(Communicator& comm, int root) {
  float x = 0;
  return comm.reduce({&x, 1, Dtype::f32}, &x, ReduceOp::sum, root);
}

INSTANTIATE_TEST_SUITE_P(
    Of, Mismatch,
    testing::Values(Pair{"Kinds", [](Communicator& c) { return sum(c, 10); },
                         [](Communicator& c) { return c.barrier(); }},
                    Pair{"Bytes", [](Communicator& c) { return sum(c, 10); },
                         [](Communicator& c) { return sum(c, 11); }},
                    Pair{"Nothing", [](Communicator& c) { return sum(c, 10); },
                         [](Communicator& c) { return sum(c, 0); }},
                    Pair{"Chunks", [](Communicator& c) { return sum(c, 500'000); },
                         [](Communicator& c) { return sum(c, 900'000); }},
                    Pair{"Algorithms", [](Communicator& c) { return sum(c, 10, Algorithm::ring); },
                         [](Communicator& c) { return sum(c, 10, Algorithm::kary_tree); }},
                    Pair{"Roots", [](Communicator& c) { return spread(c, 0); },
                         [](Communicator& c) { return spread(c, 1); }},
                    // Both wait for the other: only what each has said of itself can tell.
                    Pair{"Directions", [](Communicator& c) { return add_up(c, 0); },
                         [](Communicator& c) { return spread(c, 0); }}),
    [](const auto& pair) { return std::string(pair.param.what); });

}  // namespace
}  // namespace peerscope
