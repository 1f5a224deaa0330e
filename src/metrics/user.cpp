// Metrics that programs set themselves, and pools of registered memory, which come the same way.
#include <algorithm>
#include <cctype>
#include <map>

#include "metrics/collect.hpp"

namespace peerscope::metrics {
namespace {

using enum FamilyType;

constexpr std::size_t kLongestName = 64;

// What a metric's name may have: letters, digits and _.
std::string sanitised(std::string_view name) {
  std::string out;
  for (const char c : name.substr(0, kLongestName)) {
    const auto u = static_cast<unsigned char>(c);
    const bool fits = u < 0x80 && std::isalnum(u) != 0;
    if (fits) out += static_cast<char>(std::tolower(u));
    if (!fits && !out.empty() && !out.ends_with('_')) out += '_';
  }
  while (out.ends_with('_')) out.pop_back();
  return out.empty() ? "unnamed" : out;
}

// Endings that the formats add themselves.
std::string without_reserved_end(std::string name) {
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view end :
         {"_total", "_count", "_sum", "_bucket", "_info", "_created", "_gcount", "_gsum"}) {
      if (!name.ends_with(end)) continue;
      name.resize(name.size() - end.size());
      again = true;
    }
  }
  return name.empty() ? "unnamed" : name;
}

struct Pool {
  std::string name, rank, gauge;
};
// "pool.used_bytes", "pool.rank3.tp.used_bytes": gauge used_bytes of pool tp and rank 3.
std::optional<Pool> pool_of(const MetricView& metric) {
  std::string_view rest = metric.name;
  if (metric.type != MetricType::gauge || !rest.starts_with("pool.")) return std::nullopt;
  Pool pool{"", number(metric.rank), std::string(rest.substr(rest.rfind('.') + 1))};
  if (pool.gauge != "used_bytes" && pool.gauge != "capacity_bytes") return std::nullopt;
  rest.remove_prefix(sizeof "pool." - 1);
  rest.remove_suffix(std::min(rest.size(), pool.gauge.size() + 1));
  const std::string_view first = rest.substr(0, rest.find('.'));
  const bool is_rank = first.starts_with("rank") && first.size() > 4 &&
                       std::all_of(first.begin() + 4, first.end(), [](char c) {
                         return std::isdigit(static_cast<unsigned char>(c)) != 0;
                       });
  if (is_rank) {
    pool.rank = first.substr(4);
    rest.remove_prefix(std::min(rest.size(), first.size() + 1));
  }
  pool.name = rest;
  return pool;
}

FamilyType type_of(MetricType type) {
  return type == MetricType::counter ? counter : type == MetricType::gauge ? gauge : summary;
}

// A counter that is negative or no number is none to anybody.
Value value_of(const MetricView& metric) {
  if (metric.type == MetricType::counter && !(metric.value >= 0)) return {};
  if (metric.type != MetricType::histogram) return metric.value;
  return Quantiles{metric.count, metric.value * static_cast<double>(metric.count), metric.p50,
                   metric.p99};
}

}  // namespace

void add_pools(const Source& source, MetricSet& out) {
  Group group{"pools",
              Rest::drop,
              {"pool", "rank"},
              {{"peerscope_pool_used_bytes", gauge, "Registered memory in use."},
               {"peerscope_pool_capacity_bytes", gauge, "Registered memory there is."}},
              {}};
  std::map<std::pair<std::string, std::string>, Row> rows;
  for (const MetricView& metric : source.snapshot.metrics) {
    const auto pool = pool_of(metric);
    if (!pool) continue;
    Row& row =
        rows.try_emplace({pool->name, pool->rank}, Row{{pool->name, pool->rank}, 0, {{}, {}}})
            .first->second;
    const bool used = pool->gauge == "used_bytes";
    row.values[used ? 0 : 1] = metric.value;
    if (used) row.weight = metric.value;
  }
  for (auto& [key, row] : rows) group.rows.push_back(std::move(row));
  out.groups.push_back(std::move(group));
}

// A family each. `metric` is the name as the program wrote it: two that read alike stay two series.
void add_user_metrics(const Source& source, MetricSet& out) {
  std::map<std::string, Group> groups;
  for (const MetricView& metric : source.snapshot.metrics) {
    if (pool_of(metric)) continue;
    std::string family = "peerscope_user_" + without_reserved_end(sanitised(metric.name));
    const FamilyType type = type_of(metric.type);
    const auto taken = groups.find(family);
    if (taken != groups.end() && taken->second.families[0].type != type)
      family += std::string("_as_") + name(metric.type);
    const auto at = groups
                        .try_emplace(family, Group{"user",
                                                   Rest::drop,
                                                   {"metric", "unit", "rank"},
                                                   {{family, type, "Set by the program."}},
                                                   {}})
                        .first;
    Group& group = at->second;
    if (group.families[0].type != type) continue;  // a third that reads the same
    group.rows.push_back({{metric.name, metric.unit, number(metric.rank)},
                          static_cast<double>(metric.count),
                          {value_of(metric)}});
  }
  for (auto& [family, group] : groups) out.groups.push_back(std::move(group));
}

}  // namespace peerscope::metrics
