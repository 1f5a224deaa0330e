#include "cli/bench_steps.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "cli/render.hpp"

namespace peerscope {
namespace {

std::string column_of(const BenchRow& row, PivotBy by) {
  return by == PivotBy::ranks ? fmt::format("g{}", row.ranks) : row.dtype;
}

std::string group_of(const BenchRow& row, PivotBy by) {
  return fmt::format("{} {} {} {}", row.operation,
                     by == PivotBy::ranks ? row.dtype : fmt::format("g{}", row.ranks), row.backend,
                     row.algorithm);
}

// By size class, so that counts that are not multiples of the ranks stand in one line.
std::uint64_t size_of(const BenchRow& row, const std::vector<std::uint64_t>& sizes) {
  for (const std::uint64_t size : sizes) {
    if (row.bytes <= size && row.bytes + size / 16 + 64 >= size) return size;
  }
  return row.bytes;
}

std::vector<std::uint64_t> sizes_of(const std::vector<const BenchRow*>& rows) {
  std::vector<std::uint64_t> sizes;
  for (const BenchRow* row : rows) sizes.push_back(row->bytes);
  std::sort(sizes.begin(), sizes.end(), std::greater<>());
  std::vector<std::uint64_t> kept;
  for (const std::uint64_t size : sizes) {
    if (kept.empty() || size + kept.back() / 16 + 64 < kept.back()) kept.push_back(size);
  }
  std::reverse(kept.begin(), kept.end());
  return kept;
}

std::string one_pivot(const std::vector<const BenchRow*>& rows, PivotBy by) {
  const std::vector<std::uint64_t> sizes = sizes_of(rows);
  std::vector<std::string> columns{"size"};
  std::map<std::uint64_t, std::map<std::string, const BenchRow*>> cells;
  for (const BenchRow* row : rows) {
    const std::string column = column_of(*row, by);
    if (std::find(columns.begin(), columns.end(), column) == columns.end())
      columns.push_back(column);
    cells[size_of(*row, sizes)][column] = row;
  }
  std::vector<std::vector<std::string>> lines{columns};
  for (const auto& [size, by_column] : cells) {
    std::vector<std::string> line{format_bytes(size)};
    for (std::size_t i = 1; i < columns.size(); ++i) {
      const auto found = by_column.find(columns[i]);
      line.push_back(found == by_column.end()
                         ? "–"
                         : fmt::format("{} ({:.3g})",
                                       format_duration(found->second->out.median_us * 1e3),
                                       found->second->out.busbw_gbs));
    }
    lines.push_back(std::move(line));
  }
  return table(lines, 0, terminal_style());
}

}  // namespace

std::vector<std::string> split_list(const std::string& list) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t comma = std::min(list.find(',', begin), list.size());
    words.push_back(list.substr(begin, comma - begin));
    begin = comma + 1;
  }
  return words;
}

Result<Kind> kind_named(const std::string& operation) {
  if (operation == "sendrecv") return Kind::send;
  const auto kind = parse_kind(operation);
  const Kind known[] = {Kind::all_reduce, Kind::all_gather, Kind::reduce_scatter, Kind::broadcast,
                        Kind::reduce,     Kind::gather,     Kind::all_to_all};
  if (kind && std::find(std::begin(known), std::end(known), *kind) != std::end(known)) return *kind;
  return Error{ErrorCode::invalid_argument,
               fmt::format("--operation: there is no '{}'; write all_reduce, all_gather, "
                           "reduce_scatter, broadcast, reduce, gather, all_to_all or sendrecv",
                           operation)};
}

Status measure_overlap(const SweepRequest& request, const SweepSelection& selection,
                       const std::function<void(const OverlapRow&)>& on_row) {
  for (const std::string& name : selection.backends) {
    Result<std::unique_ptr<BenchBackend>> backend = make_backend(name, request.recording);
    if (!backend) return backend.error();
    for (const int asked : selection.ranks) {
      const int ranks = asked == 0 ? (*backend)->traits().usual_ranks : asked;
      OverlapPlan plan{
          .cases = {}, .ranks = ranks, .iterations = request.iterations, .warmup = request.warmup};
      if (request.nccl.rounds > 0) plan.rounds = request.nccl.rounds;
      plan.timeout_s = request.nccl.timeout_s;
      for (const Dtype dtype : selection.dtypes) {
        if (Status taken = (*backend)->takes(request.kinds[0], dtype, selection.op, ranks); !taken)
          return taken;
        for (const std::uint64_t bytes : selection.sizes) {
          const Algorithm algorithm =
              selection.algorithms.empty() ? Algorithm::unknown : selection.algorithms[0];
          plan.cases.push_back({request.kinds[0], dtype, selection.op, algorithm, bytes});
        }
      }
      if (Status done = run_overlap(**backend, plan, on_row); !done) return done;
    }
  }
  return Done{};
}

nlohmann::json to_json(const OverlapRow& row) {
  return {{"bytes", row.bytes},
          {"operation", row.operation},
          {"algorithm", row.algorithm},
          {"backend", row.backend},
          {"dtype", row.dtype},
          {"ranks", row.ranks},
          {"comm_alone_us", row.comm_alone_us},
          {"comm_beside_us", row.comm_beside_us},
          {"comm_slowdown", row.comm_slowdown()},
          {"compute_alone_us", row.compute_alone_us},
          {"compute_beside_us", row.compute_beside_us},
          {"compute_slowdown", row.compute_slowdown()},
          {"hidden", row.hidden()}};
}

std::vector<OverlapRow> overlap_from_json(const nlohmann::json& list) {
  std::vector<OverlapRow> rows;
  for (const nlohmann::json& entry : list) {
    if (!entry.is_object()) continue;
    const auto text = [&](const char* name) { return entry.value(name, std::string()); };
    OverlapRow row{text("operation"), text("algorithm"), text("backend"), text("dtype")};
    row.bytes = entry.value("bytes", std::uint64_t{0});
    row.ranks = entry.value("ranks", 0);
    row.comm_alone_us = entry.value("comm_alone_us", 0.0);
    row.comm_beside_us = entry.value("comm_beside_us", 0.0);
    row.compute_alone_us = entry.value("compute_alone_us", 0.0);
    row.compute_beside_us = entry.value("compute_beside_us", 0.0);
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string pivot_text(const std::vector<BenchRow>& rows, PivotBy by) {
  std::vector<std::pair<std::string, std::vector<const BenchRow*>>> groups;
  for (const BenchRow& row : rows) {
    const std::string group = group_of(row, by);
    auto found = std::find_if(groups.begin(), groups.end(),
                              [&](const auto& other) { return other.first == group; });
    if (found == groups.end()) found = groups.insert(groups.end(), {group, {}});
    found->second.push_back(&row);
  }
  std::string text;
  for (const auto& [group, members] : groups)
    text += fmt::format("\n{}: time (busbw in GB/s)\n{}", group, one_pivot(members, by));
  return text;
}

}  // namespace peerscope
