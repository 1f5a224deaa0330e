// Calls of one rank of an NCCL communicator: collectives, and sends and receives as one group.
#pragma once

#include <optional>
#include <span>

#include "comm/nccl/nccl_library.hpp"
#include "model/kinds.hpp"

namespace peerscope {

// What a rank gives NCCL. `count` is NCCL's: the elements of one rank's share for all_gather,
// reduce_scatter and all_to_all. Kind::send stands for a ring: to the next rank, from the one before.
struct NcclCall {
  Kind kind = Kind::all_reduce;
  CudaPointer send = 0, recv = 0;
  std::size_t count = 0;
  NcclType type = NcclType::f32;
  NcclOp op = NcclOp::sum;
  int root = 0;
};

// Where it is given to.
struct NcclEnd {
  NcclComm comm = nullptr;
  int rank = 0, ranks = 1;
  CudaStreamHandle stream = nullptr;
};

// One send or receive of a group.
struct NcclTransfer {
  bool sends = false;
  CudaPointer at = 0;
  std::size_t count = 0;
  int peer = 0;
};

std::optional<NcclType> nccl_type(Dtype dtype);
std::size_t nccl_bytes(NcclType type);
bool nccl_does(Kind kind);  // what nccl_enqueue takes

// NCCL's own operations; all_to_all by sends and receives where the library has none.
[[nodiscard]] Status nccl_enqueue(const NcclLibrary& nccl, const NcclEnd& end,
                                  const NcclCall& call);
[[nodiscard]] Status nccl_exchange(const NcclLibrary& nccl, const NcclEnd& end, NcclType type,
                                   std::span<const NcclTransfer> transfers);

}  // namespace peerscope
