// Keeps the number of series in bounds, whatever a job does.
#include <algorithm>
#include <map>

#include "metrics/collect.hpp"
#include "metrics/words.hpp"

namespace peerscope::metrics {
namespace {

constexpr std::size_t kHistogramSeries = kDurationBounds + 3;  // the last bucket, sum, count
constexpr std::size_t kSummarySeries = 4;                      // two quantiles, sum, count
constexpr const char* kOther = "other";

// How what may be is shared out: parts are the series that a machine of 8 GPUs wants. A share stays the same whatever the
// others need: if it changed, series would come and go. Groups that are not here are few by nature.
struct Share {
  std::string_view group;
  int parts;
};
constexpr Share kShares[] = {
    {"operations", 240},    {"durations", 378},
    {"transfers", 162},     {"skews", 162},
    {"bandwidths", 80},     {"failures", 20},
    {"pairs", 116},         {"pair_rates", 114},
    {"communicators", 36},  {"ranks", 150},
    {"device_traffic", 16}, {"findings", 40},
    {"in_flight", 16},      {"phases", 40},
    {"sessions", 2},        {"session_processes", 6},
    {"processes", 82},      {"server_requests", 10},
    {"server_refused", 5},  {"device_names", 9},
    {"devices", 106},       {"device_links", 98},
    {"device_errors", 16},  {"xids", 8},
    {"pools", 17},          {"user", 40},
    {"nccl", 40},           {"nccl_p2p", 40},
    {"dcgm", 130},
};
constexpr bool is_optional(std::string_view group) {
  return group.starts_with("nccl") || group == "dcgm";
}
int parts_of(std::string_view group) {
  const auto* found = std::find_if(std::begin(kShares), std::end(kShares),
                                   [&](const Share& share) { return share.group == group; });
  return found == std::end(kShares) ? 0 : found->parts;
}
// Of all that can be there: the names of others are only there where they are wanted.
int all_parts(const MetricSet& set) {
  int sum = 0;
  for (const Share& share : kShares) {
    const bool there = std::any_of(set.groups.begin(), set.groups.end(),
                                   [&](const Group& group) { return group.name == share.group; });
    if (there || !is_optional(share.group)) sum += share.parts;
  }
  return sum;
}

std::uint64_t key_of(const Group& group, const Row& row) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  const auto mix = [&hash](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
    hash = (hash ^ 0xFFu) * 0x100000001B3u;  // no byte of UTF-8: where one text ends
  };
  mix(group.families[0].name);
  for (const std::string& label : row.labels) mix(label);
  return hash;
}

Durations sum(const Durations& a, const Durations& b) {
  auto both = std::make_shared<DurationCounts>(*a);
  both->merge(*b);
  return both;
}

// Of gauges, the sum of several says nothing.
void add_value(Value& into, const Value& value, FamilyType type) {
  const bool adds_up = type == FamilyType::counter || type == FamilyType::histogram;
  if (std::holds_alternative<std::monostate>(value)) return;
  if (std::holds_alternative<std::monostate>(into) || !adds_up) {
    into = value;
  } else if (auto* whole = std::get_if<std::uint64_t>(&into)) {
    *whole += std::get<std::uint64_t>(value);
  } else if (auto* real = std::get_if<double>(&into)) {
    *real += std::get<double>(value);
  } else if (auto* durations = std::get_if<Durations>(&into)) {
    *durations = sum(*durations, std::get<Durations>(value));
  }
}

void add_row(const Group& group, Row& into, const Row& row) {
  into.weight += row.weight;
  for (std::size_t i = 0; i < group.families.size(); ++i)
    add_value(into.values[i], row.values[i], group.families[i].type);
}

// A series must not be there twice. `keys` are those of the rows.
void merge_equal_rows(Group& group, std::vector<std::uint64_t>& keys) {
  std::unordered_map<std::uint64_t, std::size_t> place;
  std::vector<Row> rows;
  keys.clear();
  for (Row& row : group.rows) {
    for (std::string& label : row.labels) label = label_value(label);
    const std::uint64_t key = key_of(group, row);
    const auto [at, is_new] = place.emplace(key, rows.size());
    if (!is_new && rows[at->second].rest == row.rest) {
      add_row(group, rows[at->second], row);
      continue;
    }
    rows.push_back(std::move(row));
    keys.push_back(key);
  }
  group.rows = std::move(rows);
}

// Rows in the order in which they get series: what is named already, then the largest.
std::vector<std::size_t> order_of(const Group& group, const std::vector<std::uint64_t>& keys,
                                  const std::unordered_set<std::uint64_t>* named) {
  std::vector<std::size_t> order(group.rows.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto rank = [&](std::size_t i) {
    if (group.rows[i].rest) return 2;
    return named != nullptr && named->contains(keys[i]) ? 0 : 1;
  };
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const int ra = rank(a), rb = rank(b);
    return ra != rb ? ra < rb : group.rows[a].weight > group.rows[b].weight;
  });
  return order;
}

