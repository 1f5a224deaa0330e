// What we use of NCCL's C interface (nccl.h, 2.x): the same numbers since 2.10.
#pragma once

namespace peerscope {

using NcclResult = int;  // ncclResult_t
using NcclComm = struct NcclCommTag*;

inline constexpr NcclResult kNcclSuccess = 0;
inline constexpr NcclResult kNcclInProgress = 7;

struct NcclUniqueId {
  char internal[128];
};

enum class NcclOp : int { sum = 0, prod = 1, max = 2, min = 3, avg = 4 };

enum class NcclType : int {
  i8 = 0,
  u8 = 1,
  i32 = 2,
  u32 = 3,
  i64 = 4,
  u64 = 5,
  f16 = 6,
  f32 = 7,
  f64 = 8,
  bf16 = 9,
};

}  // namespace peerscope
