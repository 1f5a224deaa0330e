#include "suite/steps.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "suite/format.hpp"

namespace peerscope {
namespace {

using nlohmann::json;

void add_steps(const std::string& backend, bool full, std::vector<SuiteStep>& steps) {
  const std::uint64_t most = full ? std::uint64_t{256} << 20 : std::uint64_t{4} << 20;
  const double factor = full ? 2 : 8;
  const int iterations = full ? 100 : 30;
  const auto add = [&](SuiteStep step) {
    step.name = fmt::format("{} {}", backend, step.name);
    step.backend = backend;
    step.iterations = iterations;
    steps.push_back(std::move(step));
  };
  if (backend != "nccl") add({.name = "p2p", .what = SuiteStep::What::p2p});
  for (const char* operation : {"all_reduce", "all_gather", "reduce_scatter", "broadcast", "reduce",
                                "gather", "all_to_all", "sendrecv"}) {
    SuiteStep step{.name = operation, .operation = operation};
    step.algorithms = backend == "nccl" || step.operation == "sendrecv" ? "auto" : "all";
    step.most = most;
    step.factor = factor;
    add(step);
  }
  SuiteStep dtype{.name = "dtype", .dtypes = "f16,bf16,i32,i8,u8", .algorithms = "auto"};
  dtype.least = 4096;
  dtype.factor = 32;
  add(dtype);
  SuiteStep scale{.name = "scale", .ranks = full ? "3,4,8" : "3,4", .algorithms = "auto"};
  scale.least = 1024;
  scale.factor = 64;
  if (backend == "host") add(scale);
  SuiteStep overlap{.name = "overlap", .what = SuiteStep::What::overlap, .algorithms = "auto"};
  overlap.least = 4096;
  overlap.factor = 32;
  add(overlap);
}

}  // namespace

std::vector<SuiteStep> suite_steps(bool full, const std::vector<std::string>& backends) {
  std::vector<SuiteStep> steps;
  for (const std::string& backend : backends) add_steps(backend, full, steps);
  return steps;
}

bool SuiteState::has(const std::string& step) const {
  return std::find(done.begin(), done.end(), step) != done.end();
}

std::string suite_state_text(const SuiteState& state) {
  json out = to_json(state.results);
  out["suite"] = state.mode;
  out["done"] = state.done;
  out["p2p"] = json::parse(state.p2p);
  out["overlap"] = json::parse(state.overlap);
  return out.dump(1) + "\n";
}

Result<SuiteState> suite_state_from(const std::string& text) {
  Result<ResultSet> results = results_from_json(text);
  if (!results) return results.error();
  const json document = json::parse(text, nullptr, false);
  const auto is_list = [&](const char* name) {
    return document.contains(name) && document[name].is_array();
  };
  if (!document.contains("suite") || !document["suite"].is_string() || !is_list("done") ||
      !is_list("p2p") || !is_list("overlap"))
    return Error{ErrorCode::corrupt, "it is no state of a suite"};
  SuiteState state;
  state.mode = document["suite"].get<std::string>();
  for (const json& name : document["done"]) {
    if (name.is_string()) state.done.push_back(name.get<std::string>());
  }
  state.results = std::move(*results);
  state.p2p = document["p2p"].dump();
  state.overlap = document["overlap"].dump();
  return state;
}

}  // namespace peerscope
