// How a sweep is printed.
#include <algorithm>
#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cli/bench_sweep.hpp"
#include "cli/select.hpp"
#include "cli/state_dir.hpp"
#include "suite/format.hpp"
#include "suite/html/page.hpp"

namespace peerscope {
namespace {

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

void print_rest(const ResultSet& set) {
  fmt::print("{}", table_foot(set.rows));
  for (const std::string& why : set.skipped) fmt::print("# skipped: {}\n", why);
}

}  // namespace

std::uint64_t count_wrong(const std::vector<BenchRow>& rows) {
  std::uint64_t wrong = 0;
  for (const BenchRow& row : rows)
    wrong += row.out.wrong.value_or(0) + (row.in ? row.in->wrong.value_or(0) : 0);
  return wrong;
}

int refuse_bench(const Error& error) {
  fmt::print(stderr, "peerscope bench: {}\n", error.message);
  const bool input = error.code == ErrorCode::invalid_argument ||
                     error.code == ErrorCode::unsupported || error.code == ErrorCode::not_found ||
                     error.code == ErrorCode::corrupt;
  return input ? 2 : 1;
}

ResultSet begin_results(const std::string& command) {
  ResultSet set;
  set.command = command;
  set.created = utc_now();
  std::string hardware;
  for (const std::string& name : backend_names()) {
    const auto backend = make_backend(name, {});
    if (!backend || (*backend)->hardware().empty()) continue;
    hardware += (hardware.empty() ? "" : "; ") + (*backend)->hardware();
  }
  set.machine = machine_of(hardware);
  return set;
}

void add_ceilings(ResultSet& set) {
  for (const std::string& name : backend_names()) {
    const bool measured = std::any_of(set.rows.begin(), set.rows.end(),
                                      [&](const BenchRow& row) { return row.backend == name; });
    auto backend = measured ? make_backend(name, {}) : Error{};
    if (!backend) continue;
    if (const Ceiling ceiling = (*backend)->ceiling(); ceiling.gbs > 0)
      set.ceilings.push_back(ceiling);
  }
}

Status write_outputs(ResultSet& set, const OutputRequest& output) {
  if (!output.html.empty()) add_ceilings(set);
  if (output.json) fmt::print("{}\n", to_json(set).dump(2));
  if (output.csv) fmt::print("{}", to_csv(set.rows));
  return output.html.empty() ? Status(Done{}) : write_file(output.html, html_page(set));
}

int bench_sweep(const Args& args, SweepRequest& request, const Summary& summary) {
  const Result<SweepSelection> selection = select(args, request);
  if (!selection) return refuse_bench(selection.error());
  if (uses_nccl_driver(request, *selection) && request.kinds.size() == 1 &&
      selection->dtypes.size() == 1 && selection->ranks.size() == 1 &&
      request.output.html.empty() && !request.output.csv) {
    NcclOptions options = nccl_options(request, *selection, request.kinds[0], selection->dtypes[0],
                                       selection->ranks[0]);
    options.json = request.output.json;
    const std::string fault = nccl_fault(options);
    if (!fault.empty()) return refuse_bench({ErrorCode::invalid_argument, fault});
    return run_nccl_sweep(options);
  }
  prune_sessions(request.keep_ns);
  ResultSet set = begin_results(args.command());
  const bool text = !request.output.json && !request.output.csv;
  SweepListener listener;
  if (text) {
    listener.on_block = [](const std::string& heading) {
      fmt::print("# {}\n#\n{}", heading, table_head());
      std::fflush(stdout);
    };
    listener.on_row = [](const BenchRow& row) {
      fmt::print("{}", table_row(row));
      std::fflush(stdout);
    };
  }
  const Status done = measure(request, *selection, listener, set);
  if (!done && set.rows.empty()) return refuse_bench(done.error());
  if (text) print_rest(set);
  if (text && summary) fmt::print("{}", summary(set));
  if (const Status written = write_outputs(set, request.output); !written)
    return refuse_bench(written.error());
  if (!done) return refuse_bench(done.error());
  return count_wrong(set.rows) == 0 ? 0 : 1;
}

}  // namespace peerscope
