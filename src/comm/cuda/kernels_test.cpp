// The kernels' code, without a GPU: a block is one thread here. Every operation and algorithm against float64, and what happens
// when ranks disagree, are late, or never come.
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/algorithms.hpp"
#include "comm/cuda/compiled_plan.hpp"
#include "comm/cuda/device/low_latency.hpp"
#include "comm/cuda/device/run_plan.hpp"
#include "comm/verify/random_case.hpp"

namespace peerscope::cuda {
namespace {

constexpr std::uint64_t kPatienceNs = 20'000'000'000;

struct Free {
  void operator()(std::byte* memory) const { std::free(memory); }
};

// The regions of some ranks, in host memory.
class World {
 public:
  explicit World(int ranks, std::uint64_t timeout_ns = kPatienceNs)
      : ranks_(ranks),
        timeout_ns_(timeout_ns),
        layout_(make_layout(ranks, 0)),
        failures_(static_cast<std::size_t>(ranks)) {
    for (int rank = 0; rank < ranks; ++rank)
      regions_.emplace_back(static_cast<std::byte*>(std::calloc(1, layout_.total)));
  }

  void prepare(Arguments& a) {
    for (std::size_t rank = 0; rank < regions_.size(); ++rank)
      a.regions[rank] = regions_[rank].get();
    a.layout = layout_;
    a.timeout_ns = timeout_ns_;
    a.failure = &failures_[a.rank];
    a.stamped = 1;
    a.id = 7;
  }

  // One rank's part, in threads of its own.
  template <class Kernel>
  void launch(std::vector<std::thread>& threads, std::uint32_t blocks, Kernel kernel) {
    for (std::uint32_t block = 0; block < blocks; ++block)
      threads.emplace_back([=] { kernel(Block{block, blocks, 0, 1}); });
  }

  const Failure& failure(int rank) const { return failures_[static_cast<std::size_t>(rank)]; }
  const Layout& layout() const { return layout_; }
  // As if so many operations had been.
  void set_plans(int rank, std::uint32_t block, std::uint64_t plans) const {
    auto* states = reinterpret_cast<BlockState*>(regions_[static_cast<std::size_t>(rank)].get() +
                                                 layout_.states);
    for (std::uint64_t& half : states[block].plans) half = plans;
  }
  // What was sent has been received, on all channels.
  void expect_even(const std::string& after) const {
    const auto state = [&](std::size_t rank, std::uint32_t block) -> const BlockState& {
      return reinterpret_cast<const BlockState*>(regions_[rank].get() + layout_.states)[block];
    };
    for (std::uint32_t block = 0; block < 4; ++block) {
      for (std::size_t from = 0; from < regions_.size(); ++from) {
        for (std::size_t to = 0; to < regions_.size(); ++to)
          ASSERT_EQ(state(from, block).sent[to], state(to, block).received[from])
              << from << " to " << to << ", block " << block << ", " << after;
      }
    }
  }
  std::uint64_t end_of(int rank, bool collective, std::uint64_t number) const {
    const auto* ends = reinterpret_cast<const std::uint64_t*>(
        regions_[static_cast<std::size_t>(rank)].get() + layout_.ends);
    return ends[(collective ? 0 : kStamps) + number % kStamps];
  }
  Stamp stamp(int rank, bool collective, std::uint64_t number) const {
    const auto* stamps = reinterpret_cast<const Stamp*>(
        regions_[static_cast<std::size_t>(rank)].get() + layout_.stamps);
    return stamps[(collective ? 0 : kStamps) + number % kStamps];
  }

