// A communicator whose buffers are memory of a GPU: what its users need to know of it, whoever moves the bytes.
#pragma once

#include "comm/communicator.hpp"
#include "comm/cuda/cuda_device.hpp"

namespace peerscope {

// `run` gives the operation to a stream of the communicator's and waits for it; `enqueue` gives it to
// the caller's stream, which may be one that is being captured into a graph.
class DeviceCommunicator : public Communicator {
 public:
  virtual Status enqueue(const Call& call, CudaStreamHandle stream) = 0;
  // Until the stream is empty, or says why it never will be.
  virtual Status synchronize(CudaStreamHandle stream) = 0;
  [[nodiscard]] virtual const CudaDevice& device() const = 0;

  // Until what CudaDevice::upload and fill have begun is done: streams of ours do not wait for it.
  [[nodiscard]] Status settle() const;

 protected:
  using Communicator::Communicator;
};

}  // namespace peerscope
