#include "source/nccl/fake_nccl.hpp"

#include <string_view>

#include <dlfcn.h>
#include <fmt/format.h>

namespace peerscope {

using nccl::Descriptor;

namespace {

int g_mask = 0;  // ncclProfilerEventMask

void log_nothing(int, unsigned long, const char*, int, const char*, ...) {}

int function_of(const char* func) {
  constexpr std::string_view kFunctions[] = {"Broadcast", "Reduce", "AllGather", "ReduceScatter",
                                             "AllReduce"};
  int at = 0;
  for (const std::string_view name : kFunctions) {
    if (name == func) return at;
    ++at;
  }
  return 5;
}

// The bytes that a version leaves uninitialised.
Descriptor descriptor(int version, std::uint64_t type, void* parent, int rank = 0) {
  Descriptor d;
  __builtin_memset(&d, 0, sizeof d);
  d.head.type = version >= 5 ? type : type | 0xA5A5'A5A5'A5A5'A500u;
  d.head.parent = parent;
  d.head.rank = rank;
  return d;
}

}  // namespace

Result<FakeNccl> FakeNccl::load(const std::string& plugin, int version) {
  FakeNccl fake;
  fake.version_ = version;
  fake.library_ = dlopen(plugin.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (fake.library_ == nullptr) return Error{ErrorCode::not_found, dlerror()};
  void* table = dlsym(fake.library_, fmt::format("ncclProfiler_v{}", version).c_str());
  if (table == nullptr)
    return Error{ErrorCode::not_found, fmt::format("{} has no version {}", plugin, version)};
  const auto take = [&fake](const auto& t) {
    fake.start_ = t.start;
    fake.stop_ = t.stop;
    fake.record_ = t.record;
  };
  if (version <= 3) {
    fake.v1_ = static_cast<nccl::TableV1*>(table);
    take(*fake.v1_);
  } else if (version == 4) {
    fake.v4_ = static_cast<nccl::TableV4*>(table);
    take(*fake.v4_);
  } else {
    fake.v5_ = static_cast<nccl::TableV5*>(table);
    take(*fake.v5_);
  }
  fake.mask_ = &g_mask;
  g_mask = 0;
  return fake;
}

FakeNccl::Comm FakeNccl::init(std::uint64_t hash, int ranks, int rank, const char* name) {
  Comm comm;
  comm.hash = hash;
  comm.ranks = ranks;
  comm.rank = rank;
  if (v1_ != nullptr) v1_->init(&comm.context, mask_);
  if (v4_ != nullptr) v4_->init(&comm.context, mask_, name, hash, 1, ranks, rank, log_nothing);
  if (v5_ != nullptr) v5_->init(&comm.context, hash, mask_, name, 1, ranks, rank, log_nothing);
  return comm;
}

void FakeNccl::finalize(Comm& comm) const {
  if (comm.context == nullptr) return;
  if (v1_ != nullptr) v1_->finalize(comm.context);
  if (v4_ != nullptr) v4_->finalize(comm.context);
  if (v5_ != nullptr) v5_->finalize(comm.context);
  comm.context = nullptr;
}

int FakeNccl::mask() const { return __atomic_load_n(mask_, __ATOMIC_RELAXED); }

void* FakeNccl::start(void* context, Descriptor& d) const {
  void* handle = nullptr;
  ++callbacks_;
  start_(context, &handle, &d);
  return handle;
}
void FakeNccl::stop(void* handle) const {
  if (handle == nullptr) return;
  ++callbacks_;
  stop_(handle);
}
void FakeNccl::record(void* handle, int state, void* arguments) const {
  if (handle == nullptr) return;
  ++callbacks_;
  record_(handle, state, arguments);
}

void* FakeNccl::begin_group(const Comm& comm, bool captured, int depth) {
  group_mask_ = mask();
  if (version_ < 5 && group_mask_ != 0) {  // the kernel plan: no handle is wanted of it
    Descriptor d = descriptor(version_, nccl::kGroup, nullptr);
    stop(start(comm.context, d));
  }
  if (version_ < 5 || group_mask_ == 0) return nullptr;
  Descriptor d = descriptor(version_, nccl::kGroupApi, nullptr);
  d.group_api.graph_captured = captured;
  d.group_api.depth = depth;
  void* group = start(comm.context, d);
  record(group, 23, nullptr);  // states of the group come without arguments
  record(group, 24, nullptr);
  return group;
}

void* FakeNccl::begin_call(const Comm& comm, void* group, const Collective& what) const {
  constexpr int kWants = nccl::kCollApi | nccl::kColl | nccl::kProxyOp | nccl::kKernelCh;
  if (version_ < 5 || (group_mask_ & kWants) == 0) return nullptr;
  Descriptor d = descriptor(version_, nccl::kCollApi, group);
  d.coll_api.func = what.func;
  d.coll_api.count = what.count;
  d.coll_api.datatype = what.datatype;
  d.coll_api.root = what.root;
  d.coll_api.graph_captured = what.captured;
  return start(comm.context, d);
}

namespace {

template <class AnyDescriptor>
AnyDescriptor old_descriptor(const FakeNccl::Comm& comm) {
  AnyDescriptor d;
  __builtin_memset(&d, 0, sizeof d);
  d.head.type = nccl::kColl | 0xA5A5'A5A5'A5A5'A500u;
  d.head.rank = comm.rank;
  d.coll.name = "old";
  d.coll.comm_hash = comm.hash;
  return d;
}

template <class AnyDescriptor>
AnyDescriptor old_collective(const FakeNccl::Comm& comm, const FakeNccl::Collective& what,
                             std::uint64_t sequence) {
  AnyDescriptor d = old_descriptor<AnyDescriptor>(comm);
  d.coll.sequence = sequence;
  d.coll.count = what.count;
  d.coll.root = what.root;
  if constexpr (std::is_same_v<AnyDescriptor, nccl::DescriptorV1>) {
    d.coll.func = static_cast<std::uint8_t>(function_of(what.func));
    d.coll.datatype = 7;  // ncclFloat32
    d.coll.algorithm = 1;
    d.coll.protocol = 0;
  } else {
    d.coll.func = what.func;
    d.coll.datatype = what.datatype;
    d.coll.algorithm = what.algorithm;
    d.coll.protocol = what.protocol;
  }
  return d;
}

}  // namespace

void* FakeNccl::begin_operation(Comm& comm, void* call, const Collective& what) {
  // Counted whether a plugin wants to know or not.
  const std::uint64_t sequence = comm.sequence[function_of(what.func)]++;
  if ((group_mask_ & (nccl::kColl | nccl::kProxyOp | nccl::kKernelCh)) == 0) return nullptr;
  void* handle = nullptr;
  if (version_ == 1) {
    auto d = old_collective<nccl::DescriptorV1>(comm, what, sequence);
    start_(comm.context, &handle, &d);
    return handle;
  }
  if (version_ == 2) {
    auto d = old_collective<nccl::DescriptorV2>(comm, what, sequence);
    start_(comm.context, &handle, &d);
    return handle;
  }
  if (version_ == 3) {
    auto d = old_collective<nccl::DescriptorV3>(comm, what, sequence);
    start_(comm.context, &handle, &d);
    return handle;
  }
  Descriptor d = descriptor(version_, nccl::kColl, call, comm.rank);
  d.coll.sequence = sequence;
  d.coll.func = what.func;
  d.coll.count = what.count;
  d.coll.root = what.root;
  d.coll.datatype = what.datatype;
  d.coll.channels = static_cast<std::uint8_t>(what.channels.size());
  d.coll.algorithm = what.algorithm;
  d.coll.protocol = what.protocol;
  return start(comm.context, d);
}

void* FakeNccl::begin_p2p_call(const Comm& comm, void* group, const Collective& what) const {
  if (version_ < 5) return nullptr;
  Descriptor d = descriptor(version_, nccl::kP2pApi, group);
  d.p2p_api.func = what.func;
  d.p2p_api.count = what.count;
  d.p2p_api.datatype = what.datatype;
  d.p2p_api.graph_captured = what.captured;
  return start(comm.context, d);
}

void* FakeNccl::begin_p2p(const Comm& comm, void* call, const Collective& what, int peer,
                          std::uint8_t channels) const {
  if ((group_mask_ & (nccl::kP2p | nccl::kProxyOp | nccl::kKernelCh)) == 0) return nullptr;
  Descriptor d = descriptor(version_, nccl::kP2p, call, comm.rank);
  d.p2p.func = what.func;
  d.p2p.count = what.count;
  d.p2p.datatype = what.datatype;
  d.p2p.peer = peer;
  d.p2p.channels = channels;
  return start(comm.context, d);
}

void* FakeNccl::begin_channel(const Comm& comm, void* operation, const Channel& channel) const {
  Descriptor d = descriptor(version_, nccl::kKernelCh, operation);
  d.kernel_ch.channel = channel.id;
  d.kernel_ch.start_ns = channel.start_ns;
  return start(comm.context, d);
}

void FakeNccl::end_channel(void* handle, const Channel& channel, bool with_arguments) const {
  nccl::StateArguments arguments{};
  arguments.stop_ns = channel.stop_ns;
  record(handle, nccl::kKernelChStop, with_arguments ? &arguments : nullptr);
  stop(handle);
}

void FakeNccl::channels(const Comm& comm, void* operation, const std::vector<Channel>& all) const {
  std::vector<void*> handles;
  handles.reserve(all.size());
  for (const Channel& channel : all) handles.push_back(begin_channel(comm, operation, channel));
  for (std::size_t i = 0; i < all.size(); ++i) end_channel(handles[i], all[i]);
}

// The order of an operation that is a group of its own: the call's end comes when it has been launched.
void FakeNccl::collective(Comm& comm, const Collective& what) {
  void* group = begin_group(comm, what.captured);
  void* call = begin_call(comm, group, what);
  void* operation = begin_operation(comm, call, what);
  stop(operation);
  stop(call);
  stop(group);
  if ((group_mask_ & nccl::kKernelCh) != 0 && !what.captured)
    channels(comm, operation, what.channels);
}

}  // namespace peerscope
