// The libraries as they are found and used, over the fakes. LD_LIBRARY_PATH is read when a program
// starts: here the fakes are opened by path first, as a program does that has linked them.
#include "comm/nccl/nccl_ranks.hpp"

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "comm/cuda/shared_object.hpp"

namespace peerscope {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kFakeCuda = PSCOPE_FAKE_GPU_DIR "/libcuda.so.1";
constexpr const char* kFakeNccl = PSCOPE_FAKE_GPU_DIR "/libnccl.so.2";

class NcclRanksTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"FAKE_CUDA_DEVICES", "FAKE_CUDA_FAIL", "FAKE_NCCL_FAIL"})
      unsetenv(name);
    ASSERT_TRUE(SharedObject::open(kFakeCuda));
  }
  void TearDown() override { SetUp(); }

  static std::vector<float> floats(const CudaDevice& device, CudaPointer at, std::size_t count) {
    std::vector<float> out(count);
    EXPECT_TRUE(device.download(out.data(), at, count * sizeof(float)));
    return out;
  }
};

std::string text_of(const Status& status) { return status ? "ok" : status.error().message; }

TEST_F(NcclRanksTest, OneThreadDrivesAllRanksOfACommunicator) {
  const Result<CudaDriver> cuda = CudaDriver::open();
  ASSERT_TRUE(cuda) << cuda.error().message;
  const Result<NcclLibrary> nccl = NcclLibrary::open(kFakeNccl);
  ASSERT_TRUE(nccl) << nccl.error().message;
  NcclRanks::Part part{.ranks = 2, .first = 0, .devices = {0, 1}, .id = {}};
  ASSERT_EQ((*nccl)->ncclGetUniqueId(&part.id), kNcclSuccess);
  Result<NcclRanks> ranks = NcclRanks::open(*cuda, *nccl, part);
  ASSERT_TRUE(ranks) << ranks.error().message;

  std::vector<CudaMemory> memory;
  std::vector<NcclCall> calls;
  for (NcclRank& rank : ranks->local()) {
    ASSERT_TRUE(rank.device.make_current());
    Result<CudaMemory> buffer = rank.device.allocate(3 * sizeof(float));
    ASSERT_TRUE(buffer);
    const float mine[] = {1, 2, static_cast<float>(rank.rank)};
    ASSERT_TRUE(rank.device.upload(buffer->get(), mine, sizeof mine));
    calls.push_back(
        {.kind = Kind::all_reduce, .send = buffer->get(), .recv = buffer->get(), .count = 3});
    memory.push_back(std::move(*buffer));
  }
  ASSERT_EQ(text_of(ranks->enqueue(calls)), "ok");
  ASSERT_EQ(text_of(ranks->wait()), "ok");
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_THAT(floats(ranks->local()[i].device, memory[i].get(), 3), ElementsAre(2, 4, 1));
  EXPECT_EQ(ranks->local()[1].calls[static_cast<std::size_t>(Kind::all_reduce)], 1u);

  setenv("FAKE_NCCL_FAIL", "ncclAllReduce", 1);
  EXPECT_THAT(text_of(ranks->enqueue(calls)),
              HasSubstr("ncclAllReduce failed on rank 0: 5 (invalid usage); NCCL says: "));
}

