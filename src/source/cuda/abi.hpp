// What we use of CUPTI's and CUDA's interfaces, declared by ourselves: the build needs neither. Numbers and layouts are those
// of CUDA 12.0 to 13.x; tests/cupti_layout_test.cpp holds them against the vendor's headers where there are some.
#pragma once

#include <cstddef>
#include <cstdint>

namespace peerscope::cuda {

// ---- CUPTI: results, domains, kinds -----------------------------------------------------------------------------------

inline constexpr int kSuccess = 0;
inline constexpr int kErrorInvalidKind = 21;
inline constexpr int kErrorInsufficientPrivileges = 35;
inline constexpr int kErrorMultipleSubscribers = 39;

enum class Domain : int { driver = 1, runtime = 2, resource = 3 };
enum class Site : int { enter = 0, exit = 1 };

inline constexpr std::uint32_t kContextCreated = 1,
                               kContextDestroyStarting = 2;  // of the domain resource

inline constexpr int kKindDevice = 8;
inline constexpr int kKindConcurrentKernel = 10;
inline constexpr int kKindPeerCopy = 22;  // MEMCPY2
inline constexpr std::uint32_t kFlushForced = 1;

// cuptiGetVersion: a count up to CUDA 12.9, then xxyyzz of the toolkit.
inline constexpr std::uint32_t kFirstVersion = 19;        // CUDA 12.0
inline constexpr std::uint32_t kLastCountedVersion = 28;  // CUDA 12.9 update 1
inline constexpr std::uint32_t kFirstNamedVersion = 130'000, kAfterNamedVersions = 140'000;
constexpr bool knows_version(std::uint32_t version) {
  return (version >= kFirstVersion && version <= kLastCountedVersion) ||
         (version >= kFirstNamedVersion && version < kAfterNamedVersions);
}

// ---- CUPTI: what callbacks are given ----------------------------------------------------------------------------------

struct CallbackData {
  Site site;
  const char* function_name;
  const void* arguments;
  void* result;  // an int; at exit only
  const char* symbol_name;
  void* context;
  std::uint32_t context_uid;
  std::uint64_t* shared;  // between enter and exit of one call
  std::uint32_t correlation;
};

struct ResourceData {
  void* context;
};

using Callback = void (*)(void* user, Domain domain, std::uint32_t id, const void* data);
using BufferRequested = void (*)(std::uint8_t** buffer, std::size_t* size,
                                 std::size_t* max_records);
using BufferCompleted = void (*)(void* context, std::uint32_t stream, std::uint8_t* buffer,
                                 std::size_t size, std::size_t valid);

// ---- CUPTI: records. What all versions have in common, from the front; the library says where the next one begins. ------

struct ActivityHead {
  int kind;
};

// CUpti_ActivityMemcpyPtoP2 (CUDA 11.1) to PtoP4.
struct PeerCopyRecord {
  int kind;
  std::uint8_t copy_kind, source_kind, destination_kind, flags;
  std::uint64_t bytes, start_ns, end_ns;
  std::uint32_t device, context, stream;
  std::uint32_t source_device, source_context, destination_device, destination_context;
  std::uint32_t correlation;
  void* reserved;
  std::uint64_t graph_node;  // 0: not of a graph
};
static_assert(offsetof(PeerCopyRecord, source_device) == 44);
static_assert(offsetof(PeerCopyRecord, correlation) == 60);
static_assert(offsetof(PeerCopyRecord, graph_node) == 72);

// CUpti_ActivityKernel5 (CUDA 11.0) to Kernel10.
struct KernelRecord {
  int kind;
  std::uint8_t cache_config, shared_memory_config;
  std::uint16_t registers;
  int partitioned_requested, partitioned_executed;
  std::uint64_t start_ns, end_ns, completed_ns;
  std::uint32_t device, context, stream;
  std::int32_t grid[3], block[3];
  std::int32_t static_shared, dynamic_shared;
  std::uint32_t local_per_thread, local_total;
  std::uint32_t correlation;
  std::int64_t grid_id;
  const char* name;  // mangled
  void* reserved;
  std::uint64_t queued, submitted;
  std::uint8_t launch_type, carveout_requested, carveout, padding;
  std::uint32_t shared_executed;
  std::uint64_t graph_node;  // 0: not of a graph
};
static_assert(offsetof(KernelRecord, device) == 40);
static_assert(offsetof(KernelRecord, correlation) == 92);
static_assert(offsetof(KernelRecord, name) == 104);
static_assert(offsetof(KernelRecord, graph_node) == 144);

// ---- CUDA: arguments of the functions that copy -----------------------------------------------------------------------

using DevicePointer = std::uint64_t;

struct PeerArguments {  // cuMemcpyPeer, cuMemcpyPeerAsync; the first has no stream
  DevicePointer destination;
  void* destination_context;
  DevicePointer source;
  void* source_context;
  std::size_t bytes;
  void* stream;
};

struct PlainArguments {  // cuMemcpy, cuMemcpyAsync, cuMemcpyDtoD, cuMemcpyDtoDAsync
  DevicePointer destination, source;
  std::size_t bytes;
  void* stream;
};

struct Copy3dPeer {  // CUDA_MEMCPY3D_PEER
  struct End {
    std::size_t x_bytes, y, z, lod;
    int memory_type;
    const void* host;
    DevicePointer device;
    void* array;
    void* context;
    std::size_t pitch, height;
  };
  End source, destination;
  std::size_t width_bytes, height, depth;
};
inline constexpr int kMemoryHost = 1;

struct Copy3dPeerArguments {
  const Copy3dPeer* copy;
  void* stream;
};

struct
    BatchArguments {  // cuMemcpyBatchAsync in both versions, cudaMemcpyBatchAsync: as far as they agree
  const DevicePointer* destinations;
  const DevicePointer* sources;
  const std::size_t* bytes;
  std::size_t count;
  void* attributes;
  std::size_t* attribute_indices;
  std::size_t attribute_count;
  void* stream;  // the first version has a pointer here, and its stream behind it
  void* stream_of_first_version;
};

struct RuntimePeerArguments {  // cudaMemcpyPeer, cudaMemcpyPeerAsync
  void* destination;
  int destination_device;
  const void* source;
  int source_device;
  std::size_t bytes;
  void* stream;
};

struct RuntimePlainArguments {  // cudaMemcpy, cudaMemcpyAsync
  void* destination;
  const void* source;
  std::size_t bytes;
  int direction;
  void* stream;
};
inline constexpr int kDeviceToDevice = 3, kInferredDirection = 4;

struct RuntimeCopy3dPeer {  // cudaMemcpy3DPeerParms
  struct End {
    void* array;
    std::size_t position[3];
    void* pointer;
    std::size_t pitch, x_size, y_size;
    int device;
  };
  End source, destination;
  std::size_t width, height, depth;
};

struct RuntimeCopy3dPeerArguments {
  const RuntimeCopy3dPeer* copy;
  void* stream;
};

inline constexpr int kPointerMemoryType = 2, kPointerDeviceOrdinal = 9;  // CUpointer_attribute
inline constexpr int kMemoryDevice = 2;

}  // namespace peerscope::cuda
