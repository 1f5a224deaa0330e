// What is taken for a context, and what is refused and how.
#include "source/exllama/context_file.hpp"

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "source/exllama/fake_for_test.hpp"
#include "source/exllama/mapping.hpp"

namespace peerscope::exllama {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Found only_one(const TestDir& dir) {
  const std::vector<Found> found = find_contexts(dir.path());
  EXPECT_THAT(found, SizeIs(1));
  return found.empty() ? Found{} : found[0];
}

TEST(ContextFile, FindsEachKnownReleaseByTheFilesBesideIt) {
  for (const Layout& layout : layouts()) {
    const TestDir dir;
    FakeContext context(dir.path(), layout);
    for (int i = 0; i < 8; ++i) context.all_reduce(16384, 0b11);
    context.end_pass();
    const Found found = only_one(dir);
    EXPECT_EQ(found.refusal, "") << layout.releases;
    EXPECT_EQ(found.owner, geteuid());
    Result<ContextFile> file = ContextFile::open(found);
    ASSERT_TRUE(file) << file.error().message;
    Sample sample;
    ASSERT_EQ(file->read(sample), Read::ok) << layout.releases << ": " << file->error().message;
    EXPECT_STREQ(file->layout()->releases, layout.releases);
    EXPECT_EQ(sample.state.released, 8u) << layout.releases;
    EXPECT_EQ(sample.state.arrived[1], 8u) << layout.releases;
    EXPECT_EQ(sample.state.head, 9u) << layout.releases;
  }
}

TEST(ContextFile, TwoLayoutsOfOneSizeAreToldApartOnceSomethingHappens) {
  const TestDir dir;
  FakeContext context(dir.path(), fork_of_p2p());
  Result<ContextFile> file = ContextFile::open(only_one(dir));
  ASSERT_TRUE(file) << file.error().message;
  Sample sample;
  EXPECT_EQ(file->read(sample), Read::undecided);
  EXPECT_EQ(file->layout(), nullptr);
  int needed = 0;
  while (file->read(sample) == Read::undecided && needed < 100) {
    context.all_reduce(16384, 0b111);
    ++needed;
  }
  ASSERT_NE(file->layout(), nullptr);
  EXPECT_STREQ(file->layout()->releases, fork_of_p2p().releases);
  EXPECT_LE(needed, 5);
}

TEST(ContextFile, WaitsUntilTheContextIsInitialised) {
  const TestDir dir;
  FakeContext context(dir.path(), newest(), false);
  Result<ContextFile> file = ContextFile::open(only_one(dir));
  ASSERT_TRUE(file) << file.error().message;
  Sample sample;
  EXPECT_EQ(file->read(sample), Read::undecided);
  context.initialise();
  EXPECT_EQ(file->read(sample), Read::ok);
}

TEST(ContextFile, AnUnknownSizeIsRefusedWithFileSizeAndWhatIsKnown) {
  const TestDir dir;
  const FakeContext context(dir.path(), newest());
  const std::string stem = context.path().substr(0, context.path().size() - 2);
  std::filesystem::resize_file(context.path(), 262144);
  EXPECT_THAT(only_one(dir).refusal, AllOf(HasSubstr(context.path()), HasSubstr("262144 bytes"),
                                           HasSubstr("v1.1.0 to v1.4.1"), HasSubstr("35651584")));
  std::filesystem::resize_file(context.path(), kContextFileBytes);
  std::filesystem::resize_file(stem + "_r", 12345);
  EXPECT_THAT(only_one(dir).refusal, HasSubstr("_r 12345 bytes"));
  std::filesystem::remove(stem + "_r");
  EXPECT_THAT(only_one(dir).refusal, HasSubstr("_r missing"));
}

TEST(ContextFile, OtherFilesThatEndInGAreNotMentioned) {
  const TestDir dir;
  make_file(dir.path() + "/something_g", kContextFileBytes);
  make_file(dir.path() + "/_g", 5);
  std::filesystem::create_directory(dir.path() + "/folder_g");
  EXPECT_THAT(find_contexts(dir.path()), IsEmpty());
  EXPECT_THAT(find_contexts(dir.path() + "/missing"), IsEmpty());
}

TEST(ContextFile, GarbageOfTheRightSizeIsRefused) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    const TestDir dir;
    FakeContext context(dir.path(), newest());
    std::mt19937 random(seed);
    for (std::size_t at = 0; at < newest().bytes; at += 4)
      context.set(at, static_cast<std::uint32_t>(random()));
    Result<ContextFile> file = ContextFile::open(only_one(dir));
    ASSERT_TRUE(file) << file.error().message;
    Sample sample;
    EXPECT_EQ(file->read(sample), Read::failed);
    EXPECT_THAT(file->error().message, AllOf(HasSubstr("not its content"), HasSubstr("131072")));
  }
}

