#include "comm/cuda/device_communicator.hpp"

#include "comm/cuda/peer_driver.hpp"

namespace peerscope {

// Copies from pageable memory and fills go to the default stream, and may still be under way when their call returns; our streams
// do not wait for it. To wait for everything would be to wait for other ranks' kernels, where they share the device.
Status DeviceCommunicator::settle() const {
  const Result<const PeerFunctions*> f = peer_functions();
  if (!f) return f.error();
  return device().check((*f)->cuStreamSynchronize(nullptr), "cuStreamSynchronize");
}

}  // namespace peerscope
