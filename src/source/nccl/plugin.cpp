// The tables that NCCL looks for: versions 1 to 7, over one implementation. Each callback reads of its descriptor what that
// version has, and no more.
#include "source/nccl/abi.hpp"
#include "source/nccl/chain.hpp"
#include "source/nccl/communicator.hpp"
#include "source/nccl/governor.hpp"
#include "source/nccl/names.hpp"
#include "source/nccl/operations.hpp"

namespace peerscope::nccl {
namespace {

constexpr int kVersionWithApiEvents = 5;

Communicator* as_communicator(void* context) { return static_cast<Communicator*>(context); }

int init(int version, void** context, std::uint64_t hash, int* mask, const char* name, int nodes,
         int ranks, int rank, Logger log) {
  Communicator* comm = open_communicator(hash, name, ranks, rank);
  *context = comm;
  if (comm == nullptr || mask == nullptr) return kSuccess;  // NCCL goes on without us
  attach_mask(mask, version);
  chain_init(version, *comm, name, nodes, log);
  return kSuccess;
}

int finalize(void* context) {
  Communicator* comm = as_communicator(context);
  if (comm == nullptr) return kSuccess;
  end_calls(*comm);
  chain_finalize(*comm);
  close_communicator(*comm);
  return kSuccess;
}

// ---- versions 5 to 7 --------------------------------------------------------------------------------------------------

void* start_call(Communicator* comm, const Descriptor& d) {
  if (d.head.type == kCollApi) {
    const CollApiBody& b = d.coll_api;
    return begin_call(comm, d.head.parent,
                      {kind_of(b.func), dtype_of(b.datatype), b.count, b.root, b.graph_captured});
  }
  const P2pApiBody& b = d.p2p_api;  // does not know its peer
  return begin_call(comm, d.head.parent,
                    {kind_of(b.func), dtype_of(b.datatype), b.count, -1, b.graph_captured});
}

void* start_collective(Communicator* comm, void* call, const CollBody& b) {
  return begin_operation(comm, call,
                         {kind_of(b.func), dtype_of(b.datatype), algorithm_of(b.algorithm),
                          protocol_of(b.protocol), true, b.sequence, b.count, b.root, b.channels});
}

void* start_p2p(Communicator* comm, void* call, const P2pBody& b) {
  return begin_operation(comm, call,
                         {kind_of(b.func), dtype_of(b.datatype), PSCOPE_ALGORITHM_UNKNOWN,
                          PSCOPE_PROTOCOL_UNKNOWN, false, 0, b.count, b.peer, b.channels});
}

// What there is to know of an event of version 4 or later; `type` is read by the caller, who knows how wide it is.
void* start_ours(Communicator* comm, std::uint64_t type, bool has_calls, const Descriptor& d) {
  switch (type) {
    case kGroupApi:
      return begin_group(comm, d.group_api.graph_captured, d.group_api.depth);
    case kCollApi:
    case kP2pApi:
      return start_call(comm, d);
    case kColl:
      return start_collective(comm, has_calls ? d.head.parent : nullptr, d.coll);
    case kP2p:
      return start_p2p(comm, has_calls ? d.head.parent : nullptr, d.p2p);
    case kKernelCh:
      return begin_channel(d.head.parent, d.kernel_ch.channel, d.kernel_ch.start_ns);
    default:
      // Groups, launches, and the network's: a proxy operation may be of another process, and then neither its parent
      // nor its context may be touched. We touch none.
      if (type == kGroup) follow_level();
      return nullptr;
  }
}

int start_v5(void* context, void** handle, void* descriptor) {
  auto* d = static_cast<Descriptor*>(descriptor);
  *handle = nullptr;
  if (__builtin_expect(chain_is_on(), 0))
    return chain_start(context, handle, *d, kVersionWithApiEvents, &start_ours);
  *handle = start_ours(as_communicator(context), d->head.type, true, *d);
  return kSuccess;
}

int start_v4(void* context, void** handle, void* descriptor) {
  auto* d = static_cast<Descriptor*>(descriptor);
  *handle = nullptr;
  if (__builtin_expect(chain_is_on(), 0)) return chain_start(context, handle, *d, 4, &start_ours);
  *handle = start_ours(as_communicator(context), d->head.type & 0xFF, false, *d);
  return kSuccess;
}

int stop(void* handle) {
  if (__builtin_expect(chain_is_on(), 0)) return chain_stop(handle);
  end(handle);
  return kSuccess;
}

int record(void* handle, int state, void* arguments) {
  if (__builtin_expect(chain_is_on(), 0)) return chain_record(handle, state, arguments);
  if (state == kKernelChStop && arguments != nullptr)
    note_channel_stop(handle, static_cast<const StateArguments*>(arguments)->stop_ns);
  return kSuccess;
}

template <int version>
int init_v5(void** context, std::uint64_t hash, int* mask, const char* name, int nodes, int ranks,
            int rank, Logger log) {
  return init(version, context, hash, mask, name, nodes, ranks, rank, log);
}

int init_v4(void** context, int* mask, const char* name, std::uint64_t hash, int nodes, int ranks,
            int rank, Logger log) {
  return init(4, context, hash, mask, name, nodes, ranks, rank, log);
}

// ---- versions 1 to 3: no context worth its name, each operation says whose it is; no device times ---------------------

int g_context;  // its address is one: contexts must not be null

template <int version>
int init_v1(void** context, int* mask) {
  *context = &g_context;
  if (mask != nullptr && open_communicator_later()) attach_mask(mask, version);
  return kSuccess;
}

Operation operation_of(const CollBodyV1& b) {
  return {kind_of_number(b.func),
          dtype_of_number(b.datatype),
          algorithm_of_number(b.algorithm),
          protocol_of_number(b.protocol),
          true,
          b.sequence,
          b.count,
          b.root,
          0};
}
template <class CollBody>
Operation operation_of(const CollBody& b) {
  return {kind_of(b.func),
          dtype_of(b.datatype),
          algorithm_of(b.algorithm),
          protocol_of(b.protocol),
          true,
          b.sequence,
          b.count,
          b.root,
          0};
}
Operation operation_of(const P2pBodyV1& b) {
  return {kind_of_number(b.func), dtype_of_number(b.datatype), 0, 0, false, 0, b.count, b.peer, 0};
}
Operation operation_of(const P2pBodyV2& b) {
  return {kind_of(b.func), dtype_of(b.datatype), 0, 0, false, 0, b.count, b.peer, 0};
}

template <class AnyDescriptor>
int start_v1(void*, void** handle, void* descriptor) {
  const auto* d = static_cast<const AnyDescriptor*>(descriptor);
  *handle = nullptr;
  const std::uint64_t type = d->head.type & 0xFF;
  if (type == kGroup) follow_level();
  if (type == kColl)
    begin_operation(find_communicator(d->coll.comm_hash, d->coll.name, d->head.rank), nullptr,
                    operation_of(d->coll));
  if (type == kP2p)
    begin_operation(find_communicator(d->p2p.comm_hash, d->p2p.name, d->head.rank), nullptr,
                    operation_of(d->p2p));
  return kSuccess;
}

int ignore_stop(void*) { return kSuccess; }
int ignore_record(void*, int, void*) { return kSuccess; }

constexpr const char* kName = "peerscope";

}  // namespace
}  // namespace peerscope::nccl

