// A pool of registered memory that is nearly full, or from which operations got nothing any more.
#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "analyze/detect/detectors.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"

namespace peerscope {
namespace {

struct Fill {
  std::optional<int> rank;
  std::optional<double> used, capacity;
};

struct Place {
  std::string_view pool;  // the gauge's name without its end
  std::optional<int> rank;
  bool used = false;  // else its capacity
};
// "pool.used_bytes", of the metric's rank if it has one; "pool.rank3.used_bytes" and "pool.rank3.tp.used_bytes", of that rank.
std::optional<Place> place_of(const MetricView& metric) {
  std::string_view name = metric.name;
  Place place{name.substr(0, name.rfind('.')), metric.rank, name.ends_with(".used_bytes")};
  if (!name.starts_with("pool.") || (!place.used && !name.ends_with(".capacity_bytes")))
    return std::nullopt;
  name.remove_prefix(sizeof "pool." - 1);
  if (name == "used_bytes" || name == "capacity_bytes") return place;
  int rank = -1;
  const char* end = name.data() + name.size();
  if (!name.starts_with("rank")) return std::nullopt;
  const auto [rest, error] = std::from_chars(name.data() + 4, end, rank);
  if (error != std::errc() || rank < 0 || *rest != '.') return std::nullopt;
  place.rank = rank;
  return place;
}

struct Refused {  // operations that ended with no_memory, over the last 10 s
  std::uint64_t count = 0;
  std::map<int, std::uint64_t> by_rank;
  std::int64_t since_ns = kUnknownNs;
  // The rank with more than half of them.
  [[nodiscard]] std::optional<int> rank() const {
    for (const auto& [rank, own] : by_rank) {
      if (2 * own > count) return rank;
    }
    return std::nullopt;
  }
};

Refused refused(const Snapshot& snapshot) {
  Refused out;
  if (!snapshot.aggregates) return out;
  for (const ErrorRow& row : snapshot.aggregates->errors) {
    const std::uint64_t recent = row.windows.in(Window::ten_seconds).count;
    if (row.status != OpStatus::no_memory || recent == 0) continue;
    out.count += recent;
    if (row.rank != kNoRank) out.by_rank[row.rank] += recent;
    out.since_ns = out.since_ns < 0 ? row.first_ns : std::min(out.since_ns, row.first_ns);
  }
  return out;
}

Finding finding(std::optional<int> rank, const Fill& fill, double share, const Refused& none_left,
                const DetectOptions& options) {
  Finding out;
  out.kind = "pool_pressure";
  const bool refuses = none_left.count > 0;
  out.severity =
      refuses || share >= options.pool.critical_share ? Severity::critical : Severity::warning;
  if (rank) out.subject.rank = *rank;
  out.since_ns = none_left.since_ns;
  const std::string whose = rank ? fmt::format("rank {}'s pool", *rank) : "the pool";
  std::string full;
  if (share >= 0) {
    full = fmt::format("{} is {} full ({} of {})", whose, format_percent(share),
                       format_bytes(static_cast<std::uint64_t>(std::max(0.0, *fill.used))),
                       format_bytes(static_cast<std::uint64_t>(std::max(0.0, *fill.capacity))));
    out.evidence = {
        {"used_bytes", *fill.used}, {"capacity_bytes", *fill.capacity}, {"used_share", share}};
  }
  if (refuses) {
    out.evidence.emplace_back("refused_operations", static_cast<double>(none_left.count));
    out.sentence = fmt::format(
        "{} operations found no memory in the last 10 s{}{}.", format_count(none_left.count),
        rank ? fmt::format(", most on rank {}", *rank) : "", full.empty() ? "" : "; " + full);
  } else {
    out.sentence = full + ".";
    if (out.sentence[0] >= 'a') out.sentence[0] = static_cast<char>(out.sentence[0] - 'a' + 'A');
  }
  out.action = "Make the pool larger (the communicator's pool_bytes), or release blocks sooner";
  out.confidence = 0.99;  // counted, not estimated
  out.impact = std::clamp(share, 0.0, 1.0);
  return out;
}

}  // namespace

void detect_pool_pressure(const Snapshot& snapshot, const DetectOptions& options,
                          std::vector<Finding>& out) {
  std::map<std::pair<std::string_view, std::optional<int>>, Fill> pools;  // by name and rank
  for (const MetricView& metric : snapshot.metrics) {
    if (metric.type != MetricType::gauge) continue;
    const auto place = place_of(metric);
    if (!place) continue;
    Fill& fill = pools[{place->pool, place->rank}];
    fill.rank = place->rank;
    (place->used ? fill.used : fill.capacity) = metric.value;
  }
  const Refused none_left = refused(snapshot);
  const std::optional<int> refused_rank = none_left.rank();
  bool told = false;
  for (const auto& [pool, fill] : pools) {
    const std::optional<int> rank = fill.rank;
    if (!fill.used || !fill.capacity || !(*fill.capacity > 0)) continue;
    const double share = *fill.used / *fill.capacity;
    const bool its = none_left.count > 0 && (!rank || !refused_rank || rank == refused_rank);
    if (!(share >= options.pool.warning_share)) continue;
    out.push_back(
        finding(rank ? rank : refused_rank, fill, share, its ? none_left : Refused{}, options));
    told = told || its;
  }
  if (none_left.count > 0 && !told)
    out.push_back(finding(refused_rank, {}, -1, none_left, options));
}

}  // namespace peerscope