TEST(ContextFile, OneWrongWordIsNamed) {
  struct Case {
    std::size_t at;
    std::uint32_t value;
    const char* says;
  };
  for (const Case& c : {Case{newest().jobs_head, 5000, "head 5000"}, Case{0, 7, "sync_timeout"},
                        Case{newest().stage_cpu + 4, 9, "cache line at byte 10944"},
                        Case{newest().jobs + 16, 17, "job 1 of the ring"},
                        Case{newest().stage_device, 1000, "1000 stages ahead"}}) {
    const TestDir dir;
    FakeContext context(dir.path(), newest());
    context.set(c.at, c.value);
    Result<ContextFile> file = ContextFile::open(only_one(dir));
    ASSERT_TRUE(file) << file.error().message;
    Sample sample;
    EXPECT_EQ(file->read(sample), Read::failed);
    EXPECT_THAT(file->error().message, HasSubstr(c.says));
  }
}

TEST(ContextFile, AFileThatShrinksWhileItIsReadIsAnError) {
  const TestDir dir;
  const FakeContext context(dir.path(), newest());
  Result<ContextFile> file = ContextFile::open(only_one(dir));
  ASSERT_TRUE(file) << file.error().message;
  Sample sample;
  ASSERT_EQ(file->read(sample), Read::ok);
  std::filesystem::resize_file(context.path(), 600);
  EXPECT_EQ(file->read(sample), Read::failed);
  EXPECT_THAT(file->error().message, AllOf(HasSubstr(context.path()), HasSubstr("has shrunk")));
}

TEST(ContextFile, KnowsThatItsJobHasEnded) {
  const TestDir dir;
  const FakeContext context(dir.path(), newest());
  Result<ContextFile> file = ContextFile::open(only_one(dir));
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_FALSE(file->removed());
  std::filesystem::remove(context.path());
  EXPECT_TRUE(file->removed());
}

