// The vocabulary: what an operation is. Values are those of the C ABI, so that a record needs no
// translation.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "peerscope/peerscope.h"

namespace peerscope {

enum class Level : std::uint8_t {
  off = PSCOPE_LEVEL_OFF,
  basic = PSCOPE_LEVEL_BASIC,
  detailed = PSCOPE_LEVEL_DETAILED,
  comprehensive = PSCOPE_LEVEL_COMPREHENSIVE,
};

enum class Kind : std::uint8_t {
  other = PSCOPE_KIND_OTHER,
  send = PSCOPE_KIND_SEND,
  recv = PSCOPE_KIND_RECV,
  copy = PSCOPE_KIND_COPY,
  broadcast = PSCOPE_KIND_BROADCAST,
  reduce = PSCOPE_KIND_REDUCE,
  all_reduce = PSCOPE_KIND_ALL_REDUCE,
  all_gather = PSCOPE_KIND_ALL_GATHER,
  reduce_scatter = PSCOPE_KIND_REDUCE_SCATTER,
  gather = PSCOPE_KIND_GATHER,
  scatter = PSCOPE_KIND_SCATTER,
  all_to_all = PSCOPE_KIND_ALL_TO_ALL,
  barrier = PSCOPE_KIND_BARRIER,
  put = PSCOPE_KIND_PUT,
  get = PSCOPE_KIND_GET,
  signal = PSCOPE_KIND_SIGNAL,
  compute = PSCOPE_KIND_COMPUTE,
};

enum class Algorithm : std::uint8_t {
  unknown = PSCOPE_ALGORITHM_UNKNOWN,
  direct = PSCOPE_ALGORITHM_DIRECT,
  two_shot = PSCOPE_ALGORITHM_TWO_SHOT,
  ring = PSCOPE_ALGORITHM_RING,
  binary_tree = PSCOPE_ALGORITHM_BINARY_TREE,
  kary_tree = PSCOPE_ALGORITHM_KARY_TREE,
  balanced_tree = PSCOPE_ALGORITHM_BALANCED_TREE,
  tree = PSCOPE_ALGORITHM_TREE,
  collnet_direct = PSCOPE_ALGORITHM_COLLNET_DIRECT,
  collnet_chain = PSCOPE_ALGORITHM_COLLNET_CHAIN,
  nvls = PSCOPE_ALGORITHM_NVLS,
  nvls_tree = PSCOPE_ALGORITHM_NVLS_TREE,
  pat = PSCOPE_ALGORITHM_PAT,
  symmetric = PSCOPE_ALGORITHM_SYMMETRIC,
  copy_engine = PSCOPE_ALGORITHM_COPY_ENGINE,
  host_staged = PSCOPE_ALGORITHM_HOST_STAGED,
};

enum class Protocol : std::uint8_t {
  unknown = PSCOPE_PROTOCOL_UNKNOWN,
  simple = PSCOPE_PROTOCOL_SIMPLE,
  ll = PSCOPE_PROTOCOL_LL,
  ll128 = PSCOPE_PROTOCOL_LL128,
};

enum class Dtype : std::uint8_t {
  unknown = PSCOPE_DTYPE_UNKNOWN,
  i8 = PSCOPE_DTYPE_I8,
  u8 = PSCOPE_DTYPE_U8,
  i32 = PSCOPE_DTYPE_I32,
  u32 = PSCOPE_DTYPE_U32,
  i64 = PSCOPE_DTYPE_I64,
  u64 = PSCOPE_DTYPE_U64,
  f16 = PSCOPE_DTYPE_F16,
  bf16 = PSCOPE_DTYPE_BF16,
  f32 = PSCOPE_DTYPE_F32,
  f64 = PSCOPE_DTYPE_F64,
  f8e4m3 = PSCOPE_DTYPE_F8E4M3,
  f8e5m2 = PSCOPE_DTYPE_F8E5M2,
};

enum class OpStatus : std::uint8_t {
  ok = PSCOPE_STATUS_OK,
  error = PSCOPE_STATUS_ERROR,
  timeout = PSCOPE_STATUS_TIMEOUT,
  peer_lost = PSCOPE_STATUS_PEER_LOST,
  mismatch = PSCOPE_STATUS_MISMATCH,
  no_memory = PSCOPE_STATUS_NO_MEMORY,
  cancelled = PSCOPE_STATUS_CANCELLED,
};

enum class Backend : std::uint8_t {
  unknown = PSCOPE_BACKEND_UNKNOWN,
  host = PSCOPE_BACKEND_HOST,
  cuda = PSCOPE_BACKEND_CUDA,
  nccl = PSCOPE_BACKEND_NCCL,
  exllama = PSCOPE_BACKEND_EXLLAMA,
  sim = PSCOPE_BACKEND_SIM,
};

// Names as the field writes them: "all_reduce", "ring", "ll128", "bf16". "?" for a value that is
// none.
std::string_view name(Level level);
std::string_view name(Kind kind);
std::string_view name(Algorithm algorithm);
std::string_view name(Protocol protocol);
std::string_view name(Dtype dtype);
std::string_view name(OpStatus status);
std::string_view name(Backend backend);

std::optional<Level> parse_level(std::string_view text);
std::optional<Kind> parse_kind(std::string_view text);
std::optional<Algorithm> parse_algorithm(std::string_view text);
std::optional<Dtype> parse_dtype(std::string_view text);

// Bytes of one element; 0 if unknown.
std::size_t dtype_bytes(Dtype dtype);

// True where every rank of the communicator takes part, so that ranks are joined by (communicator,
// sequence).
constexpr bool is_collective(Kind kind) { return kind >= Kind::broadcast && kind <= Kind::barrier; }

// True where one rank is the root and `peer` names it.
constexpr bool has_root(Kind kind) {
  return kind == Kind::broadcast || kind == Kind::reduce || kind == Kind::gather ||
         kind == Kind::scatter;
}

}  // namespace peerscope
