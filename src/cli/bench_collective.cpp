// peerscope bench all_reduce, all_gather, ...: a sweep over sizes on the host device, with
// nccl-tests' flags and columns. With --backend nccl: bench_nccl.cpp.
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstring>
#include <new>
#include <random>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/units.hpp"
#include "cli/bench_nccl.hpp"
#include "cli/commands.hpp"
#include "cli/measure.hpp"
#include "cli/render.hpp"
#include "cli/select.hpp"
#include "comm/elements.hpp"
#include "comm/half.hpp"
#include "comm/host/host.hpp"
#include "model/busbw.hpp"
#include "session/settings.hpp"

namespace peerscope {
namespace {

struct SweepOptions {
  Kind kind = Kind::all_reduce;
  std::uint64_t least = 8, most = 32 << 20;
  double factor = 2;
  int iterations = 20, warmup = 5, ranks = 0, check = 1;
  std::string dtype = "f32", algorithm = "auto", level = "detailed", backend = "host";
  std::int64_t keep_ns = 0;  // what earlier sweeps left behind goes at this age
  bool json = false;
};

constexpr int kMostSizes = 64;
constexpr int kMostIterations = 1000;

// Written by the rank processes, read by the one that prints.
struct RowResult {
  std::atomic<int> done{0};
  std::uint64_t bytes = 0;
  double us[kMostIterations] = {};  // rank 0's
  std::atomic<std::uint64_t> wrong{0};
};
struct Board {
  RowResult rows[kMostSizes];
  char why[256] = {};
};

struct Row {
  std::uint64_t bytes = 0;
  Spread us;
  double algbw = 0, busbw = 0;
  std::uint64_t wrong = 0;
};

std::vector<std::uint64_t> sizes_of(const SweepOptions& options) {
  std::vector<std::uint64_t> sizes;
  for (auto bytes = static_cast<double>(options.least);
       bytes <= static_cast<double>(options.most) && sizes.size() < kMostSizes;
       bytes *= options.factor) {
    sizes.push_back(static_cast<std::uint64_t>(bytes));
  }
  return sizes;
}

double element(const std::byte* data, std::size_t i, Dtype dtype) {
  switch (dtype) {
    case Dtype::f32: {
      float value = 0;
      std::memcpy(&value, data + i * 4, 4);
      return value;
    }
    case Dtype::i32: {
      std::int32_t value = 0;
      std::memcpy(&value, data + i * 4, 4);
      return value;
    }
    default: {
      std::uint16_t bits = 0;
      std::memcpy(&bits, data + i * 2, 2);
      return dtype == Dtype::f16 ? f32_from_f16(bits) : f32_from_bf16(bits);
    }
  }
}

void set_element(std::byte* data, std::size_t i, Dtype dtype, float value) {
  if (dtype == Dtype::f32) {
    std::memcpy(data + i * 4, &value, 4);
  } else if (dtype == Dtype::i32) {
    const auto whole = static_cast<std::int32_t>(value);
    std::memcpy(data + i * 4, &whole, 4);
  } else {
    const std::uint16_t bits = dtype == Dtype::f16 ? f16_from_f32(value) : bf16_from_f32(value);
    std::memcpy(data + i * 2, &bits, 2);
  }
}

// What rank r gives as its element i: small whole numbers, so that sums are exact in every type and
// any order.
float given(int rank, std::size_t i) {
  return static_cast<float>((i * 31 + static_cast<std::size_t>(rank) * 17) % 7);
}

struct Buffers {
  std::vector<std::byte> input, output;
  std::size_t count = 0, output_count = 0;
};

// `bytes` is nccl-tests' size: of the whole tensor. Counts are whole multiples of the ranks where
// the kind wants it.
Buffers make_buffers(const SweepOptions& options, Dtype dtype, std::uint64_t bytes, int rank) {
  const auto ranks = static_cast<std::size_t>(options.ranks);
  Buffers b;
  const std::size_t whole = std::max<std::size_t>(bytes / dtype_bytes(dtype), 1);
  const std::size_t share = std::max<std::size_t>(whole / ranks, 1);
  const Kind kind = options.kind;
  b.count = kind == Kind::all_gather || kind == Kind::gather           ? share
            : kind == Kind::reduce_scatter || kind == Kind::all_to_all ? share * ranks
                                                                       : whole;
  b.output_count = kind == Kind::all_gather || kind == Kind::gather ? share * ranks
                   : kind == Kind::reduce_scatter                   ? share
                                                                    : b.count;
  b.input.resize(b.count * dtype_bytes(dtype));
  b.output.assign(b.output_count * dtype_bytes(dtype), std::byte{0x7B});
  for (std::size_t i = 0; i < b.count; ++i) set_element(b.input.data(), i, dtype, given(rank, i));
  return b;
}

Status run_once(Communicator& comm, const SweepOptions& options, Dtype dtype, Buffers& b,
                const std::vector<std::size_t>& shares) {
  const Source input{b.input.data(), b.count, dtype};
  const Algorithm algorithm = parse_algorithm(options.algorithm).value_or(Algorithm::unknown);
  switch (options.kind) {
    case Kind::all_reduce:
      return comm.all_reduce(input, b.output.data(), ReduceOp::sum, algorithm);
    case Kind::reduce:
      return comm.reduce(input, b.output.data(), ReduceOp::sum, 0, algorithm);
    case Kind::broadcast:
      return comm.broadcast(input, b.output.data(), 0, algorithm);
    case Kind::all_gather:
      return comm.all_gather(input, b.output.data(), algorithm);
    case Kind::reduce_scatter:
      return comm.reduce_scatter(input, b.output.data(), ReduceOp::sum, algorithm);
    case Kind::gather:
      return comm.gather(input, b.output.data(), shares, 0, algorithm);
    case Kind::all_to_all:
      return comm.all_to_all(input, b.output.data(), algorithm);
    default:
      break;
  }
  if (comm.rank() == 0) return comm.send(input, 1);
  if (comm.rank() == 1) return comm.recv({b.output.data(), b.count, dtype}, 0);
  return Done{};
}

// The element that belongs at `i` of this rank's output; NaN where nothing is said.
double expected(const SweepOptions& options, int rank, std::size_t i, const Buffers& b) {
  const auto sum = [&](std::size_t at) {
    double total = 0;
    for (int r = 0; r < options.ranks; ++r) total += static_cast<double>(given(r, at));
    return total;
  };
  const auto ranks = static_cast<std::size_t>(options.ranks);
  switch (options.kind) {
    case Kind::all_reduce:
      return sum(i);
    case Kind::reduce:
      return rank == 0 ? sum(i) : NAN;
    case Kind::broadcast:
      return static_cast<double>(given(0, i));
    case Kind::gather:
      if (rank != 0) return NAN;
      [[fallthrough]];
    case Kind::all_gather:
      return static_cast<double>(given(static_cast<int>(i / b.count), i % b.count));
    case Kind::reduce_scatter:
      return sum(static_cast<std::size_t>(rank) * b.output_count + i);
    case Kind::all_to_all: {
      const std::size_t share = b.count / ranks;
      return static_cast<double>(
          given(static_cast<int>(i / share), static_cast<std::size_t>(rank) * share + i % share));
    }
    default:
      return rank == 1 ? static_cast<double>(given(0, i)) : NAN;
  }
}

std::uint64_t count_wrong(const SweepOptions& options, Dtype dtype, int rank, const Buffers& b) {
  std::uint64_t wrong = 0;
  for (std::size_t i = 0; i < b.output_count; ++i) {
    const double want = expected(options, rank, i, b);
    if (!std::isnan(want) && element(b.output.data(), i, dtype) != want) ++wrong;
  }
  return wrong;
}

Status sweep(Communicator& comm, const SweepOptions& options, Board& board) {
  const Dtype dtype = parse_dtype(options.dtype).value_or(Dtype::f32);
  std::size_t at = 0;
  for (const std::uint64_t bytes : sizes_of(options)) {
    RowResult& row = board.rows[at++];
    Buffers buffers = make_buffers(options, dtype, bytes, comm.rank());
    const std::vector<std::size_t> shares(static_cast<std::size_t>(options.ranks), buffers.count);
    for (int i = -options.warmup; i < options.iterations; ++i) {
      const std::int64_t before_ns = monotonic_ns();
      const Status done = run_once(comm, options, dtype, buffers, shares);
      if (!done) return done;
      if (i >= 0 && comm.rank() == 0)
        row.us[i] = static_cast<double>(monotonic_ns() - before_ns) / 1e3;
    }
    if (options.check != 0) row.wrong.fetch_add(count_wrong(options, dtype, comm.rank(), buffers));
    const std::size_t elements = std::max(buffers.count, buffers.output_count);
    if (comm.rank() == 0) row.bytes = elements * dtype_bytes(dtype);
    const Status all = comm.barrier();
    if (!all) return all;
    row.done.fetch_add(1, std::memory_order_release);
  }
  return Done{};
}

int rank_main(const SweepOptions& options, const HostWorld& world, Board& board, int rank) {
  pscope_options recording{};
  recording.size = sizeof recording;
  recording.name = "bench";
  const std::string session_id = session_or(fmt::format("bench-{}", getppid()));
  recording.session = session_id.c_str();
  recording.level = static_cast<int>(parse_level(options.level).value_or(Level::detailed));
  pscope_session* session = pscope_open(&recording, nullptr);
  Result<std::unique_ptr<Communicator>> comm = world.open(rank, session);
  const Status done = comm ? sweep(**comm, options, board) : Status(comm.error());
  if (!done) std::snprintf(board.why, sizeof board.why, "%s", done.error().message.c_str());
  pscope_close(session);
  return done ? 0 : 1;
}

Row row_of(const SweepOptions& options, const RowResult& result) {
  Row row;
  row.bytes = result.bytes;
  row.us = spread_of({result.us, result.us + options.iterations});
  row.algbw = algbw(static_cast<double>(row.bytes), row.us.median * 1e3);
  row.busbw = row.algbw * busbw_factor(options.kind, static_cast<std::uint32_t>(options.ranks));
  row.wrong = result.wrong.load();
  return row;
}

void print_row(const SweepOptions& options, const Row& row) {
  const std::uint64_t count =
      row.bytes / dtype_bytes(parse_dtype(options.dtype).value_or(Dtype::f32));
  fmt::print("{:>12} {:>12} {:>8} {:>6} {:>6} {:>10.2f} {:>10.2f} {:>8.2f} {:>8.2f} {:>7}\n",
             row.bytes, count, options.dtype, is_reduction(options.kind) ? "sum" : "none",
             has_root(options.kind) ? "0" : "-1", row.us.median, row.us.least, row.algbw / 1e9,
             row.busbw / 1e9, options.check != 0 ? fmt::format("{}", row.wrong) : "N/A");
  std::fflush(stdout);
}

void print_head(const SweepOptions& options) {
  fmt::print("# {} on the host device, {} ranks (processes), algorithm {}, recorded at level {}\n",
             name(options.kind), options.ranks, options.algorithm, options.level);
  fmt::print(
      "# time: median over {} iterations after {} of warm-up, host clock of rank 0; algbw and "
      "busbw in GB/s\n",
      options.iterations, options.warmup);
  fmt::print("#{:>11} {:>12} {:>8} {:>6} {:>6} {:>10} {:>10} {:>8} {:>8} {:>7}\n", "size", "count",
             "type", "redop", "root", "time", "min", "algbw", "busbw", "#wrong");
  fmt::print("#{:>11} {:>12} {:>8} {:>6} {:>6} {:>10} {:>10} {:>8} {:>8} {:>7}\n", "(B)",
             "(elements)", "", "", "", "(us)", "(us)", "(GB/s)", "(GB/s)", "");
}

nlohmann::json to_json(const SweepOptions& options, const Row& row) {
  return {{"bytes", row.bytes},
          {"operation", name(options.kind)},
          {"algorithm", options.algorithm},
          {"backend", options.backend},
          {"dtype", options.dtype},
          {"ranks", options.ranks},
          {"time_us", row.us.median},
          {"min_us", row.us.least},
          {"mad_us", row.us.mad},
          {"algbw_gbs", row.algbw / 1e9},
          {"busbw_gbs", row.busbw / 1e9},
          {"wrong", options.check != 0 ? nlohmann::json(row.wrong) : nlohmann::json(nullptr)}};
}

// Prints each size as soon as all ranks are done with it. False if a rank failed.
bool follow(const SweepOptions& options, Board& board, const std::vector<pid_t>& ranks,
            nlohmann::json& rows) {
  std::size_t left = ranks.size();
  bool failed = false;
  for (std::size_t at = 0, count = sizes_of(options).size(); at < count;) {
    if (board.rows[at].done.load(std::memory_order_acquire) == options.ranks) {
      const Row row = row_of(options, board.rows[at++]);
      if (!options.json) print_row(options, row);
      rows.push_back(to_json(options, row));
      continue;
    }
    int status = 0;
    const pid_t gone = left > 0 ? waitpid(-1, &status, WNOHANG) : -1;
    if (gone > 0) --left;
    failed = failed || (gone > 0 && status != 0);
    if (failed || (left == 0 && board.rows[at].done.load() < options.ranks)) break;
    usleep(500);
  }
  if (failed) {
    for (const pid_t rank : ranks) kill(rank, SIGKILL);
  }
  for (int status = 0; left > 0 && waitpid(-1, &status, 0) > 0; --left)
    failed = failed || status != 0;
  return !failed;
}

int run_sweep(const SweepOptions& options) {
  void* memory = mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  HostOptions host;
  host.name = "bench";
  host.id = static_cast<std::uint64_t>(getpid());
  host.ranks = options.ranks;
  const Result<HostWorld> world = HostWorld::create(host);
  if (memory == MAP_FAILED || !world) {
    fmt::print(stderr, "peerscope bench: {}\n", world ? "no memory" : world.error().message);
    return 1;
  }
  Board& board = *::new (memory) Board;
  prune_sessions(options.keep_ns);
  if (!options.json) print_head(options);
  std::fflush(nullptr);
  std::vector<pid_t> ranks;
  for (int rank = 0; rank < options.ranks; ++rank) {
    const pid_t pid = fork();
    if (pid == 0) _exit(rank_main(options, *world, board, rank));
    if (pid < 0) break;  // the others will say who is missing
    ranks.push_back(pid);
  }
  nlohmann::json rows = nlohmann::json::array();
  const bool fine = follow(options, board, ranks, rows);
  std::uint64_t wrong = 0;
  for (const auto& row : rows)
    wrong += row["wrong"].is_null() ? 0 : row["wrong"].get<std::uint64_t>();
  if (options.json) fmt::print("{}\n", nlohmann::json{{"rows", rows}}.dump(2));
  if (!options.json && fine) fmt::print("# {} wrong values in {} sizes\n", wrong, rows.size());
  if (!fine) fmt::print(stderr, "peerscope bench: a rank failed: {}\n", board.why);
  return fine && wrong == 0 ? 0 : 1;
}

std::optional<std::string> sizes_fault(const SweepOptions& options) {
  if (options.least > options.most || options.least == 0)
    return "-b must be at least 1 and at most -e";
  if (!(options.factor > 1)) return "-f must be larger than 1";
  return std::nullopt;
}

std::optional<std::string> host_fault(const SweepOptions& options, const NcclOptions& nccl) {
  if (options.ranks == 1) return "-g must be at least 2 on the host device";
  if (options.iterations > kMostIterations)
    return fmt::format("-n must be at most {} on the host device", kMostIterations);
  const Dtype dtype = parse_dtype(options.dtype).value_or(Dtype::unknown);
  if (!can_reduce(dtype)) return "on the host device -d is f32, f16, bf16 or i32";
  if (asks_for_nccl(nccl)) return "an option that only NCCL has was given; add --backend nccl";
  if (options.algorithm != "auto" && !parse_algorithm(options.algorithm)) {
    return fmt::format(
        "there is no algorithm '{}'; write auto, direct, two_shot, ring, binary_tree, kary_tree or "
        "balanced_tree",
        options.algorithm);
  }
  return std::nullopt;
}

// nccl-tests' names of types are taken, too.
std::string our_dtype(const std::string& given) {
  constexpr std::pair<const char*, const char*> kNames[] = {
      {"int8", "i8"},    {"uint8", "u8"},     {"int32", "i32"}, {"uint32", "u32"},
      {"int64", "i64"},  {"uint64", "u64"},   {"half", "f16"},  {"float", "f32"},
      {"double", "f64"}, {"bfloat16", "bf16"}};
  for (const auto& [theirs, ours] : kNames) {
    if (given == theirs) return ours;
  }
  return given;
}

std::string nccl_from(const SweepOptions& options, NcclOptions& nccl) {
  if (options.algorithm != "auto") return "NCCL chooses the algorithm; see NCCL_ALGO";
  nccl.kind = options.kind;
  nccl.least = options.least;
  nccl.most = options.most;
  nccl.factor = options.factor;
  nccl.iterations = options.iterations;
  nccl.warmup = options.warmup;
  nccl.ranks = options.ranks;
  nccl.check = options.check;
  nccl.dtype = parse_dtype(options.dtype).value_or(Dtype::unknown);
  nccl.json = options.json;
  return nccl_fault(nccl);
}

int refuse(const std::string& what) {
  fmt::print(stderr, "peerscope bench: {}\n", what);
  return 2;
}

template <Kind kKind>
int bench_main(Args& args) {
  SweepOptions options;
  NcclOptions nccl;
  options.kind = kKind;
  args.bytes("-b,--minbytes", options.least, "smallest size");
  args.bytes("-e,--maxbytes", options.most, "largest size");
  args.real("-f,--stepfactor", options.factor, 1, 1e6, "from one size to the next");
  args.integer("-n,--iters", options.iterations, 1, 1'000'000, "measured iterations");
  args.integer("-w,--warmup_iters", options.warmup, 0, 100000, "iterations before");
  args.integer("-g,--ngpus", options.ranks, 0, 64,
               "ranks; 0: two processes on the host device, all visible GPUs with NCCL");
  args.integer("-c,--check", options.check, 0, 1, "check every element");
  args.text("-d,--dtype,--datatype", options.dtype,
            "element type: f32, f16, bf16, i32; nccl: also f64, i8, u8, u32, i64, u64");
  args.text("-a,--algo", options.algorithm,
            "auto, direct, two_shot, ring, binary_tree, kary_tree, balanced_tree");
  args.choice("--backend", options.backend, {"host", "nccl"}, "where ranks live");
  add_nccl_options(args, nccl);
  args.setting("-l,--level", "monitor.level");
  args.flag("--json", options.json, "print one JSON object");
  if (const auto status = args.parse()) return *status;
  options.dtype = our_dtype(options.dtype);
  if (const auto what = sizes_fault(options)) return refuse(*what);
  if (options.backend == "nccl") {
    const std::string what = nccl_from(options, nccl);
    return what.empty() ? run_nccl_sweep(nccl) : refuse(what);
  }
  if (const auto what = host_fault(options, nccl)) return refuse(*what);
  if (options.ranks == 0) options.ranks = 2;
  options.level = name(recording_level(args.config()));
  options.keep_ns = args.config().duration_ns("session.keep");
  return run_sweep(options);
}

constexpr const char* kExamples =
    "  peerscope bench all_reduce -b 8 -e 1M -f 2 -g 4\n"
    "  peerscope bench all_reduce -b 16K -e 16K -n 1000 --algo ring --json\n"
    "  peerscope bench all_reduce --backend nccl -b 8 -e 64M   on all GPUs, from one process\n"
    "  peerscope bench all_reduce --backend nccl -g 2 --processes -d bf16\n";
constexpr const char* kExits = "or no GPU, driver or NCCL, 1 a rank failed or values were wrong";

}  // namespace

const Command kBenchCollectiveCommands[] = {
    {{"bench all_reduce", "sweep sizes, with nccl-tests' flags and columns", kExamples, kExits},
     bench_main<Kind::all_reduce>},
    {{"bench all_gather", "the same", kExamples, kExits}, bench_main<Kind::all_gather>},
    {{"bench reduce_scatter", "the same", kExamples, kExits}, bench_main<Kind::reduce_scatter>},
    {{"bench broadcast", "the same", kExamples, kExits}, bench_main<Kind::broadcast>},
    {{"bench reduce", "the same", kExamples, kExits}, bench_main<Kind::reduce>},
    {{"bench gather", "the same", kExamples, kExits}, bench_main<Kind::gather>},
    {{"bench all_to_all", "the same", kExamples, kExits}, bench_main<Kind::all_to_all>},
    {{"bench sendrecv", "the same, rank 0 to rank 1", kExamples, kExits}, bench_main<Kind::send>},
};
const int kBenchCollectiveCommandCount = static_cast<int>(std::size(kBenchCollectiveCommands));

}  // namespace peerscope
