// libcupti and the driver as the injection library sees them, without a GPU: a library that is both, and the handle by which a
// test or benchmark drives it.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>

#include "source/cuda/abi.hpp"

namespace peerscope {

class FakeCupti {
 public:
  // ---- how it behaves: set before the library comes in ------------------------------------------------------------------
  std::uint32_t version = 130'001;
  int subscribe_result = 0, register_result = 0, enable_result = 0, timestamp_result = 0;
  bool dumps_devices = true;  // cuptiActivityEnableAndDump makes records
  int devices = 8;
  std::uint64_t clock_ahead_ns = 1'000'000'000'000;  // of CUPTI's clock before CLOCK_MONOTONIC
  std::map<void*, std::uint32_t> contexts;           // to devices
  std::map<std::uint64_t, std::uint32_t> memory;     // pages of 2 MiB, to devices
  std::set<void*> capturing;                         // streams

  // ---- what it has been told ----------------------------------------------------------------------------------------------
  cuda::Callback callback = nullptr;
  cuda::BufferRequested requested = nullptr;
  cuda::BufferCompleted completed = nullptr;
  std::atomic<int> unsubscribed{0}, flushes{0}, enables{0}, disables{0};
  std::atomic<bool> functions[4][1024] = {};  // enabled, by domain and number
  std::atomic<bool> kinds[64] = {};           // enabled

  [[nodiscard]] bool kind(int kind) const { return kinds[kind].load(); }
  [[nodiscard]] bool listens(cuda::Domain domain, std::uint32_t id) const {
    return callback != nullptr && functions[static_cast<int>(domain)][id].load();
  }
  [[nodiscard]] std::uint64_t now_ns() const;

  // ---- what CUDA does -----------------------------------------------------------------------------------------------------
  // A call of a function: its enter, its exit. The correlation number.
  std::uint32_t call(cuda::Domain domain, std::uint32_t id, const void* arguments, int result = 0);
  // Enter only, exit only: for calls in calls.
  struct Open {
    cuda::Domain domain;
    std::uint32_t id, correlation;
    const void* arguments;
    std::uint64_t shared = 0xDEAD;
  };
  Open enter(cuda::Domain domain, std::uint32_t id, const void* arguments,
             std::uint32_t correlation = 0);
  void exit(Open& open, int result = 0) const;
  void context_created(void* context) const;

  // Records, if their kind is on; they lie in a buffer until a flush.
  struct Work {
    std::uint64_t start_ns = 0, end_ns = 0;
    std::uint32_t device = 0, destination = 0;
    std::uint64_t bytes = 0;
    std::uint32_t correlation = 0;
    std::uint64_t graph_node = 0;
  };
  void kernel(const char* name, const Work& work);
  void peer_copy(const Work& work);
  void flush();
  // Another client registers its own memory, as PyTorch's profiler does.
  void replace_client();
  std::atomic<int> others_buffers{0}, others_completed{0};

  // ---- for the exported functions -----------------------------------------------------------------------------------------------------------
  void dump(int kind);
  int next_record(std::uint8_t* buffer, std::size_t valid, cuda::ActivityHead** record) const;

 private:
  void* record(int kind, std::size_t bytes);  // null: off, or no memory
  void flush_locked();
  [[nodiscard]] std::size_t size_of(int kind) const;
  std::recursive_mutex mutex_;
  std::uint8_t* buffer_ = nullptr;
  std::size_t size_ = 0, used_ = 0;
  std::uint32_t next_correlation_ = 100;
};

FakeCupti& fake_cupti();  // the one of this process

}  // namespace peerscope
