// NCCL's profiler interface, versions 1 to 7, as far as we read it. Own declarations: a plugin must not need NCCL's headers.
//
// What a version of NCCL hands over is as large as that version says: never read a field of a later one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace peerscope::nccl {

// Bits of the activation mask, and types of events.
enum EventType : std::uint64_t {
  kGroup = 1 << 0,  // a kernel plan
  kColl = 1 << 1,
  kP2p = 1 << 2,
  kProxyOp = 1 << 3,
  kProxyStep = 1 << 4,
  kProxyCtrl = 1 << 5,
  kKernelCh =
      1 << 6,  // a channel's work on the device, with the device's clock (from version 4 on)
  kNetPlugin = 1 << 7,
  kGroupApi = 1 << 8,  // from here: version 5
  kCollApi = 1 << 9,
  kP2pApi = 1 << 10,
  kKernelLaunch = 1 << 11,
};

inline constexpr int kKernelChStop =
    22;  // the event state whose argument is the channel's stop time

enum Result : int { kSuccess = 0 };

// ---- descriptors: a head, and a body by the event's type --------------------------------------------------------------

struct Head {
  std::uint64_t type;  // versions 1 to 4: one byte, the other seven are anything
  void* parent;
  int rank;  // set for Coll and P2p only
};

struct GroupApiBody {
  bool graph_captured;
  int depth;
};
struct CollApiBody {
  const char* func;
  std::size_t count;
  const char* datatype;
  int root;
  void* stream;
  bool graph_captured;
};
struct P2pApiBody {
  const char* func;
  std::size_t count;
  const char* datatype;
  void* stream;
  bool graph_captured;
};
struct CollBody {  // from version 4 on
  std::uint64_t sequence;
  const char* func;
  const void* send;
  void* recv;
  std::size_t count;
  int root;
  const char* datatype;
  std::uint8_t channels, warps;
  const char* algorithm;
  const char* protocol;
  void* parent_group;  // from version 5 on
};
struct P2pBody {  // from version 4 on
  const char* func;
  void* buffer;
  const char* datatype;
  std::size_t count;
  int peer;
  std::uint8_t channels;
  void* parent_group;  // from version 5 on
};
struct ProxyOpBody {
  std::int32_t pid;
  std::uint8_t channel;
  int peer, steps, chunk_bytes, is_send;
};
struct KernelChBody {
  std::uint8_t channel;
  std::uint64_t start_ns;
};

struct Descriptor {
  Head head;
  union {
    GroupApiBody group_api;
    CollApiBody coll_api;
    P2pApiBody p2p_api;
    CollBody coll;
    P2pBody p2p;
    ProxyOpBody proxy_op;
    KernelChBody kernel_ch;
  };
};

struct CollBodyV1 {
  const char* name;
  std::uint64_t comm_hash, sequence;
  std::uint8_t func;
  const void* send;
  void* recv;
  std::size_t count;
  int root;
  std::uint8_t datatype;
  std::uint32_t op;
  std::size_t traffic_bytes;
  std::uint8_t max_channels, warps, algorithm, protocol;
  int is_collnet, is_nvls;
};
struct P2pBodyV1 {
  const char* name;
  std::uint64_t comm_hash;
  std::uint8_t func;
  void* buffer;
  std::uint8_t datatype;
  std::size_t count;
  int peer;
};
struct CollBodyV2 {
  const char* name;
  std::uint64_t comm_hash, sequence;
  const char* func;
  const void* send;
  void* recv;
  std::size_t count;
  int root;
  const char* datatype;
  std::size_t traffic_bytes;  // gone in version 3, which is the same up to here
  std::uint8_t max_channels, warps;
  const char* algorithm;
  const char* protocol;
};
struct CollBodyV3 {
  const char* name;
  std::uint64_t comm_hash, sequence;
  const char* func;
  const void* send;
  void* recv;
  std::size_t count;
  int root;
  const char* datatype;
  std::uint8_t max_channels, warps;
  const char* algorithm;
  const char* protocol;
};
struct P2pBodyV2 {  // and version 3
  const char* name;
  std::uint64_t comm_hash;
  const char* func;
  void* buffer;
  const char* datatype;
  std::size_t count;
  int peer;
};

struct DescriptorV1 {
  Head head;
  union {
    CollBodyV1 coll;
    P2pBodyV1 p2p;
    ProxyOpBody proxy_op;
  };
};
struct DescriptorV2 {
  Head head;
  union {
    CollBodyV2 coll;
    P2pBodyV2 p2p;
    ProxyOpBody proxy_op;
  };
};
struct DescriptorV3 {
  Head head;
  union {
    CollBodyV3 coll;
    P2pBodyV2 p2p;
    ProxyOpBody proxy_op;
  };
};

// Read off NCCL's own headers on x86-64, by offsetof.
static_assert(offsetof(Head, parent) == 8 && offsetof(Head, rank) == 16);
static_assert(sizeof(DescriptorV1) == 120 && sizeof(DescriptorV2) == 128 &&
              sizeof(DescriptorV3) == 120);
static_assert(sizeof(Descriptor) ==
              112);  // versions 5 and 6; version 4 ends before parent_group: 104
static_assert(offsetof(Descriptor, coll.sequence) == 24 && offsetof(Descriptor, coll.count) == 56);
static_assert(offsetof(Descriptor, coll.datatype) == 72 &&
              offsetof(Descriptor, coll.channels) == 80);
static_assert(offsetof(Descriptor, coll.algorithm) == 88 &&
              offsetof(Descriptor, coll.protocol) == 96);
static_assert(offsetof(Descriptor, coll.parent_group) == 104);
static_assert(offsetof(Descriptor, p2p.peer) == 56 && offsetof(Descriptor, p2p.parent_group) == 64);
static_assert(offsetof(Descriptor, proxy_op.is_send) == 44);
static_assert(offsetof(Descriptor, kernel_ch.start_ns) == 32);

union StateArguments {  // from version 4 on; the pointer to them may be null
  std::size_t transferred;
  std::uint64_t stop_ns;
};

// ---- tables -------------------------------------------------------------------------------------------------------------

using Logger = void (*)(int level, unsigned long flags, const char* file, int line,
                        const char* format, ...);
using StartEvent = int (*)(void* context, void** handle, void* descriptor);
using StopEvent = int (*)(void* handle);
using RecordState = int (*)(void* handle, int state, void* arguments);
using Finalize = int (*)(void* context);

struct TableV1 {  // to version 3
  const char* name;
  int (*init)(void** context, int* mask);
  StartEvent start;
  StopEvent stop;
  RecordState record;
  Finalize finalize;
};
struct TableV4 {
  const char* name;
  int (*init)(void** context, int* mask, const char* comm_name, std::uint64_t comm_hash, int nodes,
              int ranks, int rank, Logger log);
  StartEvent start;
  StopEvent stop;
  RecordState record;
  Finalize finalize;
};
struct TableV5 {  // and later
  const char* name;
  int (*init)(void** context, std::uint64_t comm_hash, int* mask, const char* comm_name, int nodes,
              int ranks, int rank, Logger log);
  StartEvent start;
  StopEvent stop;
  RecordState record;
  Finalize finalize;
};

}  // namespace peerscope::nccl
