// Parts that several bench commands are made of.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cli/bench_sweep.hpp"
#include "suite/overlap.hpp"
#include "suite/p2p.hpp"

namespace peerscope {

std::vector<std::string> split_list(const std::string& list);  // "a,b"; "" is none
Result<Kind> kind_named(const std::string& operation);         // "sendrecv", too

Status measure_overlap(const SweepRequest& request, const SweepSelection& selection,
                       const std::function<void(const OverlapRow&)>& on_row);
nlohmann::json to_json(const OverlapRow& row);
std::vector<OverlapRow> overlap_from_json(const nlohmann::json& list);

// Sizes down, one column for each number of ranks (or type): time, and busbw below it in brackets.
enum class PivotBy : std::uint8_t { ranks, dtype };
std::string pivot_text(const std::vector<BenchRow>& rows, PivotBy by);

}  // namespace peerscope
