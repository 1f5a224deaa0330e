// Files that are no segments, or were once: said in words, skipped, never believed.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collect/collector_for_test.hpp"
#include "record/recorder.hpp"

namespace peerscope {
namespace {

std::string only_problem(const RuntimeDir& dir) {
  Reader reader(dir);
  reader.poll_all();
  EXPECT_EQ(reader.collector.process_count(), 0u);
  const std::vector<std::string>& problems = reader.collector.problems();
  EXPECT_LE(problems.size(), 1u);
  return problems.empty() ? "" : problems[0];
}

void expect_problem(const RuntimeDir& dir, const char* words) {
  const std::string problem = only_problem(dir);
  EXPECT_NE(problem.find(words), std::string::npos) << problem;
  EXPECT_TRUE(problem.starts_with(dir.path())) << problem;  // which file it is
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The bytes of a segment with something of everything in it.
std::string rich_segment() {
  const RuntimeDir dir;
  const TestSession session(dir, PSCOPE_LEVEL_COMPREHENSIVE, 1 << 20);
  const std::uint16_t name = pscope_name(session, "reduce");
  for (std::uint32_t rank = 0; rank < 4; ++rank) {
    pscope_op op = operation(PSCOPE_KIND_ALL_REDUCE, session.comm(1, rank, 4));
    op.async = rank % 2;
    for (int i = 0; i < 100; ++i) {
      const pscope_token token = pscope_op_begin(session, &op);
      pscope_op_phase(session, token, name);
      pscope_op_end(session, token, PSCOPE_STATUS_OK);
    }
    pscope_op_begin(session, &op);
  }
  std::thread([&] { record(session, operation(PSCOPE_KIND_SEND), PSCOPE_STATUS_OK, 50); }).join();
  const pscope_device_times times{17, 15, 16, 4096, 1, 0, PSCOPE_KIND_ALL_REDUCE, 0, 0};
  pscope_device_clock(session, 0, 10, 20, 30);
  pscope_op_device_times(session, &times);
  pscope_event(session, PSCOPE_SEVERITY_INFO, name, 1, 5);
  pscope_counter_add(session, pscope_counter(session, "c", "1"), 1);
  pscope_histogram_observe(session, pscope_histogram(session, "h", "ns"), 100);
  return bytes_of(pscope_segment_path(session));
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

SegmentHeader& header_in(std::string& bytes) {
  return *reinterpret_cast<SegmentHeader*>(bytes.data());
}

TEST(Corrupt, EmptyFileIsTooShort) {
  const RuntimeDir dir;
  write_file(dir.path() + "/a.seg", "");
  expect_problem(dir, "too short");
}

TEST(Corrupt, RandomBytesAreNoSegment) {
  const RuntimeDir dir;
  std::string bytes(1 << 20, '\0');
  std::mt19937 random(5);
  for (char& byte : bytes) byte = static_cast<char>(random());
  write_file(dir.path() + "/a.seg", bytes);
  expect_problem(dir, "not a peerscope segment");
}

TEST(Corrupt, TruncatedSegmentIsCutShort) {
  const RuntimeDir dir;
  const std::string bytes = rich_segment();
  write_file(dir.path() + "/a.seg", bytes.substr(0, bytes.size() - kPageBytes));
  expect_problem(dir, "cut short");
}

TEST(Corrupt, SegmentOfAnotherVersionAsksForThatVersion) {
  const RuntimeDir dir;
  std::string bytes = rich_segment();
  header_in(bytes).version = kSegmentVersion + 1;
  write_file(dir.path() + "/a.seg", bytes);
  expect_problem(dir, "another version");
}

TEST(Corrupt, SegmentStillBeingMadeIsNoProblemAndIsReadOnceItHasItsName) {
  const RuntimeDir dir;
  write_file(dir.path() + "/a.seg.new", rich_segment());
  Reader reader(dir);
  EXPECT_TRUE(reader.collector.problems().empty());
  EXPECT_EQ(reader.collector.process_count(), 0u);
  std::filesystem::rename(dir.path() + "/a.seg.new", dir.path() + "/a.seg");
  reader.poll_all();
  EXPECT_EQ(reader.collector.process_count(), 1u);
}

TEST(Corrupt, DirectoriesLinksAndOtherFilesAreLeftAlone) {
  const RuntimeDir dir;
  const RuntimeDir elsewhere;
  write_file(elsewhere.path() + "/real.seg", rich_segment());
  std::filesystem::create_directory(dir.path() + "/dir.seg");
  std::filesystem::create_symlink(elsewhere.path() + "/real.seg", dir.path() + "/link.seg");
  write_file(dir.path() + "/note.txt", "hello");
  ASSERT_EQ(mkfifo((dir.path() + "/pipe.seg").c_str(), 0600), 0);
  Reader reader(dir);
  reader.poll_all();
  EXPECT_EQ(reader.collector.process_count(), 0u);
  EXPECT_EQ(reader.collector.problems().size(), 3u);
}

TEST(Corrupt, DirectoryThatIsNotThereHoldsNothing) {
  Reader reader(CollectorOptions{.dirs = {"/no/such/directory"}, .sessions = {}});
  reader.poll_all();
  EXPECT_EQ(reader.collector.process_count(), 0u);
}

// All that a reader may be asked, of whatever lies there.
void ask_everything(const RuntimeDir& dir) {
  Reader reader(dir);
  for (int i = 0; i < 3; ++i) reader.collector.poll();
  const auto now = static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC));
  for (const InFlight& open : reader.collector.in_flight(now))
    (void)reader.collector.text(0, open.op.peer);
  for (const PhaseMark& phase : reader.keeper.phases) (void)reader.collector.text(0, phase.name);
  for (const CallSite& site : reader.keeper.call_sites) (void)reader.collector.text(0, site.name);
  (void)reader.collector.metrics();
  (void)reader.collector.communicators();
  (void)reader.collector.processes();
  (void)reader.collector.last_activity_ns();
  (void)reader.collector.any_live();
  reader.collector.set_level(Level::detailed);
  reader.collector.finish();
}

TEST(Corrupt, WildOffsetsAndCountsInEveryPlaceAreSurvived) {
  const std::string good = rich_segment();
  for (const std::uint64_t wild :
       {UINT64_MAX, std::uint64_t{1} << 63, std::uint64_t{1} << 31, std::uint64_t{4097},
        std::uint64_t{0}, std::uint64_t{good.size()}}) {
    const RuntimeDir dir;
    for (int place = 0; place < 16; ++place) {
      std::string bytes = good;
      SegmentHeader& header = header_in(bytes);
      auto& tables = *reinterpret_cast<Tables*>(bytes.data() + kTablesOffset);
      auto& ring = *reinterpret_cast<RingHeader*>(bytes.data() + tables.ring_offsets[0].load());
      const auto narrow = static_cast<std::uint32_t>(wild);
      HalfWord* const halves[] = {
          &header.ring_count,        &header.name_count, &header.comm_count, &header.metric_count,
          &header.calibration_count, &ring.block_count,  &ring.wanted_log2};
      Word* const words[] = {
          &header.used,           &tables.ring_offsets[0],       &ring.head, &ring.blocks[0].base,
          &ring.blocks[0].offset, &ring.blocks[0].log2_capacity, &ring.offer};
      if (place < 7) halves[place]->store(narrow);
      if (place >= 7 && place < 14) words[place - 7]->store(wild);
      if (place == 14) tables.names[1] = {narrow, narrow};
      if (place == 15) tables.comms[1].rank = tables.comms[1].ranks = narrow;
      write_file(dir.path() + "/" + std::to_string(place) + ".seg", bytes);
    }
    ask_everything(dir);
  }
}

class MappedFile {
 public:
  MappedFile(const std::string& path, std::size_t bytes) : bytes_(bytes) {
    const int file = open(path.c_str(), O_RDWR | O_CREAT, 0600);
    if (ftruncate(file, static_cast<off_t>(bytes)) == 0) {
      memory_ = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    }
    close(file);
  }
  ~MappedFile() { munmap(memory_, bytes_); }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  [[nodiscard]] char* bytes() const { return static_cast<char*>(memory_); }

