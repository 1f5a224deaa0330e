// peerscope bench p2p: bandwidth and latency between ranks' memories, as nvbandwidth does it.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/bench_steps.hpp"
#include "cli/bench_sweep.hpp"
#include "cli/commands.hpp"

namespace peerscope {
namespace {

void list_cases(const BenchBackend& backend) {
  for (const P2pCase& test : backend.p2p_cases()) fmt::print("{:<28} {}\n", test.name, test.help);
}

// Those that are named, or all. The error says what there is.
Result<std::vector<const P2pCase*>> choose_cases(const BenchBackend& backend,
                                                 const std::vector<std::string>& names) {
  std::vector<const P2pCase*> chosen;
  const auto cases = backend.p2p_cases();
  for (const P2pCase& test : cases) {
    if (names.empty()) chosen.push_back(&test);
  }
  for (const std::string& name : names) {
    const auto found = std::find_if(cases.begin(), cases.end(),
                                    [&](const P2pCase& test) { return name == test.name; });
    if (found == cases.end())
      return Error{
          ErrorCode::invalid_argument,
          fmt::format("there is no test case '{}'; peerscope bench p2p -l lists them", name)};
    chosen.push_back(&*found);
  }
  return chosen;
}

int p2p_main(Args& args) {
  bool list = false, as_json = false;
  std::string names, backend_name = "host";
  P2pOptions options{.ranks = 0};
  args.flag("-l,--list", list, "list the test cases");
  args.text("-t,--testcase", names, "run these only, a list");
  args.text("--backend", backend_name, "host or cuda");
  args.integer("-g,--ngpus", options.ranks, 0, kMaxRanks, "ranks; 0: as many as usual");
  args.bytes("-b,--bufferSize", options.bytes, "of each copy");
  args.integer("-n,--samples", options.samples, 1, 1000, "the median is quoted");
  args.flag("-j,--json", as_json, "print one JSON object");
  if (const auto status = args.parse()) return *status;
  Result<std::unique_ptr<BenchBackend>> backend = make_backend(backend_name, {});
  if (!backend) return refuse_bench(backend.error());
  if ((*backend)->p2p_cases().empty())
    return refuse_bench(
        {ErrorCode::invalid_argument,
         fmt::format("{} has no such test cases: write host or cuda", backend_name)});
  if (list) return list_cases(**backend), 0;
  const auto chosen = choose_cases(**backend, split_list(names));
  if (!chosen) return refuse_bench(chosen.error());
  if (options.ranks == 0) options.ranks = (*backend)->traits().usual_ranks;
  if (options.ranks < 2 || options.ranks > (*backend)->traits().most_ranks)
    return refuse_bench(
        {ErrorCode::invalid_argument, fmt::format("-g must be from 2 to {} on the {} device",
                                                  (*backend)->traits().most_ranks, backend_name)});
  if (options.bytes < 4096 || options.bytes > std::uint64_t{1} << 36)
    return refuse_bench({ErrorCode::invalid_argument, "-b must be from 4K to 64G"});
  nlohmann::json results = nlohmann::json::array();
  for (const P2pCase* test : *chosen) {
    const Result<P2pMatrix> matrix = test->run(options);
    if (!matrix) return refuse_bench(matrix.error());
    const P2pResult result{test->name, test->help, backend_name, *matrix};
    if (!as_json) fmt::print("{}", p2p_text(result));
    std::fflush(stdout);
    results.push_back(to_json(result));
  }
  if (as_json)
    fmt::print("{}\n", nlohmann::json{{"bytes", options.bytes},
                                      {"ranks", options.ranks},
                                      {"samples", options.samples},
                                      {"testcases", results}}
                           .dump(2));
  return 0;
}

constexpr const char* kExamples =
    "  peerscope bench p2p -l\n"
    "  peerscope bench p2p -g 4\n"
    "  peerscope bench p2p -t host_latency,host_memcpy_write -b 256M --json\n";

}  // namespace

const Command kBenchP2pCommand = {
    {"bench p2p", "bandwidth and latency between ranks' memories, as matrices", kExamples, ""},
    p2p_main};

}  // namespace peerscope
