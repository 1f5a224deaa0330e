// The gauges that NVIDIA's NCCL Inspector writes, of NCCL's communicators, so that its dashboards work.
#include <cctype>
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "metrics/collect.hpp"
#include "model/busbw.hpp"

namespace peerscope::metrics {
namespace {

using enum FamilyType;

// NCCL's own spelling: "AllReduce". "" where NCCL has no such operation.
std::string_view nccl_name(Kind kind) {
  switch (kind) {
    case Kind::all_reduce:
      return "AllReduce";
    case Kind::all_gather:
      return "AllGather";
    case Kind::reduce_scatter:
      return "ReduceScatter";
    case Kind::broadcast:
      return "Broadcast";
    case Kind::reduce:
      return "Reduce";
    case Kind::all_to_all:
      return "AlltoAll";
    case Kind::gather:
      return "Gather";
    case Kind::scatter:
      return "Scatter";
    case Kind::send:
      return "Send";
    case Kind::recv:
      return "Recv";
    default:
      return "";
  }
}

// "4-5MB": the size in its unit, rounded down, to one more.
std::string size_range(double bytes) {
  constexpr const char* kUnits[] = {"B", "KB", "MB", "GB", "TB"};
  if (bytes < 1) return "0B";
  std::size_t unit = 0;
  for (; bytes >= 1024 && unit + 1 < std::size(kUnits); ++unit) bytes /= 1024;
  const auto low = static_cast<std::uint64_t>(bytes);
  return fmt::format("{}-{}{}", low, low + 1, kUnits[unit]);
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

// The clock that knows how long it took: the host's knows only the enqueue of an asynchronous one.
const Distribution* time_of(const CellRow& cell) {
  if (cell.device_time.known()) return &cell.device_time;
  return cell.host.known() && !cell.async ? &cell.host : nullptr;
}

struct Place {
  std::uint16_t ranks = 0;
  bool is_nccl = false;
  std::size_t ranks_seen = 0;
};
std::map<std::uint64_t, Place> places(const Aggregates& aggregates) {
  std::map<std::uint64_t, Place> out;
  for (const CommunicatorRow& row : aggregates.communicators)
    out[row.id] = {row.ranks, row.backend == Backend::nccl, 0};
  for (const RankRow& row : aggregates.ranks) ++out[row.comm].ranks_seen;
  return out;
}

Group nccl_group(const char* group_name, const char* what, Family bandwidth, Family time) {
  return {group_name,
          Rest::drop,
          {"version", "slurm_job_id", "node", "gpu", "comm_name", "n_nodes", "nranks", what,
           "message_size", "algo_proto"},
          {std::move(bandwidth), std::move(time)},
          {}};
}

std::string or_unknown(const std::string& text) { return text.empty() ? "unknown" : text; }

// What several cells say of one series: peers and ranks are not among its labels.
struct Sum {
  const CellRow* first = nullptr;
  std::uint64_t count = 0, bytes = 0, timed = 0;
  double time_ns = 0;
};

Row nccl_row(const Source& source, const Sum& sum, const Place& place, const std::string& size) {
  const CellRow& cell = *sum.first;
  const double mean_ns = sum.time_ns / static_cast<double>(sum.timed);
  const double mean_bytes = static_cast<double>(sum.bytes) / static_cast<double>(sum.count);
  const double busbw = algbw(mean_bytes, mean_ns) * busbw_factor(cell.kind, place.ranks);
  const bool whole = place.ranks > 0 && place.ranks_seen >= place.ranks;  // all on this machine
  // The protocol is not kept apart in our rows.
  const std::string algorithm =
      is_collective(cell.kind) ? upper(name(cell.algorithm)) + "_UNKNOWN" : "";
  const std::string gpu = cell.device == kNoDevice ? "unknown" : fmt::format("GPU{}", cell.device);
  return {{"peerscope", or_unknown(source.options.slurm_job_id), or_unknown(source.options.host),
           gpu, or_unknown(source.communicator(cell.comm)), whole ? "1" : "unknown",
           place.ranks > 0 ? std::to_string(place.ranks) : "unknown",
           std::string(nccl_name(cell.kind)), size, algorithm},
          static_cast<double>(sum.bytes),
          {busbw / 1e9, mean_ns / 1e3}};
}

using Key = std::tuple<std::uint64_t, Kind, Algorithm, std::uint16_t, std::string>;
std::map<Key, Sum> sums_of(const Aggregates& aggregates,
                           const std::map<std::uint64_t, Place>& known) {
  std::map<Key, Sum> sums;
  for (const CellRow& cell : aggregates.cells) {
    const auto place = known.find(cell.comm);
    const Distribution* time = time_of(cell);
    if (cell.other || cell.count == 0 || time == nullptr || place == known.end()) continue;
    if (!place->second.is_nccl || nccl_name(cell.kind).empty()) continue;
    const double bytes = static_cast<double>(cell.bytes) / static_cast<double>(cell.count);
    Sum& sum = sums[{cell.comm, cell.kind, cell.algorithm, cell.device, size_range(bytes)}];
    if (sum.first == nullptr) sum.first = &cell;
    sum.count += cell.count;
    sum.bytes += cell.bytes;
    sum.timed += time->count;
    sum.time_ns += time->mean_ns * static_cast<double>(time->count);
  }
  return sums;
}

}  // namespace

void add_nccl_names(const Source& source, MetricSet& out) {
  if (!source.options.nccl_names) return;
  Group collectives = nccl_group(
      "nccl", "collective",
      {"nccl_bus_bandwidth_gbs", gauge, "Bus bandwidth of collectives, GB/s, since start."},
      {"nccl_collective_exec_time_microseconds", gauge, "Mean time of collectives, since start."});
  Group p2p = nccl_group(
      "nccl_p2p", "p2p_operation",
      {"nccl_p2p_bus_bandwidth_gbs", gauge, "Bandwidth of sends and receives, GB/s, since start."},
      {"nccl_p2p_exec_time_microseconds", gauge, "Mean time of sends and receives, since start."});
  if (source.snapshot.aggregates) {
    const auto known = places(*source.snapshot.aggregates);
    for (const auto& [key, sum] : sums_of(*source.snapshot.aggregates, known)) {
      Group& group = is_collective(sum.first->kind) ? collectives : p2p;
      group.rows.push_back(nccl_row(source, sum, known.at(sum.first->comm), std::get<4>(key)));
    }
  }
  out.groups.push_back(std::move(collectives));
  out.groups.push_back(std::move(p2p));
}

}  // namespace peerscope::metrics
