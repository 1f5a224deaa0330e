#include "collect/joiner.hpp"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

namespace peerscope {
namespace {

struct Kept {
  Collective head;
  std::vector<Arrival> arrivals;
};

class KeepCollectives : public CollectiveSink {
 public:
  void on_collective(const Collective& c) override {
    all.push_back({c, {c.arrivals.begin(), c.arrivals.end()}});
    all.back().head.arrivals = {};
  }
  std::vector<Kept> all;
};

Op op_of(std::uint16_t rank, std::uint64_t sequence, std::int64_t begin_ns,
         std::int64_t duration_ns = 10) {
  Op op;
  op.comm = 7;
  op.rank = rank;
  op.ranks = 4;
  op.sequence = sequence;
  op.begin_ns = begin_ns;
  op.host_duration_ns = duration_ns;
  op.bytes = 4096;
  op.kind = Kind::all_reduce;
  op.algorithm = Algorithm::ring;
  op.backend = Backend::cuda;
  return op;
}

class JoinerTest : public testing::Test {
 protected:
  KeepCollectives kept;
  Joiner joiner{kept};
};

// Which rank's device times come, and when, is up to what was sampled.
TEST_F(JoinerTest, DeviceTimesAreJoinedApartAndOnlyOfAllRanks) {
  const auto device_times = [](std::uint16_t rank, std::uint64_t sequence, std::int64_t ns) {
    Op op = op_of(rank, sequence, 5'000, kUnknownNs);
    op.device_only = true;
    op.device_duration_ns = ns;
    return op;
  };
  for (std::uint16_t rank = 0; rank < 4; ++rank) joiner.add(op_of(rank, 5, 1000));
  ASSERT_EQ(kept.all.size(), 1u);
  for (std::uint16_t rank = 0; rank < 3; ++rank) joiner.add(device_times(rank, 4, 70'000));
  for (const std::uint16_t rank : std::initializer_list<std::uint16_t>{3, 0, 1, 2})
    joiner.add(device_times(rank, 5, rank == 2 ? 30'000 : 230'000 + rank));
  joiner.flush_all();
  ASSERT_EQ(kept.all.size(), 2u);  // nothing of sequence 4
  EXPECT_FALSE(kept.all[0].head.device);
  Collective c = kept.all[1].head;
  c.arrivals = kept.all[1].arrivals;
  EXPECT_TRUE(c.device);
  EXPECT_TRUE(c.complete);
  EXPECT_EQ(c.sequence, 5u);
  EXPECT_EQ(split_by_device(c).transfer_ns, 30'000);
  EXPECT_EQ(split_by_device(c).wait_ns, 200'003);
}

TEST_F(JoinerTest, RootedCollectivesHaveNoSplitByDevice) {
  for (std::uint16_t rank = 0; rank < 4; ++rank) {
    Op op = op_of(rank, 5, 1000, kUnknownNs);
    op.kind = Kind::broadcast;
    op.device_only = true;
    op.device_duration_ns = 1000;
    joiner.add(op);
  }
  joiner.flush_all();
  EXPECT_TRUE(kept.all.empty());
}

// Whoever comes first: the one against all others is the odd one.
TEST_F(JoinerTest, NamesTheRankThatIsAloneWithItsCall) {
  for (const std::uint16_t odd : std::initializer_list<std::uint16_t>{0, 1, 3}) {
    kept.all.clear();
    for (std::uint16_t rank = 0; rank < 4; ++rank) {
      Op op = op_of(rank, odd, 1000 + odd * 100);
      if (rank == odd) op.bytes = 512;
      joiner.add(op);
    }
    ASSERT_EQ(kept.all.size(), 1u);
    const Collective& c = kept.all[0].head;
    EXPECT_TRUE(c.mismatch);
    EXPECT_EQ(c.odd_rank, odd);
    EXPECT_EQ(c.odd_bytes, 512u);
    EXPECT_EQ(c.bytes, 4096u);
  }
  for (std::uint16_t rank = 0; rank < 4; ++rank) {  // two against two
    Op op = op_of(rank, 9, 5000);
    if (rank % 2 == 0) op.bytes = 512;
    joiner.add(op);
  }
  EXPECT_TRUE(kept.all.back().head.mismatch);
  EXPECT_EQ(kept.all.back().head.odd_rank, kNoRank);
}

TEST_F(JoinerTest, GivesSkewAndTransferExactly) {
  joiner.add(op_of(2, 5, 1000, 900));
  joiner.add(op_of(0, 5, 1300, 600));
  joiner.add(op_of(3, 5, 1100, 850));
  EXPECT_TRUE(kept.all.empty());
  joiner.add(op_of(1, 5, 1250, 600));
  ASSERT_EQ(kept.all.size(), 1u);
  const Collective& c = kept.all[0].head;
  EXPECT_TRUE(c.complete);
  EXPECT_FALSE(c.mismatch);
  EXPECT_EQ(c.comm, 7u);
  EXPECT_EQ(c.sequence, 5u);
  EXPECT_EQ(c.bytes, 4096u);
  EXPECT_EQ(c.kind, Kind::all_reduce);
  EXPECT_EQ(c.algorithm, Algorithm::ring);
  EXPECT_EQ(c.backend, Backend::cuda);
  EXPECT_EQ(c.ranks, 4);
  EXPECT_EQ(c.first_rank, 2);
  EXPECT_EQ(c.last_rank, 0);
  EXPECT_EQ(c.skew_ns(), 300);
  EXPECT_EQ(c.end_ns, 1950);
  EXPECT_EQ(c.transfer_ns(), 650);
  ASSERT_EQ(kept.all[0].arrivals.size(), 4u);
  EXPECT_EQ(kept.all[0].arrivals[1].rank, 0);
  EXPECT_EQ(kept.all[0].arrivals[1].end_ns, 1900);
}

TEST_F(JoinerTest, JoinsSixtyFourRanksThatComeInAnyOrder) {
  constexpr std::uint64_t kCollectives = 200;
  std::vector<Op> ops;
  for (std::uint64_t sequence = 0; sequence < kCollectives; ++sequence) {
    for (std::uint16_t rank = 0; rank < 64; ++rank) {
      ops.push_back(op_of(rank, sequence, static_cast<std::int64_t>(sequence * 1000 + rank)));
      ops.back().ranks = 64;
    }
  }
  std::shuffle(ops.begin(), ops.end(), std::mt19937(3));
  for (const Op& op : ops) joiner.add(op);
  ASSERT_EQ(kept.all.size(), kCollectives);
  for (const Kept& k : kept.all) {
    EXPECT_TRUE(k.head.complete);
    EXPECT_EQ(k.head.skew_ns(), 63);
    EXPECT_EQ(k.head.first_rank, 0);
    EXPECT_EQ(k.head.last_rank, 63);
    EXPECT_EQ(k.head.first_ns, static_cast<std::int64_t>(k.head.sequence * 1000));
  }
  EXPECT_EQ(joiner.late(), 0u);
}

TEST_F(JoinerTest, KeepsCommunicatorsApart) {
  for (std::uint16_t rank = 0; rank < 4; ++rank) {
    for (const std::uint64_t comm : {std::uint64_t{1}, std::uint64_t{2}}) {
      Op op = op_of(rank, 0, 100);
      op.comm = comm;
      joiner.add(op);
    }
  }
  EXPECT_EQ(kept.all.size(), 2u);
}

TEST_F(JoinerTest, FlushGivesUpOnWhatIsOlderAndCountsWhoComesLate) {
  joiner.add(op_of(0, 1, 1000, 500));
  joiner.add(op_of(1, 1, 1010, 490));
  joiner.add(op_of(0, 2, 9000));
  joiner.flush_before(5000);
  ASSERT_EQ(kept.all.size(), 1u);
  EXPECT_FALSE(kept.all[0].head.complete);
  EXPECT_EQ(kept.all[0].arrivals.size(), 2u);
  joiner.add(op_of(2, 1, 1400));
  EXPECT_EQ(joiner.late(), 1u);
  joiner.flush_all();
  ASSERT_EQ(kept.all.size(), 2u);
  EXPECT_EQ(kept.all[1].head.sequence, 2u);
  joiner.flush_all();
  EXPECT_EQ(kept.all.size(), 2u);
}

// An enqueued collective cannot be done while a rank has not come.
TEST_F(JoinerTest, SaysWhichEnqueuedCollectivesWaitAndForHowManyRanks) {
  const auto add = [this](std::uint16_t rank, std::uint64_t sequence, std::int64_t begin_ns) {
    Op op = op_of(rank, sequence, begin_ns);
    op.async = true;
    joiner.add(op);
  };
  for (std::uint16_t rank = 0; rank < 3; ++rank) add(rank, 0, 100);
  EXPECT_TRUE(joiner.waiting(1000).empty());  // rank 3 may be somewhere else, unseen
  add(3, 0, 120);
  for (std::uint16_t rank = 0; rank < 3; ++rank) add(rank, 1, 200);
  for (std::uint16_t rank = 0; rank < 4; ++rank) add(rank, 2, 300);
  EXPECT_TRUE(joiner.waiting(1000).empty());  // a later one is complete: a record was lost
  add(1, 3, 400);
  add(2, 3, 410);
  EXPECT_TRUE(joiner.waiting(400).empty());
  joiner.flush_before(5000);  // gives up on 1, not on 3
  ASSERT_EQ(kept.all.size(), 3u);
  EXPECT_EQ(kept.all[2].head.sequence, 1u);
  const std::vector<Collective> waiting = joiner.waiting(1000);
  ASSERT_EQ(waiting.size(), 1u);
  EXPECT_EQ(waiting[0].sequence, 3u);
  ASSERT_EQ(waiting[0].arrivals.size(), 2u);
  EXPECT_EQ(waiting[0].arrivals[1].rank, 2);
  add(0, 3, 9000);
  add(3, 3, 9500);
  EXPECT_TRUE(joiner.waiting(10'000).empty());
  EXPECT_TRUE(kept.all.back().head.complete);
  EXPECT_EQ(kept.all.back().head.skew_ns(), 9100);
  add(0, 4, 9900);
  joiner.flush_all();
  EXPECT_TRUE(joiner.waiting(10'000).empty());
}

TEST_F(JoinerTest, SaysThatRanksDisagree) {
  for (std::uint16_t rank = 0; rank < 4; ++rank) {
    Op bytes = op_of(rank, 1, 100);
    bytes.bytes += rank == 2 ? 1 : 0;
    joiner.add(bytes);
    Op kind = op_of(rank, 2, 200);
    kind.kind = rank == 3 ? Kind::broadcast : Kind::all_reduce;
    joiner.add(kind);
    joiner.add(op_of(rank, 3, 300));
  }
  ASSERT_EQ(kept.all.size(), 3u);
  EXPECT_TRUE(kept.all[0].head.mismatch);
  EXPECT_TRUE(kept.all[1].head.mismatch);
  EXPECT_FALSE(kept.all[2].head.mismatch);
}

TEST_F(JoinerTest, KeepsNcclsKindsApartWhichItCountsOneByOne) {
  for (std::uint16_t rank = 0; rank < 4; ++rank) {
    Op op = op_of(rank, 5, 100);
    op.backend = Backend::nccl;
    joiner.add(op);
    op.kind = Kind::broadcast;
    op.begin_ns = 200;
    joiner.add(op);
  }
  ASSERT_EQ(kept.all.size(), 2u);
  for (const Kept& c : kept.all) EXPECT_TRUE(c.head.complete && !c.head.mismatch);
  EXPECT_NE(kept.all[0].head.kind, kept.all[1].head.kind);
}

TEST_F(JoinerTest, SequencesMayStartAnew) {
  for (const std::int64_t start : {0, 1'000'000}) {
    for (std::uint64_t sequence = 0; sequence < 10; ++sequence) {
      for (std::uint16_t rank = 0; rank < 4; ++rank) {
        joiner.add(op_of(rank, sequence, start + static_cast<std::int64_t>(sequence) * 100));
      }
    }
  }
  EXPECT_EQ(kept.all.size(), 20u);
  EXPECT_TRUE(
      std::all_of(kept.all.begin(), kept.all.end(), [](const Kept& k) { return k.head.complete; }));
  EXPECT_EQ(joiner.late(), 0u);
}

TEST_F(JoinerTest, ARankThatComesTwiceBeginsTheNextCollective) {
  joiner.add(op_of(0, 4, 100));
  joiner.add(op_of(0, 4, 900));
  ASSERT_EQ(kept.all.size(), 1u);
  EXPECT_FALSE(kept.all[0].head.complete);
  for (std::uint16_t rank = 1; rank < 4; ++rank) joiner.add(op_of(rank, 4, 910));
  ASSERT_EQ(kept.all.size(), 2u);
  EXPECT_TRUE(kept.all[1].head.complete);
}

TEST_F(JoinerTest, RankThatLagsBehindTheWindowIsLate) {
  const std::uint64_t window = 8192;  // at four ranks
  joiner.add(op_of(0, 0, 100));
  for (std::uint64_t sequence = 1; sequence < 2 * window; ++sequence) {
    joiner.add(op_of(0, sequence, 100 + static_cast<std::int64_t>(sequence)));
  }
  ASSERT_FALSE(kept.all.empty());
  EXPECT_FALSE(kept.all[0].head.complete);
  joiner.add(op_of(1, 0, 101));
  EXPECT_EQ(joiner.late(), 1u);
}

TEST_F(JoinerTest, JoinsSampledOperationsOfManyCollectivesAtOnce) {
  for (std::uint16_t rank = 0; rank < 4; ++rank) {
    for (std::uint64_t i = 0; i < 2000; ++i) {
      Op op = op_of(rank, i * 64, static_cast<std::int64_t>(i * 100));
      op.weight = 64;
      joiner.add(op);
    }
  }
  EXPECT_EQ(kept.all.size(), 2000u);
  for (const Kept& k : kept.all) EXPECT_TRUE(k.head.complete && k.head.weight == 64);
}

TEST_F(JoinerTest, JoinsRanksThatRecordAtDifferentLevels) {
  for (std::uint64_t sequence = 0; sequence < 640; ++sequence) {
    for (std::uint16_t rank = 0; rank < 4; ++rank) {
      Op op = op_of(rank, sequence, static_cast<std::int64_t>(sequence * 100));
      op.weight = rank == 0 ? 1 : 64;
      if (rank == 0 || sequence % 64 == 0) joiner.add(op);
    }
  }
  EXPECT_EQ(std::count_if(kept.all.begin(), kept.all.end(),
                          [](const Kept& k) { return k.head.complete; }),
            10);
}

TEST_F(JoinerTest, LeavesOutWhatIsNoCollectiveOfSeveralRanks) {
  Op op = op_of(0, 0, 100);
  op.comm = 0;
  joiner.add(op);
  op = op_of(0, 0, 100);
  op.ranks = 1;
  joiner.add(op);
  op = op_of(4, 0, 100);
  joiner.add(op);
  op = op_of(0, 0, 100);
  op.kind = Kind::send;
  joiner.add(op);
  op = op_of(0, 0, 100);
  op.device_only = true;
  joiner.add(op);
  joiner.flush_all();
  EXPECT_TRUE(kept.all.empty());
}

TEST_F(JoinerTest, TakesBoundedMemoryForAnyCommunicators) {
  for (std::uint64_t comm = 1; comm <= 2 * Joiner::kMaxCommunicators; ++comm) {
    Op op = op_of(0, 0, 100);
    op.comm = comm;
    op.ranks = comm <= 8 ? 0xFFFF : 2;  // far more ranks than one machine has
    joiner.add(op);
  }
  EXPECT_LE(joiner.memory_bytes(), 512u << 20);
  joiner.flush_all();
  EXPECT_EQ(kept.all.size(), Joiner::kMaxCommunicators);
}

TEST_F(JoinerTest, AcceptsTheWidestTimesAndSequences) {
  for (const std::uint64_t sequence : {std::uint64_t{0}, UINT64_MAX}) {
    for (std::uint16_t rank = 0; rank < 4; ++rank)
      joiner.add(op_of(rank, sequence, INT64_MAX / 2, kUnknownNs));
  }
  EXPECT_EQ(kept.all.size(), 2u);
  EXPECT_EQ(kept.all[0].head.transfer_ns(), 0);
}

}  // namespace
}  // namespace peerscope