 private:
  int ranks_;
  std::uint64_t timeout_ns_;
  Layout layout_;
  std::vector<std::unique_ptr<std::byte, Free>> regions_;
  std::vector<Failure> failures_;
};

template <class F>
void with_op(ReduceOp op, F&& f) {
  if (op == ReduceOp::min) return f(Min{});
  if (op == ReduceOp::max) return f(Max{});
  f(Sum{});
}
template <class F>
void with_type(Dtype dtype, F&& f) {
  if (dtype == Dtype::f32) f(F32{});
  if (dtype == Dtype::f16) f(F16{});
  if (dtype == Dtype::bf16) f(Bf16{});
  if (dtype == Dtype::i32) f(I32{});
  if (dtype == Dtype::i8) f(I8{});
  if (dtype == Dtype::u8) f(U8{});
}

struct Prepared {
  PlanArguments arguments{};
  CompiledPlan plan;
};

std::unique_ptr<Prepared> prepare(World& world, const Call& call, int rank, int ranks) {
  auto prepared = std::make_unique<Prepared>();
  fill(prepared->arguments, call, rank, ranks);
  const Algorithm algorithm =
      call.algorithm == Algorithm::unknown ? Algorithm::direct : call.algorithm;
  const auto plan = make_plan(algorithm, {call.kind, rank, ranks, std::max(call.peer, 0)});
  EXPECT_TRUE(plan) << (plan ? "" : plan.error().message);
  prepared->plan = compile(*plan, rank);
  prepared->arguments.steps = prepared->plan.steps.data();
  prepared->arguments.step_count = static_cast<std::uint32_t>(prepared->plan.steps.size());
  prepared->arguments.common.halves = prepared->plan.halves ? 1 : 0;
  prepared->arguments.common.chunk_bytes = 4096;
  world.prepare(prepared->arguments.common);
  return prepared;
}

void launch_plan(World& world, std::vector<std::thread>& threads, const Call& call,
                 const PlanArguments& a, std::uint32_t blocks) {
  if (a.common.halves != 0) blocks *= 2;
  with_type(call.dtype, [&](auto type) {
    with_op(call.op, [&](auto op) {
      world.launch(threads, blocks,
                   [&a](const Block& block) { run_plan<decltype(type), decltype(op)>(a, block); });
    });
  });
}

void run_case(World& world, const RandomCase& what, bool low_latency_one, std::uint32_t blocks) {
  std::vector<CaseMemory> memory;
  std::vector<std::unique_ptr<std::byte, Free>> pieces;
  std::vector<std::unique_ptr<Prepared>> prepared;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < what.ranks; ++rank) {
    memory.emplace_back(what, rank);
    const auto initial = memory.back().initial();
    pieces.emplace_back(
        static_cast<std::byte*>(std::aligned_alloc(256, align_up(initial.size(), 256))));
    std::memcpy(pieces.back().get(), initial.data(), initial.size());
  }
  for (int rank = 0; rank < what.ranks; ++rank) {
    if (!what.takes_part(rank)) continue;
    const Call call =
        memory[static_cast<std::size_t>(rank)].call(pieces[static_cast<std::size_t>(rank)].get());
    prepared.push_back(prepare(world, call, rank, what.ranks));
    const PlanArguments& a = prepared.back()->arguments;
    if (!low_latency_one) {
      launch_plan(world, threads, call, a, blocks);
      continue;
    }
    with_type(call.dtype, [&](auto type) {
      with_op(call.op, [&](auto op) {
        world.launch(threads, blocks, [&a](const Block& block) {
          low_latency<decltype(type), decltype(op)>(a.common, block);
        });
      });
    });
  }
  for (std::thread& thread : threads) thread.join();
  world.expect_even(what.text());
  for (int rank = 0; rank < what.ranks; ++rank) {
    const auto r = static_cast<std::size_t>(rank);
    ASSERT_EQ(world.failure(rank).state, 0u)
        << what.text() << ": rank " << rank << " fault " << world.failure(rank).fault << std::hex
        << " mine " << world.failure(rank).mine << " theirs " << world.failure(rank).theirs
        << std::dec << " peer " << world.failure(rank).peer;
    ASSERT_EQ(memory[r].fault({pieces[r].get(), memory[r].initial().size()}), "") << what.text();
  }
}

const std::vector<Kind> kAll{Kind::all_reduce, Kind::broadcast,      Kind::reduce,
                             Kind::all_gather, Kind::reduce_scatter, Kind::gather,
                             Kind::all_to_all, Kind::barrier,        Kind::send};

class Ranks : public testing::TestWithParam<int> {};

TEST_P(Ranks, EveryOperationIsWhatFloat64SaysOneAfterTheOther) {
  const int ranks = GetParam();
  World world(ranks);
  const int cases = ranks > 4 ? 40 : 120;
  for (int i = 0; i < cases; ++i) {
    const RandomCase what =
        RandomCase::draw(static_cast<std::uint64_t>(ranks * 10'000 + i), {kAll, ranks, 300'000});
    run_case(world, what, false, static_cast<std::uint32_t>(1 + i % 3));
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST_P(Ranks, SmallAllReducesInOneHop) {
  const int ranks = GetParam();
  World world(ranks);
  for (int i = 0; i < 100; ++i) {
    const std::uint32_t blocks = static_cast<std::uint32_t>(1 + i % 3);
    const RandomCase what = RandomCase::draw(
        static_cast<std::uint64_t>(ranks * 777 + i),
        {{Kind::all_reduce}, ranks, std::size_t{blocks} * world.layout().lines_per_warp * 12});
    run_case(world, what, true, blocks);
    if (testing::Test::HasFatalFailure()) return;
  }
}
INSTANTIATE_TEST_SUITE_P(Cuda, Ranks, testing::Values(1, 2, 3, 4, 8));

// Larger than what channels hold: rounds.
TEST(CudaKernels, TensorsOfManyChunks) {
  World world(2);
  for (const Algorithm algorithm : supported_algorithms(Kind::all_reduce)) {
    RandomCase what = RandomCase::draw(1, {{Kind::all_reduce}, 2, 1 << 20});
    what.algorithm = algorithm;
    what.dtype = Dtype::f32;
    what.op = ReduceOp::sum;
    what.count = 700'001;
    what.shift_in = what.shift_out = 0;
    run_case(world, what, false, 2);
    if (testing::Test::HasFatalFailure()) return;
  }
}

Call all_reduce_of(std::vector<float>& data) {
  return {.kind = Kind::all_reduce,
          .input = data.data(),
          .output = data.data(),
          .count = data.size(),
          .dtype = Dtype::f32,
          .algorithm = Algorithm::direct};
}

TEST(CudaKernels, SizesThatDifferAreFoundOutByBoth) {
  for (const bool small : {false, true}) {
    World world(2, 3'000'000'000);
    std::vector<float> mine(1000), theirs(900);
    std::vector<std::thread> threads;
    const auto a = prepare(world, all_reduce_of(mine), 0, 2),
               b = prepare(world, all_reduce_of(theirs), 1, 2);
    for (const auto* one : {a.get(), b.get()}) {
      world.launch(threads, small ? 1 : 2, [one, small](const Block& block) {
        if (small) low_latency<F32, Sum>(one->arguments.common, block);
        if (!small) run_plan<F32, Sum>(one->arguments, block);
      });
    }
    for (std::thread& thread : threads) thread.join();
    int mismatches = 0;
    for (int rank = 0; rank < 2; ++rank) {
      EXPECT_EQ(world.failure(rank).state, 1u) << small;
      mismatches += world.failure(rank).fault == static_cast<std::uint32_t>(Fault::mismatch);
    }
    EXPECT_GE(mismatches, 1) << small;
  }
}

TEST(CudaKernels, ARankThatNeverComesIsNamedInTime) {
  for (const bool small : {false, true}) {
    World world(3, 200'000'000);
    std::vector<float> data(100);
    std::vector<std::thread> threads;
    std::vector<std::unique_ptr<Prepared>> prepared;
    const std::uint64_t begin = clock_now();
    for (int rank = 0; rank < 2; ++rank)
      prepared.push_back(prepare(world, all_reduce_of(data), rank, 3));
    for (const auto& one : prepared) {
      world.launch(threads, small ? 1 : 2, [a = one.get(), small](const Block& block) {
        if (small) low_latency<F32, Sum>(a->arguments.common, block);
        if (!small) run_plan<F32, Sum>(a->arguments, block);
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_LT(clock_now() - begin, 2'000'000'000u);
    bool named = false;
    for (int rank = 0; rank < 2; ++rank) {
      EXPECT_EQ(world.failure(rank).state, 1u);
      named =
          named || (world.failure(rank).fault == static_cast<std::uint32_t>(Fault::timeout_data) &&
                    world.failure(rank).peer == 2);
    }
    EXPECT_TRUE(named);
  }
}

// call.hpp: averages of whole numbers are those of the wrapped sum. 37 elements: vectors and single ones.
TEST(CudaKernels, AveragesOfBytesDivideTheWrappedSum) {
  std::vector<Algorithm> all = supported_algorithms(Kind::all_reduce);
  all.push_back(Algorithm::unknown);  // low latency
  for (const Algorithm algorithm : all) {
    World world(3);
    std::vector<std::vector<std::int8_t>> data(3, std::vector<std::int8_t>(37, 100));
    std::vector<std::unique_ptr<Prepared>> prepared;
    std::vector<std::thread> threads;
    for (int rank = 0; rank < 3; ++rank) {
      auto& mine = data[static_cast<std::size_t>(rank)];
      const Call call{.kind = Kind::all_reduce,
                      .input = mine.data(),
                      .output = mine.data(),
                      .count = mine.size(),
                      .dtype = Dtype::i8,
                      .op = ReduceOp::avg,
                      .algorithm = algorithm};
      prepared.push_back(prepare(world, call, rank, 3));
      const PlanArguments& a = prepared.back()->arguments;
      if (algorithm != Algorithm::unknown) {
        launch_plan(world, threads, call, a, 1);
      } else {
        world.launch(threads, 1,
                     [&a](const Block& block) { low_latency<I8, Sum>(a.common, block); });
      }
    }
    for (std::thread& thread : threads) thread.join();
    for (const auto& mine : data)  // 300 is 44
      EXPECT_EQ(mine, std::vector<std::int8_t>(37, 14)) << name(algorithm);
  }
}

// Whoever gave up has operations behind the one that failed in its stream, or its graph. They must not send: what the failed one
// has sent may still be waiting for a rank that is late.
TEST(CudaKernels, AfterAFailureNothingMoreIsSentForTheOperationThatFailed) {
  for (const Algorithm algorithm : {Algorithm::unknown, Algorithm::direct, Algorithm::ring}) {
    World world(2, 100'000'000);
    const bool small = algorithm == Algorithm::unknown;
    std::vector<float> first(50, 1.0F), second(50, 2.0F), late(50, 10.0F);
    const auto run = [&](int rank, std::vector<float>& data) {
      std::vector<std::thread> threads;
      Call call = all_reduce_of(data);
      if (!small) call.algorithm = algorithm;
      const auto prepared = prepare(world, call, rank, 2);
      if (small) {
        world.launch(threads, 1, [a = prepared.get()](const Block& block) {
          low_latency<F32, Sum>(a->arguments.common, block);
        });
      } else {
        launch_plan(world, threads, call, prepared->arguments, 1);
      }
      for (std::thread& thread : threads) thread.join();
    };
    run(0, first);
    EXPECT_EQ(world.failure(0).state, 1u) << name(algorithm);
    run(0, second);
    run(1, late);
    EXPECT_TRUE(world.failure(1).state == 1 || late[0] == 11.0F)
        << name(algorithm) << ": it has got " << late[0] << " and no error";
  }
}

// As many in all, but of other shares: the root must not take what lay in a channel for what was sent.
TEST(CudaKernels, SharesOfAGatherThatDifferAreFoundOut) {
  for (const Algorithm algorithm : supported_algorithms(Kind::gather)) {
    World world(2, 1'000'000'000);
    std::vector<float> given(30, 1.0F), gathered(30);
    const std::vector<std::size_t> of_root{10, 20}, of_other{20, 10};
    Call call{.kind = Kind::gather,
              .input = given.data(),
              .output = gathered.data(),
              .count = 10,
              .dtype = Dtype::f32,
              .algorithm = algorithm,
              .peer = 0,
              .counts = of_root};
    const auto root = prepare(world, call, 0, 2);
    call.counts = of_other;
    const auto other = prepare(world, call, 1, 2);
    std::vector<std::thread> threads;
    launch_plan(world, threads, call, root->arguments, 2);
    launch_plan(world, threads, call, other->arguments, 2);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(world.failure(0).state, 1u) << name(algorithm);
    EXPECT_EQ(world.failure(0).fault, static_cast<std::uint32_t>(Fault::mismatch));
  }
}

// A half may be through with an operation before the other has begun it; each counts for itself.
TEST(CudaKernels, HalvesAgreeOnTheOperationHoweverLateOneIs) {
  World world(2, 300'000'000);
  std::vector<float> in(1000, 1.0F), out(1000), in_place(1000, 2.0F);
  Call apart = all_reduce_of(in);
  apart.output = out.data();
  const auto half_of = [&](const Prepared& prepared, std::uint32_t index) {
    run_plan<F32, Sum>(prepared.arguments, Block{index, 2, 0, 1});
  };
  const auto first = prepare(world, apart, 0, 2), theirs = prepare(world, apart, 1, 2);
  ASSERT_NE(first->arguments.common.halves, 0);
  half_of(*theirs, 0);
  half_of(*first, 1);  // receives, before it sends
  half_of(*first, 0);
  half_of(*theirs, 1);
  ASSERT_EQ(world.failure(0).state + world.failure(1).state, 0u);
  const auto second = prepare(world, all_reduce_of(in_place), 0, 2);
  half_of(*prepare(world, apart, 1, 2), 0);
  half_of(*second, 1);
  EXPECT_EQ(in_place, std::vector<float>(1000, 2.0F)) << "written before it was sent";
  EXPECT_EQ(world.failure(0).state, 1u);
}

TEST(CudaKernels, InPlaceWaitsForItsReadingWhenCountsComeRound) {
  for (const std::uint64_t plans : {(std::uint64_t{1} << 32) - 2, (std::uint64_t{1} << 40) - 2}) {
    World world(2, 300'000'000);
    std::vector<float> data(1000);
    const auto ours = prepare(world, all_reduce_of(data), 0, 2),
               theirs = prepare(world, all_reduce_of(data), 1, 2);
    const auto half_of = [](const Prepared& prepared, std::uint32_t index) {
      run_plan<F32, Sum>(prepared.arguments, Block{index, 2, 0, 1});
    };
    world.set_plans(0, 0, plans);
    half_of(*theirs, 0);
    half_of(*ours, 0);
    half_of(*ours, 1);
    half_of(*theirs, 1);
    ASSERT_EQ(world.failure(0).state, 0u);
    data.assign(1000, 2.0F);
    half_of(*theirs, 0);
    half_of(*ours, 1);
    EXPECT_EQ(data, std::vector<float>(1000, 2.0F)) << "written before it was sent";
  }
}

TEST(CudaKernels, EachOperationHasItsStamp) {
  World world(2);
  for (int i = 0; i < 3; ++i)
    run_case(world, RandomCase::draw(5, {{Kind::all_reduce}, 2, 1000}), i == 1, 1);
  run_case(world, RandomCase::draw(5, {{Kind::send}, 2, 1000}), false, 1);
  for (std::uint64_t i = 0; i < 3; ++i) {
    const Stamp stamp = world.stamp(0, true, i);
    EXPECT_EQ(stamp.id, 7);
    EXPECT_EQ(stamp.turn, 1);
    EXPECT_GT(stamp.begin_ns, 0u);
    EXPECT_GT(stamp.duration_ns, 0u);
  }
  EXPECT_EQ(world.stamp(0, true, 3).turn, 0);
  const Stamp send = world.stamp(0, false, 0);
  EXPECT_EQ(send.turn, 1);
  EXPECT_GE(world.end_of(0, false, 0), send.begin_ns);
  EXPECT_LE(world.end_of(0, false, 0), send.begin_ns + send.duration_ns) << "there is one block";
}

TEST(CompiledPlan, HasHalvesWhereNothingElseGoesThroughTheChannelsOfSends) {
  const auto halves = [](Algorithm algorithm, Kind kind) {
    return compile(*make_plan(algorithm, {kind, 0, 4, 0}), 0).halves;
  };
  EXPECT_TRUE(halves(Algorithm::direct, Kind::all_reduce));
  EXPECT_TRUE(halves(Algorithm::direct, Kind::reduce_scatter));
  EXPECT_FALSE(halves(Algorithm::ring, Kind::all_reduce));
  EXPECT_FALSE(halves(Algorithm::two_shot, Kind::all_reduce));
}

}  // namespace
}  // namespace peerscope::cuda
