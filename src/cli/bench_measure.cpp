// The sweeps themselves: each backend, each number of ranks.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/bench_sweep.hpp"
#include "cli/state_dir.hpp"
#include "comm/pool.hpp"
#include "suite/case.hpp"
#include "suite/format.hpp"
#include "suite/sweep.hpp"

namespace peerscope {
namespace {

constexpr int kRoundsOfAsynchronous = 20;

Error unsupported(std::string what) { return {ErrorCode::unsupported, std::move(what)}; }

class Measurement {
 public:
  Measurement(const SweepRequest& request, const SweepSelection& selection,
              const SweepListener& listener, ResultSet& out)
      : request_(request), selection_(selection), listener_(listener), out_(out) {}

  // What cannot be measured is skipped with its reason while something else can.
  Status run() {
    for (const std::string& backend : selection_.backends) {
      const Status done =
          uses_nccl_driver(request_, selection_) ? run_nccl() : run_backend(backend);
      if (done) continue;
      const ErrorCode code = done.error().code;
      if (code != ErrorCode::unsupported && code != ErrorCode::invalid_argument) return done;
      skip(done.error());
    }
    return out_.rows.empty() && first_skipped_ ? Status(*first_skipped_) : Status(Done{});
  }

 private:
  void skip(const Error& why) {
    if (!first_skipped_) first_skipped_ = why;
    out_.skipped.push_back(why.message);
  }

  Status run_backend(const std::string& name) {
    BackendOptions options = request_.recording;
    if (request_.tuned) {
      const Result<std::string> directory = state_directory();
      if (!directory) return directory.error();
      options.tuning_file = tuning_file_in(*directory, out_.machine.fingerprint);
      if (!std::filesystem::exists(options.tuning_file))
        return unsupported("--tuned: nothing is known of this machine yet; peerscope bench tune");
    }
    options.pool_bytes = registered_bytes();
    Result<std::unique_ptr<BenchBackend>> backend = make_backend(name, options);
    if (!backend)
      return Error{backend.error().code, fmt::format("{}: {}", name, backend.error().message)};
    for (const int ranks : selection_.ranks) {
      const Status done =
          run_ranks(**backend, ranks == 0 ? (*backend)->traits().usual_ranks : ranks);
      if (!done) return done;
    }
    return Done{};
  }

  // What one-sided operations of all sizes and types take, one after the other; 0: there are none.
  [[nodiscard]] std::size_t registered_bytes() const {
    std::size_t bytes = 0;
    if (std::none_of(request_.kinds.begin(), request_.kinds.end(), is_one_sided)) return 0;
    for (const std::uint64_t size : selection_.sizes)
      bytes += selection_.dtypes.size() * Pool::rounded(std::max<std::size_t>(size, 8));
    return request_.kinds.size() * bytes;
  }

  Status run_ranks(BenchBackend& backend, int ranks) {
    const BackendTraits& traits = backend.traits();
    if (ranks > traits.most_ranks)
      return unsupported(
          fmt::format("{} has at most {} ranks, not {}", traits.name, traits.most_ranks, ranks));
    if (request_.nccl.graph_launches > 0 && !traits.graph)
      return unsupported(fmt::format("the {} device has no graphs (-G)", traits.name));
    SweepPlan plan{.cases = {},
                   .ranks = ranks,
                   .iterations = request_.iterations,
                   .warmup = request_.warmup,
                   .rounds = request_.nccl.rounds,
                   .check = request_.check != 0,
                   .timeout_s = request_.nccl.timeout_s,
                   .slow_rank = request_.slow_rank,
                   .slow_by_us = request_.slow_by_us};
    if (plan.rounds == 0) plan.rounds = traits.asynchronous ? kRoundsOfAsynchronous : 1;
    if (Status made = add_cases(backend, ranks, plan.cases); !made) return made;
    if (plan.cases.empty()) return Done{};
    listener_.on_block(
        fmt::format("{} on the {} device, {} ranks ({}), recorded at level {}\n# time: median of "
                    "the samples of "
                    "{} operations after {} of warm-up, {}; algbw and busbw in GB/s; behind #: its "
                    "95 % interval",
                    names(), traits.name, ranks, traits.ranks_are, name(request_.recording.level),
                    plan.rounds * plan.iterations, plan.warmup, traits.time_is));
    return run_sweep(backend, plan, [this](const BenchRow& row) { add(row); });
  }

  void add(const BenchRow& row) {
    out_.rows.push_back(row);
    listener_.on_row(row);
  }

  [[nodiscard]] std::string names() const {
    std::string text;
    for (const Kind kind : request_.kinds) text += (text.empty() ? "" : ", ") + sweep_name(kind);
    return text;
  }

