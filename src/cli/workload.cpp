#include "cli/workload.hpp"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <new>

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model/kinds.hpp"
#include "record/ticks.hpp"

namespace peerscope {
namespace {

// Shared by the demo and its ranks; anonymous memory, made before fork.
struct Board {
  std::atomic<std::int64_t> start_ns{0};
  std::atomic<int> stop{0};
  char why[256] = {};
};

Board* g_board = nullptr;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): outlives
                           // fork, one workload a process

std::int64_t now_ns() { return static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)); }

// The host waits while the device computes: a sleep, not a loop.
void sleep_until(std::int64_t end_ns) {
  const timespec end{end_ns / 1'000'000'000, end_ns % 1'000'000'000};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, nullptr) == EINTR) continue;
}

class Rank {
 public:
  Rank(const WorkloadOptions& options, int rank, Communicator& comm, pscope_session* session)
      : options_(options),
        rank_(rank),
        comm_(comm),
        session_(session),
        tensor_(options.bytes / 4, 1.0F),
        inbox_(options.bytes / 4),
        logits_(16384, 0.5F),
        gathered_(logits_.size() * static_cast<std::size_t>(options.ranks)),
        shares_(static_cast<std::size_t>(options.ranks), logits_.size()) {}

  Status run() {
    const Status ready = comm_.barrier();
    if (!ready) return ready;
    std::int64_t unset = 0;
    g_board->start_ns.compare_exchange_strong(unset, now_ns());
    const std::int64_t start_ns = g_board->start_ns.load();
    const std::int64_t end_ns = start_ns + static_cast<std::int64_t>(options_.duration_s * 1e9);
    slow_from_ns_ = start_ns + static_cast<std::int64_t>(options_.slow_after_s * 1e9);
    for (bool going = true; going;) {
      Status done = token();
      if (!done) return done;
      note_progress(now_ns());
      // All ranks end after the same token: they agree by a sum of who still has time.
      std::int32_t more = now_ns() < end_ns && g_board->stop.load() == 0 ? 1 : 0;
      done = comm_.all_reduce({&more, 1, Dtype::i32}, &more, ReduceOp::min);
      if (!done) return done;
      going = more == 1;
    }
    return Done{};
  }

 private:
  Status token() {
    for (int layer = 0; layer < 2 * options_.layers; ++layer) {
      compute();
      Status done = comm_.all_reduce({tensor_.data(), tensor_.size(), Dtype::f32}, tensor_.data(),
                                     ReduceOp::avg);
      if (!done) return done;
    }
    if (options_.sends) {
      if (Status done = exchange(); !done) return done;
    }
    return comm_.gather({logits_.data(), logits_.size(), Dtype::f32}, gathered_.data(), shares_, 0);
  }

  // What a program says itself, once a second.
  void note_progress(std::int64_t at_ns) {
    ++tokens_;
    if (!options_.sends || rank_ != 0 || at_ns < next_note_ns_) return;
    next_note_ns_ = at_ns + 1'000'000'000;
    pscope_event(session_, PSCOPE_SEVERITY_INFO, pscope_name(session_, "tokens"), 0, tokens_);
  }

  // To each other rank in turn: in each turn all ranks send and receive.
  Status exchange() {
    const int ranks = options_.ranks;
    for (int turn = 1; turn < ranks; ++turn) {
      const int to = (rank_ + turn) % ranks;
      const int from = (rank_ + ranks - turn) % ranks;
      // Of two that wait for each other's message one has to begin.
      const bool first = rank_ < to;
      const auto put = [&] { return comm_.send({tensor_.data(), tensor_.size(), Dtype::f32}, to); };
      const auto take = [&] {
        return comm_.recv({inbox_.data(), inbox_.size(), Dtype::f32}, from);
      };
      Status done = first ? put() : take();
      if (done) done = first ? take() : put();
      if (!done) return done;
    }
    return Done{};
  }

  void compute() const {
    const std::int64_t begin_ns = now_ns();
    const bool slow = rank_ == options_.slow_rank && begin_ns >= slow_from_ns_;
    const double us = options_.compute_us + (slow ? options_.slow_by_us : 0.0);
    const std::int64_t end_ns = begin_ns + static_cast<std::int64_t>(us * 1e3);
    if (!slow || !options_.slow_spins) return sleep_until(end_ns);
    while (now_ns() < end_ns) continue;
  }

  const WorkloadOptions& options_;
  int rank_;
  Communicator& comm_;
  pscope_session* session_;
  std::int64_t tokens_ = 0, next_note_ns_ = 0;
  std::vector<float> tensor_, inbox_, logits_, gathered_;
  std::vector<std::size_t> shares_;
  std::int64_t slow_from_ns_ = 0;
};

int rank_main(const WorkloadOptions& options, const HostWorld& world, int rank) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_TIMERSLACK, 1000UL);  // ns: a sleep ends when it is due
  std::signal(SIGINT, SIG_IGN);      // the demo decides when to end
  const std::string name = fmt::format("demo rank {}", rank);
  pscope_options recording{};
  recording.size = sizeof recording;
  recording.name = name.c_str();
  recording.session = options.session.c_str();
  recording.level = static_cast<int>(parse_level(options.level).value_or(Level::detailed));
  pscope_session* session = pscope_open(&recording, nullptr);
  Result<std::unique_ptr<Communicator>> comm = world.open(rank, session);
  Status done = comm ? Rank(options, rank, **comm, session).run() : Status(comm.error());
  if (!done) std::snprintf(g_board->why, sizeof g_board->why, "%s", done.error().message.c_str());
  pscope_close(session);
  return done ? 0 : 1;
}

}  // namespace

Result<std::vector<pid_t>> start_workload(const WorkloadOptions& options) {
  void* memory =
      mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return Error{ErrorCode::no_memory, "no memory for the workload"};
  g_board = ::new (memory) Board;
  HostOptions host;
  host.name = "tp";
  host.id = 0x7470'0000'0000'0000u | static_cast<std::uint64_t>(getpid());
  host.ranks = options.ranks;
  const Result<HostWorld> world = HostWorld::create(host);
  if (!world) return world.error();
  std::vector<pid_t> pids;
  std::fflush(nullptr);
  for (int rank = 0; rank < options.ranks; ++rank) {
    const pid_t pid = fork();
    if (pid == 0) _exit(rank_main(options, *world, rank));
    if (pid < 0) {
      const std::string why = fmt::format("cannot start rank {}: {}", rank, std::strerror(errno));
      for (const pid_t started : pids) kill(started, SIGKILL);
      finish_workload(pids, false);
      return Error{ErrorCode::no_memory, why};
    }
    pids.push_back(pid);
  }
  return pids;
}

std::int64_t workload_start_ns() { return g_board != nullptr ? g_board->start_ns.load() : 0; }

WorkloadEnd finish_workload(const std::vector<pid_t>& pids, bool stop) {
  if (stop && g_board != nullptr) g_board->stop.store(1);
  WorkloadEnd end;
  for (const pid_t pid : pids) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) ++end.failed;
  }
  if (end.failed > 0 && g_board != nullptr) end.why = g_board->why;
  return end;
}

}  // namespace peerscope
