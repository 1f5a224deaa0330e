// A comparison as JSON: the same on the command line and in the REST interface.
#include <nlohmann/json.hpp>

#include "suite/compare.hpp"
#include "suite/format.hpp"

namespace peerscope {

using nlohmann::json;

namespace {

json change_json(const Change& change) {
  json out{{"key", change.key},
           {"bytes", change.bytes},
           {"baseline_us", change.before_us},
           {"new_us", change.after_us},
           {"ratio", change.ratio},
           {"ratio_low", nullptr},
           {"ratio_high", nullptr},
           {"p", nullptr},
           {"delta", nullptr},
           {"verdict", name(change.verdict)}};
  if (change.interval) {
    out["ratio_low"] = change.interval->low;
    out["ratio_high"] = change.interval->high;
  }
  if (change.test) {
    out["p"] = change.test->p;
    out["delta"] = change.test->delta;
  }
  return out;
}

}  // namespace

json comparison_json(const BenchComparison& comparison) {
  json out{{"threshold", comparison.threshold},
           {"compared", comparison.changes.size()},
           {"slower", comparison.count(ChangeKind::slower)},
           {"faster", comparison.count(ChangeKind::faster)},
           {"inconclusive", comparison.count(ChangeKind::inconclusive)},
           {"only_in_baseline", comparison.only_before},
           {"only_in_new", comparison.only_after},
           {"rows", json::array()}};
  for (const Change& change : comparison.changes) out["rows"].push_back(change_json(change));
  return out;
}

}  // namespace peerscope