  Status add_cases(const BenchBackend& backend, int ranks, std::vector<Case>& cases) {
    std::optional<Error> refused;
    for (const Kind kind : request_.kinds) {
      for (const Dtype dtype : selection_.dtypes) {
        Status taken = backend.takes(kind, dtype, selection_.op, ranks);
        Result<std::vector<Algorithm>> algorithms = algorithms_for(backend, kind);
        if (taken && !algorithms) taken = algorithms.error();
        if (!taken && !refused) refused = taken.error();
        if (!taken) {
          out_.skipped.push_back(taken.error().message);
          continue;
        }
        add_sizes(kind, dtype, *algorithms, cases);
      }
    }
    if (cases.empty() && refused) {
      out_.skipped.pop_back();  // whoever gets the error notes it
      return *refused;
    }
    return Done{};
  }

  void add_sizes(Kind kind, Dtype dtype, const std::vector<Algorithm>& algorithms,
                 std::vector<Case>& cases) const {
    for (const std::uint64_t bytes : selection_.sizes) {
      for (const Algorithm algorithm : algorithms) {
        cases.push_back({.kind = kind,
                         .dtype = dtype,
                         .op = selection_.op,
                         .algorithm = algorithm,
                         .bytes = bytes,
                         .in_place = false,
                         .graph = request_.nccl.graph_launches > 0});
      }
    }
  }

  // Those asked for that there are; an error if there is none.
  [[nodiscard]] Result<std::vector<Algorithm>> algorithms_for(const BenchBackend& backend,
                                                              Kind kind) const {
    const std::vector<Algorithm> known = backend.algorithms(kind);
    std::vector<Algorithm> wanted = selection_.algorithms;
    if (wanted.empty()) {
      wanted = known;
      wanted.insert(wanted.begin(), Algorithm::unknown);
    }
    std::string list;
    for (const Algorithm algorithm : known)
      list += fmt::format("{}{}", list.empty() ? "" : ", ", name(algorithm));
    const std::string missing(wanted.empty() ? "" : name(wanted.front()));
    std::erase_if(wanted, [&](Algorithm algorithm) {
      return algorithm != Algorithm::unknown &&
             std::find(known.begin(), known.end(), algorithm) == known.end();
    });
    if (!wanted.empty()) return wanted;
    return unsupported(fmt::format("{} on {} has no algorithm {}: use one of auto{}{}",
                                   sweep_name(kind), backend.traits().name, missing,
                                   list.empty() ? "" : ", ", list));
  }

  // NCCL's own driver, once for each operation and type.
  Status run_nccl() {
    for (const Kind kind : request_.kinds) {
      for (const Dtype dtype : selection_.dtypes) {
        for (const int ranks : selection_.ranks) {
          if (Status done = run_nccl(kind, dtype, ranks); !done) return done;
        }
      }
    }
    return Done{};
  }

  Status run_nccl(Kind kind, Dtype dtype, int ranks) {
    const NcclOptions options = nccl_options(request_, selection_, kind, dtype, ranks);
    if (const std::string fault = nccl_fault(options); !fault.empty())
      return unsupported("nccl: " + fault);
    nlohmann::json result;
    const int status = run_nccl_sweep(options, result);
    if (status == 2) return unsupported("nccl: not here, as said above");
    if (status != 0) return Error{ErrorCode::io, "nccl: the sweep failed"};
    const Result<ResultSet> rows = results_from_json(result.dump());
    if (!rows) return rows.error();
    listener_.on_block(fmt::format("{} with NCCL {}", sweep_name(kind),
                                   result.value("nccl_version", std::string("?"))));
    for (const BenchRow& row : rows->rows) add(row);
    return Done{};
  }

  const SweepRequest& request_;
  const SweepSelection& selection_;
  const SweepListener& listener_;
  ResultSet& out_;
  std::optional<Error> first_skipped_;
};

}  // namespace

NcclOptions nccl_options(const SweepRequest& request, const SweepSelection& selection, Kind kind,
                         Dtype dtype, int ranks) {
  NcclOptions options = request.nccl;
  options.kind = kind;
  options.least = selection.sizes.front();
  options.most = request.most;
  options.factor = request.factor;
  options.iterations = request.iterations;
  options.warmup = request.warmup;
  options.ranks = ranks;
  options.check = request.check;
  options.dtype = dtype;
  options.json = true;
  return options;
}

Status measure(const SweepRequest& request, const SweepSelection& selection,
               const SweepListener& listener, ResultSet& out) {
  return Measurement(request, selection, listener, out).run();
}

}  // namespace peerscope
