#include "record/ticks.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace peerscope {
namespace {

bool processor_has_invariant_counter() {
#if defined(__x86_64__)
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & (1u << 8)) != 0;
#elif defined(__aarch64__)
  return true;
#else
  return false;
#endif
}

bool kernel_trusts_counter() {
  const int file = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                        O_RDONLY | O_CLOEXEC);
  if (file < 0) return true;  // not told: the residual decides
  char text[32] = {};
  const ssize_t got = read(file, text, sizeof text - 1);
  close(file);
  if (got <= 0) return true;
  for (const char* known :
       {"tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "xen", "arch_sys_counter"}) {
    if (strncmp(text, known, strlen(known)) == 0) return true;
  }
  return false;
}

// Three readings, about 100 µs apart: does the middle one lie on the line through the outer two?
bool counter_runs_evenly() {
  ClockPair pairs[3];
  for (int i = 0; i < 3; ++i) {
    pairs[i] = read_clock_pair(ClockSource::tsc);
    if (i == 2) break;
    while (clock_ns(CLOCK_MONOTONIC) - pairs[i].mono_ns < 100'000) continue;
  }
  const double span = static_cast<double>(pairs[2].ticks - pairs[0].ticks);
  if (pairs[2].ticks <= pairs[0].ticks) return false;
  const double share = static_cast<double>(pairs[1].ticks - pairs[0].ticks) / span;
  const double expected = share * static_cast<double>(pairs[2].mono_ns - pairs[0].mono_ns);
  const double residual = expected - static_cast<double>(pairs[1].mono_ns - pairs[0].mono_ns);
  const double slack =
      1'000.0 + static_cast<double>(pairs[0].uncertainty_ns + pairs[1].uncertainty_ns);
  return residual < slack && residual > -slack;
}

}  // namespace

ClockPair read_clock_pair(ClockSource source) {
  ClockPair best{0, 0, 0, UINT64_MAX};
  for (int i = 0; i < 8; ++i) {
    const std::uint64_t before = clock_ns(CLOCK_MONOTONIC);
    const std::uint64_t ticks = ticks_now(source);
    const std::uint64_t real = clock_ns(CLOCK_REALTIME);
    const std::uint64_t after = clock_ns(CLOCK_MONOTONIC);
    if (after - before < best.uncertainty_ns)
      best = {ticks, before + (after - before) / 2, real, after - before};
  }
  if (source == ClockSource::monotonic) best.mono_ns = best.ticks;
  return best;
}

ClockSource choose_clock_source() {
  const char* forced = getenv("PEERSCOPE_CLOCK");
  if (forced != nullptr && strcmp(forced, "monotonic") == 0) return ClockSource::monotonic;
  if (!processor_has_invariant_counter() || !kernel_trusts_counter()) return ClockSource::monotonic;
  return counter_runs_evenly() ? ClockSource::tsc : ClockSource::monotonic;
}

void add_calibration(SegmentHeader& header, const ClockPair& pair) {
  // The lock holds when it was taken, in seconds: whoever was killed inside has it for two of them.
  const auto now_s = static_cast<std::uint32_t>(clock_ns(CLOCK_MONOTONIC) >> 30) + 1;
  std::uint32_t held = header.calibration_lock.load(std::memory_order_relaxed);
  if (held != 0 && now_s - held < 3) return;
  if (!header.calibration_lock.compare_exchange_strong(held, now_s, std::memory_order_acquire))
    return;
  const std::uint32_t count = header.calibration_count.load(std::memory_order_relaxed);
  Calibration& entry = header.calibrations[count % kMaxCalibrations];
  entry.ticks.store(pair.ticks, std::memory_order_relaxed);
  entry.mono_ns.store(pair.mono_ns, std::memory_order_relaxed);
  entry.real_ns.store(pair.real_ns, std::memory_order_relaxed);
  entry.uncertainty_ns.store(pair.uncertainty_ns, std::memory_order_relaxed);
  header.calibration_count.store(count + 1, std::memory_order_release);  // publishes the entry
  header.calibration_lock.store(0, std::memory_order_release);
}

bool calibration_is_due(const SegmentHeader& header, std::uint64_t now_mono_ns) {
  const std::uint32_t count = header.calibration_count.load(std::memory_order_acquire);
  if (count == 0) return true;
  const Calibration& last = header.calibrations[(count - 1) % kMaxCalibrations];
  return now_mono_ns > last.mono_ns.load(std::memory_order_relaxed) + 1'000'000'000;
}

}  // namespace peerscope
