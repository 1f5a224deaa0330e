// peerscope bench suite: everything, step by step; what is done is kept and not done again.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/units.hpp"
#include "cli/bench_steps.hpp"
#include "cli/commands.hpp"
#include "cli/measure.hpp"
#include "cli/progress.hpp"
#include "cli/select.hpp"
#include "cli/state_dir.hpp"
#include "suite/case.hpp"
#include "suite/format.hpp"
#include "suite/html/matrix.hpp"
#include "suite/html/page.hpp"
#include "suite/steps.hpp"

namespace peerscope {
namespace {

struct SuiteRequest {
  bool quick = false, full = false, restart = false, save_baseline = false, threads = false;
  std::string backends = "all", out, steps, nccl_path;
  OutputRequest output;
};

class Suite {
 public:
  Suite(const Args& args, const SuiteRequest& request, std::string path, SuiteState state)
      : args_(args), request_(request), path_(std::move(path)), state_(std::move(state)) {}

  static constexpr std::uint64_t kParts = 100;  // of a step, for the bar

  // Steps that this machine cannot do are noted as skipped, once and for all.
  Status run(const std::vector<SuiteStep>& steps) {
    Progress progress("bench suite", steps.size() * kParts);
    progress_ = &progress;
    for (std::size_t at = 0; at < steps.size(); ++at) {
      const SuiteStep& step = steps[at];
      if (state_.has(step.name)) continue;
      step_at_ = at;
      advance(0, 1);
      const std::int64_t begin_ns = monotonic_ns();
      const Status done = run_step(step);
      if (!done && done.error().code != ErrorCode::unsupported) return done;
      if (!done)
        state_.results.skipped.push_back(fmt::format("{}: {}", step.name, done.error().message));
      state_.done.push_back(step.name);
      if (Status kept = write_file(path_, suite_state_text(state_)); !kept) return kept;
      tell(step, at, steps.size(), done, static_cast<double>(monotonic_ns() - begin_ns));
    }
    return Done{};
  }
  SuiteState& state() { return state_; }

 private:
  void advance(std::uint64_t done, std::uint64_t of) const {
    progress_->update(step_at_ * kParts +
                      std::min(done, of) * kParts / std::max<std::uint64_t>(of, 1));
  }

  void tell(const SuiteStep& step, std::size_t at, std::size_t of, const Status& done,
            double ns) const {
    if (request_.output.json || request_.output.csv) return;
    progress_->hide();
    fmt::print("[{:>2}/{}] {:<22} {}\n", at + 1, of, step.name,
               done ? format_duration(ns) : "skipped: " + done.error().message);
    std::fflush(stdout);
  }

  Status run_step(const SuiteStep& step) {
    if (step.what == SuiteStep::What::p2p) return run_p2p(step);
    SweepRequest request;
    request.backends = step.backend;
    request.ranks = step.ranks;
    request.dtypes = step.dtypes;
    request.algorithms = step.algorithms;
    request.least = step.least;
    request.most = step.most;
    request.factor = step.factor;
    request.iterations = step.iterations;
    request.nccl.rounds = step.rounds;
    request.threads = request_.threads;
    if (step.backend == "nccl") request.nccl.nccl_path = request_.nccl_path;
    const Result<Kind> kind = kind_named(step.operation);
    if (!kind) return kind.error();
    request.kinds = {*kind};
    const Result<SweepSelection> selection = select(args_, request);
    if (!selection) return selection.error();
    if (step.what == SuiteStep::What::overlap) return run_overlap_step(request, *selection);
    return run_sweep_step(request, *selection);
  }

