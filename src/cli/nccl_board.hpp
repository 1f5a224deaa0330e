// The page that the processes of an NCCL sweep share with the one that prints. It lies in memory that
// begins as zeros, and what is not used of it is never touched.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>

#include <sched.h>

#include "cli/bench_nccl.hpp"
#include "comm/host/futex.hpp"
#include "comm/nccl/nccl_abi.hpp"

namespace peerscope {

// One size, out of place or in place.
struct NcclPlaceTimes {
  double host_us[kMostNcclRounds][kMostNcclRanks];    // of an operation, by process
  double device_us[kMostNcclRounds][kMostNcclRanks];  // the same by events on the streams, by rank
  std::atomic<std::uint64_t> wrong, checked;          // elements
  std::atomic<int> done;                              // processes
};

struct NcclDeviceText {
  char name[96], pci_bus_id[32];
};

struct NcclBoard {
  // What the probe found.
  int nccl_version, driver_version, device_count;
  char nccl_path[512];
  NcclDeviceText devices[kMostNcclRanks];
  int pids[kMostNcclRanks];  // by rank

  NcclUniqueId id;
  std::atomic<std::uint32_t> arrived, generation;
  std::atomic<std::uint32_t> failed;  // 1: somebody writes `why`; 2: it is written
  char why[1024];
  std::atomic<std::uint64_t> steps;  // grows while there is progress
  NcclPlaceTimes places[kMostNcclSizes][2];

  // The first word counts.
  void fail(const std::string& message) {
    std::uint32_t none = 0;
    if (!failed.compare_exchange_strong(none, 1, std::memory_order_relaxed)) return;
    std::snprintf(why, sizeof why, "%s", message.c_str());
    failed.store(2, std::memory_order_release);  // publishes `why`
  }

  // Until all processes are here; at once if somebody failed. Spins: ranks leave it together.
  bool barrier(int processes) {
    const std::uint32_t seen = generation.load(std::memory_order_acquire);
    if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 ==
        static_cast<std::uint32_t>(processes)) {
      arrived.store(0, std::memory_order_relaxed);
      generation.fetch_add(1, std::memory_order_release);  // publishes all that was written before
      return failed.load(std::memory_order_relaxed) == 0;
    }
    for (int turn = 0; generation.load(std::memory_order_acquire) == seen; ++turn) {
      if (failed.load(std::memory_order_relaxed) != 0) return false;
      if (turn > 20'000) {
        sched_yield();
      } else {
        relax();
      }
    }
    return true;
  }
};

}  // namespace peerscope
