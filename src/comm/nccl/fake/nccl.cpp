// A libnccl.so.2 for tests, over the fake libcuda: it really computes, between ranks of one process or
// of several, through a page in /dev/shm. A group is one piece of work: all inputs in, wait for all
// ranks, all outputs out.
//
//   FAKE_NCCL_CORRUPT=N         element N of rank 0's output becomes wrong, in every operation
//   FAKE_NCCL_FAIL=ncclName     this call fails with code 5; ncclCommInitRank@R: of rank R only
//   FAKE_NCCL_LOST_MS=N         after so long (20 s) without the others an operation hangs until the
//                               communicator is aborted, which then knows of an error
//   FAKE_NCCL_HANG_MS=N         the same, without a word
//   FAKE_NCCL_DIE=R             rank R's process is killed at its first operation
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <dlfcn.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "comm/cuda/fake/stream.hpp"
#include "comm/nccl/fake/values.hpp"
#include "comm/nccl/nccl_abi.hpp"
#include "record/ticks.hpp"

// NOLINTBEGIN(readability-identifier-naming,readability-function-size): names and arguments are theirs
namespace {

using namespace peerscope;  // NOLINT(google-build-using-namespace): exports are global

constexpr int kRanks = 16;
constexpr std::size_t kSlotBytes = 16 << 20;  // a rank's input at most

struct Slot {
  std::size_t to[kRanks];  // where what it sends to a rank begins
  std::size_t used;
  std::byte data[kSlotBytes];
};

struct Mail {  // from one rank to another: what is in the sender's slot, and how many were taken
  std::atomic<std::uint64_t> sent, taken;
};

struct World {
  std::atomic<int> arrived, turn, attached;
  Mail mail[kRanks][kRanks];  // [from][to]
  Slot slots[kRanks];
};

struct Comm {
  World* world = nullptr;
  int rank = 0, ranks = 0;
  bool lost = false;
  std::set<CudaStreamHandle> hung = {};
};

enum class What {
  all_reduce,
  reduce,
  reduce_scatter,
  all_gather,
  broadcast,
  all_to_all,
  send,
  recv
};

struct Op {
  What what = What::all_reduce;
  const std::byte* send = nullptr;
  std::byte* recv = nullptr;
  std::size_t count = 0;
  NcclType type = NcclType::f32;
  NcclOp op = NcclOp::sum;
  int peer = 0;
  Comm* comm = nullptr;
  CudaStreamHandle stream = nullptr;
};

struct Group {
  int depth = 0;
  NcclResult error = kNcclSuccess;  // nothing of this group is done
  std::vector<Op> ops;
  std::vector<Comm*> joining;
  std::string last_words;
};

Group& group() {
  thread_local Group own;
  return own;
}

NcclResult code_of(const char* call) {
  const char* text = std::getenv("FAKE_NCCL_FAIL");
  if (text == nullptr || std::string_view(text) != call) return kNcclSuccess;
  group().last_words = std::string(call) + " was told to fail";
  if (group().depth > 0) group().error = 5;
  return 5;
}

constexpr std::uint64_t kPatienceMs = 20'000;

std::uint64_t patience_ms() {
  const char* hang = std::getenv("FAKE_NCCL_HANG_MS");
  const char* lost = std::getenv("FAKE_NCCL_LOST_MS");
  const char* text = hang != nullptr ? hang : lost;
  return text != nullptr ? std::strtoull(text, nullptr, 10) : kPatienceMs;
}

// Waits for what other ranks do. False if they don't.
template <class Condition>
bool wait_until(const Condition& is_so, std::uint64_t most_ms = patience_ms()) {
  const std::uint64_t begin = clock_ns(CLOCK_MONOTONIC);
  while (!is_so()) {
    if (clock_ns(CLOCK_MONOTONIC) - begin > most_ms * 1'000'000) return false;
    sched_yield();
  }
  return true;
}

bool meet(const std::set<Comm*>& comms, std::uint64_t most_ms = patience_ms()) {
  Comm& any = **comms.begin();
  World& world = *any.world;
  const int here = static_cast<int>(comms.size());
  const int turn = world.turn.load();
  if (world.arrived.fetch_add(here) + here == any.ranks) {
    world.arrived.store(0);
    world.turn.fetch_add(1);
    return true;
  }
  return wait_until([&] { return world.turn.load() != turn; }, most_ms);
}

std::size_t given(const Op& op) {
  const auto ranks = static_cast<std::size_t>(op.comm->ranks);
  if (op.what == What::recv) return 0;
  if (op.what == What::broadcast && op.peer != op.comm->rank) return 0;
  const bool all = op.what == What::reduce_scatter || op.what == What::all_to_all;
  return op.count * (all ? ranks : 1) * width(op.type);
}

void put_in(const Op& op) {
  Slot& slot = op.comm->world->slots[op.comm->rank];
  const std::size_t bytes = given(op);
  if (slot.used + bytes > kSlotBytes) std::abort();  // a test wants too much of the fake
  if (op.what == What::send) slot.to[op.peer] = slot.used;
  if (bytes > 0) std::memcpy(slot.data + slot.used, op.send, bytes);
  slot.used += bytes;
}

void reduce_into(const Op& op, std::size_t first) {
  const std::size_t w = width(op.type);
  for (std::size_t i = 0; i < op.count; ++i) {
    double total = 0;
    for (int rank = 0; rank < op.comm->ranks; ++rank) {
      const double value = get(op.comm->world->slots[rank].data + (first + i) * w, op.type);
      if (rank == 0) {
        total = value;
      } else if (op.op == NcclOp::min) {
        total = value < total ? value : total;
      } else if (op.op == NcclOp::max) {
        total = value > total ? value : total;
      } else {
        total = op.op == NcclOp::prod ? total * value : total + value;
      }
    }
    put(op.recv + i * w, op.type, op.op == NcclOp::avg ? total / op.comm->ranks : total);
  }
}

void take_out(const Op& op) {
  const std::size_t bytes = op.count * width(op.type);
  const auto self = static_cast<std::size_t>(op.comm->rank);
  Slot* const slots = op.comm->world->slots;
  const auto ranks = static_cast<std::size_t>(op.comm->ranks);
  switch (op.what) {
    case What::all_reduce:
      return reduce_into(op, 0);
    case What::reduce:
      return op.comm->rank == op.peer ? reduce_into(op, 0) : void();
    case What::reduce_scatter:
      return reduce_into(op, self * op.count);
    case What::broadcast:
      std::memcpy(op.recv, slots[op.peer].data, bytes);
      return;
    case What::all_gather:
      for (std::size_t r = 0; r < ranks; ++r)
        std::memcpy(op.recv + r * bytes, slots[r].data, bytes);
      return;
    case What::all_to_all:
      for (std::size_t r = 0; r < ranks; ++r)
        std::memcpy(op.recv + r * bytes, slots[r].data + self * bytes, bytes);
      return;
    case What::recv:
      std::memcpy(op.recv, slots[op.peer].data + slots[op.peer].to[self], bytes);
      return;
    case What::send:
      return;
  }
}

void corrupt(const Op& op) {
  const char* text = std::getenv("FAKE_NCCL_CORRUPT");
  if (text == nullptr || op.comm->rank != 0 || op.recv == nullptr) return;
  const auto element = static_cast<std::size_t>(std::atoll(text));
  if (element < op.count) op.recv[element * width(op.type)] ^= std::byte{1};
}

void die_if_asked(const Op& op) {
  const char* text = std::getenv("FAKE_NCCL_DIE");
  if (text != nullptr && std::atoi(text) == op.comm->rank) raise(SIGKILL);
}

bool is_pairwise(const Op& op) { return op.what == What::send || op.what == What::recv; }

// Sent, received, and everything taken that was sent: the slot is free again.
bool run_pairwise(const std::vector<Op>& ops) {
  const auto mail = [](const Op& op) -> Mail& {
    const int self = op.comm->rank;
    return op.what == What::send ? op.comm->world->mail[self][op.peer]
                                 : op.comm->world->mail[op.peer][self];
  };
  for (const Op& op : ops) {
    if (op.what == What::send) mail(op).sent.fetch_add(1);
  }
  for (const Op& op : ops) {
    if (op.what == What::send) continue;
    Mail& from = mail(op);
    if (!wait_until([&] { return from.sent.load() > from.taken.load(); })) return false;
    take_out(op);
    corrupt(op);
    from.taken.fetch_add(1);
  }
  for (const Op& op : ops) {
    if (op.what == What::recv) continue;  // the next message may be there already
    Mail& to = mail(op);
    if (!wait_until([&] { return to.sent.load() == to.taken.load(); })) return false;
  }
  return true;
}

bool run_together(const std::vector<Op>& ops, const std::set<Comm*>& comms) {
  if (!meet(comms)) return false;
  for (const Op& op : ops) {
    take_out(op);
    corrupt(op);
  }
  return meet(comms);
}

void hang_stream(CudaStreamHandle stream, bool hangs) {
  static const auto function =
      reinterpret_cast<FakeHang>(dlsym(dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD), kFakeHang));
  function(stream, hangs);
}

