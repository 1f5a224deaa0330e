// What is found live is found in the recording of the same run.
#include <filesystem>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "session/monitor.hpp"
#include "session/recording.hpp"
#include "session/replay.hpp"

namespace peerscope {
namespace {

constexpr int kRanks = 4;

class LiveAndRecorded : public testing::Test {
 protected:
  LiveAndRecorded()
      : dir_(fmt::format("/dev/shm/peerscope-live-{}", getpid())),
        path_(std::filesystem::temp_directory_path() /
              fmt::format("peerscope-live-{}.pscope", getpid())) {
    std::filesystem::remove_all(dir_);
    pscope_options options{};
    options.size = sizeof options;
    options.name = "ranks";
    options.session = "test";
    options.runtime_dir = dir_.c_str();
    options.level = PSCOPE_LEVEL_DETAILED;
    session_ = pscope_open(&options, nullptr);
    for (std::uint32_t rank = 0; rank < kRanks; ++rank) {
      const pscope_comm_desc desc{
          9, "tp", rank, kRanks, static_cast<std::uint16_t>(rank), PSCOPE_BACKEND_HOST, 0};
      comms_[rank] = pscope_comm_register(session_, &desc);
    }
    auto recording =
        Recording::start({.path = path_, .writer = {}, .command = "test", .settings = {}});
    EXPECT_TRUE(recording);
    options_.collect.dirs = {dir_};
    options_.recording = *recording;
  }
  ~LiveAndRecorded() override {
    pscope_close(session_);
    std::filesystem::remove_all(dir_);
    std::filesystem::remove(path_);
  }

  [[nodiscard]] pscope_op op(int rank, int kind, std::uint64_t bytes) const {
    pscope_op op{};
    op.bytes = bytes;
    op.sequence = PSCOPE_SEQUENCE_AUTO;
    op.comm = comms_[rank];
    op.peer = PSCOPE_NO_PEER;
    op.kind = static_cast<std::uint8_t>(kind);
    op.algorithm = PSCOPE_ALGORITHM_RING;
    return op;
  }

  // Rank 2 comes late to each; with the last but one rank 1 disagrees about the size.
  void collectives(int count) const {
    for (int i = 0; i < count; ++i) {
      pscope_token tokens[kRanks];
      for (const int rank : {0, 1, 3, 2}) {
        if (rank == 2) std::this_thread::sleep_for(std::chrono::microseconds(400));
        const bool odd = rank == 1 && i == count - 2;
        const pscope_op one = op(rank, PSCOPE_KIND_ALL_REDUCE, odd ? 8192 : 4096);
        tokens[rank] = pscope_op_begin(session_, &one);
      }
      for (const pscope_token token : tokens) pscope_op_end(session_, token, PSCOPE_STATUS_OK);
    }
  }
  // Of rank 1 to rank 3: one in ten fails.
  void sends(int count) const {
    for (int i = 0; i < count; ++i) {
      pscope_op one = op(1, PSCOPE_KIND_SEND, 65536);
      one.peer = 3;
      const pscope_token token = pscope_op_begin(session_, &one);
      pscope_op_end(session_, token, i % 10 == 5 ? PSCOPE_STATUS_NO_MEMORY : PSCOPE_STATUS_OK);
    }
  }

  std::string dir_, path_;
  pscope_session* session_ = nullptr;
  std::uint16_t comms_[kRanks] = {};
  MonitorOptions options_;
};

// Kind and subject.
std::set<std::string> told(const Snapshot& snapshot) {
  std::set<std::string> out;
  const auto text = [](const std::optional<int>& number) {
    return number ? std::to_string(*number) : std::string("-");
  };
  for (const Finding& f : snapshot.findings)
    out.insert(fmt::format("{} {} {} {} {} {} {}", name(f.severity), f.kind, text(f.subject.rank),
                           text(f.subject.peer), text(f.subject.device), f.subject.communicator,
                           f.subject.operation));
  return out;
}

TEST_F(LiveAndRecorded, TheSameIsFoundInBoth) {
  Monitor monitor(options_);
  pscope_gauge_set(session_, pscope_gauge(session_, "pool.used_bytes", "bytes"), 985);
  pscope_gauge_set(session_, pscope_gauge(session_, "pool.capacity_bytes", "bytes"), 1000);
  for (int round = 0; round < 20; ++round) {
    collectives(40);
    sends(50);
    monitor.poll();
  }
  // Three wait for rank 2.
  for (const int rank : {0, 1, 3}) {
    const pscope_op stuck = op(rank, PSCOPE_KIND_ALL_REDUCE, 4096);
    pscope_op_begin(session_, &stuck);
  }
  for (int i = 0; i < 7; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    monitor.poll();
  }
  const auto before_end = monitor.snapshot();
  monitor.finish();
  const auto live = told(*before_end);
  for (const char* kind : {"critical hang 2", "mismatch 1", "failure_rate 1", "pool_pressure 1"}) {
    const bool found = std::any_of(live.begin(), live.end(), [kind](const std::string& one) {
      return one.find(kind) != std::string::npos;
    });
    EXPECT_TRUE(found) << kind;
  }
  auto trace = TraceReader::open(path_);
  ASSERT_TRUE(trace) << trace.error().message;
  const auto recorded = replay(*trace, options_, {});
  ASSERT_TRUE(recorded);
  EXPECT_EQ(told(*recorded), live);
}

}  // namespace
}  // namespace peerscope
