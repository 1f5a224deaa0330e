#include "suite/host/host_backend.hpp"

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "comm/algorithms.hpp"
#include "comm/elements.hpp"
#include "comm/host/host.hpp"
#include "suite/host/host_rank.hpp"
#include "suite/host/p2p.hpp"

namespace peerscope {
namespace {

// The first word of a rank that failed, in memory that processes share.
struct Said {
  std::atomic<int> taken{0};
  std::atomic<int> written{0};
  ErrorCode code = ErrorCode::io;
  char text[512] = {};

  void say(const Error& error) {
    if (taken.exchange(1) != 0) return;
    code = error.code;
    std::snprintf(text, sizeof text, "%s", error.message.c_str());
    written.store(1, std::memory_order_release);  // publishes code and text
  }
};

void pause_a_little() { std::this_thread::sleep_for(std::chrono::milliseconds(2)); }

class HostBackend final : public BenchBackend {
 public:
  explicit HostBackend(HostBackendOptions options) : options_(std::move(options)) {
    traits_.name = "host";
    traits_.ranks_are = options_.threads ? "threads" : "processes";
    traits_.time_is = "host clock around each operation, mean over the ranks";
  }

  [[nodiscard]] const BackendTraits& traits() const override { return traits_; }
  [[nodiscard]] std::string hardware() const override {
    return {};
  }  // the processor: BenchMachine's
  [[nodiscard]] std::vector<Algorithm> algorithms(Kind kind) const override {
    return supported_algorithms(kind);
  }
  [[nodiscard]] Status takes(Kind kind, Dtype dtype, ReduceOp, int ranks) const override {
    if (ranks < 2)
      return Error{ErrorCode::invalid_argument, "-g must be at least 2 on the host device"};
    if (is_reduction(kind) && !can_reduce(dtype)) {
      return Error{ErrorCode::unsupported,
                   fmt::format("on the host device {} takes f32, f16, bf16, i32, i8 or u8, not {}",
                               name(kind), name(dtype))};
    }
    return Done{};
  }
  [[nodiscard]] std::span<const P2pCase> p2p_cases() const override { return host_p2p_cases(); }

  Ceiling ceiling() override {
    return {.backend = "host", .text = "memory: memcpy by one processor", .gbs = host_memcpy_gbs()};
  }

  Status run(int ranks, const Body& body, const Watch& watch) override {
    void* memory =
        mmap(nullptr, sizeof(Said), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return Error{ErrorCode::no_memory, "no memory to share"};
    Said& said = *::new (memory) Said;
    HostOptions host{.name = "bench", .id = static_cast<std::uint64_t>(getpid()), .ranks = ranks};
    host.tuning_file = options_.tuning_file;
    const Result<HostWorld> world = HostWorld::create(host);
    Status done = !world             ? Status(world.error())
                  : options_.threads ? run_threads(*world, body, watch, said)
                                     : run_processes(*world, body, watch, said);
    if (said.written.load(std::memory_order_acquire) != 0) done = Error{said.code, said.text};
    munmap(memory, sizeof(Said));
    return done;
  }

 private:
  void rank_main(const HostWorld& world, int rank, const Body& body, pscope_session* session,
                 Said& said) const {
    Result<std::unique_ptr<Communicator>> comm = world.open(rank, session);
    if (!comm) return said.say(comm.error());
    HostRank as_rank(**comm);
    if (options_.pin) as_rank.pin();
    if (const Status done = body(as_rank); !done) said.say(done.error());
  }

  [[nodiscard]] pscope_session* open_session() const {
    if (options_.session.empty()) return nullptr;
    pscope_options recording{};
    recording.size = sizeof recording;
    recording.name = "bench";
    recording.session = options_.session.c_str();
    recording.level = static_cast<int>(options_.level);
    return pscope_open(&recording, nullptr);
  }

  // A communicator whose ranks stop waits for nobody: threads end when their time-out does.
  Status run_threads(const HostWorld& world, const Body& body, const Watch& watch,
                     Said& said) const {
    pscope_session* session = open_session();
    std::atomic<int> left{world.ranks()};
    std::vector<std::thread> threads;
    for (int rank = 0; rank < world.ranks(); ++rank) {
      threads.emplace_back([&, rank] {
        rank_main(world, rank, body, session, said);
        --left;
      });
    }
    while (left > 0) {
      watch();
      pause_a_little();
    }
    for (std::thread& thread : threads) thread.join();
    pscope_close(session);
    return Done{};
  }

  pid_t start_process(const HostWorld& world, int rank, const Body& body, Said& said) const {
    std::fflush(nullptr);
    const pid_t parent = getpid(), child = fork();
    if (child != 0) return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    pscope_session* session = open_session();
    rank_main(world, rank, body, session, said);
    pscope_close(session);
    _exit(said.written.load() != 0 ? 1 : 0);
  }

  Status run_processes(const HostWorld& world, const Body& body, const Watch& watch,
                       Said& said) const {
    std::vector<pid_t> left;
    for (int rank = 0; rank < world.ranks(); ++rank) {
      const pid_t pid = start_process(world, rank, body, said);
      if (pid < 0) said.say({ErrorCode::no_memory, "the system has no room for another process"});
      if (pid > 0) left.push_back(pid);
    }
    bool go_on = said.written.load() == 0;
    std::string died;
    while (!left.empty()) {
      go_on = go_on && watch();
      for (const pid_t pid : left) {
        if (!go_on) kill(pid, SIGKILL);
      }
      std::erase_if(left, [&](pid_t pid) {
        int status = 0;
        if (waitpid(pid, &status, WNOHANG) != pid) return false;
        if (go_on && WIFSIGNALED(status))
          died = fmt::format("a rank was ended by signal {}", WTERMSIG(status));
        return true;
      });
      if (!died.empty()) go_on = false;
      if (!left.empty()) pause_a_little();
    }
    if (!died.empty()) return Error{ErrorCode::peer_lost, died};
    return Done{};
  }

  HostBackendOptions options_;
  BackendTraits traits_;
};

}  // namespace

std::unique_ptr<BenchBackend> make_host_backend(const HostBackendOptions& options) {
  return std::make_unique<HostBackend>(options);
}

}  // namespace peerscope