// What was waited for in vain is waited for for ever.
void hang(const std::vector<Op>& ops) {
  for (const Op& op : ops) {
    op.comm->lost = std::getenv("FAKE_NCCL_HANG_MS") == nullptr;
    op.comm->hung.insert(op.stream);
    hang_stream(op.stream, true);
  }
}

void run(const std::vector<Op>& ops) {
  std::set<Comm*> comms;
  for (const Op& op : ops) {
    die_if_asked(op);
    if (!op.comm->hung.empty()) return hang(ops);
    if (comms.insert(op.comm).second) op.comm->world->slots[op.comm->rank].used = 0;
    put_in(op);
  }
  const bool done = is_pairwise(ops[0]) ? run_pairwise(ops) : run_together(ops, comms);
  if (!done) hang(ops);
}

NcclResult end_group() {
  if (group().error != kNcclSuccess) {
    group().ops.clear();
    group().joining.clear();
    return std::exchange(group().error, kNcclSuccess);
  }
  if (!group().joining.empty()) {
    const bool all = meet({group().joining.begin(), group().joining.end()}, kPatienceMs);
    group().joining.clear();
    return all ? kNcclSuccess : 6;
  }
  if (group().ops.empty()) return kNcclSuccess;
  static void* const cuda = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  static const auto enqueue = reinterpret_cast<FakeEnqueue>(dlsym(cuda, kFakeEnqueue));
  std::vector<Op> ops;
  ops.swap(group().ops);
  CudaStreamHandle first = ops[0].stream;
  enqueue(first, [ops = std::move(ops)] { run(ops); });
  return kNcclSuccess;
}

