// Flags of the sweeps, and what they mean.
#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/bench_sweep.hpp"
#include "cli/select.hpp"
#include "session/settings.hpp"
#include "suite/case.hpp"

namespace peerscope {
namespace {

constexpr int kMostSamples = 1'000'000;

Error invalid(std::string what) { return {ErrorCode::invalid_argument, std::move(what)}; }

// "" is one empty word, which nothing takes.
std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t comma = std::min(list.find(',', begin), list.size());
    words.push_back(list.substr(begin, comma - begin));
    begin = comma + 1;
  }
  return words;
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

Result<std::vector<Dtype>> dtypes_of(const std::string& list) {
  std::vector<Dtype> dtypes;
  for (const std::string& word : split(list == "all" ? "f32,f16,bf16,i32,i8,u8" : list)) {
    const auto dtype = parse_dtype(our_dtype(word));
    if (!dtype || dtype_bytes(*dtype) == 0)
      return invalid(
          fmt::format("-d: write f32, f16, bf16, i32, i8 or u8 (nccl: also f64, u32, i64 "
                      "or u64), not '{}'",
                      word));
    dtypes.push_back(*dtype);
  }
  return dtypes;
}

Result<std::vector<Algorithm>> algorithms_of(const std::string& list) {
  std::vector<Algorithm> algorithms;
  if (list == "all") return algorithms;
  for (const std::string& word : split(list)) {
    const auto algorithm = word == "auto" ? Algorithm::unknown : parse_algorithm(word);
    if (!algorithm || (word != "auto" && *algorithm == Algorithm::unknown))
      return invalid(
          fmt::format("there is no algorithm '{}'; write auto, all, direct, two_shot, "
                      "ring, binary_tree, kary_tree or balanced_tree",
                      word));
    algorithms.push_back(*algorithm);
  }
  return algorithms;
}

Result<std::vector<int>> ranks_of(const std::string& list) {
  std::vector<int> ranks;
  for (const std::string& word : split(list)) {
    int value = -1;
    const char* const end = word.data() + word.size();
    const auto [at, error] = std::from_chars(word.data(), end, value);
    if (error != std::errc() || at != end || value < 0 || value > kMaxRanks)
      return invalid(
          fmt::format("-g is a number of ranks from 0 to {}, not '{}'", kMaxRanks, word));
    ranks.push_back(value);
  }
  return ranks;
}

Result<std::vector<std::string>> backends_of(const std::string& list) {
  const std::vector<std::string> known = backend_names();
  if (list == "all") return known;
  const std::vector<std::string> words = split(list);
  for (const std::string& word : words) {
    if (std::find(known.begin(), known.end(), word) == known.end())
      return invalid(fmt::format("there is no backend '{}'; write host, cuda, nccl or all", word));
  }
  return words;
}

Status check(const SweepRequest& request, const SweepSelection& selection) {
  if (request.least > request.most || request.least == 0)
    return invalid("-b must be at least 1 and at most -e");
  if (!(request.factor > 1)) return invalid("-f must be larger than 1");
  if (request.output.json && request.output.csv)
    return invalid("--json and --csv exclude each other");
  const auto& backends = selection.backends;
  const bool nccl = std::find(backends.begin(), backends.end(), "nccl") != backends.end();
  const bool driver = uses_nccl_driver(request, selection);
  const std::string flag = driver ? "" : asks_for_nccl(request.nccl, nccl);
  if (!flag.empty() && nccl)
    return invalid(fmt::format("{} is for one operation with --backend nccl alone", flag));
  if (!flag.empty()) return invalid(fmt::format("only NCCL has {}; add --backend nccl", flag));
  if (nccl && backends.size() == 1 && request.algorithms != "auto")
    return invalid("NCCL chooses the algorithm; see NCCL_ALGO");
  const int rounds = std::max(request.nccl.rounds, 1);
  if (!driver && request.iterations > kMostSamples / rounds)
    return invalid(fmt::format("-n times --rounds must be at most {}", kMostSamples));
  return Done{};
}

}  // namespace

void add_output_options(Args& args, OutputRequest& output) {
  args.flag("--json", output.json, "print one JSON object");
  args.flag("--csv", output.csv, "print CSV");
  args.text("--html", output.html, "write a report with charts to this file, too");
}

void add_sweep_options(Args& args, SweepRequest& request) {
  args.bytes("-b,--minbytes", request.least, "smallest size");
  args.bytes("-e,--maxbytes", request.most, "largest size");
  args.real("-f,--stepfactor", request.factor, 1, 1e6, "from one size to the next");
  args.integer("-n,--iters", request.iterations, 1, 1'000'000, "measured iterations");
  args.integer("-w,--warmup_iters", request.warmup, 0, 100000, "iterations before");
  args.text("-g,--ngpus", request.ranks,
            "ranks, a list; 0: two on the host device, all visible GPUs elsewhere");
  args.integer("-c,--check", request.check, 0, 1, "check every element");
  args.text(
      "-d,--dtype,--datatype", request.dtypes,
      "element types, a list: f32, f16, bf16, i32, i8, u8; all; nccl: also f64, u32, i64, u64");
  args.text("-a,--algo,--algorithm", request.algorithms,
            "a list: auto, direct, two_shot, ring, binary_tree, kary_tree, balanced_tree; or all");
  args.text("--backend", request.backends, "where ranks live, a list: host, cuda, nccl; or all");
  args.flag("--threads", request.threads, "host: ranks are threads, not processes");
  args.flag("--tuned", request.tuned, "auto: as bench tune has found");
  args.integer("--slow-rank", request.slow_rank, -1, 65'534,
               "a rank that computes before each operation: see it found (-1: none)");
  args.real("--slow-by", request.slow_by_us, 0, 1e6, "for so many microseconds");
  add_nccl_options(args, request.nccl);
  args.setting("-l,--level", "monitor.level");
  add_output_options(args, request.output);
}

bool uses_nccl_driver(const SweepRequest& request, const SweepSelection& selection) {
  return request.has_nccl_driver && selection.backends == std::vector<std::string>{"nccl"};
}

Result<SweepSelection> select(const Args& args, SweepRequest& request) {
  SweepSelection out;
  auto dtypes = dtypes_of(request.dtypes);
  auto algorithms = algorithms_of(request.algorithms);
  auto ranks = ranks_of(request.ranks);
  auto backends = backends_of(request.backends);
  if (!backends) return backends.error();
  if (!algorithms) return algorithms.error();
  if (!ranks) return ranks.error();
  out.backends = std::move(*backends);
  if (Status fine = check(request, out); !fine) return fine.error();
  if (!dtypes) return dtypes.error();
  out.dtypes = std::move(*dtypes);
  out.algorithms = std::move(*algorithms);
  out.ranks = std::move(*ranks);
  out.sizes = sizes_between(request.least, request.most, request.factor);
  out.op = request.nccl.op == "min"   ? ReduceOp::min
           : request.nccl.op == "max" ? ReduceOp::max
           : request.nccl.op == "avg" ? ReduceOp::avg
                                      : ReduceOp::sum;
  request.recording = {.threads = request.threads,
                       .pin = request.nccl.pin,
                       .session = session_or(fmt::format("bench-{}", getpid())),
                       .level = recording_level(args.config()),
                       .nccl_library = request.nccl.nccl_path,
                       .nvls = request.nccl.nvls};
  request.keep_ns = args.config().duration_ns("session.keep");
  return out;
}

}  // namespace peerscope
