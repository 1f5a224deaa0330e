// Reads the machine's GPUs once a second on a thread of its own, beside a session that is watched.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "analyze/debug/event.hpp"
#include "analyze/machine.hpp"
#include "source/nvml/machine.hpp"

namespace peerscope {

// Never waited for but in stop(), and there not for long: a driver may take seconds to open, or hang.
class MachineSampler {
 public:
  static constexpr std::int64_t kIntervalNs = 1'000'000'000;
  static constexpr std::int64_t kPatienceNs = 3'000'000'000;

  explicit MachineSampler(const nvml::MachineOptions& options,
                          std::int64_t interval_ns = kIntervalNs,
                          std::int64_t patience_ns = kPatienceNs);
  ~MachineSampler();
  MachineSampler(const MachineSampler&) = delete;
  MachineSampler& operator=(const MachineSampler&) = delete;

  // Null until the first reading. Any thread.
  [[nodiscard]] std::shared_ptr<const MachineSummary> latest() const;
  // The last reading itself. Null until the first. Any thread.
  [[nodiscard]] std::shared_ptr<const MachineReading> reading() const;
  // What changed between two readings since this was last asked: links, PCIe, paths, devices. Any
  // thread. At most kMostChanges wait to be asked for; what is more is dropped.
  [[nodiscard]] std::vector<DebugEvent> take_changes();
  static constexpr std::size_t kMostChanges = 4096;
  // Takes a last reading and ends the thread. One that hangs in the driver is left to itself.
  void stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::int64_t patience_ns_;  // in stop()
};

}  // namespace peerscope
