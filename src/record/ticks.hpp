// The clock of the hot path: the time-stamp counter where it is invariant, else clock_gettime.
#pragma once

#include <cstdint>

#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "record/layout.hpp"

namespace peerscope {

inline std::uint64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(now.tv_nsec);
}

inline std::uint64_t ticks_now(ClockSource source) {
#if defined(__x86_64__)
  if (__builtin_expect(source == ClockSource::tsc, 1)) return __rdtsc();
#elif defined(__aarch64__)
  if (__builtin_expect(source == ClockSource::tsc, 1)) {
    std::uint64_t ticks = 0;
    asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
  }
#endif
  return clock_ns(CLOCK_MONOTONIC);
}

struct ClockPair {
  std::uint64_t ticks, mono_ns, real_ns, uncertainty_ns;
};

// Reads all clocks as close together as a few tries allow. About 1 µs.
ClockPair read_clock_pair(ClockSource source);

// TSC if the processor says that it is invariant, the kernel uses it (or a paravirtual clock made of it), and three
// readings lie on a line within 1 µs. $PEERSCOPE_CLOCK=monotonic forces the kernel's clock.
ClockSource choose_clock_source();

// Appends a pair to the segment's calibrations. Called by whoever comes by once a second: owner or reader.
void add_calibration(SegmentHeader& header, const ClockPair& pair);
bool calibration_is_due(const SegmentHeader& header, std::uint64_t now_mono_ns);

}  // namespace peerscope
