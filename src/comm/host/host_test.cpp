// Point to point, one-sided, records, and what is refused before it begins.
#include "comm/host/host.hpp"

#include <atomic>
#include <fstream>
#include <numeric>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/host/ranks_for_test.hpp"

namespace peerscope {
namespace {

using testing::HasSubstr;

TEST(PointToPoint, BringsEveryPairsMessagesInOrder) {
  run_ranks({.name = "pairs", .ranks = 4, .staging_bytes = 1}, [](Communicator& comm) {
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{5000}}) {
      for (int from = 0; from < comm.ranks(); ++from) {
        for (int to = 0; to < comm.ranks(); ++to) {
          std::vector<std::int32_t> data(count + 1, -1);
          const std::int32_t first = from * 100 + to;
          if (from == to) continue;
          if (comm.rank() == from) {
            std::iota(data.begin(), data.end(), first);
            EXPECT_EQ(text_of(comm.send({data.data(), count, Dtype::i32}, to)), "ok");
          } else if (comm.rank() == to) {
            EXPECT_EQ(text_of(comm.recv({data.data(), count, Dtype::i32}, from)), "ok");
            for (std::size_t i = 0; i < count; ++i)
              ASSERT_EQ(data[i], first + static_cast<std::int32_t>(i));
            EXPECT_EQ(data[count], -1);
          }
        }
      }
    }
  });
}

TEST(OneSided, CopyAndGetReachAPeersPoolWithoutItsTakingPart) {
  run_ranks({.name = "pool", .ranks = 3}, [](Communicator& comm) {
    const std::size_t bytes = 3000 * sizeof(float);
    const Result<Block> block = comm.pool()->allocate(bytes);
    ASSERT_TRUE(block);
    const int next = (comm.rank() + 1) % comm.ranks();
    const int previous = (comm.rank() + 2) % comm.ranks();
    const std::vector<float> mine(3000, static_cast<float>(comm.rank()));
    // All pools are filled alike, so the offset is the same everywhere.
    EXPECT_EQ(text_of(comm.copy({mine.data(), 3000, Dtype::f32}, {next, block->offset})), "ok");
    EXPECT_EQ(text_of(comm.barrier()), "ok");
    const auto* const got = reinterpret_cast<const float*>(block->data);
    for (int i = 0; i < 3000; ++i) ASSERT_EQ(got[i], static_cast<float>(previous));
    std::vector<float> theirs(3000);
    EXPECT_EQ(text_of(comm.get({theirs.data(), 3000, Dtype::f32}, {previous, block->offset})),
              "ok");
    EXPECT_EQ(theirs[2999], static_cast<float>(next));
    EXPECT_EQ(text_of(comm.barrier()), "ok");
  });
}

TEST(OneSided, OutsideThePeersPoolIsRefusedAndHarmsNothing) {
  run_ranks({.name = "pool", .ranks = 2, .pool_bytes = 4096}, [](Communicator& comm) {
    const float x = 0;
    const Status status = comm.copy({&x, 1, Dtype::f32}, {1 - comm.rank(), 4095});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(text_of(comm.barrier()), "ok");
  });
}

TEST(Host, RefusesBeforeItBeginsAndStaysUsable) {
  run_ranks({.name = "tp", .ranks = 2}, [](Communicator& comm) {
    std::vector<float> data(4);
    float* const x = data.data();
    EXPECT_THAT(text_of(comm.all_gather({x, 2, Dtype::f32}, x, Algorithm::two_shot)),
                HasSubstr("use one of direct, ring"));
    EXPECT_THAT(text_of(comm.all_reduce({x, 4, Dtype::f64}, x, ReduceOp::sum)),
                HasSubstr("no arithmetic for f64"));
    EXPECT_THAT(text_of(comm.broadcast({x, 4, Dtype::f32}, x, 2)), HasSubstr("there is no rank 2"));
    EXPECT_THAT(text_of(comm.all_to_all({x, 3, Dtype::f32}, x)),
                HasSubstr("cannot be dealt evenly"));
    EXPECT_THAT(text_of(comm.all_reduce({nullptr, 4, Dtype::f32}, x, ReduceOp::sum)),
                HasSubstr("input is null"));
    EXPECT_THAT(text_of(comm.send({x, 1, Dtype::f32}, comm.rank())), HasSubstr("its own peer"));
    EXPECT_FALSE(comm.failure());
    EXPECT_EQ(text_of(comm.barrier()), "ok");
  });
}

