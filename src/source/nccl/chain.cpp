#include "source/nccl/chain.hpp"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source/nccl/events.hpp"
#include "source/nccl/governor.hpp"
#include "source/nccl/operations.hpp"

namespace peerscope::nccl {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

// Both handles of an event. A ring: nobody tells when an event's children have all come, so the oldest goes. 65,536 are
// some 100 ms at half a million events a second, and a child comes within one.
struct Relay {
  std::atomic<std::uint32_t> generation{0};
  std::atomic<void*> ours{nullptr}, theirs{nullptr};
};
constexpr std::uint32_t kRelays = 65'536;
constinit Relay g_relays[kRelays];
constinit std::atomic<std::uint64_t> g_next{0};

constinit pthread_once_t g_loaded = PTHREAD_ONCE_INIT;
constinit void* g_library = nullptr;
constinit std::atomic<bool> g_on{false};
constinit int g_mask = 0;  // the chained plugin's: it may change it when it likes
constinit StartEvent g_start = nullptr;
constinit StopEvent g_stop = nullptr;
constinit RecordState g_record = nullptr;
constinit Finalize g_finalize = nullptr;
constinit decltype(TableV4::init) g_init_v4 = nullptr;
constinit decltype(TableV5::init) g_init_v5 = nullptr;

void load() {
  const char* name = getenv("PEERSCOPE_NCCL_CHAIN");
  if (name == nullptr || name[0] == '\0' || strcmp(name, "none") == 0) return;
  g_library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (g_library == nullptr) {
    char file[256];
    snprintf(file, sizeof file, "libnccl-profiler-%s.so", name);
    g_library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  }
  if (g_library == nullptr) say("PEERSCOPE_NCCL_CHAIN: %s cannot be loaded: %s", name, dlerror());
}

template <class Table>
void adopt(const Table& table) {
  g_start = table.start;
  g_stop = table.stop;
  g_record = table.record;
  g_finalize = table.finalize;
}

bool find_table(int version) {
  char symbol[32];
  for (int v = version; v >= 4 && (v == version || v >= 5); --v) {
    snprintf(symbol, sizeof symbol, "ncclProfiler_v%d", v);
    void* table = dlsym(g_library, symbol);
    if (table == nullptr) continue;
    if (v == 4) {
      adopt(*static_cast<const TableV4*>(table));
      g_init_v4 = static_cast<const TableV4*>(table)->init;
    } else {
      adopt(*static_cast<const TableV5*>(table));
      g_init_v5 = static_cast<const TableV5*>(table)->init;
    }
    return true;
  }
  say("PEERSCOPE_NCCL_CHAIN: the plugin has no version that NCCL's %d can be given to", version);
  return false;
}

struct Both {
  void* ours = nullptr;
  void* theirs = nullptr;
};

void* keep(const Both& both) {
  const std::uint64_t at = g_next.fetch_add(1, kRelaxed);
  Relay& relay = g_relays[at % kRelays];
  const auto generation = static_cast<std::uint32_t>(at / kRelays + 1);
  relay.generation.store(0, kRelaxed);
  std::atomic_thread_fence(std::memory_order_release);
  relay.ours.store(both.ours, kRelaxed);
  relay.theirs.store(both.theirs, kRelaxed);
  relay.generation.store(generation, std::memory_order_release);
  return Handle{generation, static_cast<std::uint16_t>(at % kRelays), 0, Tag::relay}.pointer();
}

Both find(void* pointer) {
  const Handle handle = Handle::of(pointer);
  if (handle.tag != Tag::relay) return {};
  Relay& relay = g_relays[handle.index];
  if (relay.generation.load(std::memory_order_acquire) != handle.generation) return {};
  const Both both{relay.ours.load(kRelaxed), relay.theirs.load(kRelaxed)};
  std::atomic_thread_fence(std::memory_order_acquire);
  return relay.generation.load(kRelaxed) == handle.generation ? both : Both{};
}

// Ancestors of what it wants come, too, as they would from NCCL.
bool is_wanted(std::uint64_t type) {
  const auto mask = static_cast<std::uint64_t>(__atomic_load_n(&g_mask, __ATOMIC_RELAXED));
  constexpr std::uint64_t kAncestors = kGroupApi | kCollApi | kP2pApi | kGroup;
  return (mask & type) != 0 || (mask != 0 && (type & kAncestors) != 0);
}

void** group_parent_of(Descriptor& d, std::uint64_t type, int version) {
  if (version < 5) return nullptr;
  if (type == kColl) return &d.coll.parent_group;
  return type == kP2p ? &d.p2p.parent_group : nullptr;
}

}  // namespace

bool chain_is_on() { return g_on.load(kRelaxed); }

void chain_init(int version, Communicator& comm, const char* name, int nodes, Logger log) {
  pthread_once(&g_loaded, load);
  if (g_library == nullptr || (g_start == nullptr && !find_table(version))) return;
  const int ranks = static_cast<int>(comm.ranks), rank = static_cast<int>(comm.rank);
  const int result =
      g_init_v5 != nullptr
          ? g_init_v5(&comm.chained, comm.hash, &g_mask, name, nodes, ranks, rank, log)
          : g_init_v4(&comm.chained, &g_mask, name, comm.hash, nodes, ranks, rank, log);
  if (result != kSuccess) comm.chained = nullptr;
  set_chained_mask(&g_mask);
  g_on.store(true, std::memory_order_release);
}

void chain_finalize(Communicator& comm) {
  if (comm.chained != nullptr && g_finalize != nullptr) g_finalize(comm.chained);
  comm.chained = nullptr;
}

int chain_start(void* context, void** handle, Descriptor& d, int version, StartOurs ours) {
  const std::uint64_t type = version >= 5 ? d.head.type : d.head.type & 0xFF;
  // Of another process: its pointers are nobody's here.
  if (type == kProxyOp && d.proxy_op.pid != getpid()) return kSuccess;
  auto* comm = static_cast<Communicator*>(context);
  void* const parent = d.head.parent;
  const Both parents = find(parent);
  Both both;
  d.head.parent = parents.ours;
  both.ours = ours(comm, type, version >= 5, d);
  if (comm != nullptr && comm->chained != nullptr && is_wanted(type)) {
    void** group = group_parent_of(d, type, version);
    void* const group_parent = group != nullptr ? *group : nullptr;
    d.head.parent = parents.theirs;
    if (group != nullptr) *group = find(group_parent).theirs;
    g_start(comm->chained, &both.theirs, &d);
    if (group != nullptr) *group = group_parent;
  }
  d.head.parent = parent;
  if (both.ours != nullptr || both.theirs != nullptr) *handle = keep(both);
  return kSuccess;
}

int chain_stop(void* handle) {
  const Both both = find(handle);
  if (both.theirs != nullptr) g_stop(both.theirs);
  end(both.ours);
  return kSuccess;
}

int chain_record(void* handle, int state, void* arguments) {
  const Both both = find(handle);
  if (both.theirs != nullptr) g_record(both.theirs, state, arguments);
  if (state == kKernelChStop && arguments != nullptr)
    note_channel_stop(both.ours, static_cast<const StateArguments*>(arguments)->stop_ns);
  return kSuccess;
}

}  // namespace peerscope::nccl