NcclResult add(const char* call, Op op, const void* send, void* recv, NcclComm comm) {
  const NcclResult code = code_of(call);
  if (code != kNcclSuccess) return code;
  op.send = static_cast<const std::byte*>(send);
  op.recv = static_cast<std::byte*>(recv);
  op.comm = reinterpret_cast<Comm*>(comm);
  group().ops.push_back(op);
  return group().depth == 0 ? end_group() : kNcclSuccess;
}

World* attach(const char* name) {
  const int fd = shm_open(name, O_RDWR, 0600);
  if (fd < 0) return nullptr;
  void* memory =
      mmap(nullptr, sizeof(World), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  close(fd);
  return memory == MAP_FAILED ? nullptr : static_cast<World*>(memory);
}

}  // namespace

#define FAKE extern "C" __attribute__((visibility("default"))) NcclResult

FAKE ncclGetVersion(int* version) {
  *version = 22809;
  return kNcclSuccess;
}
extern "C" __attribute__((visibility("default"))) const char* ncclGetErrorString(NcclResult code) {
  return code == 5 ? "invalid usage" : code == 6 ? "remote process exited or error" : "error";
}
extern "C" __attribute__((visibility("default"))) const char* ncclGetLastError(NcclComm) {
  return group().last_words.c_str();
}
FAKE ncclGetUniqueId(NcclUniqueId* id) {
  static std::atomic<int> count{0};
  const NcclResult code = code_of("ncclGetUniqueId");
  if (code != kNcclSuccess) return code;
  int fd = -1;
  do {  // another copy of this library may count, too
    std::snprintf(id->internal, sizeof id->internal, "/pscope-fake-nccl-%d-%d", getpid(), ++count);
    fd = shm_open(id->internal, O_RDWR | O_CREAT | O_EXCL, 0600);
  } while (fd < 0 && errno == EEXIST);
  const bool made = fd >= 0 && ftruncate(fd, sizeof(World)) == 0;
  if (fd >= 0) close(fd);
  return made ? kNcclSuccess : 2;
}
FAKE ncclCommInitRank(NcclComm* comm, int ranks, NcclUniqueId id, int rank) {
  const std::string of_rank = "ncclCommInitRank@" + std::to_string(rank);
  if (code_of("ncclCommInitRank") != kNcclSuccess) return shm_unlink(id.internal), 5;
  if (code_of(of_rank.c_str()) != kNcclSuccess) return 5;
  if (std::getenv("NCCL_DEBUG") != nullptr) {
    std::printf("NCCL INFO rank %d of %d\n", rank, ranks);
    std::fflush(stdout);
  }
  World* world = attach(id.internal);
  if (world == nullptr || ranks > kRanks) return 2;
  if (world->attached.fetch_add(1) + 1 == ranks) shm_unlink(id.internal);
  auto* made = new Comm{world, rank, ranks};
  *comm = reinterpret_cast<NcclComm>(made);
  group().joining.push_back(made);
  return group().depth == 0 ? end_group() : kNcclSuccess;
}
FAKE ncclCommDestroy(NcclComm comm) {
  auto* ours = reinterpret_cast<Comm*>(comm);
  munmap(ours->world, sizeof(World));
  delete ours;
  return kNcclSuccess;
}
FAKE ncclCommAbort(NcclComm comm) {
  for (CudaStreamHandle stream : reinterpret_cast<Comm*>(comm)->hung) hang_stream(stream, false);
  return ncclCommDestroy(comm);
}
FAKE ncclCommGetAsyncError(NcclComm comm, NcclResult* code) {
  *code = reinterpret_cast<Comm*>(comm)->lost ? 6 : kNcclSuccess;
  return kNcclSuccess;
}
FAKE ncclGroupStart() {
  ++group().depth;
  return code_of("ncclGroupStart");
}
FAKE ncclGroupEnd() {
  const NcclResult code = code_of("ncclGroupEnd");
  return --group().depth == 0 && code == kNcclSuccess ? end_group() : code;
}
FAKE ncclAllReduce(const void* send, void* recv, std::size_t count, NcclType type, NcclOp op,
                   NcclComm comm, CudaStreamHandle stream) {
  return add("ncclAllReduce",
             {.what = What::all_reduce, .count = count, .type = type, .op = op, .stream = stream},
             send, recv, comm);
}
FAKE ncclReduce(const void* send, void* recv, std::size_t count, NcclType type, NcclOp op, int root,
                NcclComm comm, CudaStreamHandle stream) {
  return add("ncclReduce",
             {.what = What::reduce,
              .count = count,
              .type = type,
              .op = op,
              .peer = root,
              .stream = stream},
             send, recv, comm);
}
FAKE ncclReduceScatter(const void* send, void* recv, std::size_t count, NcclType type, NcclOp op,
                       NcclComm comm, CudaStreamHandle stream) {
  return add(
      "ncclReduceScatter",
      {.what = What::reduce_scatter, .count = count, .type = type, .op = op, .stream = stream},
      send, recv, comm);
}
FAKE ncclAllGather(const void* send, void* recv, std::size_t count, NcclType type, NcclComm comm,
                   CudaStreamHandle stream) {
  return add("ncclAllGather",
             {.what = What::all_gather, .count = count, .type = type, .stream = stream}, send, recv,
             comm);
}
FAKE ncclBroadcast(const void* send, void* recv, std::size_t count, NcclType type, int root,
                   NcclComm comm, CudaStreamHandle stream) {
  return add(
      "ncclBroadcast",
      {.what = What::broadcast, .count = count, .type = type, .peer = root, .stream = stream}, send,
      recv, comm);
}
#ifdef PSCOPE_FAKE_ALLTOALL
FAKE ncclAlltoAll(const void* send, void* recv, std::size_t count, NcclType type, NcclComm comm,
                  CudaStreamHandle stream) {
  return add("ncclAlltoAll",
             {.what = What::all_to_all, .count = count, .type = type, .stream = stream}, send, recv,
             comm);
}
#endif
FAKE ncclSend(const void* send, std::size_t count, NcclType type, int peer, NcclComm comm,
              CudaStreamHandle stream) {
  return add("ncclSend",
             {.what = What::send, .count = count, .type = type, .peer = peer, .stream = stream},
             send, nullptr, comm);
}
FAKE ncclRecv(void* recv, std::size_t count, NcclType type, int peer, NcclComm comm,
              CudaStreamHandle stream) {
  return add("ncclRecv",
             {.what = What::recv, .count = count, .type = type, .peer = peer, .stream = stream},
             nullptr, recv, comm);
}
// NOLINTEND(readability-identifier-naming,readability-function-size)
