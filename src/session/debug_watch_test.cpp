// The debugger's log and errors, fed by a live Monitor and by a file of the same run.
#include "session/debug_watch.hpp"

#include <filesystem>
#include <set>
#include <tuple>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "record/session_for_test.hpp"
#include "session/collective_finder.hpp"
#include "session/debug_json.hpp"
#include "session/monitor.hpp"
#include "session/recording.hpp"
#include "session/replay.hpp"

namespace peerscope {
namespace {

using testing::Contains;
using testing::HasSubstr;

TEST(DebugWatch, TellsAtOnceWhatItCanNameAndKeepsTheRestForTheNextLook) {
  Snapshot first;
  first.communicators.push_back({.id = 9, .name = "tp"});
  first.processes.emplace_back().pid = 41;
  Snapshot second = first;
  second.communicators.push_back({.id = 10, .name = "pp"});
  second.processes.emplace_back().pid = 42;
  std::vector<std::string> told;
  DebugWatch watch;
  watch.hook(EventSeverity::trace, [&](const DebugEvent& event) {
    told.push_back(fmt::format("{} of {} in {}", event.kind, event.pid, event.communicator));
  });
  const auto happens = [&](const char* kind, std::int64_t at_ns, std::uint64_t comm,
                           std::uint32_t process) {
    DebugEvent event;
    event.kind = kind;
    event.at_ns = at_ns;
    event.comm = comm;
    event.process = process;
    watch.on_event(std::move(event));
  };
  happens("c", 3, 9, 0);
  happens("b", 2, 9, 1);
  happens("d", 4, 10, 0);
  happens("a", 1, 9, 0);
  watch.tell(first);
  EXPECT_THAT(told, testing::ElementsAre("a of 41 in tp", "c of 41 in tp"));
  watch.tell(first);
  EXPECT_EQ(told.size(), 2u);
  watch.look(second);
  std::erase_if(told, [](const std::string& text) { return text.starts_with("process_"); });
  EXPECT_THAT(told, testing::ElementsAre("a of 41 in tp", "c of 41 in tp", "b of 42 in tp",
                                         "d of 41 in pp"));
}

TEST(DebugWatch, AFindingThatComesAndGoesIsOne) {
  std::vector<std::string> told;
  DebugWatch watch;
  watch.hook(EventSeverity::trace, [&](const DebugEvent& event) {
    told.push_back(fmt::format("{}: {}", event.at_ns / 1'000'000'000, event.text));
  });
  Snapshot with, without;
  with.findings.emplace_back().kind = "step_change";
  with.findings.back().sentence = "slow";
  with.findings.back().since_ns = -1;
  const auto look = [&](Snapshot& snapshot, std::int64_t second) {
    snapshot.now_ns = second * 1'000'000'000;
    watch.look(snapshot);
  };
  for (const std::int64_t second : {1, 3, 5}) {
    look(with, second);
    look(without, second + 1);
  }
  EXPECT_THAT(told, testing::ElementsAre("1: slow"));
  look(without, 8);
  EXPECT_THAT(told, testing::ElementsAre("1: slow", "8: No longer: slow"));
  look(with, 9);
  EXPECT_EQ(told.size(), 3u);
  look(without, 10);
  EXPECT_EQ(told.size(), 3u);
  watch.finish();
  EXPECT_EQ(told.back(), "10: No longer: slow");
  EXPECT_EQ(told.size(), 4u);
}

class DebugWatchTest : public testing::Test {
 protected:
  DebugWatchTest() : dir_(fmt::format("/dev/shm/peerscope-watch-{}", getpid())) {
    std::filesystem::remove_all(dir_);
    pscope_options options = PSCOPE_OPTIONS_INIT;
    options.name = "ranks";
    options.session = "watched";
    options.runtime_dir = dir_.c_str();
    options.level = PSCOPE_LEVEL_COMPREHENSIVE;
    options.detail_budget_ppm = PSCOPE_UNLIMITED;
    session_ = pscope_open(&options, nullptr);
    for (std::uint32_t rank = 0; rank < 2; ++rank) {
      const pscope_comm_desc desc{9, "tp", rank, 2, PSCOPE_NO_DEVICE, PSCOPE_BACKEND_HOST, 0};
      comms_[rank] = pscope_comm_register(session_, &desc);
    }
    options_.collect.dirs = {dir_};
    options_.debug = std::make_shared<DebugWatch>();
  }
  ~DebugWatchTest() override {
    pscope_close(session_);
    std::filesystem::remove_all(dir_);
  }

  void collective(std::uint64_t sequence, int status = PSCOPE_STATUS_OK,
                  std::uint64_t bytes_of_1 = 64) const {
    pscope_token tokens[2];
    for (std::uint32_t rank = 0; rank < 2; ++rank) {
      pscope_op op{};
      op.bytes = rank == 1 ? bytes_of_1 : 64;
      op.sequence = sequence;
      op.comm = comms_[rank];
      op.peer = PSCOPE_NO_PEER;
      op.kind = PSCOPE_KIND_ALL_REDUCE;
      op.algorithm = PSCOPE_ALGORITHM_RING;
      tokens[rank] = pscope_op_begin(session_, &op);
    }
    pscope_op_phase(session_, tokens[0], pscope_name(session_, "send"));
    for (const pscope_token token : tokens) pscope_op_end(session_, token, status);
  }
  [[nodiscard]] std::vector<std::string> kinds(const DebugWatch& watch) const {
    std::vector<std::string> all;
    for (const DebugEvent& event : in_order(watch.log())) all.push_back(event.kind);
    return all;
  }

  std::string dir_;
  pscope_session* session_ = nullptr;
  std::uint16_t comms_[2] = {};
  MonitorOptions options_;
};

TEST_F(DebugWatchTest, FailuresRecoveriesAndTheProgramsOwnEventsAreLogged) {
  std::vector<DebugEvent> told;
  options_.debug->hook(EventSeverity::error, [&](const DebugEvent& e) { told.push_back(e); });
  Monitor monitor(options_);
  collective(1);
  collective(2, PSCOPE_STATUS_TIMEOUT);
  collective(3);
  pscope_event(session_, PSCOPE_SEVERITY_WARNING, pscope_name(session_, "retry"), comms_[1], 3);
  monitor.poll();
  static_cast<void>(monitor.snapshot());
  const DebugWatch& watch = *options_.debug;
  EXPECT_THAT(kinds(watch), testing::IsSupersetOf({"operation_failed", "recovered", "retry"}));
  ASSERT_GE(told.size(), 2u) << "each rank's failure";
  EXPECT_EQ(told[0].kind, "operation_failed");
  EXPECT_EQ(told[0].communicator, "tp");
  EXPECT_EQ(told[0].sequence, 2u);
  EXPECT_EQ(told[0].pid, static_cast<std::uint32_t>(getpid()));
  EXPECT_EQ(watch.errors().failed(), 2u);
  EXPECT_EQ(watch.errors().groups()[0].recovered, 2u);
  for (const DebugEvent& event : watch.log().events()) {
    if (event.kind != "retry") continue;
    EXPECT_EQ(event.rank, 1) << "of the communicator that it is about";
    EXPECT_EQ(event.communicator, "tp");
    EXPECT_EQ(event.value, 3);
    EXPECT_EQ(event.severity, EventSeverity::warning);
  }
}

TEST_F(DebugWatchTest, ADisagreementAndAProcessThatEndsAreEvents) {
  Monitor monitor(options_);
  collective(1, PSCOPE_STATUS_OK, 128);
  monitor.poll();
  static_cast<void>(monitor.snapshot());
  EXPECT_THAT(kinds(*options_.debug), Contains("mismatch"));
  EXPECT_THAT(kinds(*options_.debug), Contains("process_started"));
  pscope_close(session_);
  session_ = nullptr;
  usleep(60'000);  // how often a collector asks who is there
  monitor.poll();
  static_cast<void>(monitor.snapshot());
  EXPECT_THAT(kinds(*options_.debug), Contains("process_ended"));
}

TEST_F(DebugWatchTest, AFileTellsTheSameAsTheLiveSession) {
  const std::string path = dir_ + "/run.pscope";
  std::filesystem::create_directories(dir_);
  RecordingOptions recording;
  recording.path = path;
  auto started = Recording::start(recording);
  ASSERT_TRUE(started);
  options_.recording = *started;
  Monitor monitor(options_);
  for (std::uint64_t i = 1; i <= 20; ++i)
    collective(i, i == 7 ? PSCOPE_STATUS_PEER_LOST : PSCOPE_STATUS_OK, i == 9 ? 128 : 64);
  pscope_event(session_, PSCOPE_SEVERITY_ERROR, pscope_name(session_, "checkpoint"), comms_[1], 5);
  monitor.poll();
  monitor.finish();
  const auto live = monitor.snapshot();

  const auto trace = TraceReader::open(path);
  ASSERT_TRUE(trace);
  MonitorOptions again;
  again.debug = std::make_shared<DebugWatch>();
  const auto read = replay(*trace, again, {});
  ASSERT_TRUE(read);
  again.debug->look(*read);
  const auto of = [](const DebugWatch& watch) {
    std::multiset<std::tuple<std::string, std::uint16_t, std::uint64_t, std::string>> all;
    for (const DebugEvent& e : watch.log().events()) {
      if (e.kind.rfind("process", 0) != 0)
        all.insert({e.kind, e.rank, e.sequence.value_or(0), e.communicator});
    }
    return all;
  };
  EXPECT_EQ(of(*options_.debug), of(*again.debug));
  auto groups = errors_json(options_.debug->errors(), *live)["groups"];
  auto of_file = errors_json(again.debug->errors(), *read)["groups"];
  ASSERT_EQ(groups.size(), of_file.size());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    // A file's begins and durations are rounded to 8 ns: what lies between two ends may be off by 16.
    for (const char* key : {"least", "mean", "most"})
      EXPECT_NEAR(groups[i]["time_to_recovery_ns"][key].get<double>(),
                  of_file[i]["time_to_recovery_ns"][key].get<double>(), 16);
    groups[i].erase("time_to_recovery_ns");
    of_file[i].erase("time_to_recovery_ns");
  }
  EXPECT_EQ(groups, of_file);
}

TEST_F(DebugWatchTest, NotesOfAReaderSurviveInTheFile) {
  const std::string path = dir_ + "/notes.pscope";
  std::filesystem::create_directories(dir_);
  RecordingOptions recording;
  recording.path = path;
  auto started = Recording::start(recording);
  ASSERT_TRUE(started);
  options_.recording = *started;
  Monitor monitor(options_);
  collective(1);
  DebugEvent down;
  down.at_ns = 77;
  down.severity = EventSeverity::error;
  down.kind = "link_down";
  down.text = "GPU 1 NVLink 0 is no longer active";
  down.device = 1;
  (*started)->on_note(down);
  monitor.poll();
  monitor.finish();
  const auto trace = TraceReader::open(path);
  ASSERT_TRUE(trace);
  MonitorOptions again;
  again.debug = std::make_shared<DebugWatch>();
  const auto read = replay(*trace, again, {});
  ASSERT_TRUE(read);
  again.debug->look(*read);
  const std::vector<DebugEvent> events = in_order(again.debug->log());
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events[0].kind, "link_down");
  EXPECT_EQ(events[0].text, down.text);
  EXPECT_EQ(events[0].device, 1);
  EXPECT_EQ(events[0].severity, EventSeverity::error);
}

TEST_F(DebugWatchTest, TheFinderTakesTheSlowestOrTheOneThatIsWanted) {
  for (std::uint64_t i = 1; i <= 30; ++i) {
    if (i != 17) {
      collective(i);
      continue;
    }
    pscope_op op{};
    op.bytes = 64;
    op.sequence = i;
    op.peer = PSCOPE_NO_PEER;
    op.kind = PSCOPE_KIND_ALL_REDUCE;
    op.comm = comms_[0];
    const pscope_token first = pscope_op_begin(session_, &op);
    usleep(20'000);
    op.comm = comms_[1];
    const pscope_token second = pscope_op_begin(session_, &op);
    pscope_op_end(session_, second, PSCOPE_STATUS_OK);
    pscope_op_end(session_, first, PSCOPE_STATUS_OK);
  }
  const auto find = [&](const WantedCollective& wanted) {
    CollectiveFinder finder(wanted);
    CollectorOptions options;
    options.dirs = {dir_};
    Collector collector(options, finder);
    collector.poll();
    collector.finish();
    return finder.trace(
        [&](std::uint32_t process, std::uint16_t id) { return collector.text(process, id); });
  };
  const CollectiveTrace slowest = find({});
  EXPECT_EQ(slowest.op.sequence, 17u);
  ASSERT_EQ(slowest.ranks.size(), 2u);
  EXPECT_EQ(slowest.ranks[1].op.rank, 1);
  EXPECT_GE(slowest.skew_ns(), 19'000'000);
  WantedCollective third;
  third.sequence = 3;
  const CollectiveTrace trace = find(third);
  ASSERT_EQ(trace.ranks.size(), 2u);
  EXPECT_EQ(trace.op.sequence, 3u);
  const RankTrace& zero = trace.ranks[0].op.rank == 0 ? trace.ranks[0] : trace.ranks[1];
  ASSERT_EQ(zero.phases.size(), 1u);
  EXPECT_EQ(zero.phases[0].name, "send");
  WantedCollective none;
  none.sequence = 99;
  EXPECT_TRUE(find(none).ranks.empty());
  const nlohmann::json json = to_json(trace, "tp", 0);
  EXPECT_TRUE(json["transfer_device_ns"].is_null()) << "unknown is null";
}

}  // namespace
}  // namespace peerscope
