// NCCL under benchmarks, measured as the P2P backend is: the same ranks, clock, barriers and statistics.
#pragma once

#include <memory>
#include <string>

#include "model/kinds.hpp"
#include "suite/backend.hpp"

namespace peerscope {

struct NcclBackendOptions {
  bool threads = false;
  bool nvls = false;         // let NCCL use NVLink multicast
  std::string library = {};  // a libnccl.so.2; empty: as NcclLibrary::open finds it
  std::string session = {};  // what ranks run is recorded under it; empty: nothing is
  Level level = Level::detailed;
};

std::unique_ptr<BenchBackend> make_nccl_backend(const NcclBackendOptions& options);

}  // namespace peerscope