 private:
  void* memory_ = nullptr;
  std::size_t bytes_;
};

// Where a flipped byte has a chance of being read.
std::vector<std::pair<std::size_t, std::size_t>> read_places(std::string& good) {
  const auto& tables = *reinterpret_cast<const Tables*>(good.data() + kTablesOffset);
  std::vector<std::pair<std::size_t, std::size_t>> places{
      {offsetof(SegmentHeader, created_real_ns),
       sizeof(SegmentHeader) - offsetof(SegmentHeader, created_real_ns)},
      {kTablesOffset, 64},
      {kTablesOffset + offsetof(Tables, names), 128},
      {kTablesOffset + offsetof(Tables, comms), 6 * sizeof(CommEntry)},
      {kTablesOffset + offsetof(Tables, metrics), 4 * sizeof(MetricEntry)},
      {kTablesOffset + offsetof(Tables, device_clocks), 64}};
  for (int ring = 0; ring < 2; ++ring) {
    places.emplace_back(tables.ring_offsets[ring].load(), sizeof(RingHeader));
    places.emplace_back(tables.ring_offsets[ring].load() + sizeof(RingHeader), 64 * sizeof(Slot));
  }
  return places;
}

TEST(Corrupt, FlippedBytesNeverCrashAReader) {
  constexpr int kFiles = 16;
  const int rounds = kThreadSanitizer ? 8 : kAddressSanitizer ? 40 : 190;
  std::string good = rich_segment();
  const RuntimeDir dir;
  std::vector<std::unique_ptr<MappedFile>> files;
  for (int i = 0; i < kFiles; ++i) {
    files.push_back(
        std::make_unique<MappedFile>(dir.path() + "/" + std::to_string(i) + ".seg", good.size()));
  }
  const auto places = read_places(good);
  // `./dev fuzz` goes on for as long as it is told, from another seed each time; the seed is printed.
  const char* asked = std::getenv("PEERSCOPE_FUZZ_SECONDS");
  const std::uint32_t seed = asked != nullptr ? std::random_device()() : 11;
  const auto end = std::chrono::steady_clock::now() +
                   std::chrono::seconds(asked != nullptr ? std::atoi(asked) : 0);
  std::mt19937 random(seed);
  SCOPED_TRACE("seed " + std::to_string(seed));
  if (asked != nullptr) std::printf("seed %u\n", seed);
  for (int round = 0; round < rounds || std::chrono::steady_clock::now() < end; ++round) {
    for (const auto& file : files) {
      std::memcpy(file->bytes(), good.data(), good.size());
      for (auto flips = 1 + random() % 24; flips > 0; --flips) {
        const auto& [offset, bytes] = places[random() % places.size()];
        file->bytes()[offset + random() % bytes] = static_cast<char>(random());
      }
    }
    ask_everything(dir);
  }
}

}  // namespace
}  // namespace peerscope
