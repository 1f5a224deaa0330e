// The sweep over a backend that is as small as the seam allows: one rank in this thread, which may
// lie, fail or stand still.
#include "suite/sweep.hpp"

#include <cstdlib>
#include <cstring>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "suite/overlap.hpp"

namespace peerscope {
namespace {

using testing::HasSubstr;

enum class Manner : std::uint8_t { right, idle, one_wrong, failing, stuck };

class FakeRank final : public BenchRank {
 public:
  explicit FakeRank(Manner manner) : manner_(manner) {}
  [[nodiscard]] int rank() const override { return 0; }
  [[nodiscard]] int ranks() const override { return 1; }
  Result<void*> allocate(std::size_t bytes) override {
    ++allocated;
    return std::malloc(bytes);
  }
  Result<Block> register_memory(std::size_t) override {
    return Error{ErrorCode::unsupported, "none here"};
  }
  void release(void* memory) override {
    --allocated;
    std::free(memory);
  }
  Status upload(void* to, const void* from, std::size_t bytes) override {
    std::memcpy(to, from, bytes);
    return Done{};
  }
  Status download(void* to, const void* from, std::size_t bytes) override {
    std::memcpy(to, from, bytes);
    return Done{};
  }
  Status fill(void* to, std::byte value, std::size_t bytes) override {
    std::memset(to, static_cast<int>(value), bytes);
    return Done{};
  }
  Status barrier() override { return Done{}; }
  Result<BatchTime> run(const Call& call, int count, bool) override {
    if (manner_ == Manner::failing) return Error{ErrorCode::peer_lost, "rank 1 has gone"};
    const std::size_t bytes = call.count * dtype_bytes(call.dtype);
    if (manner_ != Manner::idle) std::memmove(call.output, call.input, bytes);
    auto* const out = static_cast<unsigned char*>(call.output);
    if (manner_ == Manner::one_wrong) out[0] = static_cast<unsigned char>(out[0] ^ 0x40);
    ++batches;
    return BatchTime{.host_ns = 2000.0 * count, .device_ns = 1000.0 * count};
  }
  Result<OverlapTime> overlap(const Call&, int count) override {
    return OverlapTime{1e3 * count, 2e3 * count, 1e3 * count, 1.5e3 * count};
  }

  int allocated = 0, batches = 0;

 private:
  Manner manner_;
};

class FakeBackend final : public BenchBackend {
 public:
  explicit FakeBackend(Manner manner) : rank_(manner), manner_(manner) {
    traits_.name = "fake";
    traits_.asynchronous = true;
  }
  [[nodiscard]] const BackendTraits& traits() const override { return traits_; }
  [[nodiscard]] std::string hardware() const override { return "a fake"; }
  [[nodiscard]] std::vector<Algorithm> algorithms(Kind) const override { return {Algorithm::ring}; }
  [[nodiscard]] Status takes(Kind, Dtype, ReduceOp, int) const override { return Done{}; }
  Status run(int, const Body& body, const Watch& watch) override {
    if (manner_ == Manner::stuck) {
      while (watch()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      return Done{};
    }
    const Status done = body(rank_);
    watch();
    return done;
  }
  FakeRank& rank() { return rank_; }

 private:
  FakeRank rank_;
  Manner manner_;
  BackendTraits traits_;
};

SweepPlan plan_of(std::vector<Case> cases) {
  return {.cases = std::move(cases), .ranks = 1, .iterations = 10, .warmup = 2, .rounds = 3};
}

std::vector<BenchRow> sweep(FakeBackend& backend, const SweepPlan& plan, Status* status = nullptr) {
  std::vector<BenchRow> rows;
  const Status done = run_sweep(backend, plan, [&](const BenchRow& row) { rows.push_back(row); });
  if (status != nullptr) *status = done;
  return rows;
}

TEST(Sweep, HandsOutARowForEachCaseWithBothPlaces) {
  FakeBackend backend(Manner::right);
  const auto rows = sweep(backend, plan_of({{.bytes = 64},
                                            {.bytes = 64, .graph = true},
                                            {.kind = Kind::all_to_all, .bytes = 10'000'000}}));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].backend, "fake");
  EXPECT_EQ(rows[0].count, 16u);
  EXPECT_EQ(rows[0].out.us, (std::vector<double>{2, 2, 2})) << "a sample is the mean of a round";
  EXPECT_EQ(rows[0].out.device_us, 1.0);
  EXPECT_FALSE(rows[0].out.interval_us) << "all samples are equal";
  EXPECT_EQ(rows[0].out.wrong, 0u);
  EXPECT_EQ(rows[0].out.checked, 16u);
  EXPECT_EQ(rows[0].in->wrong, 0u);
  EXPECT_TRUE(rows[1].graph);
  EXPECT_FALSE(rows[2].in);
  EXPECT_EQ(rows[2].out.wrong, 0u);
  EXPECT_EQ(backend.rank().allocated, 0) << "everything is given back";
}

TEST(Sweep, SeesAnOperationThatDoesNothingAndOneThatLies) {
  for (const Dtype dtype : {Dtype::f32, Dtype::f16, Dtype::bf16, Dtype::i32}) {
    FakeBackend idle(Manner::idle), liar(Manner::one_wrong);
    EXPECT_EQ(sweep(idle, plan_of({{.dtype = dtype, .bytes = 64}}))[0].out.wrong,
              64 / dtype_bytes(dtype));
    EXPECT_EQ(
        sweep(liar, plan_of({{.kind = Kind::broadcast, .dtype = dtype, .bytes = 64}}))[0].out.wrong,
        1u)
        << name(dtype);
  }
}

TEST(Sweep, PassesOnWhatARankSays) {
  FakeBackend backend(Manner::failing);
  Status status = Done{};
  EXPECT_TRUE(sweep(backend, plan_of({{.bytes = 64}}), &status).empty());
  EXPECT_THAT(status.error().message, HasSubstr("rank 1 has gone"));
  EXPECT_EQ(backend.rank().allocated, 0);
}

TEST(Sweep, GivesUpOnRanksThatStandStill) {
  FakeBackend backend(Manner::stuck);
  SweepPlan plan = plan_of({{.bytes = 64}});
  plan.timeout_s = 1;
  Status status = Done{};
  sweep(backend, plan, &status);
  EXPECT_THAT(status.error().message, HasSubstr("nothing has moved for 1 s"));
}

TEST(Overlap, TellsWhatEachCostsTheOther) {
  FakeBackend backend(Manner::right);
  std::vector<OverlapRow> rows;
  const OverlapPlan plan{.cases = {{.bytes = 64}}, .ranks = 1};
  ASSERT_TRUE(run_overlap(backend, plan, [&](const OverlapRow& row) { rows.push_back(row); }));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_DOUBLE_EQ(rows[0].comm_slowdown(), 2);
  EXPECT_DOUBLE_EQ(rows[0].compute_slowdown(), 1.5);
  EXPECT_DOUBLE_EQ(rows[0].hidden(), 0);
}

}  // namespace
}  // namespace peerscope