  // All or nothing: what a step that failed had measured would be measured again.
  Status run_sweep_step(const SweepRequest& request, const SweepSelection& selection) {
    ResultSet found;
    found.machine = state_.results.machine;
    const std::uint64_t expected = selection.sizes.size() * selection.dtypes.size() *
                                   selection.ranks.size() *
                                   (selection.algorithms.empty() ? 5 : selection.algorithms.size());
    SweepListener listener;
    listener.on_row = [&](const BenchRow&) { advance(found.rows.size(), expected); };
    if (Status done = measure(request, selection, listener, found); !done) return done;
    auto& rows = state_.results.rows;
    rows.insert(rows.end(), found.rows.begin(), found.rows.end());
    auto& skipped = state_.results.skipped;
    skipped.insert(skipped.end(), found.skipped.begin(), found.skipped.end());
    return Done{};
  }

  Status run_overlap_step(const SweepRequest& request, const SweepSelection& selection) {
    nlohmann::json rows = nlohmann::json::parse(state_.overlap);
    const Status done = measure_overlap(
        request, selection, [&](const OverlapRow& row) { rows.push_back(to_json(row)); });
    if (done) state_.overlap = rows.dump();
    return done;
  }

  Status run_p2p(const SuiteStep& step) {
    Result<std::unique_ptr<BenchBackend>> backend = make_backend(step.backend, {});
    if (!backend) return backend.error();
    nlohmann::json results = nlohmann::json::parse(state_.p2p);
    const auto cases = (*backend)->p2p_cases();
    std::uint64_t at = 0;
    for (const P2pCase& test : cases) {
      advance(at++, cases.size());
      const Result<P2pMatrix> matrix = test.run({.ranks = (*backend)->traits().usual_ranks});
      if (!matrix) return matrix.error();
      results.push_back(to_json(P2pResult{test.name, test.help, step.backend, *matrix}));
    }
    state_.p2p = results.dump();
    return Done{};
  }

