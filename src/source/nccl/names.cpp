#include "source/nccl/names.hpp"

#include <string.h>

namespace peerscope::nccl {
namespace {

struct Word {
  const char* text;
  std::uint8_t value;
};

template <std::size_t N>
std::uint8_t find(const Word (&words)[N], const char* text, std::uint8_t otherwise) {
  if (text == nullptr) return otherwise;
  for (const Word& word : words) {
    if (word.text[0] == text[0] && strcmp(word.text, text) == 0) return word.value;
  }
  return otherwise;
}

// The most frequent first.
constexpr Word kFuncs[] = {
    {"AllReduce", PSCOPE_KIND_ALL_REDUCE},
    {"AllGather", PSCOPE_KIND_ALL_GATHER},
    {"ReduceScatter", PSCOPE_KIND_REDUCE_SCATTER},
    {"Send", PSCOPE_KIND_SEND},
    {"Recv", PSCOPE_KIND_RECV},
    {"Broadcast", PSCOPE_KIND_BROADCAST},
    {"Reduce", PSCOPE_KIND_REDUCE},
    {"AlltoAll", PSCOPE_KIND_ALL_TO_ALL},
    {"Gather", PSCOPE_KIND_GATHER},
    {"Scatter", PSCOPE_KIND_SCATTER},
};
constexpr Word kAlgorithms[] = {
    {"RING", PSCOPE_ALGORITHM_RING},
    {"TREE", PSCOPE_ALGORITHM_TREE},
    {"NVLS", PSCOPE_ALGORITHM_NVLS},
    {"NVLS_TREE", PSCOPE_ALGORITHM_NVLS_TREE},
    {"PAT", PSCOPE_ALGORITHM_PAT},
    {"COLLNET_DIRECT", PSCOPE_ALGORITHM_COLLNET_DIRECT},
    {"COLLNET_CHAIN", PSCOPE_ALGORITHM_COLLNET_CHAIN},
};
constexpr Word kProtocols[] = {{"LL", PSCOPE_PROTOCOL_LL},
                               {"LL128", PSCOPE_PROTOCOL_LL128},
                               {"SIMPLE", PSCOPE_PROTOCOL_SIMPLE}};
constexpr Word kDatatypes[] = {
    {"ncclBfloat16", PSCOPE_DTYPE_BF16},
    {"ncclFloat16", PSCOPE_DTYPE_F16},
    {"ncclFloat32", PSCOPE_DTYPE_F32},
    {"ncclInt8", PSCOPE_DTYPE_I8},
    {"ncclFloat64", PSCOPE_DTYPE_F64},
    {"ncclInt32", PSCOPE_DTYPE_I32},
    {"ncclUint32", PSCOPE_DTYPE_U32},
    {"ncclInt64", PSCOPE_DTYPE_I64},
    {"ncclUint64", PSCOPE_DTYPE_U64},
    {"ncclUint8", PSCOPE_DTYPE_U8},
    {"ncclFloat8e4m3", PSCOPE_DTYPE_F8E4M3},
    {"ncclFloat8e5m2", PSCOPE_DTYPE_F8E5M2},
    {"Unknown", PSCOPE_DTYPE_U8},
};

template <std::size_t N>
std::uint8_t at(const std::uint8_t (&values)[N], std::uint8_t number, std::uint8_t otherwise) {
  return number < N ? values[number] : otherwise;
}

}  // namespace

std::uint8_t kind_of(const char* func) { return find(kFuncs, func, PSCOPE_KIND_OTHER); }
std::uint8_t algorithm_of(const char* algorithm) {
  return find(kAlgorithms, algorithm, PSCOPE_ALGORITHM_UNKNOWN);
}
std::uint8_t protocol_of(const char* protocol) {
  return find(kProtocols, protocol, PSCOPE_PROTOCOL_UNKNOWN);
}
std::uint8_t dtype_of(const char* datatype) {
  return find(kDatatypes, datatype, PSCOPE_DTYPE_UNKNOWN);
}

std::uint8_t kind_of_number(std::uint8_t func) {
  constexpr std::uint8_t kValues[] = {PSCOPE_KIND_BROADCAST,  PSCOPE_KIND_REDUCE,
                                      PSCOPE_KIND_ALL_GATHER, PSCOPE_KIND_REDUCE_SCATTER,
                                      PSCOPE_KIND_ALL_REDUCE, PSCOPE_KIND_OTHER,
                                      PSCOPE_KIND_SEND,       PSCOPE_KIND_RECV};
  return at(kValues, func, PSCOPE_KIND_OTHER);
}
std::uint8_t algorithm_of_number(std::uint8_t algorithm) {
  constexpr std::uint8_t kValues[] = {PSCOPE_ALGORITHM_TREE,
                                      PSCOPE_ALGORITHM_RING,
                                      PSCOPE_ALGORITHM_COLLNET_DIRECT,
                                      PSCOPE_ALGORITHM_COLLNET_CHAIN,
                                      PSCOPE_ALGORITHM_NVLS,
                                      PSCOPE_ALGORITHM_NVLS_TREE,
                                      PSCOPE_ALGORITHM_PAT};
  return at(kValues, algorithm, PSCOPE_ALGORITHM_UNKNOWN);
}
std::uint8_t protocol_of_number(std::uint8_t protocol) {
  constexpr std::uint8_t kValues[] = {PSCOPE_PROTOCOL_LL, PSCOPE_PROTOCOL_LL128,
                                      PSCOPE_PROTOCOL_SIMPLE};
  return at(kValues, protocol, PSCOPE_PROTOCOL_UNKNOWN);
}
std::uint8_t dtype_of_number(std::uint8_t datatype) {
  constexpr std::uint8_t kValues[] = {PSCOPE_DTYPE_I8,   PSCOPE_DTYPE_U8,     PSCOPE_DTYPE_I32,
                                      PSCOPE_DTYPE_U32,  PSCOPE_DTYPE_I64,    PSCOPE_DTYPE_U64,
                                      PSCOPE_DTYPE_F16,  PSCOPE_DTYPE_F32,    PSCOPE_DTYPE_F64,
                                      PSCOPE_DTYPE_BF16, PSCOPE_DTYPE_F8E4M3, PSCOPE_DTYPE_F8E5M2};
  return at(kValues, datatype, PSCOPE_DTYPE_UNKNOWN);
}

std::uint32_t bytes_of(std::uint8_t dtype) {
  constexpr std::uint8_t kBytes[PSCOPE_DTYPE_COUNT] = {1, 1, 1, 4, 4, 8, 8, 2, 2, 4, 8, 1, 1};
  return dtype < PSCOPE_DTYPE_COUNT ? kBytes[dtype] : 1;
}

std::uint64_t size_of(std::uint8_t kind, std::uint64_t count, std::uint8_t dtype,
                      std::uint32_t ranks) {
  const std::uint64_t bytes = count * bytes_of(dtype);
  const bool of_one_rank = kind == PSCOPE_KIND_ALL_GATHER || kind == PSCOPE_KIND_REDUCE_SCATTER ||
                           kind == PSCOPE_KIND_ALL_TO_ALL || kind == PSCOPE_KIND_GATHER ||
                           kind == PSCOPE_KIND_SCATTER;
  return of_one_rank ? bytes * ranks : bytes;
}

}  // namespace peerscope::nccl