TEST(Host, MovesTypesThatHaveNoArithmetic) {
  run_ranks({.name = "tp", .ranks = 3}, [](Communicator& comm) {
    std::vector<double> data(100, comm.rank() == 2 ? 0.5 : 0.0);
    EXPECT_EQ(text_of(comm.broadcast({data.data(), 100, Dtype::f64}, data.data(), 2)), "ok");
    EXPECT_EQ(data[99], 0.5);
  });
}

TEST(Host, RefusesBadOptions) {
  EXPECT_FALSE(HostWorld::create({.ranks = 0}));
  EXPECT_FALSE(HostWorld::create({.ranks = 65}));
  EXPECT_FALSE(HostWorld::create({.name = "a/b", .ranks = 2}));
  const Result<HostWorld> world = HostWorld::create({.ranks = 2});
  ASSERT_TRUE(world);
  EXPECT_FALSE(world->open(2));
  const auto first = world->open(0);
  ASSERT_TRUE(first);
  const auto second = world->open(0);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("rank 0 has been opened before"));
}

TEST(Barrier, LetsNobodyPassBeforeTheLastHasCome) {
  for (const Algorithm algorithm : {Algorithm::direct, Algorithm::ring, Algorithm::binary_tree,
                                    Algorithm::kary_tree, Algorithm::balanced_tree}) {
    std::atomic<int> inside{0};
    run_ranks({.name = "gate", .ranks = 9}, [&](Communicator& comm) {
      for (int round = 1; round <= 20; ++round) {
        inside.fetch_add(1);
        EXPECT_EQ(text_of(comm.barrier(algorithm)), "ok");
        EXPECT_GE(inside.load(), 9 * round);
        EXPECT_EQ(text_of(comm.barrier(algorithm)), "ok");
      }
    });
  }
}

// The other rank names the algorithm: they would disagree if the file did not count.
TEST(Host, TakesTheAlgorithmThatWasMeasuredHere) {
  const std::string path = testing::TempDir() + "/tuned.json";
  std::ofstream(path)
      << R"({"version": 1, "choices": [{"backend": "host", "operation": "all_reduce",
    "ranks": 2, "bytes": 8, "algorithm": "binary_tree"}, {"backend": "host", "operation":
    "all_gather", "ranks": 2, "bytes": 8, "algorithm": "two_shot"}]})";
  run_ranks({.name = "tuned", .ranks = 2, .tuning_file = path}, [](Communicator& comm) {
    std::vector<float> data(2), out(2);
    const bool names = comm.rank() == 1;
    EXPECT_EQ(text_of(comm.all_reduce({data.data(), 2, Dtype::f32}, data.data(), ReduceOp::sum,
                                      names ? Algorithm::binary_tree : Algorithm::unknown)),
              "ok");
    EXPECT_EQ(text_of(comm.all_gather({data.data(), 1, Dtype::f32}, out.data())), "ok")
        << "an algorithm that the operation does not have is left alone";
  });
  const auto missing =
      HostWorld::create({.name = "x", .ranks = 1, .tuning_file = "/nowhere/t.json"})->open(0);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("/nowhere/t.json cannot be read"));
}

TEST(Host, RecordsEveryOperationOnce) {
  const std::string directory = testing::TempDir();
  pscope_options options = PSCOPE_OPTIONS_INIT;
  options.name = "comm_test";
  options.session = "comm";
  options.runtime_dir = directory.c_str();
  options.level = PSCOPE_LEVEL_COMPREHENSIVE;
  pscope_session* const session = pscope_open(&options, nullptr);
  ASSERT_NE(session, nullptr);
  pscope_stats before{}, after{};
  ASSERT_EQ(pscope_get_stats(session, &before), 0);
  run_ranks({.name = "tp", .id = 7, .ranks = 2, .session = session}, [](Communicator& comm) {
    std::vector<float> data(1000);
    for (int i = 0; i < 10; ++i) {
      EXPECT_EQ(
          text_of(comm.all_reduce({data.data(), 1000, Dtype::f32}, data.data(), ReduceOp::sum)),
          "ok");
    }
    EXPECT_EQ(text_of(comm.barrier()), "ok");
  });
  ASSERT_EQ(pscope_get_stats(session, &after), 0);
  EXPECT_EQ(after.operations - before.operations, 22u);
  EXPECT_EQ(after.bytes - before.bytes, 2u * 10 * 4000);
  EXPECT_EQ(after.errors, before.errors);
  pscope_close(session);
}

}  // namespace
}  // namespace peerscope
