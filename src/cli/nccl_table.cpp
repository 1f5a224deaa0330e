#include "cli/nccl_table.hpp"

#include <cstdlib>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "comm/call.hpp"
#include "comm/nccl/nccl_ranks.hpp"
#include "model/busbw.hpp"

namespace peerscope {
namespace {

// As nccl-tests' -a 1: the mean over the processes, in each round.
NcclPlace place_of(const NcclOptions& options, const NcclPlaceTimes& times, std::uint64_t bytes) {
  NcclPlace place;
  const int processes = options.processes ? options.ranks : 1;
  if (times.done.load(std::memory_order_acquire) < processes) return place;
  std::vector<double> host, device;
  for (int round = 0; round < options.rounds; ++round) {
    double sum = 0;
    for (int process = 0; process < processes; ++process) sum += times.host_us[round][process];
    host.push_back(sum / processes);
    const double* const ranks = times.device_us[round];
    device.push_back(*std::max_element(ranks, ranks + options.ranks));
  }
  place.measured = true;
  if (options.levels) place.levels = level_costs(host);
  place.rounds_us = host;
  place.us = spread_of(std::move(host));
  place.device_us = spread_of(std::move(device));
  place.algbw = algbw(static_cast<double>(bytes), place.us.median * 1e3);
  place.busbw = place.algbw * busbw_factor(options.kind, static_cast<std::uint32_t>(options.ranks));
  place.wrong = times.wrong.load(std::memory_order_relaxed);
  place.checked = times.checked.load(std::memory_order_relaxed);
  return place;
}

const char* redop_of(const NcclOptions& options) {
  return is_reduction(options.kind) ? options.op.c_str() : "none";
}

int root_of(const NcclOptions& options) { return has_root(options.kind) ? options.root : -1; }

std::string columns_of(const NcclOptions& options, const NcclPlace& place) {
  if (!place.measured) return fmt::format(" {:>8} {:>7} {:>7} {:>7}", "N/A", "N/A", "N/A", "N/A");
  return fmt::format(" {:>8.2f} {:>7.2f} {:>7.2f} {:>7}", place.us.median, place.algbw / 1e9,
                     place.busbw / 1e9,
                     options.check != 0 ? fmt::format("{}", place.wrong) : "N/A");
}

std::string nvls_text(const NcclOptions& options) {
  const char* set = std::getenv("NCCL_NVLS_ENABLE");
  if (set == nullptr) return "NVLink multicast as NCCL chooses (--nvls)";
  if (std::string(set) == "0") return "NVLink multicast off (NCCL_NVLS_ENABLE=0)";
  return fmt::format("NVLink multicast: NCCL_NVLS_ENABLE={} was set{}", set,
                     options.nvls ? "" : " before us");
}

nlohmann::json place_json(const NcclOptions& options, const NcclPlace& place) {
  if (!place.measured) return nullptr;
  const bool checked = options.check != 0;
  nlohmann::json out{{"time_us", place.us.median},
                     {"min_us", place.us.least},
                     {"max_us", place.us.most},
                     {"mad_us", place.us.mad},
                     {"device_us", place.device_us.median},
                     {"device_min_us", place.device_us.least},
                     {"device_max_us", place.device_us.most},
                     {"algbw_gbs", place.algbw / 1e9},
                     {"busbw_gbs", place.busbw / 1e9},
                     {"wrong", checked ? nlohmann::json(place.wrong) : nlohmann::json(nullptr)},
                     {"checked", checked ? nlohmann::json(place.checked) : nlohmann::json(nullptr)},
                     {"samples_us", place.rounds_us}};
  for (std::size_t i = 0; options.levels && i < place.levels.size(); ++i) {
    const LevelCost& cost = place.levels[i];
    out["levels"][std::string(name(kLevelsInTurn[i]))] = {
        {"mean_us", cost.mean_us},
        {"least_us", cost.least_us},
        {"ratio_of_means", cost.ratio_of_means},
        {"ratio_of_means_low", cost.ratio_of_means_low},
        {"ratio_of_means_high", cost.ratio_of_means_high},
        {"ratio", cost.ratio},
        {"ratio_low", cost.ratio_low},
        {"ratio_high", cost.ratio_high}};
  }
  return out;
}

void print_levels(const std::vector<NcclRow>& rows) {
  fmt::print("# time over that at level off in the same cycle: of the means (95 %); median\n");
  fmt::print("# {:>12} {:>9} {:>28} {:>28} {:>28}\n", "bytes", "off us", "basic", "detailed",
             "comprehensive");
  for (const NcclRow& row : rows) {
    for (const NcclPlace* place : {&row.out, &row.in}) {
      if (!place->measured) continue;
      std::string cells;
      for (std::size_t i = 1; i < place->levels.size(); ++i) {
        const LevelCost& c = place->levels[i];
        cells += fmt::format(" {:>28}",
                             fmt::format("{:.3f} ({:.3f}..{:.3f}); {:.3f}", c.ratio_of_means,
                                         c.ratio_of_means_low, c.ratio_of_means_high, c.ratio));
      }
      fmt::print("# {:>12} {:>9.2f}{}\n", row.size.bytes, place->levels[0].mean_us, cells);
    }
  }
}

}  // namespace

NcclRow nccl_row(const NcclOptions& options, const NcclBoard& board, const NcclLengths& size,
                 std::size_t at) {
  return {size, place_of(options, board.places[at][0], size.bytes),
          place_of(options, board.places[at][1], size.bytes)};
}

void print_nccl_head(const NcclOptions& options, const NcclBoard& board,
                     const std::vector<std::string>& cpus) {
  const char* plugin = std::getenv("NCCL_PROFILER_PLUGIN");
  fmt::print("# peerscope bench {}, as nccl-tests' {}_perf\n",
             options.kind == Kind::send ? "sendrecv" : name(options.kind),
             options.kind == Kind::send ? "sendrecv" : name(options.kind));
  fmt::print("# NCCL {} ({}), CUDA driver {}, {}, profiler plugin {}\n",
             nccl_version_text(board.nccl_version), board.nccl_path,
             cuda_version_text(board.driver_version), nvls_text(options),
             plugin != nullptr ? plugin : "none named");
  fmt::print(
      "# nThread 1 nGpus {} minBytes {} maxBytes {} step: {}(factor) warmup iters: {} iters: {} "
      "agg "
      "iters: 1 validation: {} graph: {}\n",
      options.processes ? 1 : options.ranks, options.least, options.most, options.factor,
      options.warmup, options.iterations, options.check, options.graph_launches);
  fmt::print("#\n# Using devices\n");
  char host[128] = "?";
  gethostname(host, sizeof host - 1);
  for (int rank = 0; rank < options.ranks; ++rank) {
    const NcclDeviceText& device = board.devices[rank];
    fmt::print("#  Rank {:>2} Group  0 Pid {:>6} on {} device {:>2} [{}] {}\n", rank,
               board.pids[rank], host, rank, device.pci_bus_id, device.name);
  }
  fmt::print("#\n");
  for (std::size_t i = 0; i < cpus.size(); ++i)
    fmt::print("# {} runs on processors {}\n",
               options.processes ? fmt::format("rank {}", i) : "the process", cpus[i]);
  fmt::print(
      "# time: median of {} rounds of {} operations, host clock from a barrier until the streams "
      "are empty; after # least..most\n",
      options.rounds, options.iterations * std::max(1, options.graph_launches));
  if (options.check != 0)
    fmt::print(
        "# every element is checked; of outputs over 64 MiB four windows of 256 Ki elements\n");
  fmt::print("#\n#{:>58}{:^33}{:^33}\n", "", "out-of-place", "in-place");
  const std::string place =
      fmt::format(" {:>8} {:>7} {:>7} {:>7}", "time", "algbw", "busbw", "#wrong");
  const std::string units = fmt::format(" {:>8} {:>7} {:>7} {:>7}", "(us)", "(GB/s)", "(GB/s)", "");
  fmt::print("#{:>12} {:>12} {:>8} {:>6} {:>6}{}{}\n", "size", "count", "type", "redop", "root",
             place, place);
  fmt::print("#{:>12} {:>12} {:>8} {:>6} {:>6}{}{}\n", "(B)", "(elements)", "", "", "", units,
             units);
  std::fflush(stdout);
}

void print_nccl_row(const NcclOptions& options, const NcclRow& row) {
  std::string spread = fmt::format("  # {:.2f}..{:.2f}", row.out.us.least, row.out.us.most);
  if (row.in.measured) spread += fmt::format("  {:.2f}..{:.2f}", row.in.us.least, row.in.us.most);
  fmt::print(" {:>12} {:>12} {:>8} {:>6} {:>6}{}{}{}\n", row.size.bytes, row.size.count,
             name(options.dtype), redop_of(options), root_of(options), columns_of(options, row.out),
             columns_of(options, row.in), spread);
  std::fflush(stdout);
}

void print_nccl_foot(const NcclOptions& options, const std::vector<NcclRow>& rows) {
  if (options.levels) print_levels(rows);
  double busbw = 0;
  std::uint64_t wrong = 0;
  int places = 0;
  for (const NcclRow& row : rows) {
    for (const NcclPlace* place : {&row.out, &row.in}) {
      if (!place->measured) continue;
      busbw += place->busbw;
      wrong += place->wrong;
      ++places;
    }
  }
  if (options.check != 0)
    fmt::print("# Out of bounds values : {} {}\n", wrong, wrong == 0 ? "OK" : "FAILED");
  if (places > 0) fmt::print("# Avg bus bandwidth    : {:.4f}\n", busbw / 1e9 / places);
}

nlohmann::json nccl_json(const NcclOptions& options, const NcclBoard& board,
                         const std::vector<std::string>& cpus, const std::vector<NcclRow>& rows) {
  nlohmann::json devices = nlohmann::json::array();
  for (int rank = 0; rank < options.ranks; ++rank) {
    const std::size_t process = options.processes ? static_cast<std::size_t>(rank) : 0;
    devices.push_back({{"rank", rank},
                       {"device", rank},
                       {"name", board.devices[rank].name},
                       {"pci_bus_id", board.devices[rank].pci_bus_id},
                       {"pid", board.pids[rank]},
                       {"cpus", process < cpus.size() ? nlohmann::json(cpus[process])
                                                      : nlohmann::json(nullptr)}});
  }
  const char* nvls = std::getenv("NCCL_NVLS_ENABLE");
  const char* plugin = std::getenv("NCCL_PROFILER_PLUGIN");
  nlohmann::json out{
      {"backend", "nccl"},
      {"nccl_version", nccl_version_text(board.nccl_version)},
      {"nccl_path", board.nccl_path},
      {"cuda_driver", cuda_version_text(board.driver_version)},
      {"nccl_nvls_enable", nvls != nullptr ? nlohmann::json(nvls) : nlohmann::json(nullptr)},
      {"profiler_plugin", plugin != nullptr ? nlohmann::json(plugin) : nlohmann::json(nullptr)},
      {"processes", options.processes ? options.ranks : 1},
      {"iterations", options.iterations},
      {"warmup", options.warmup},
      {"rounds", options.rounds},
      {"graph_launches", options.graph_launches},
      {"devices", devices},
      {"rows", nlohmann::json::array()}};
  for (const NcclRow& row : rows) {
    nlohmann::json entry = place_json(options, row.out);
    entry.update({{"bytes", row.size.bytes},
                  {"count", row.size.count},
                  {"operation", name(options.kind)},
                  {"algorithm", "auto"},
                  {"backend", "nccl"},
                  {"dtype", name(options.dtype)},
                  {"redop", redop_of(options)},
                  {"root", root_of(options)},
                  {"ranks", options.ranks},
                  {"in_place", place_json(options, row.in)}});
    out["rows"].push_back(std::move(entry));
  }
  return out;
}

}  // namespace peerscope
