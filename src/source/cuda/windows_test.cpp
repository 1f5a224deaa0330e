// Device times in windows, kernels of graphs, other clients of CUPTI, and how it ends.
#include <gmock/gmock.h>

#include "source/cuda/cuda_for_test.hpp"
#include "source/cuda/window_plan.hpp"

namespace peerscope {
namespace {

using namespace cuda;
using testing::HasSubstr;

constexpr std::uint32_t kPeerAsync = 319;
constexpr const char* kVllm =
    "_ZN4vllm26cross_device_reduce_1stageI13__nv_bfloat16Li2EEEvPNS_8RankDataENS_11RankSignalsEPNS_"
    "6SignalEPT_ii";

class Windows : public CudaTest {
 protected:
  // The library in a child, with a context; its windows open as they like, or are always open.
  void begin(bool exact) {
    cuda.contexts = {{&contexts_[0], 0}, {&contexts_[1], 1}};
    come_in();
    if (exact) {
      poll();
      EXPECT_EQ(reader_->collector.set_control({.detail_budget_ppm = PSCOPE_UNLIMITED}), 1);
    }
    cuda.context_created(&contexts_[0]);
    if (exact) {
      EXPECT_TRUE(soon([&] { return is_open(); })) << "no window has opened";
    }
  }
  [[nodiscard]] bool is_open() const {
    return cuda.kind(kKindPeerCopy) && cuda.kind(kKindConcurrentKernel);
  }
  std::uint32_t copy(int from, int to, std::size_t bytes) {
    const PeerArguments a{0, &contexts_[to], 0, &contexts_[from], bytes, nullptr};
    return cuda.call(Domain::driver, kPeerAsync, &a);
  }
  // By the device's clock, from now on.
  [[nodiscard]] FakeCupti::Work work(std::uint64_t ns) const {
    FakeCupti::Work w;
    w.start_ns = cuda.now_ns();
    w.end_ns = w.start_ns + ns;
    return w;
  }
  // What has been made is with the reader, and so is `count` of it.
  Recorded until(std::size_t count, Kind kind) {
    Recorded all;
    EXPECT_TRUE(soon([&] {
      const Recorded more = recorded();
      all.operations.insert(all.operations.end(), more.operations.begin(), more.operations.end());
      all.device_times.insert(all.device_times.end(), more.device_times.begin(),
                              more.device_times.end());
      return all.of(kind, true).size() >= count;
    }));
    return all;
  }

