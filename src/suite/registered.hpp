// Registered memory of a rank out of its communicator's pool.
#pragma once

#include <algorithm>

#include "comm/communicator.hpp"
#include "suite/backend.hpp"

namespace peerscope {

inline Result<RegisteredMemory> register_in_pool(Communicator& comm, std::size_t bytes) {
  if (comm.pool() == nullptr)
    return Error{ErrorCode::unsupported, "this backend has no registered memory"};
  const Result<Block> block = comm.pool()->allocate(std::max<std::size_t>(bytes, 1));
  if (!block) return block.error();
  return RegisteredMemory{block->data, block->offset};
}

}  // namespace peerscope
