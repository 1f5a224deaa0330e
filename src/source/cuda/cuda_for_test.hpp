// What tests of the injection library share. The library comes in once in a process and stays: so each test is a child of a
// process that has never loaded it, and the fake CUDA in it is new.
#pragma once

#include <cstdlib>
#include <functional>
#include <memory>
#include <thread>

#include <dlfcn.h>
#include <gtest/gtest.h>

#include "collect/collector_for_test.hpp"
#include "record/ticks.hpp"
#include "source/cuda/fake_cupti.hpp"

namespace peerscope {

using namespace std::chrono_literals;

class CudaTest : public testing::Test {
 protected:
  CudaTest() {
    setenv("PEERSCOPE_RUNTIME_DIR", dir_.path().c_str(), 1);
    setenv("PEERSCOPE_CUPTI", PSCOPE_FAKE_CUPTI, 1);
  }
  ~CudaTest() override {
    for (const char* name : {"PEERSCOPE_LEVEL", "PEERSCOPE_CUDA_KERNELS"}) unsetenv(name);
  }

  // As the driver does within cuInit.
  static int come_in() {
    void* library = dlopen(PSCOPE_CUDA_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      ADD_FAILURE() << dlerror();
      return -1;
    }
    return reinterpret_cast<int (*)()>(dlsym(library, "InitializeInjection"))();
  }

  // Runs it in a child. What it wrote on standard error, too.
  std::string in_child(const std::function<void()>& body) const {
    const std::string errors = dir_.path() + "/stderr";
    const pid_t child = fork();
    if (child == 0) {
      if (freopen(errors.c_str(), "w", stderr) == nullptr) _exit(2);
      body();
      fflush(stdout);
      _exit(HasFailure() ? 1 : 0);
    }
    EXPECT_EQ(wait_for(child), 0) << "of the child; what failed in it is above";
    std::string text;
    if (FILE* file = fopen(errors.c_str(), "r")) {
      char part[4096];
      while (const std::size_t got = fread(part, 1, sizeof part, file)) text.append(part, got);
      fclose(file);
    }
    return text;
  }

  // What has been recorded since the last call, by this process or one that has ended.
  struct Recorded {
    std::vector<Op> operations, device_times;
    [[nodiscard]] std::vector<Op> of(Kind kind, bool device) const {
      std::vector<Op> out;
      for (const Op& op : device ? device_times : operations) {
        if (op.kind == kind) out.push_back(op);
      }
      return out;
    }
  };
  Recorded recorded() {
    poll();
    Recorded out;
    for (const Op& op : reader_->keeper.ops)
      (op.device_only ? out.device_times : out.operations).push_back(op);
    reader_->keeper.ops.clear();
    return out;
  }
  double metric(const std::string& name) {
    poll();
    for (const MetricValue& m : reader_->collector.metrics()) {
      if (m.name == name) return m.value;
    }
    return -1;
  }
  void set_level(Level level) {
    poll();
    EXPECT_EQ(reader_->collector.set_level(level), 1);
  }
  void poll() {
    if (!reader_) reader_ = std::make_unique<Reader>(dir_);
    reader_->poll_all();
  }

  const RuntimeDir dir_;
  std::unique_ptr<Reader> reader_;
};

// True as soon as it is so.
inline bool soon(const std::function<bool()>& so, std::chrono::milliseconds within = 5000ms) {
  const std::uint64_t end_ns =
      clock_ns(CLOCK_MONOTONIC) + static_cast<std::uint64_t>(within.count()) * 1'000'000;
  while (!so()) {
    if (clock_ns(CLOCK_MONOTONIC) > end_ns) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

}  // namespace peerscope
