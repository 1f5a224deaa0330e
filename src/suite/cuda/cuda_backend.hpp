// The P2P backend on GPUs under benchmarks: ranks are processes (or threads), a GPU each where there are as many.
#pragma once

#include <memory>
#include <string>

#include "model/kinds.hpp"
#include "suite/backend.hpp"

namespace peerscope {

struct CudaBackendOptions {
  bool threads = false;
  std::size_t pool_bytes = 0;  // of each rank's registered memory; 0: as usual
  std::string session = {};  // operations are recorded under it; empty: nothing is
  Level level = Level::detailed;
  std::string tuning_file = {};  // see CudaOptions
};

std::unique_ptr<BenchBackend> make_cuda_backend(const CudaBackendOptions& options);

}  // namespace peerscope
