// The GPUs of this machine, read through NVML. Holds the library open and remembers the reading
// before, so that counters become rates.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "model/device.hpp"
#include "source/nvml/api.hpp"

namespace peerscope::nvml {

struct MachineOptions {
  std::string library;         // path of libnvidia-ml.so.1; "": where the system keeps it
  std::string sysfs = "/sys";  //
};

// One thread at a time. A reading asks the driver a few hundred questions: milliseconds, up to tenths
// of a second on a large machine. Never on a thread that has something else to do.
class Machine {
 public:
  // Fails with one sentence where there is no driver, a wrong one, or no GPU.
  static Result<std::unique_ptr<Machine>> open(const MachineOptions& options);
  static Result<std::unique_ptr<Machine>> open(const Api& api, const MachineOptions& options);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // Rates are of the time since the reading before. The performance monitor wants 100 ms between two.
  MachineReading read();

 private:
  struct State;
  explicit Machine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace peerscope::nvml
