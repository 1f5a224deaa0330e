// Opening and closing: what works, and what a job gets where it does not.
#include <fstream>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "record/recorder.hpp"
#include "record/session_for_test.hpp"

namespace peerscope {
namespace {

// Whatever is called, nothing happens and nothing breaks.
void call_everything(pscope_session* session) {
  pscope_stats stats{};
  const pscope_op op = operation(PSCOPE_KIND_SEND);
  const pscope_comm_desc desc{1, "tp", 0, 2, 0, PSCOPE_BACKEND_HOST, 0};
  const pscope_device_times times{1, 2, 3, 4, 0, 0, 0, 0, 0};
  const pscope_filter filter{};
  pscope_set_level(session, PSCOPE_LEVEL_COMPREHENSIVE);
  pscope_comm_register(session, &desc);
  pscope_stream_register(session, 1, 0, "compute");
  const std::uint16_t name = pscope_name(session, "phase");
  for (const pscope_token token : {pscope_op_begin(session, &op), pscope_token{0}, ~pscope_token{0},
                                   pscope_token{0x123456789ABCDEF2}}) {
    pscope_op_phase(session, token, name);
    pscope_op_end(session, token, PSCOPE_STATUS_ERROR);
    pscope_op_complete(session, token, PSCOPE_STATUS_OK);
  }
  pscope_op_device_times(session, &times);
  pscope_device_clock(session, 0, 1, 2, 3);
  pscope_event(session, PSCOPE_SEVERITY_INFO, name, 0, 1);
  pscope_counter_add(session, pscope_counter(session, "c", "1"), 1);
  pscope_gauge_set(session, pscope_gauge(session, "g", "1"), 1);
  pscope_histogram_observe(session, pscope_histogram(session, "h", "1"), 1);
  pscope_set_filter(session, &filter);
  pscope_set_filter(session, nullptr);
  pscope_get_stats(session, &stats);
}

// A session without a segment: off, with a sentence, and harmless.
void expect_off(const TestSession& session, const char* words) {
  ASSERT_NE(static_cast<pscope_session*>(session), nullptr);
  ASSERT_NE(session.why(), nullptr);
  EXPECT_NE(std::string(session.why()).find(words), std::string::npos) << session.why();
  call_everything(session);
  EXPECT_EQ(pscope_get_level(session), PSCOPE_LEVEL_OFF);
  EXPECT_STREQ(pscope_segment_path(session), "");
  EXPECT_EQ(session.stats().operations, 0u);
}

TEST(Open, MakesAPrivateSegmentNamedAfterSessionAndProcess) {
  const RuntimeDir dir;
  const TestSession session(dir);
  EXPECT_EQ(session.why(), nullptr);
  const std::string path = pscope_segment_path(session);
  EXPECT_EQ(path, dir.path() + "/job." + std::to_string(getpid()) + ".0.seg");
  struct stat status{};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(pscope_get_level(session), PSCOPE_LEVEL_DETAILED);
}

TEST(Open, MakesTheDirectoryForItsUserAlone) {
  const RuntimeDir dir;
  const std::string inner = dir.path() + "/inner";
  const TestSession session(inner);
  struct stat status{};
  ASSERT_EQ(stat(inner.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
}

TEST(Open, TakesLessThanTenMegabytesForOneThread) {
  const RuntimeDir dir;
  const TestSession session(dir);
  record(session, operation(PSCOPE_KIND_SEND));
  struct stat status{};
  ASSERT_EQ(stat(pscope_segment_path(session), &status), 0);
  EXPECT_LE(status.st_blocks * 512, 10'000'000);
  EXPECT_LE(as_recorder(session)->segment.header().used.load(), 10'000'000u);
}

TEST(Open, GivesTwoSessionsOfOneProcessSegmentsOfTheirOwn) {
  const RuntimeDir dir;
  const TestSession first(dir);
  const TestSession second(dir);
  record(first, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 3);
  record(second, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 5);
  record(first, operation(PSCOPE_KIND_SEND));
  EXPECT_EQ(first.stats().operations, 4u);
  EXPECT_EQ(second.stats().operations, 5u);
  EXPECT_EQ(first.stats().threads, 1u);
}

TEST(Open, ReadsLevelAndSizeFromTheEnvironment) {
  const RuntimeDir dir;
  const int failures = run_in_child([&] {
    setenv("PEERSCOPE_LEVEL", "basic", 1);
    setenv("PEERSCOPE_SEGMENT_BYTES", "2097152", 1);
    setenv("PEERSCOPE_RUNTIME_DIR", dir.path().c_str(), 1);
    setenv("PEERSCOPE_SESSION", "../evil name", 1);
    pscope_session* session = pscope_open(nullptr, nullptr);
    const bool level = pscope_get_level(session) == PSCOPE_LEVEL_BASIC;
    const bool size = as_recorder(session)->segment.bytes == 2097152;
    const bool name =
        std::string(pscope_segment_path(session)).starts_with(dir.path() + "/_._evil_name.");
    return (level ? 0 : 1) + (size ? 0 : 2) + (name ? 0 : 4);
  });
  EXPECT_EQ(failures, 0);
}

TEST(Open, AcceptsTheOptionsOfAnOlderCaller) {
  const RuntimeDir dir;
  pscope_options options{};
  options.size = offsetof(pscope_options, level);
  options.runtime_dir = dir.path().c_str();
  pscope_session* session = pscope_open(&options, nullptr);
  EXPECT_EQ(pscope_get_level(session), PSCOPE_LEVEL_DETAILED);  // as if -1 had been given
  pscope_close(session);
}

TEST(Open, SaysWhyWhereThereIsNoDirectory) {
  const TestSession session(std::string("/proc/no/such/directory"));
  expect_off(session, "directory");
}

TEST(Open, SaysWhyWhereTheDirectoryIsAFile) {
  const RuntimeDir dir;
  const std::string path = dir.path() + "/file";
  std::ofstream(path) << "x";
  const TestSession session(path);
  expect_off(session, "directory");
}

TEST(Open, DoesNotFollowASymbolicLink) {
  const RuntimeDir dir;
  std::filesystem::create_directory(dir.path() + "/real");
  std::filesystem::create_directory_symlink(dir.path() + "/real", dir.path() + "/link");
  const TestSession session(dir.path() + "/link");
  expect_off(session, "directory");
}

TEST(Open, RefusesADirectoryOfAnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a directory away";
  const RuntimeDir dir;
  const std::string other = dir.path() + "/other";
  std::filesystem::create_directory(other);
  ASSERT_EQ(chown(other.c_str(), 12345, 12345), 0);
  const TestSession session(other);
  expect_off(session, "directory");
}

TEST(Open, SaysWhyWhereTheDirectoryIsReadOnly) {
  if (geteuid() != 0) GTEST_SKIP() << "needs a user to change to";
  const RuntimeDir dir;
  const std::string other = dir.path() + "/other";
  ASSERT_EQ(chmod(dir.path().c_str(), 0755), 0);
  ASSERT_EQ(mkdir(other.c_str(), 0500), 0);
  ASSERT_EQ(chown(other.c_str(), 65534, 65534), 0);
  const int result = run_in_child([&] {
    if (setresuid(65534, 65534, 65534) != 0) return 2;
    const TestSession session(other);
    return session.why() != nullptr && pscope_get_level(session) == PSCOPE_LEVEL_OFF ? 0 : 1;
  });
  EXPECT_EQ(result, 0);
}

TEST(Open, RefusesADirectoryWithANameTooLongInsteadOfCuttingIt) {
  const RuntimeDir dir;
  const std::string inner = dir.path() + "/" + std::string(250, 'x');
  const TestSession session(inner);
  expect_off(session, "too long");
  EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

TEST(Open, TakesASmallerSegmentWhereFilesAreLimited) {
  const RuntimeDir dir;
  const int result = run_in_child([&] {
    const rlimit limit{4'000'000, 4'000'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    const TestSession session(dir);
    record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 20'000);
    const pscope_stats stats = session.stats();
    const bool all = stats.operations == 20'000 && stats.recorded == 20'001;
    return session.why() == nullptr && all && as_recorder(session)->segment.bytes <= 4'000'000 ? 0
                                                                                               : 1;
  });
  EXPECT_EQ(result, 0);  // 153 would be SIGXFSZ: the job killed by its monitor
}

TEST(Open, SaysWhyWhereFilesAreLimitedToLessThanASegment) {
  const RuntimeDir dir;
  const int result = run_in_child([&] {
    const rlimit limit{100'000, 100'000};
    setrlimit(RLIMIT_FSIZE, &limit);
    const TestSession session(dir);
    call_everything(session);
    return session.why() != nullptr && pscope_get_level(session) == PSCOPE_LEVEL_OFF ? 0 : 1;
  });
  EXPECT_EQ(result, 0);
  EXPECT_EQ(dir.segments(), 0u);
}

class SmallFileSystem {
 public:
  SmallFileSystem(const std::string& path, const char* options) : path_(path) {
    std::filesystem::create_directory(path);
    mounted_ = mount("tmpfs", path.c_str(), "tmpfs", 0, options) == 0;
  }
  ~SmallFileSystem() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  SmallFileSystem(const SmallFileSystem&) = delete;
  SmallFileSystem& operator=(const SmallFileSystem&) = delete;
  [[nodiscard]] bool mounted() const { return mounted_; }

 private:
  std::string path_;
  bool mounted_ = false;
};

TEST(Open, SaysWhyWhereSharedMemoryIsFull) {
  const RuntimeDir dir;
  const SmallFileSystem small(dir.path() + "/small", "size=64k,mode=0700");
  if (!small.mounted()) GTEST_SKIP() << "cannot mount a small tmpfs here";
  const TestSession session(dir.path() + "/small");
  expect_off(session, "full");
  EXPECT_TRUE(std::filesystem::is_empty(dir.path() + "/small"));
}

TEST(Open, RecordsIntoWhatThereIsOfNearlyFullSharedMemory) {
  const RuntimeDir dir;
  const SmallFileSystem small(dir.path() + "/small", "size=1m,mode=0700");
  if (!small.mounted()) GTEST_SKIP() << "cannot mount a small tmpfs here";
  const TestSession session(dir.path() + "/small");
  EXPECT_EQ(session.why(), nullptr);
  record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK,
         50'000);  // laps again and again, never grows
  EXPECT_EQ(session.stats().recorded, 50'001u);
  // What could not be had is not counted as used: it may be had later.
  EXPECT_LE(as_recorder(session)->segment.header().used.load(), 1u << 20);
}

TEST(Close, MakesLaterCallsDoNothing) {
  const RuntimeDir dir;
  TestSession session(dir);
  const pscope_op op = operation(PSCOPE_KIND_SEND);
  const pscope_token open = pscope_op_begin(session, &op);
  session.close();
  call_everything(session);
  pscope_op_end(session, open, PSCOPE_STATUS_OK);
  pscope_op_complete(session, open, PSCOPE_STATUS_OK);
  EXPECT_EQ(pscope_get_level(session), PSCOPE_LEVEL_OFF);
  pscope_close(session);
  EXPECT_EQ(dir.segments(), 1u);
}

TEST(Close, LeavesAnotherSessionOfTheThreadAtWork) {
  const RuntimeDir dir;
  TestSession first(dir);
  const TestSession second(dir);
  record(first, operation(PSCOPE_KIND_SEND));
  record(second, operation(PSCOPE_KIND_SEND));
  first.close();
  record(second, operation(PSCOPE_KIND_SEND));
  EXPECT_EQ(second.stats().operations, 2u);
}

TEST(NullSession, IsAcceptedByEveryFunction) {
  call_everything(nullptr);
  pscope_close(nullptr);
  EXPECT_EQ(pscope_get_level(nullptr), PSCOPE_LEVEL_OFF);
  EXPECT_STREQ(pscope_segment_path(nullptr), "");
}

TEST(Open, SurvivesAHundredRoundsOfOpenAndClose) {
  const RuntimeDir dir;
  for (int round = 0; round < 100; ++round) {
    const TestSession session(dir, PSCOPE_LEVEL_DETAILED, 1 << 20);
    record(session, operation(PSCOPE_KIND_SEND));
    ASSERT_EQ(session.stats().operations, 1u);
    std::filesystem::remove(pscope_segment_path(session));
  }
}

}  // namespace
}  // namespace peerscope
