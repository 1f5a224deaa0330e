// NCCL (libnccl.so.2), found where it is and opened at run time.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "comm/cuda/cuda_abi.hpp"
#include "comm/nccl/nccl_abi.hpp"

namespace peerscope {

struct NcclFunctions {
  NcclResult (*ncclGetVersion)(int* version) = nullptr;
  const char* (*ncclGetErrorString)(NcclResult code) = nullptr;
  const char* (*ncclGetLastError)(NcclComm comm) = nullptr;  // since 2.13; may be null
  NcclResult (*ncclGetUniqueId)(NcclUniqueId* id) = nullptr;
  NcclResult (*ncclCommInitRank)(NcclComm* comm, int ranks, NcclUniqueId id, int rank) = nullptr;
  NcclResult (*ncclCommDestroy)(NcclComm comm) = nullptr;
  NcclResult (*ncclCommAbort)(NcclComm comm) = nullptr;
  NcclResult (*ncclCommGetAsyncError)(NcclComm comm, NcclResult* code) = nullptr;
  NcclResult (*ncclGroupStart)() = nullptr;
  NcclResult (*ncclGroupEnd)() = nullptr;
  NcclResult (*ncclAllReduce)(const void* send, void* recv, std::size_t count, NcclType type,
                              NcclOp op, NcclComm comm, CudaStreamHandle stream) = nullptr;
  NcclResult (*ncclReduce)(const void* send, void* recv, std::size_t count, NcclType type,
                           NcclOp op, int root, NcclComm comm, CudaStreamHandle stream) = nullptr;
  NcclResult (*ncclReduceScatter)(const void* send, void* recv, std::size_t recv_count,
                                  NcclType type, NcclOp op, NcclComm comm,
                                  CudaStreamHandle stream) = nullptr;
  NcclResult (*ncclAllGather)(const void* send, void* recv, std::size_t send_count, NcclType type,
                              NcclComm comm, CudaStreamHandle stream) = nullptr;
  NcclResult (*ncclBroadcast)(const void* send, void* recv, std::size_t count, NcclType type,
                              int root, NcclComm comm, CudaStreamHandle stream) = nullptr;
  NcclResult (*ncclAlltoAll)(const void* send, void* recv, std::size_t count, NcclType type,
                             NcclComm comm,
                             CudaStreamHandle stream) = nullptr;  // since 2.28; or null
  NcclResult (*ncclSend)(const void* send, std::size_t count, NcclType type, int peer,
                         NcclComm comm, CudaStreamHandle stream) = nullptr;
  NcclResult (*ncclRecv)(void* recv, std::size_t count, NcclType type, int peer, NcclComm comm,
                         CudaStreamHandle stream) = nullptr;
};

class NcclLibrary {
 public:
  // `path` empty: the one that this process has loaded, else the loader's, else that of the wheel
  // nvidia-nccl beside the python3 of PATH.
  static Result<NcclLibrary> open(const std::string& path = {});

  const NcclFunctions* operator->() const { return &functions_; }

  [[nodiscard]] int version() const { return version_; }  // 22809
  [[nodiscard]] const std::string& path() const { return path_; }

  // Done, or what went wrong: the call, the rank (-1: none), the code, its text, and NCCL's last
  // words.
  [[nodiscard]] Status check(NcclResult code, const char* call, int rank) const;

 private:
  NcclFunctions functions_;
  int version_ = 0;
  std::string path_;
};

std::string nccl_version_text(int version);  // "2.28.9"

// Where pip puts NCCL for the python3 that is first in `path` (PATH): files that are there.
std::vector<std::string> nccl_wheels(const std::string& path);

}  // namespace peerscope
