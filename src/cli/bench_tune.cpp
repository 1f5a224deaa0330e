// peerscope bench tune: which algorithm is fastest at which size, kept for the backends' next start.
#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "cli/bench_steps.hpp"
#include "cli/commands.hpp"
#include "cli/progress.hpp"
#include "cli/render.hpp"
#include "cli/state_dir.hpp"
#include "comm/tuned_choices.hpp"
#include "suite/tune.hpp"

namespace peerscope {
namespace {

nlohmann::json to_json(const Tuned& tuned) {
  return {
      {"backend", tuned.choice.backend},
      {"operation", name(tuned.choice.kind)},
      {"ranks", tuned.choice.ranks},
      {"bytes", tuned.choice.bytes},
      {"algorithm", name(tuned.choice.algorithm)},
      {"us", tuned.us},
      {"model_us", tuned.model_us > 0 ? nlohmann::json(tuned.model_us) : nlohmann::json(nullptr)}};
}

// What an earlier run found of other backends, operations and numbers of ranks stays.
nlohmann::json with_kept(const std::string& path, const std::vector<Tuned>& found) {
  nlohmann::json choices = nlohmann::json::array();
  if (std::filesystem::exists(path)) {
    const Result<TunedChoices> kept = TunedChoices::read(path);
    for (const TunedChoice& old : kept ? kept->all() : std::vector<TunedChoice>{}) {
      const bool again = std::any_of(found.begin(), found.end(), [&](const Tuned& tuned) {
        return tuned.choice.backend == old.backend && tuned.choice.kind == old.kind &&
               tuned.choice.ranks == old.ranks;
      });
      if (!again) choices.push_back(to_json(Tuned{old, 0, 0}));
    }
  }
  for (const Tuned& tuned : found) choices.push_back(to_json(tuned));
  return choices;
}

std::string text_of(const std::vector<Tuned>& found) {
  std::vector<std::vector<std::string>> lines{
      {"operation", "backend", "ranks", "size", "fastest", "time", "auto"}};
  for (const Tuned& tuned : found) {
    lines.push_back({std::string(name(tuned.choice.kind)), tuned.choice.backend,
                     fmt::format("{}", tuned.choice.ranks), format_bytes(tuned.choice.bytes),
                     std::string(name(tuned.choice.algorithm)), format_duration(tuned.us * 1e3),
                     tuned.model_us > 0 ? format_duration(tuned.model_us * 1e3) : "–"});
  }
  return table(lines, 2, terminal_style());
}

int finish(const ResultSet& set, bool as_json) {
  const std::vector<Tuned> found = tune(set.rows);
  const Result<std::string> directory = state_directory();
  if (!directory) return refuse_bench(directory.error());
  const std::string path = tuning_file_in(*directory, set.machine.fingerprint);
  const nlohmann::json document{{"version", 1},
                                {"fingerprint", set.machine.fingerprint},
                                {"machine", set.machine.text},
                                {"created", set.created},
                                {"choices", with_kept(path, found)}};
  if (const Status written = write_file(path, document.dump(1) + "\n"); !written)
    return refuse_bench(written.error());
  if (as_json) {
    nlohmann::json out = document;
    out["path"] = path;
    fmt::print("{}\n", out.dump(2));
  } else {
    fmt::print("{}\nWritten to {}. Used by HostOptions::tuning_file, and by sweeps with --tuned.\n",
               text_of(found), path);
  }
  return count_wrong(set.rows) == 0 ? 0 : 1;
}

int tune_main(Args& args) {
  SweepRequest request;
  request.algorithms = "all";
  request.most = 16 << 20;
  request.factor = 4;
  std::string operations = "all_reduce,all_gather,reduce_scatter,broadcast,reduce,all_to_all";
  args.text("--operation", operations, "a list: all_reduce, all_gather, ...");
  add_sweep_options(args, request);
  if (const auto status = args.parse()) return *status;
  request.kinds.clear();
  for (const std::string& word : split_list(operations)) {
    const Result<Kind> kind = kind_named(word);
    if (!kind) return refuse_bench(kind.error());
    if (*kind == Kind::send)
      return refuse_bench(
          {ErrorCode::invalid_argument, "sendrecv has no algorithms to choose from"});
    request.kinds.push_back(*kind);
  }
  const Result<SweepSelection> selection = select(args, request);
  if (!selection) return refuse_bench(selection.error());
  if (request.output.csv || !request.output.html.empty())
    return refuse_bench({ErrorCode::invalid_argument, "bench tune has --json only"});
  ResultSet set = begin_results(args.command());
  SweepListener listener;
  Progress progress("tuning", selection->ranks.size() * request.kinds.size() *
                                  selection->sizes.size() * 5);  // about five algorithms each
  listener.on_row = [&](const BenchRow&) { progress.update(set.rows.size()); };
  if (const Status done = measure(request, *selection, listener, set); !done)
    return refuse_bench(done.error());
  return finish(set, request.output.json);
}

}  // namespace

const Command kBenchTuneCommand = {
    {"bench tune", "find the fastest algorithm for each size, for the next start",
     "  peerscope bench tune -g 2,4\n"
     "  peerscope bench tune --operation all_reduce -g 4 -b 1K -e 64M && peerscope bench "
     "all_reduce "
     "-g 4 --tuned\n",
     "1 a rank failed or values were wrong"},
    tune_main};

}  // namespace peerscope
