// A job of ExLlamaV3's native backend that is none: it writes the context file as the real one does, step by
// step as a test says, or as a process of its own.
#pragma once

#include <atomic>
#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "source/exllama/layout.hpp"

namespace peerscope::exllama {

inline const Layout& layout_of(const std::string& releases) {
  for (const Layout& layout : layouts()) {
    if (std::string(layout.releases).find(releases) != std::string::npos) return layout;
  }
  std::abort();
}
inline const Layout& newest() { return layout_of("v1.4.1"); }
inline const Layout& fork_of_p2p() { return layout_of("fork"); }

class TestDir {
 public:
  TestDir() : path_("/dev/shm/peerscope-exllama-test-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) std::abort();
  }
  ~TestDir() { std::filesystem::remove_all(path_); }
  TestDir(const TestDir&) = delete;
  TestDir& operator=(const TestDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline void make_file(const std::string& path, std::size_t bytes) {
  std::ofstream(path).close();
  std::filesystem::resize_file(path, bytes);  // holes: takes no memory
}

class FakeContext {
 public:
  FakeContext(const std::string& dir, const Layout& layout, bool initialise = true,
              const std::string& name = "0123456789abcdef0123456789abcdef")
      : layout_(layout), stem_(dir + "/" + name) {
    make_file(stem_ + "_g", kContextFileBytes);
    make_file(stem_ + "_b", 16 << 20);
    make_file(stem_ + "_r", layout.ring_bytes);
    make_file(stem_ + "_s", 16 << 10);
    if (layout.ll_epoch != 0) make_file(stem_ + "_ll", 16 << 10);
    const int file = ::open(path().c_str(), O_RDWR);
    memory_ = static_cast<char*>(
        mmap(nullptr, kContextFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
    close(file);
    if (initialise) this->initialise();
  }
  ~FakeContext() { munmap(memory_, kContextFileBytes); }
  FakeContext(const FakeContext&) = delete;
  FakeContext& operator=(const FakeContext&) = delete;

  [[nodiscard]] std::string path() const { return stem_ + "_g"; }
  [[nodiscard]] const Layout& layout() const { return layout_; }

  void initialise() {
    set(4, 1);
    if (layout_.ll_epoch != 0) set(layout_.ll_epoch, 1);
  }
  std::atomic_ref<std::uint32_t> word(std::size_t at) {
    return std::atomic_ref<std::uint32_t>(*reinterpret_cast<std::uint32_t*>(memory_ + at));
  }
  void set(std::size_t at, std::uint32_t value) {
    word(at).store(value, std::memory_order_release);
  }
  std::uint32_t get(std::size_t at) { return word(at).load(std::memory_order_acquire); }

  // The process of the output device.
  void push(std::uint64_t bytes, std::uint32_t devices, std::uint32_t wire = 0) {
    const std::uint32_t tail = get(layout_.jobs_tail);
    const Job job{bytes, devices, wire};
    std::memcpy(memory_ + layout_.jobs + tail * sizeof job, &job, sizeof job);
    set(layout_.jobs_tail, (tail + 1) % kMaxJobs);
  }
  void push_end() { push(0, 0); }
  // The CPU helper.
  void pop() { set(layout_.jobs_head, (get(layout_.jobs_head) + 1) % kMaxJobs); }
  void release() { set(layout_.stage_cpu, (get(layout_.stage_cpu) + 1) & kStageMask); }
  // A device: one chunk of an all-reduce is in host memory. `striped`: of a large one.
  void arrive(int device, bool contributes = true) {
    const std::size_t at = layout_.stage_device + static_cast<std::size_t>(device) * 64;
    const std::uint32_t next = ((get(at) & kStageMask) + 1) & kStageMask;
    set(at, contributes ? next : next | ~kStageMask);
  }
  void arrive_block(int device, int block, std::uint32_t stage) {
    set(layout_.stage_device_mb + static_cast<std::size_t>(device * 4 + block) * 64, stage);
  }
  void enter_barrier(int device) { set(16 + static_cast<std::size_t>(device) * 4, get(4)); }
  void leave_barrier() { set(4, get(4) + 1); }
  void broadcast_stage(int device, std::uint32_t stage) {
    set(80 + static_cast<std::size_t>(device) * 4, stage);
  }
  void gather_produced(int rank, std::uint32_t stage) {
    set(272 + static_cast<std::size_t>(rank) * 4, stage);
  }
  void acknowledge_ll(int device) {
    set(layout_.ll_sequence + static_cast<std::size_t>(device) * 4, get(layout_.ll_epoch));
  }
  void leave_ll() { set(layout_.ll_epoch, get(layout_.ll_epoch) + 1); }
  void time_out() { set(0, 1); }

  // All of one small all-reduce.
  void all_reduce(std::uint64_t bytes, std::uint32_t devices) {
    push(bytes, devices);
    pop();
    for (int i = 0; i < kMaxDevices; ++i) {
      if ((devices >> i & 1) != 0) arrive(i);
    }
    release();
  }
  void end_pass() {
    push_end();
    pop();
  }

 private:
  const Layout& layout_;
  std::string stem_;
  char* memory_ = nullptr;
};

inline void nap_us(long us) {
  const timespec nap{us / 1'000'000, us % 1'000'000 * 1000};
  nanosleep(&nap, nullptr);
}

}  // namespace peerscope::exllama
