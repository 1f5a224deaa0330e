// Communication beside a kernel that computes on all multiprocessors and touches no memory.
#pragma once

#include "comm/cuda/device_communicator.hpp"
#include "suite/backend.hpp"

namespace peerscope {

// `count` times the call on `stream`, alone, then beside computation that takes about as long alone. All ranks call it together.
Result<OverlapTime> overlap_on_gpu(DeviceCommunicator& comm, Communicator& host,
                                   const CudaStream& stream, const Call& call, int count);

}  // namespace peerscope
