// peerscope bench compare BASELINE NEW: what became slower since.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/bench_sweep.hpp"
#include "cli/commands.hpp"
#include "cli/state_dir.hpp"
#include "suite/compare.hpp"
#include "suite/format.hpp"

namespace peerscope {
namespace {

int refuse(const std::string& why) {
  fmt::print(stderr, "peerscope bench compare: {}\n", why);
  return 2;
}

// The stored baseline of the machine that the new results come from.
Result<std::string> stored_baseline(const ResultSet& after) {
  const Result<std::string> directory = state_directory();
  if (!directory) return directory.error();
  return baseline_file_in(*directory, after.machine.fingerprint);
}

int compare_main(Args& args) {
  std::vector<std::string> files;
  CompareOptions options;
  double threshold = 5;
  bool stored = false, as_json = false, all = false;
  args.positionals("FILE", files,
                   "the baseline, then the new results: what --json of a sweep printed");
  args.flag("--baseline", stored, "FILE are the new results; the baseline is this machine's own");
  args.real("--threshold", threshold, 0, 1000, "percent by which a median may grow");
  args.flag("--across-machines", options.across_machines, "compare results of different machines");
  args.flag("--all", all, "print what has not changed, too");
  args.flag("--json", as_json, "print one JSON object");
  if (const auto status = args.parse()) return *status;
  if (files.size() != (stored ? 1u : 2u))
    return refuse(stored ? "with --baseline, give one FILE: the new results"
                         : "give two FILEs, the baseline and the new results");
  options.threshold = threshold / 100;
  const Result<ResultSet> after = read_results(files.back());
  if (!after) return refuse(after.error().message);
  Result<std::string> path = stored ? stored_baseline(*after) : Result<std::string>(files.front());
  if (!path) return refuse(path.error().message);
  const Result<ResultSet> before = read_results(*path);
  if (!before)
    return refuse(before.error().message +
                  (stored ? "; peerscope bench suite --save-baseline makes it" : ""));
  const Result<BenchComparison> comparison = compare(*before, *after, options);
  if (!comparison) return refuse(comparison.error().message);
  if (as_json) fmt::print("{}\n", comparison_json(*comparison).dump(2));
  if (!as_json) fmt::print("{}", comparison_text(*comparison, all));
  return comparison->count(ChangeKind::slower) == 0 ? 0 : 1;
}

constexpr const char* kExamples =
    "  peerscope bench all_reduce -n 100 --json > old.json   then, later, > new.json\n"
    "  peerscope bench compare old.json new.json\n"
    "  peerscope bench compare --baseline new.json --threshold 10\n";

}  // namespace

const Command kBenchCompareCommand = {
    {"bench compare", "what became slower since, and how sure that is", kExamples,
     "or results that cannot be read or have nothing in common, 1 something became slower"},
    compare_main};

}  // namespace peerscope
