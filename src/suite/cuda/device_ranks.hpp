// Starts the ranks of a benchmark that have a GPU each: processes (or threads), tied together on the host.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "comm/cuda/device_communicator.hpp"
#include "suite/backend.hpp"

namespace peerscope {

struct DeviceRanksOptions {
  int ranks = 2;
  bool threads = false;
  std::string session = {};  // operations are recorded under it; empty: nothing is
  Level level = Level::detailed;
};

// Where a rank is: in the rank's own process or thread.
struct DevicePlace {
  int device = 0;  // ranks share GPUs where there are fewer
  pscope_session* session = nullptr;
};
using OpenedDevice = Result<std::unique_ptr<DeviceCommunicator>>;
using OpenDevice = std::function<OpenedDevice(const CudaDriver& driver, const DevicePlace& place,
                                              std::unique_ptr<Communicator> bootstrap)>;

// As BenchBackend::run; `open` makes what is measured.
Status run_device_ranks(const DeviceRanksOptions& options, const OpenDevice& open,
                        const BenchBackend::Body& body, const BenchBackend::Watch& watch);

}  // namespace peerscope
