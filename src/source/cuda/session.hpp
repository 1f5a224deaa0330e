// The session that CUDA's operations are recorded in, and its communicators.
//
// Copies are one communicator of the process, "cuda copies": a rank is a device, source to destination. Known kernels are a
// communicator for each library they are from; how many ranks it has is not known here, so nothing is joined by it.
#pragma once

#include <atomic>
#include <cstdint>

#include "record/recorder.hpp"

namespace peerscope::cuda {

inline constexpr std::uint32_t kDevices = 64;
inline constexpr std::uint16_t kClock = 0;  // CUPTI puts the times of all devices on one clock

bool open_session();  // at the first call. false, with a line on standard error: nothing will be recorded
Recorder* recorder();  // null: no session
std::uint32_t level_now();
std::uint64_t budget_ppm();
std::uint64_t host_time_of(std::uint64_t ticks);  // CLOCK_MONOTONIC, ns
std::uint64_t ticks_of(std::uint64_t host_ns);

struct Series {                      // one device's part of a communicator
  std::atomic<std::uint16_t> id{0};  // in the session; 0: not registered
  std::atomic<std::uint64_t> next{0};
};
// Null: no such device, or too many communicators.
Series* copies_of(std::uint32_t source_device);
Series* kernels_of(std::uint32_t library, std::uint32_t device);

enum class Counter : std::uint32_t {
  windows,          // of device times
  sampled_copies,   // whose device time was measured
  sampled_kernels,  // known kernels seen in windows
  captured,         // copies captured into a CUDA graph: nothing moved then
  failed,           // copies that CUDA refused
  unmatched,        // device times of copies whose call was not seen
  refused_records,  // records that contradict themselves
  lost_buffers,     // CUPTI asked for memory and all was in use
  count,
};
void count(Counter counter, std::uint64_t amount = 1);

void say(const char* format, ...)
    __attribute__((format(printf, 1, 2)));  // one line on standard error

bool is_logging();  // PEERSCOPE_CUDA_LOG=1: what was found, and what it takes

}  // namespace peerscope::cuda