  FakeCupti& cuda = fake_cupti();
  int contexts_[2] = {};
};

class Records : public Windows, public testing::WithParamInterface<std::uint32_t> {};

// Their sizes differ from version to version; what is read of them does not.
TEST_P(Records, OfEveryVersionAreRead) {
  in_child([this] {
    cuda.version = GetParam();
    begin(true);
    FakeCupti::Work w = work(5'000);
    w.correlation = copy(0, 1, 4096);
    w.destination = 1;
    w.bytes = 4096;
    cuda.peer_copy(w);
    FakeCupti::Work k = work(9'000);
    k.device = 1;
    cuda.kernel("_Z14ordinary_thingPf", k);
    cuda.kernel(kVllm, k);
    cuda.peer_copy(w);  // the buffer has more behind it
    const Recorded got = until(1, Kind::all_reduce);
    const auto copies = got.of(Kind::copy, false), copy_times = got.of(Kind::copy, true);
    ASSERT_EQ(copies.size(), 1u);
    ASSERT_EQ(copy_times.size(), 2u);  // the second is of no call
    EXPECT_EQ(copy_times[0].sequence, copies[0].sequence);
    EXPECT_EQ(copy_times[0].comm, copies[0].comm);
    EXPECT_EQ(copy_times[0].rank, 0);
    EXPECT_EQ(copy_times[0].peer, 1);
    EXPECT_EQ(copy_times[0].bytes, 4096u);
    EXPECT_EQ(copy_times[0].device_duration_ns, 5'000);
    EXPECT_NE(copy_times[1].sequence, copies[0].sequence);
    EXPECT_EQ(metric("cuda.unmatched_copies"), 1);
    const auto kernels = got.of(Kind::all_reduce, false), times = got.of(Kind::all_reduce, true);
    ASSERT_EQ(kernels.size(), 1u);
    ASSERT_EQ(times.size(), 1u);
    EXPECT_EQ(times[0].device_duration_ns, 9'000);
    EXPECT_EQ(times[0].sequence, kernels[0].sequence);
    EXPECT_EQ(times[0].algorithm, Algorithm::direct);
  });
}
INSTANTIATE_TEST_SUITE_P(Cupti, Records,
                         testing::Values(19, 21, 22, 24, 26, 28, 130'000, 130'001, 130'100));

TEST_F(Windows, KernelsOfGraphsAreOperationsOfTheirOwn) {
  in_child([this] {
    begin(true);
    constexpr int kReplays = 20;
    for (int i = 0; i < kReplays; ++i) {
      FakeCupti::Work k = work(7'000);
      k.graph_node = 0x4'0000'0001;
      k.device = 1;
      cuda.kernel("_Z20pg_all_reduce_kernelP9PGContextjiiPhS1_mmPj", k);
      FakeCupti::Work c = work(2'000);
      c.graph_node = 0x4'0000'0002;
      c.destination = 1;
      c.bytes = 512;
      cuda.peer_copy(c);
    }
    const Recorded got = until(kReplays, Kind::copy);
    const auto kernels = got.of(Kind::all_reduce, false), copies = got.of(Kind::copy, false);
    ASSERT_EQ(kernels.size(), std::size_t{kReplays});
    ASSERT_EQ(copies.size(), std::size_t{kReplays});
    EXPECT_EQ(got.of(Kind::all_reduce, true).size(), std::size_t{kReplays});
    for (std::size_t i = 0; i < kernels.size(); ++i) {
      EXPECT_EQ(kernels[i].sequence, i);
      EXPECT_EQ(kernels[i].host_duration_ns, kUnknownNs) << "nobody has seen the host call it";
      EXPECT_EQ(kernels[i].ranks, 0) << "how many there are is unknown";
      EXPECT_EQ(kernels[i].device, 1);
      EXPECT_EQ(kernels[i].bytes, 0u);
      EXPECT_EQ(copies[i].host_duration_ns, kUnknownNs);
      EXPECT_EQ(copies[i].bytes, 512u);
    }
  });
}

TEST_F(Windows, DevicesTimesAreOnTheHostsClock) {
  in_child([this] {
    begin(true);
    const auto before = static_cast<double>(clock_ns(CLOCK_MONOTONIC));
    cuda.kernel(kVllm, work(5'000));
    const Recorded got = until(1, Kind::all_reduce);
    EXPECT_NEAR(static_cast<double>(got.device_times[0].device_begin_ns), before, 1e6);
    EXPECT_NEAR(static_cast<double>(got.operations[0].begin_ns), before, 1e6);
  });
}

TEST_F(Windows, OpenForMillisecondsAndCloseAgain) {
  in_child([this] {
    begin(false);
    EXPECT_FALSE(is_open());
    std::uint64_t open_ns = 0, all_ns = 0, last = clock_ns(CLOCK_MONOTONIC);
    const std::uint64_t end = last + 2'000'000'000;
    int opened = 0;
    bool was = false;
    while (last < end) {
      const bool is = is_open();
      opened += is && !was ? 1 : 0;
      was = is;
      copy(0, 1, 64);
      std::this_thread::sleep_for(100us);
      const std::uint64_t now = clock_ns(CLOCK_MONOTONIC);
      all_ns += now - last;
      if (is) open_ns += now - last;
      last = now;
    }
    EXPECT_GE(opened, 5);  // one in 134 ms
    EXPECT_LE(opened, 20);
    EXPECT_LT(static_cast<double>(open_ns), 0.06 * static_cast<double>(all_ns));
    EXPECT_GE(metric("cuda.windows"), opened);
    EXPECT_GT(cuda.flushes.load(), 0);
  });
}

TEST_F(Windows, DoNotOpenAtLevelBasicOrWithoutABudget) {
  setenv("PEERSCOPE_LEVEL", "basic", 1);
  in_child([this] {
    begin(false);
    EXPECT_FALSE(soon([&] { return is_open(); }, 500ms));
    set_level(Level::detailed);
    EXPECT_TRUE(soon([&] { return is_open(); }));
    set_level(Level::basic);
    EXPECT_TRUE(soon([&] { return !is_open(); }));
    std::this_thread::sleep_for(150ms);
    EXPECT_FALSE(soon([&] { return is_open(); }, 500ms));
  });
}

TEST_F(Windows, LeaveKernelsOutWhereThatIsWanted) {
  setenv("PEERSCOPE_CUDA_KERNELS", "0", 1);
  in_child([this] {
    begin(false);
    EXPECT_TRUE(soon([&] { return cuda.kind(kKindPeerCopy); }));
    EXPECT_FALSE(cuda.kind(kKindConcurrentKernel));
  });
}

TEST(WindowsPlan, KeepsToTheBudgetWithWhatOpeningCosts) {
  constexpr std::uint64_t kHalf = (std::uint64_t{1} << kWindowBits) / 2;
  for (const std::uint64_t ppm : {1'000u, 10'000u, 50'000u}) {
    for (const std::uint64_t calls_ns : {0u, 100'000u, 1'000'000u}) {
      const unsigned bits = period_bits(ppm, PSCOPE_LEVEL_DETAILED, calls_ns);
      const double share =
          static_cast<double>(kHalf + calls_ns) / static_cast<double>(std::uint64_t{1} << bits);
      EXPECT_LE(share * 1e6, static_cast<double>(ppm)) << ppm << " " << calls_ns;
    }
  }
  EXPECT_EQ(period_bits(0, PSCOPE_LEVEL_DETAILED, 0), 64u);                // never
  EXPECT_EQ(period_bits(1'000'000, PSCOPE_LEVEL_DETAILED, 0), 0u);         // 100 %: always
  EXPECT_EQ(period_bits(PSCOPE_UNLIMITED, PSCOPE_LEVEL_DETAILED, 0), 0u);  // always
  EXPECT_LE(period_bits(10'000, PSCOPE_LEVEL_COMPREHENSIVE, 2'000'000),
            period_bits(10'000, PSCOPE_LEVEL_DETAILED, 2'000'000));
  for (std::uint64_t period = 0; period < 1000; ++period) {
    const std::uint64_t begin = window_begin(period, 27);
    EXPECT_EQ(begin >> 27, period);
    EXPECT_EQ((begin + (std::uint64_t{1} << kWindowBits) - 1) >> 27, period);
  }
}

// ---- other clients --------------------------------------------------------------------------------------------------------

class Clients : public Windows {};

TEST_F(Clients, WhoIsHereFirstIsLeftAlone) {
  const std::string said = in_child([this] {
    cuda.subscribe_result = kErrorMultipleSubscribers;
    EXPECT_EQ(come_in(), 1);
    EXPECT_EQ(cuda.requested, nullptr);
    EXPECT_EQ(dir_.segments(), 0u);
  });
  EXPECT_THAT(said, HasSubstr("another client of CUPTI is here"));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1);
}

// As PyTorch's profiler does: it registers its own memory, and turns kinds on that we would turn off.
TEST_F(Clients, WhoTakesTheRecordsLaterIsNoticedAndLeftAlone) {
  const std::string said = in_child([this] {
    begin(false);
    EXPECT_TRUE(soon([&] { return is_open(); }));
    EXPECT_TRUE(soon([&] { return !is_open(); }));
    cuda.replace_client();
    cuda.kinds[kKindConcurrentKernel] = true;  // the profiler's
    const int disables = cuda.disables;
    EXPECT_TRUE(soon([&] { return cuda.others_buffers > 0; }));
    std::this_thread::sleep_for(400ms);
    EXPECT_TRUE(cuda.kind(kKindConcurrentKernel)) << "turned off what is another's";
    EXPECT_FALSE(cuda.kind(kKindPeerCopy));
    EXPECT_EQ(cuda.disables - disables, 1) << "but for the question";
    static_cast<void>(recorded());
    copy(0, 1, 64);
    EXPECT_EQ(recorded().operations.size(), 1u) << "copies are counted as before";
  });
  EXPECT_THAT(said, HasSubstr("another client has taken CUPTI's records"));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1);
}

TEST_F(Clients, WhoTakesTheRecordsWithinAWindowIsLeftAlone) {
  in_child([this] {
    begin(false);
    EXPECT_TRUE(soon([&] { return is_open(); }));
    EXPECT_TRUE(soon([&] { return !is_open(); }));
    EXPECT_TRUE(soon([&] { return is_open(); }));
    cuda.replace_client();
    std::this_thread::sleep_for(400ms);
    EXPECT_TRUE(cuda.kind(kKindConcurrentKernel));
  });
}

// A CUPTI that has no records of devices to give: then it is noticed by what does not come.
TEST_F(Clients, AreNoticedWhereCuptiCannotBeAsked) {
  const std::string said = in_child([this] {
    cuda.dumps_devices = false;
    begin(false);
    EXPECT_TRUE(soon([&] { return is_open(); }));
    EXPECT_TRUE(soon([&] { return !is_open(); }));
    std::this_thread::sleep_for(50ms);
    cuda.replace_client();
    EXPECT_FALSE(soon(
        [&] {
          if (is_open()) {
            FakeCupti::Work w = work(1'000);
            w.correlation = copy(0, 1, 64);
            w.destination = 1;
            cuda.peer_copy(w);
          }
          return false;
        },
        1500ms));
    const int enables = cuda.enables;
    std::this_thread::sleep_for(400ms);
    EXPECT_EQ(cuda.enables, enables) << "no window after that";
  });
  EXPECT_THAT(said, HasSubstr("another client has taken CUPTI's records"));
}

TEST_F(Clients, ThatAreNotThereAreNotSuspected) {
  for (const bool dumps : {true, false}) {
    const std::string said = in_child([this, dumps] {
      cuda.dumps_devices = dumps;
      begin(false);
      for (int i = 0; i < 10; ++i) {  // windows with copies, and without
        EXPECT_TRUE(soon([&] { return is_open(); }));
        FakeCupti::Work w = work(1'000);
        if (i % 2 == 0) w.correlation = copy(0, 1, 64);
        w.destination = 1;
        if (i % 2 == 0) cuda.peer_copy(w);
        EXPECT_TRUE(soon([&] { return !is_open(); }));
        for (int outside = 0; outside < 5; ++outside) copy(0, 1, 64);
      }
    });
    EXPECT_EQ(said, "");
  }
}

// ---- what may fail ----------------------------------------------------------------------------------------------------------

class Trouble : public Windows {};

TEST_F(Trouble, NoCuptiIsOneLineAndTheProgramGoesOn) {
  setenv("PEERSCOPE_CUPTI", "/nowhere/libcupti.so.13", 1);
  const std::string said = in_child([] { EXPECT_EQ(come_in(), 1); });
  EXPECT_THAT(said, HasSubstr("PEERSCOPE_CUPTI: /nowhere/libcupti.so.13"));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1);
}

TEST_F(Trouble, AnUnknownVersionIsRefusedWithASentence) {
  for (const std::uint32_t version : {18u, 29u, 99'999u, 140'000u}) {
    const std::string said = in_child([this, version] {
      cuda.version = version;
      EXPECT_EQ(come_in(), 1);
      EXPECT_EQ(cuda.callback, nullptr);
    });
    EXPECT_THAT(said, HasSubstr("is CUPTI version " + std::to_string(version)));
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1);
  }
}

TEST_F(Trouble, RefusedRecordsLeaveTheCounts) {
  const std::string said = in_child([this] {
    cuda.enable_result = kErrorInsufficientPrivileges;
    begin(false);
    std::this_thread::sleep_for(400ms);
    copy(0, 1, 64);
    EXPECT_EQ(recorded().operations.size(), 1u);
  });
  EXPECT_THAT(said, HasSubstr("cuptiActivityEnable: CUPTI_ERROR_OF_THE_FAKE (35)"));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1);
}

TEST_F(Trouble, RefusedRegistrationLeavesTheCounts) {
  const std::string said = in_child([this] {
    cuda.register_result = 999;
    begin(false);
    copy(0, 1, 64);
    EXPECT_EQ(recorded().operations.size(), 1u);
  });
  EXPECT_THAT(said, HasSubstr("cuptiActivityRegisterCallbacks"));
}

TEST_F(Trouble, RecordsThatContradictThemselvesAreRefused) {
  in_child([this] {
    begin(true);
    FakeCupti::Work backwards = work(0);
    backwards.end_ns = backwards.start_ns - 5;
    cuda.kernel(kVllm, backwards);
    FakeCupti::Work nowhere = work(100);
    nowhere.device = 70'000;
    cuda.kernel(kVllm, nowhere);
    cuda.peer_copy(nowhere);
    cuda.kernel(nullptr, work(100));
    cuda.kernel(kVllm, work(100));
    EXPECT_EQ(until(1, Kind::all_reduce).operations.size(), 1u);
    EXPECT_EQ(metric("cuda.refused_records"), 3);
  });
}

TEST_F(Trouble, MoreRecordsThanRoomAreCountedAndTheRestGoesOn) {
  in_child([this] {
    begin(true);
    // As if CUPTI brought nothing back: buffers are asked for and not returned.
    int got = 0;
    for (int i = 0; i < 100; ++i) {
      std::uint8_t* buffer = nullptr;
      std::size_t size = 0, most = 0;
      cuda.requested(&buffer, &size, &most);
      got += buffer != nullptr ? 1 : 0;
    }
    EXPECT_GE(got, 16);
    EXPECT_LT(got, 100);
    EXPECT_GE(metric("cuda.lost_buffers"), 1);
    std::uint8_t strange[64] = {};
    cuda.completed(nullptr, 0, strange, sizeof strange, sizeof strange);  // of another client
    copy(0, 1, 64);
    EXPECT_EQ(recorded().of(Kind::copy, false).size(), 1u);
  });
}

// Where wheels put it, seen from what of them is loaded.
TEST_F(Trouble, CuptiIsFoundBesideWhatIsLoaded) {
  struct Layout {
    const char *loaded, *cupti;
  };
  for (const Layout& layout :
       {Layout{"a/nvidia/cu13/lib/libcudart.so.13", "a/nvidia/cu13/lib/libcupti.so.13"},
        Layout{"b/nvidia/cuda_runtime/lib/libcudart.so.12",
               "b/nvidia/cuda_cupti/lib/libcupti.so.12"},
        Layout{"c/torch/lib/libtorch_cuda.so", "c/nvidia/cu13/lib/libcupti.so.13"}}) {
    const std::filesystem::path root = dir_.path();
    for (const char* file : {layout.loaded, layout.cupti}) {
      std::filesystem::create_directories((root / file).parent_path());
      std::filesystem::copy_file(PSCOPE_FAKE_CUPTI, root / file);
    }
    unsetenv("PEERSCOPE_CUPTI");
    setenv("PEERSCOPE_CUDA_LOG", "1", 1);
    const std::string said = in_child([&] {
      ASSERT_NE(dlopen((root / layout.loaded).c_str(), RTLD_NOW | RTLD_LOCAL), nullptr);
      EXPECT_EQ(come_in(), 1);
      EXPECT_EQ(dir_.segments(), 1u);
    });
    unsetenv("PEERSCOPE_CUDA_LOG");
    EXPECT_THAT(said, HasSubstr("CUPTI version 130001: "));
    EXPECT_THAT(said, HasSubstr("/" + std::filesystem::path(layout.cupti).filename().string()));
    EXPECT_THAT(said, HasSubstr(root.string()));
    for (const auto& entry : std::filesystem::directory_iterator(root)) {
      if (entry.path().extension() == ".seg") std::filesystem::remove(entry.path());
    }
  }
}

// ---- lifetimes -----------------------------------------------------------------------------------------------------------------

class Lifetime : public Windows {};

TEST_F(Lifetime, TenReloadsAreOne) {
  in_child([this] {
    begin(false);
    for (int i = 0; i < 10; ++i) {
      void* library = dlopen(PSCOPE_CUDA_LIBRARY, RTLD_NOW);
      ASSERT_NE(library, nullptr);
      const auto callback = cuda.callback;
      EXPECT_EQ(reinterpret_cast<int (*)()>(dlsym(library, "InitializeInjection"))(), 1);
      EXPECT_EQ(cuda.callback, callback);
      for (int closed = 0; closed < 3; ++closed)
        dlclose(library);  // more often than opened: it stays
      copy(0, 1, 64);
    }
    EXPECT_EQ(recorded().operations.size(), 10u);
    EXPECT_EQ(dir_.segments(), 1u);
  });
}

TEST_F(Lifetime, LoadingItAloneDoesNothing) {
  in_child([this] {
    for (int i = 0; i < 10; ++i) {
      void* library = dlopen(PSCOPE_CUDA_LIBRARY, RTLD_NOW);
      ASSERT_NE(library, nullptr);
      dlclose(library);
    }
    EXPECT_EQ(cuda.callback, nullptr);
    EXPECT_EQ(dir_.segments(), 0u);
  });
}

TEST_F(Lifetime, AForkedChildIsLeftAlone) {
  in_child([this] {
    begin(true);
    copy(0, 1, 64);
    const pid_t child = fork();
    if (child == 0) {
      copy(0, 1, 64);
      cuda.kernel(kVllm, work(100));
      cuda.flush();
      cuda.context_created(&contexts_[1]);
      exit(0);  // through the handlers
    }
    EXPECT_EQ(wait_for(child), 0);
    copy(0, 1, 64);
    const auto got = recorded();
    EXPECT_EQ(got.of(Kind::copy, false).size(), 2u);
    EXPECT_EQ(got.of(Kind::all_reduce, false).size(), 0u);
    EXPECT_EQ(dir_.segments(), 1u);
  });
}

TEST_F(Lifetime, AtExitAWindowIsClosedAndNothingComesAfterIt) {
  const std::string file = dir_.path() + "/after";
  in_child([&] {
    const pid_t child = fork();
    if (child == 0) {
      static std::string to;
      to = file;
      // Registered first, called last: what CUDA does when it goes.
      atexit([] {
        FakeCupti& fake = fake_cupti();
        const int flushes = fake.flushes;
        const bool closed = !fake.kind(kKindConcurrentKernel) && !fake.kind(kKindPeerCopy);
        std::uint8_t* buffer = nullptr;
        std::size_t size = 0, most = 0;
        fake.requested(&buffer, &size, &most);
        std::this_thread::sleep_for(200ms);
        if (FILE* out = fopen(to.c_str(), "w")) {
          fprintf(out, "%d %d %d", closed, buffer == nullptr,
                  flushes > 0 && flushes == fake.flushes);
          fclose(out);
        }
      });
      begin(true);
      cuda.kernel(kVllm, work(100));
      exit(0);
    }
    EXPECT_EQ(wait_for(child), 0);
    char text[16] = {};
    if (FILE* in = fopen(file.c_str(), "r")) {
      EXPECT_NE(fgets(text, sizeof text, in), nullptr);
      fclose(in);
    }
    EXPECT_STREQ(text, "1 1 1");
    const auto got = recorded();
    EXPECT_EQ(got.of(Kind::all_reduce, true).size(), 1u)
        << "what was there came with the last flush";
  });
}

}  // namespace
}  // namespace peerscope