  const Args& args_;
  const SuiteRequest& request_;
  std::string path_;
  SuiteState state_;
  Progress* progress_ = nullptr;  // while it runs
  std::size_t step_at_ = 0;
};

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What an interrupted run left behind, unless it is of no use.
SuiteState earlier_state(const std::string& path, const SuiteState& fresh, bool restart) {
  if (restart || !std::filesystem::exists(path)) return fresh;
  Result<SuiteState> state = suite_state_from(read_text(path));
  const bool fits = state && state->mode == fresh.mode &&
                    state->results.machine.fingerprint == fresh.results.machine.fingerprint;
  if (!fits) return fresh;
  if (!state->done.empty())
    fmt::print(
        stderr,
        "peerscope bench suite: going on after {} steps of {} (--restart: from the beginning)\n",
        state->done.size(), state->results.created);
  return std::move(*state);
}

Status keep(const SuiteRequest& request, const std::string& directory, SuiteState& state) {
  add_ceilings(state.results);
  if (request.save_baseline) {
    const std::string path = baseline_file_in(directory, state.results.machine.fingerprint);
    if (Status written = write_file(path, suite_state_text(state)); !written) return written;
    if (!request.output.json && !request.output.csv)
      fmt::print("Baseline of this machine: {}\n", path);
  }
  if (!request.out.empty()) {
    if (Status written = write_file(request.out, suite_state_text(state)); !written) return written;
  }
  if (!request.output.html.empty()) {
    const std::string more =
        p2p_section(p2p_from_json(nlohmann::json::parse(state.p2p))) +
        overlap_section(overlap_from_json(nlohmann::json::parse(state.overlap)));
    if (Status written = write_file(request.output.html, html_page(state.results, more)); !written)
      return written;
  }
  if (request.output.json) fmt::print("{}", suite_state_text(state));
  if (request.output.csv) fmt::print("{}", to_csv(state.results.rows));
  return Done{};
}

std::string verdict(const SuiteState& state) {
  const std::uint64_t wrong = count_wrong(state.results.rows);
  std::string text = wrong == 0
                         ? fmt::format("{} rows, all values right.", state.results.rows.size())
                         : fmt::format("{} values are wrong.", wrong);
  if (!state.results.skipped.empty())
    text +=
        fmt::format(" {} skipped: {}", state.results.skipped.size(), state.results.skipped.front());
  return text + "\n";
}

// Those that are asked for, by a part of their name.
std::vector<SuiteStep> chosen_steps(const SuiteRequest& request, bool full) {
  std::vector<std::string> backends = split_list(request.backends);
  if (request.backends == "all") backends = backend_names();
  std::vector<SuiteStep> steps = suite_steps(full, backends);
  const std::vector<std::string> names = split_list(request.steps);
  std::erase_if(steps, [&](const SuiteStep& step) {
    return !names.empty() && std::none_of(names.begin(), names.end(), [&](const std::string& name) {
      return step.name.find(name) != std::string::npos;
    });
  });
  return steps;
}

Error invalid(std::string what) { return {ErrorCode::invalid_argument, std::move(what)}; }

int run_suite(const Args& args, const SuiteRequest& request) {
  const std::vector<SuiteStep> steps = chosen_steps(request, request.full);
  if (steps.empty()) return refuse_bench(invalid("--steps names none of the suite's steps"));
  const Result<std::string> directory = state_directory();
  if (!directory) return refuse_bench(directory.error());
  SuiteState fresh;
  fresh.mode = request.full ? "full" : "quick";
  fresh.results = begin_results(args.command());
  const std::string path =
      fmt::format("{}/suite-{}-{}.json", *directory, fresh.mode, fresh.results.machine.fingerprint);
  Suite suite(args, request, path, earlier_state(path, fresh, request.restart));
  if (const Status done = suite.run(steps); !done) return refuse_bench(done.error());
  if (const Status kept = keep(request, *directory, suite.state()); !kept)
    return refuse_bench(kept.error());
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  if (!request.output.json && !request.output.csv) fmt::print("{}", verdict(suite.state()));
  return count_wrong(suite.state().results.rows) == 0 ? 0 : 1;
}

int suite_main(Args& args) {
  SuiteRequest request;
  args.flag("--quick", request.quick, "a few minutes: sizes to 4 MB (the default)");
  args.flag("--full", request.full, "sizes to 256 MB in steps of 2, 100 iterations");
  args.text("--backend", request.backends, "a list: host, cuda, nccl; or all that is here");
  args.text("--steps", request.steps, "only steps whose name has one of these in it, a list");
  args.flag("--threads", request.threads, "host: ranks are threads, not processes");
  args.text("--nccl", request.nccl_path, "nccl: the libnccl.so.2 to use");
  args.flag("--restart", request.restart, "from the beginning, whatever an earlier run has done");
  args.flag("--save-baseline", request.save_baseline,
            "keep the results as this machine's baseline");
  args.text("-o,--out", request.out, "write the results to this file, as --json prints them");
  add_output_options(args, request.output);
  if (const auto status = args.parse()) return *status;
  if (request.quick && request.full)
    return refuse_bench(invalid("--quick and --full exclude each other"));
  if (request.output.json && request.output.csv)
    return refuse_bench(invalid("--json and --csv exclude each other"));
  const std::vector<std::string> names = backend_names();
  for (const std::string& word : split_list(request.backends)) {
    if (word != "all" && std::find(names.begin(), names.end(), word) == names.end())
      return refuse_bench(
          invalid(fmt::format("there is no backend '{}'; write host, cuda, nccl or all", word)));
  }
  return run_suite(args, request);
}

}  // namespace

const Command kBenchSuiteCommand = {
    {"bench suite", "all benchmarks, step by step; goes on where it was interrupted",
     "  peerscope bench suite --quick --html report.html\n"
     "  peerscope bench suite --full --backend host --save-baseline\n"
     "  peerscope bench suite -o new.json && peerscope bench compare --baseline new.json\n",
     "1 a rank failed or values were wrong"},
    suite_main};

}  // namespace peerscope
