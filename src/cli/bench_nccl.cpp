// peerscope bench all_reduce --backend nccl: forks the processes that hold the ranks, follows them,
// prints. This process itself never touches CUDA: a child could not go on with it.
#include "cli/bench_nccl.hpp"

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/nccl_levels.hpp"
#include "cli/nccl_sweep.hpp"
#include "cli/nccl_table.hpp"
#include "cli/pinning.hpp"
#include "cli/progress.hpp"
#include "cli/sources.hpp"
#include "comm/nccl/nccl_ranks.hpp"

namespace peerscope {
namespace {

constexpr int kNothingToRunOn = 2;       // the exit status of a child, and ours
constexpr unsigned kLookAgainUs = 5000;  // seldom: the ranks may be on the same processors
constexpr std::int64_t kEndNs =
    5'000'000'000;  // for NCCL to end (2.28.9 did not after sends, on H200)
constexpr std::int64_t kGraceNs = 2'000'000'000;  // for ranks to end by themselves when one failed

NcclBoard* make_board() {
  void* memory = mmap(nullptr, sizeof(NcclBoard), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<NcclBoard*>(memory);
}

// Runs `body` in a child that dies with us. Its error is on the board; 2: something is not there.
template <class Body>
pid_t in_child(NcclBoard& board, const Body& body) {
  std::fflush(nullptr);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  dup2(STDERR_FILENO,
       STDOUT_FILENO);  // NCCL_DEBUG speaks to standard output; that is for the result
  const Status done = body();
  if (!done) board.fail(done.error().message);
  std::fflush(nullptr);
  // exit, not _exit: a profiler in this process has something to write at the end.
  std::exit(done ? 0 : done.error().code == ErrorCode::unsupported ? kNothingToRunOn : 1);
}

int exit_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string why(const NcclBoard& board, int status, int rank = -1) {
  const bool said = board.failed.load(std::memory_order_acquire) == 2;
  if (said && status <= 128) return board.why;
  const std::string who = rank < 0 ? "the process of the ranks" : fmt::format("rank {}", rank);
  if (status <= 128) return fmt::format("{} ended with status {} without a word", who, status);
  return fmt::format("{} was ended by signal {} ({}){}", who, status - 128, strsignal(status - 128),
                     said ? fmt::format("; {}", board.why) : "");
}

// The lists of processors of the processes to come.
std::vector<std::vector<int>> places_for(const NcclOptions& options, const NcclBoard& board) {
  if (!options.pin) return {};
  std::vector<std::vector<int>> near(
      static_cast<std::size_t>(options.processes ? options.ranks : 1));
  for (std::size_t rank = 0; rank < near.size(); ++rank)
    near[rank] = cpus_near(board.devices[rank].pci_bus_id);
  return share_out(std::move(near), allowed_cpus());
}

class Children {
 public:
  void add(pid_t pid) { pids_.push_back(pid); }
  [[nodiscard]] std::size_t size() const { return pids_.size(); }

  // True while all that ended did so with status 0.
  bool fine() { return reap(WNOHANG); }
  bool wait() { return reap(0); }
  void kill_all(std::int64_t grace_ns = 0) {
    for (const std::int64_t until = monotonic_ns() + grace_ns;
         reap(WNOHANG), running() && monotonic_ns() < until;)
      usleep(5000);
    for (const pid_t pid : pids_) {
      if (pid > 0) kill(pid, SIGKILL);
    }
    for (pid_t& pid : pids_) {
      if (pid > 0) waitpid(pid, nullptr, 0);
      pid = 0;
    }
  }
  [[nodiscard]] bool running() const {
    return std::any_of(pids_.begin(), pids_.end(), [](pid_t pid) { return pid > 0; });
  }
  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] int first_failed() const { return first_failed_; }

 private:
  bool reap(int flags) {
    for (std::size_t i = 0; i < pids_.size(); ++i) {
      int status = 0;
      if (pids_[i] <= 0 || waitpid(pids_[i], &status, flags) != pids_[i]) continue;
      pids_[i] = 0;
      const int ended = exit_status(status);
      if (ended == 0 || (status_ != 0 && (status_ > 128 || ended <= 128))) continue;
      status_ = ended;  // the first, or the first signal: others fail because of it
      first_failed_ = static_cast<int>(i);
    }
    return status_ == 0;
  }

  std::vector<pid_t> pids_;
  int status_ = 0, first_failed_ = -1;
};

// Notices when nothing moves any more: a rank that waits for another looks like one that works.
class Patience {
 public:
  explicit Patience(int timeout_s) : timeout_ns_(timeout_s * 1'000'000'000LL) {}
  bool is_over(std::uint64_t steps) {
    if (steps != steps_) {
      steps_ = steps;
      since_ns_ = monotonic_ns();
    }
    return timeout_ns_ > 0 && monotonic_ns() - since_ns_ > timeout_ns_;
  }

 private:
  std::int64_t timeout_ns_, since_ns_ = monotonic_ns();
  std::uint64_t steps_ = 0;
};

std::vector<std::string> texts_of(const std::vector<std::vector<int>>& places) {
  std::vector<std::string> texts;
  texts.reserve(places.size());
  for (const auto& place : places) texts.push_back(format_cpu_list(place));
  return texts;
}

bool is_complete(const NcclOptions& options, const NcclRow& row) {
  return row.out.measured && (row.in.measured || !nccl_has_in_place(options.kind));
}

// Prints each size as soon as all processes are done with it. Empty: all went well.
std::string follow(const NcclOptions& options, NcclBoard& board, Children& children,
                   const std::vector<std::string>& cpus, std::vector<NcclRow>& rows) {
  const std::vector<NcclLengths> sizes = nccl_sizes(options);
  const bool shows = options.json || isatty(STDOUT_FILENO) == 0;
  Progress progress(fmt::format("{} with NCCL", name(options.kind)), sizes.size());
  Patience patience(options.timeout_s);
  bool headed = options.json;
  while (rows.size() < sizes.size()) {
    const bool alive = children.running();  // before the look at the row: it may have come since
    if (!headed && board.steps.load(std::memory_order_acquire) >= children.size()) {
      print_nccl_head(options, board, cpus);
      headed = true;
    }
    const NcclRow row = nccl_row(options, board, sizes[rows.size()], rows.size());
    if (headed && is_complete(options, row)) {
      rows.push_back(row);
      if (!options.json) print_nccl_row(options, row);
      continue;
    }
    if (!children.fine() || !alive || board.failed.load(std::memory_order_relaxed) != 0) break;
    if (patience.is_over(board.steps.load(std::memory_order_relaxed))) {
      children.kill_all();
      return fmt::format(
          "nothing has moved for {} s (-T), at {} of {} bytes: the ranks wait for one another, or "
          "the device does. NCCL_DEBUG=INFO tells more",
          options.timeout_s, name(options.kind), sizes[rows.size()].bytes);
    }
    if (shows) progress.update(rows.size());
    usleep(kLookAgainUs);
  }
  if (rows.size() == sizes.size()) {
    const std::int64_t until = monotonic_ns() + kEndNs;
    while (children.fine() && children.running() && monotonic_ns() < until) usleep(kLookAgainUs);
    if (children.fine()) {
      if (children.running())
        fmt::print(
            stderr,
            "peerscope bench: all is measured, but NCCL did not come to its end within {} s: "
            "its processes were ended\n",
            kEndNs / 1'000'000'000);
      children.kill_all();
      return {};
    }
  }
  children.kill_all(kGraceNs);
  return why(board, children.status(), options.processes ? children.first_failed() : -1);
}

bool make_events_file(const std::string& path) {
  if (path.empty()) return true;
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd >= 0) close(fd);
  if (fd < 0) fmt::print(stderr, "peerscope bench: {} cannot be written\n", path);
  return fd >= 0;
}

// What is there, from a child of its own. 0, or the exit status, said on standard error.
int look_around(NcclOptions& options, NcclBoard& board) {
  Children probe;
  probe.add(in_child(board, [&] {
    unsetenv("CUDA_INJECTION64_PATH");  // here is nothing to profile
    return probe_nccl(options, board);
  }));
  if (!probe.wait()) {
    fmt::print(stderr, "peerscope bench: {}\n", why(board, probe.status()));
    return probe.status() == kNothingToRunOn ? kNothingToRunOn : 1;
  }
  if (options.ranks == 0) options.ranks = std::min(board.device_count, kMostNcclRanks);
  if (options.ranks > board.device_count) {
    fmt::print(stderr, "peerscope bench: -g {}, but there {}; NCCL wants a device for each rank\n",
               options.ranks,
               board.device_count == 1 ? std::string("is 1 device")
                                       : fmt::format("are {} devices", board.device_count));
    return kNothingToRunOn;
  }
  if (options.root >= options.ranks) {
    fmt::print(stderr, "peerscope bench: -r {}, but ranks are 0 to {}\n", options.root,
               options.ranks - 1);
    return kNothingToRunOn;
  }
  return 0;
}

}  // namespace

void add_nccl_options(Args& args, NcclOptions& options) {
  args.choice("-o,--op", options.op, {"sum", "prod", "min", "max", "avg"},
              "reduction; prod: nccl only");
  args.integer("-r,--root", options.root, 0, kMostNcclRanks - 1, "nccl: the root's rank");
  args.integer("-G,--cudagraph", options.graph_launches, 0, 100000,
               "capture the iterations as a CUDA graph, launch it so often; 0: no graph");
  args.integer("--rounds", options.rounds, 0, kMostNcclRounds,
               "repeat the measurement; the median is quoted; 0: host 1, cuda 20, nccl 5");
  args.integer("-T,--timeout", options.timeout_s, 0, 86400,
               "give up when nothing moved for so many seconds; 0: never");
  args.flag("--processes", options.processes, "nccl: a process for each rank, not one for all");
  args.flag("--pin,!--no-pin", options.pin,
            "keep ranks on processors of their own, near their device");
  args.flag("--nvls", options.nvls, "nccl: let NCCL use NVLink multicast if it wants to");
  args.text("--nccl", options.nccl_path, "nccl: the libnccl.so.2 to use");
  args.flag("--levels", options.levels,
            "nccl: what monitoring costs: its levels in turn, a round each, within the process");
  args.text("--event-times", options.event_times,
            "nccl: write the device time of each operation to this file, a JSON object a line");
}

std::string nccl_fault(const NcclOptions& options) {
  if (!nccl_does(options.kind))
    return fmt::format("{} is not measured with NCCL yet", name(options.kind));
  if (!nccl_type(options.dtype))
    return "-d: write f32, f16, bf16, f64, i8, u8, i32, u32, i64 or u64, or nccl-tests' names of "
           "them";
  if (static_cast<double>(options.least) * std::pow(options.factor, kMostNcclSizes) <=
      static_cast<double>(options.most))
    return fmt::format("these are more than {} sizes; -f must be larger", kMostNcclSizes);
  if (!options.event_times.empty() && options.graph_launches > 0)
    return "--event-times and -G exclude each other: inside a graph no operation has its own "
           "events";
  if (!options.event_times.empty() && options.iterations > 20'000)
    return "--event-times takes two events for each operation: -n must be at most 20000";
  return {};
}

std::string asks_for_nccl(const NcclOptions& options, bool beside_others) {
  const NcclOptions none;
  if (options.root != none.root) return "-r";
  if (options.op == "prod") return "-o prod";
  if (options.processes) return "--processes";
  if (!beside_others && options.nvls) return "--nvls";
  if (!beside_others && !options.nccl_path.empty()) return "--nccl";
  if (!options.event_times.empty()) return "--event-times";
  return options.levels ? "--levels" : "";
}

namespace {

// Our plugin comes in, in a session of its own. False: it is not there, as said on standard error.
bool bring_recorder(NcclOptions& options) {
  options.check = 0;
  options.rounds = std::max(1, options.rounds / kLevels) * kLevels;
  const std::string plugin = source_libraries().nccl;
  if (plugin.empty() && std::getenv("NCCL_PROFILER_PLUGIN") == nullptr) {
    fmt::print(
        stderr,
        "peerscope bench: --levels: libpeerscope-nccl.so is not beside this command (../lib)\n");
    return false;
  }
  if (!plugin.empty()) setenv("NCCL_PROFILER_PLUGIN", plugin.c_str(), 0);
  setenv("PEERSCOPE_SESSION", fmt::format("bench-{}", getpid()).c_str(), 1);
  return true;
}

}  // namespace

int run_nccl_sweep(const NcclOptions& options) {
  nlohmann::json result;
  const int status = run_nccl_sweep(options, result);
  if (options.json && !result.is_null()) fmt::print("{}\n", result.dump(2));
  return status;
}

int run_nccl_sweep(const NcclOptions& asked, nlohmann::json& result) {
  NcclOptions options = asked;
  if (options.rounds == 0) options.rounds = 5;
  NcclBoard* const memory = make_board();
  if (memory == nullptr) {
    fmt::print(stderr, "peerscope bench: no memory for {} bytes\n", sizeof(NcclBoard));
    return 1;
  }
  NcclBoard& board = *memory;
  // Multicast memory of a process that died hard may stay taken on a shared machine.
  if (!options.nvls) setenv("NCCL_NVLS_ENABLE", "0", 0);
  if (options.levels && !bring_recorder(options)) return 2;
  if (const int status = look_around(options, board); status != 0) return status;
  if (!make_events_file(options.event_times)) return 2;
  const auto places = places_for(options, board);
  const std::vector<std::string> cpus = texts_of(places);
  Children children;
  const int processes = options.processes ? options.ranks : 1;
  for (int process = 0; process < processes; ++process) {
    const NcclWorker worker{.process = process,
                            .processes = processes,
                            .first_rank = process,
                            .local_ranks = options.processes ? 1 : options.ranks};
    const pid_t pid = in_child(board, [&] {
      if (!places.empty()) pin_to(places[static_cast<std::size_t>(process)]);
      return sweep_nccl(options, worker, board);
    });
    if (pid < 0) board.fail("the system has no room for another process");
    children.add(pid);
  }
  std::vector<NcclRow> rows;
  const std::string failed = follow(options, board, children, cpus, rows);
  result = nccl_json(options, board, cpus, rows);
  if (!options.json && failed.empty()) print_nccl_foot(options, rows);
  if (!failed.empty()) fmt::print(stderr, "peerscope bench: {}\n", failed);
  std::uint64_t wrong = 0;
  for (const NcclRow& row : rows) wrong += row.out.wrong + row.in.wrong;
  return failed.empty() && wrong == 0 ? 0 : 1;
}

}  // namespace peerscope