struct Kept {
  std::size_t series = 0, left_out = 0;
};

Row empty_rest(const Group& group) {
  Row rest;
  rest.labels.assign(group.labels.size(), kOther);
  rest.values.resize(group.families.size());
  rest.rest = true;
  return rest;
}

// Of what does not add up nothing is said of the rest.
void forget_gauges(const Group& group, Row& rest) {
  for (std::size_t i = 0; i < group.families.size(); ++i) {
    const FamilyType type = group.families[i].type;
    if (type != FamilyType::counter && type != FamilyType::histogram) rest.values[i] = {};
  }
}

Kept limit_group(Group& group, std::size_t budget, SeriesChoice* choice) {
  std::vector<std::uint64_t> keys;
  merge_equal_rows(group, keys);
  const std::size_t each = series_of(group);
  std::size_t room = budget / each;
  if (group.rest == Rest::sum && room > 0) --room;  // for the rest
  auto* named = choice != nullptr ? &choice->named[group.families[0].name] : nullptr;
  const std::vector<std::size_t> order = order_of(group, keys, named);
  std::unordered_set<std::uint64_t> names;
  std::vector<Row> rows;
  Row rest = empty_rest(group);
  bool any_rest = false;
  Kept kept;
  for (const std::size_t i : order) {
    Row& row = group.rows[i];
    if (!row.rest && rows.size() < room) {
      names.insert(keys[i]);
      rows.push_back(std::move(row));
      continue;
    }
    add_row(group, rest, row);
    any_rest = true;
    if (!row.rest) kept.left_out += each;
  }
  if (any_rest && group.rest == Rest::sum && budget >= each) {
    forget_gauges(group, rest);
    rows.push_back(std::move(rest));
  }
  if (named != nullptr) *named = std::move(names);
  group.rows = std::move(rows);
  kept.series = group.rows.size() * each;
  return kept;
}

void add_left_out(MetricSet& set, std::size_t max_series, std::size_t left_out) {
  Group group{
      "limit",
      Rest::drop,
      {},
      {{"peerscope_series_limit", FamilyType::gauge, "Series that may be (metrics.max_series)."},
       {"peerscope_series_left_out", FamilyType::gauge,
        "Series that had no room: added up in label value other, or left out."}},
      {}};
  group.rows.push_back({{}, 0, {std::uint64_t{max_series}, std::uint64_t{left_out}}});
  set.groups.push_back(std::move(group));
}

}  // namespace

std::size_t series_of(const Family& family) {
  if (family.type == FamilyType::histogram) return kHistogramSeries;
  return family.type == FamilyType::summary ? kSummarySeries : 1;
}
std::size_t series_of(const Group& group) {
  std::size_t sum = 0;
  for (const Family& family : group.families) sum += series_of(family);
  return sum;
}
std::size_t count_series(const MetricSet& set) {
  std::size_t sum = 0;
  for (const Group& group : set.groups) {
    for (const Row& row : group.rows) {
      for (std::size_t i = 0; i < row.values.size(); ++i) {
        if (!std::holds_alternative<std::monostate>(row.values[i]))
          sum += series_of(group.families[i]);
      }
    }
  }
  return sum;
}

void limit(MetricSet& set, std::size_t max_series, SeriesChoice* choice) {
  std::unique_lock<std::mutex> lock;
  if (choice != nullptr) lock = std::unique_lock(choice->mutex);
  add_left_out(set, max_series, 0);
  std::size_t fixed = 0, left_out = 0;
  for (const Group& group : set.groups) {
    if (parts_of(group.name) == 0) fixed += group.rows.size() * series_of(group);
  }
  const std::size_t rest = max_series - std::min(max_series, fixed);
  const auto all = static_cast<std::size_t>(all_parts(set));
  std::map<std::string, std::size_t> spent;  // groups of one name share
  for (Group& group : set.groups) {
    const auto parts = static_cast<std::size_t>(parts_of(group.name));
    if (parts == 0) continue;
    const std::size_t budget = rest * parts / all;
    std::size_t& used = spent[group.name];
    const Kept kept = limit_group(group, budget - std::min(budget, used), choice);
    used += kept.series;
    left_out += kept.left_out;
  }
  set.groups.back().rows[0].values[1] = std::uint64_t{left_out};
}

}  // namespace peerscope::metrics