TEST(ContextFile, AFileOfAnotherUserIsRefusedWithItsOwner) {
  const TestDir dir;
  const FakeContext context(dir.path(), newest());
  chmod(dir.path().c_str(), 0755);
  if (geteuid() != 0) {
    chmod(context.path().c_str(), 0);  // as good as another's
    EXPECT_THAT(only_one(dir).refusal,
                HasSubstr(fmt::format("belongs to uid {} and cannot be read", geteuid())));
    return;
  }
  chmod(context.path().c_str(), 0600);  // as multiprocessing.shared_memory makes it
  const pid_t child = fork();
  if (child == 0) {
    if (setresuid(65534, 65534, 65534) != 0) _exit(2);
    const std::vector<Found> found = find_contexts(dir.path());
    const bool said =
        found.size() == 1 && found[0].owner == 0 &&
        found[0].refusal.find("belongs to uid 0 and cannot be read") != std::string::npos &&
        !ContextFile::open(found[0]);
    _exit(said ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(ContextFile, ALinkIsNotFollowed) {
  const TestDir dir;
  const FakeContext context(dir.path(), newest());
  const TestDir other;
  const std::string link = other.path() + "/0123456789abcdef0123456789abcdef_g";
  std::filesystem::create_symlink(context.path(), link);
  EXPECT_THAT(only_one(other).refusal, HasSubstr("is no ExLlamaV3 context"));
}

TEST(Mapping, NamesTheProcessesThatHaveTheFileMapped) {
  const TestDir dir;
  const FakeContext context(dir.path(), newest());  // mapped by this process
  const Found found = only_one(dir);
  int done[2];
  ASSERT_EQ(pipe(done), 0);
  const pid_t child = fork();
  if (child == 0) {
    char byte = 0;
    close(done[1]);
    _exit(read(done[0], &byte, 1) == 0 ? 0 : 1);
  }
  close(done[0]);
  const Mappers who = who_maps(found.path, found.inode);
  ASSERT_THAT(who.processes, SizeIs(2));
  for (const Mapper& mapper : who.processes) {
    const bool is_child = mapper.pid == static_cast<std::uint32_t>(child);
    EXPECT_EQ(mapper.pid, static_cast<std::uint32_t>(is_child ? child : getpid()));
    EXPECT_EQ(mapper.role, is_child ? Role::unknown : Role::main);  // no GPU here
    EXPECT_EQ(mapper.gpu, -1);
    EXPECT_THAT(mapper.process, HasSubstr("exllama"));
    EXPECT_LE(std::abs(mapper.started_s - time(nullptr)), 600);
  }
  close(done[1]);
  waitpid(child, nullptr, 0);
  EXPECT_THAT(who_maps(found.path, found.inode + 1).processes, IsEmpty());
}

TEST(Mapping, TellsRolesAndGpusFromWhatProcessesHaveOpen) {
  const TestDir dir;
  const std::string path = "/dev/shm/abc_g";
  std::ofstream(dir.path() + "/stat") << "cpu 1\nbtime 1000\n";
  const auto add = [&](int pid, int parent, const std::vector<std::string>& devices) {
    const std::string at = dir.path() + "/" + std::to_string(pid);
    std::filesystem::create_directories(at + "/fd");
    std::ofstream(at + "/maps") << "7f00-7f01 rw-s 00000000 00:19 77   " << path << "\n";
    std::ofstream(at + "/stat") << pid << " (a (b) c) S " << parent
                                << " 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 " << pid * 100 << " 0\n";
    std::ofstream(at + "/environ") << "A=1" << '\0' << "PEERSCOPE_SESSION=s1" << '\0';
    int number = 0;
    for (const std::string& device : devices)
      std::filesystem::create_symlink(device, at + "/fd/" + std::to_string(number++));
  };
  add(10, 1, {"/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia1", "/dev/nvidia-uvm"});
  add(11, 10, {"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia1"});
  add(12, 10, {"/dev/null"});
  add(13, 10, {});
  std::ofstream(dir.path() + "/13/maps") << "7f00-7f01 rw-s 00000000 00:19 77   /dev/shm/abc_g2\n";
  const Mappers who = who_maps(path, 77, dir.path());
  ASSERT_THAT(who.processes, SizeIs(3));
  EXPECT_EQ(who.processes[0].process, "a (b) c");
  EXPECT_EQ(who.processes[0].started_s, 1000 + 1000 / sysconf(_SC_CLK_TCK));
  EXPECT_EQ(who.processes[0].session, "s1");
  EXPECT_EQ(who.processes[0].role, Role::main);
  EXPECT_EQ(who.processes[0].gpu, -1);  // two
  EXPECT_EQ(who.processes[1].role, Role::worker);
  EXPECT_EQ(who.processes[1].gpu, 1);
  EXPECT_EQ(who.processes[2].role, Role::cpu_helper);
}

}  // namespace
}  // namespace peerscope::exllama