using namespace peerscope::
    nccl;  // NOLINT(google-build-using-namespace): the exports are made of it

#define PSCOPE_EXPORT __attribute__((visibility("default"))) constinit
extern "C" {
PSCOPE_EXPORT TableV1 ncclProfiler_v1{kName,       init_v1<1>,    start_v1<DescriptorV1>,
                                      ignore_stop, ignore_record, ignore_stop};
PSCOPE_EXPORT TableV1 ncclProfiler_v2{kName,       init_v1<2>,    start_v1<DescriptorV2>,
                                      ignore_stop, ignore_record, ignore_stop};
PSCOPE_EXPORT TableV1 ncclProfiler_v3{kName,       init_v1<3>,    start_v1<DescriptorV3>,
                                      ignore_stop, ignore_record, ignore_stop};
PSCOPE_EXPORT TableV4 ncclProfiler_v4{kName, init_v4, start_v4, stop, record, finalize};
PSCOPE_EXPORT TableV5 ncclProfiler_v5{kName, init_v5<5>, start_v5, stop, record, finalize};
PSCOPE_EXPORT TableV5 ncclProfiler_v6{kName, init_v5<6>, start_v5, stop, record, finalize};
PSCOPE_EXPORT TableV5 ncclProfiler_v7{kName, init_v5<7>, start_v5, stop, record, finalize};
}
