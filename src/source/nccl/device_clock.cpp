#include "source/nccl/device_clock.hpp"

#include "source/nccl/communicator.hpp"

namespace peerscope::nccl {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::uint64_t kGoodNs = 100'000;

}  // namespace

// The first reading that is good, then the best of each second: the rate between the first and the last must not be made of
// what is uncertain about them.
void narrow_clock(Communicator& comm, std::uint64_t start_ns, std::uint64_t stop_ns,
                  std::uint64_t call_ticks) {
  const Recorder* session = recorder();
  if (session == nullptr) return;
  const std::uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
  // By how long ago it was: needs no calibration, and what is asked for was a moment ago.
  const std::uint64_t ago = ticks_now(session->clock) - call_ticks;
  const std::uint64_t host_before_ns =
      now_ns - static_cast<std::uint64_t>(static_cast<double>(ago) * session->ns_per_tick);
  const std::uint64_t earliest = host_before_ns + (stop_ns - start_ns);  // of `stop`, on the host
  if (earliest > now_ns) return;
  Bracket& best = comm.bracket;
  if (best.since_ns == 0) best.since_ns = now_ns;
  const std::uint64_t width = now_ns - earliest + 1;
  if (best.width_ns == 0 || width < best.width_ns)
    best = {best.since_ns, width, stop_ns, earliest, best.given};
  const std::uint64_t age = now_ns - best.since_ns;
  const bool due = best.given ? age >= kSecondNs : best.width_ns <= kGoodNs || age >= 5 * kSecondNs;
  if (!due) return;
  pscope_device_clock(&recorder()->pub, comm.device_clock, best.device_ns, best.host_ns,
                      best.host_ns + best.width_ns);
  best = {now_ns, 0, 0, 0, true};
}

}  // namespace peerscope::nccl