TEST_F(NcclRanksTest, ACapturedStreamRunsNothingUntilItsGraphIsLaunched) {
  const Result<CudaDriver> cuda = CudaDriver::open();
  ASSERT_TRUE(cuda);
  const Result<NcclLibrary> nccl = NcclLibrary::open(kFakeNccl);
  ASSERT_TRUE(nccl);
  NcclRanks::Part part{.ranks = 1, .first = 0, .devices = {0}, .id = {}};
  ASSERT_EQ((*nccl)->ncclGetUniqueId(&part.id), kNcclSuccess);
  Result<NcclRanks> ranks = NcclRanks::open(*cuda, *nccl, part);
  ASSERT_TRUE(ranks);
  NcclRank& rank = ranks->local()[0];
  Result<CudaMemory> from = rank.device.allocate(8);
  Result<CudaMemory> to = rank.device.allocate(8);
  ASSERT_TRUE(from && to);
  const float given[] = {3, 4};
  ASSERT_TRUE(rank.device.upload(from->get(), given, sizeof given));
  ASSERT_TRUE(rank.device.fill(to->get(), std::byte{0}, 8));
  const std::vector<NcclCall> calls{
      {.kind = Kind::broadcast, .send = from->get(), .recv = to->get(), .count = 2}};
  ASSERT_TRUE(rank.device.begin_capture(rank.stream));
  ASSERT_TRUE(ranks->enqueue(calls));
  const Result<CudaGraph> graph = rank.device.end_capture(rank.stream);
  ASSERT_TRUE(graph);
  EXPECT_THAT(floats(rank.device, to->get(), 2), ElementsAre(0, 0));
  ASSERT_TRUE(rank.device.launch(*graph, rank.stream));
  ASSERT_TRUE(ranks->wait());
  EXPECT_THAT(floats(rank.device, to->get(), 2), ElementsAre(3, 4));
}

TEST_F(NcclRanksTest, RepeatFillsWhatIsNoMultipleOfThePeriod) {
  const Result<CudaDriver> cuda = CudaDriver::open();
  ASSERT_TRUE(cuda);
  const Result<CudaDevice> device = CudaDevice::open(*cuda, 0);
  ASSERT_TRUE(device);
  const Result<CudaMemory> memory = device->allocate(7 * sizeof(float));
  ASSERT_TRUE(memory);
  const float period[] = {1, 2, 3};
  ASSERT_TRUE(device->upload(memory->get(), period, sizeof period));
  ASSERT_TRUE(device->repeat(memory->get(), sizeof period, 7 * sizeof(float)));
  EXPECT_THAT(floats(*device, memory->get(), 7), ElementsAre(1, 2, 3, 1, 2, 3, 1));
}

TEST_F(NcclRanksTest, ErrorsOfCudaNameTheCallTheDeviceAndTheCode) {
  const Result<CudaDriver> cuda = CudaDriver::open();
  ASSERT_TRUE(cuda);
  setenv("FAKE_CUDA_FAIL", "cuMemAlloc", 1);
  const Result<CudaDevice> device = CudaDevice::open(*cuda, 1);
  ASSERT_TRUE(device);
  const Result<CudaMemory> memory = device->allocate(4096);
  ASSERT_FALSE(memory);
  EXPECT_EQ(memory.error().message,
            "cuMemAlloc(4096) failed on device 1: 719 (CUDA_ERROR_LAUNCH_FAILED): told to fail");
}

TEST(NcclLibrary, ALibraryThatIsNotNcclSaysWhatItLacks) {
  const Result<NcclLibrary> nccl = NcclLibrary::open(kFakeCuda);
  ASSERT_FALSE(nccl);
  EXPECT_THAT(nccl.error().message, HasSubstr("it lacks ncclGetVersion, "));
}

TEST(NcclLibrary, TheWheelOfTheFirstPythonInThePathIsFound) {
  namespace fs = std::filesystem;
  const fs::path root = fs::temp_directory_path() / fmt::format("pscope-wheel-{}", getpid());
  const fs::path lib = root / "lib/python3.12/site-packages/nvidia/nccl/lib";
  fs::create_directories(lib);
  fs::create_directories(root / "bin");
  fs::create_directories(root / "empty");
  fs::create_symlink("/bin/true", root / "bin/python3");
  fs::create_symlink(kFakeNccl, lib / "libnccl.so.2");
  const auto found = nccl_wheels(fmt::format("{0}/empty:{0}/bin", root.string()));
  ASSERT_FALSE(found.empty());
  EXPECT_TRUE(fs::equivalent(found[0], kFakeNccl));
  EXPECT_TRUE(nccl_wheels((root / "empty").string()).empty());
  fs::remove_all(root);
}

}  // namespace
}  // namespace peerscope
