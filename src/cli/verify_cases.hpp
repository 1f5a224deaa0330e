// Random operations on one rank, every element against a float64 reference.
#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include "comm/cuda/device_communicator.hpp"

namespace peerscope {

struct VerifyOptions {
  std::string backend = "host", nccl_library;
  int ranks = 2, cases = 1000, seed = 1;
  std::uint64_t most = 1 << 20;
  double timeout_s = 10;
  bool json = false;
};

// What all ranks know of how it goes.
struct VerifyOutcome {
  std::mutex mutex;
  std::atomic<int> done{0}, failed{0}, graphs{0};
  std::string first;  // what went wrong first

  void fail(const std::string& why) {
    const std::lock_guard lock(mutex);
    if (failed++ == 0) first = why;
  }
};

Status verify_host(const VerifyOptions& options, Communicator& comm, VerifyOutcome& outcome);
// A case by run(), on another stream, or as a graph that is launched twice.
Status verify_device(const VerifyOptions& options, DeviceCommunicator& comm,
                     VerifyOutcome& outcome);

}  // namespace peerscope
