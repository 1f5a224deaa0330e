#include "comm/sim/faults.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace peerscope::sim {
namespace {

Error bad(std::string why) { return Error{ErrorCode::invalid_argument, std::move(why)}; }

std::optional<double> number(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string known_faults() {
  std::string all;
  for (const FaultKind& kind : fault_kinds())
    all += (all.empty() ? "" : ", ") + std::string(kind.name);
  return all;
}

bool has_word(std::string_view words, std::string_view word) {
  for (std::size_t at = words.find(word); at != std::string_view::npos;
       at = words.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || words[at - 1] == ' ') &&
        (end == words.size() || words[end] == ' ' || words[end] == '='))
      return true;
  }
  return false;
}

// "when=before|inside": the choices after the '='.
std::string_view choices_of(std::string_view words, std::string_view word) {
  const std::size_t at = words.find(std::string(word) + "=");
  if (at == std::string_view::npos) return {};
  const std::string_view rest = words.substr(at + word.size() + 1);
  return rest.substr(0, rest.find(' '));
}

bool is_choice(std::string_view choices, std::string_view choice) {
  while (!choices.empty()) {
    const std::size_t bar = choices.find('|');
    if (choices.substr(0, bar) == choice) return true;
    choices = bar == std::string_view::npos ? std::string_view{} : choices.substr(bar + 1);
  }
  return false;
}

std::string parameters_of(const FaultKind& kind) {
  std::string all = "begin, seconds";
  for (const FaultNumber& n : kind.numbers) all += fmt::format(", {}", n.name);
  for (const char* text : {kind.places, kind.words}) {
    if (*text != '\0') all += fmt::format(", {}", text);
  }
  return all;
}

std::optional<Error> set(Fault& fault, const std::string& key, const std::string& value) {
  const FaultKind& kind = *fault.kind;
  const auto wrong = [&](const char* what) {
    return bad(fmt::format("fault {}: {}={}: {}", kind.name, key, value, what));
  };
  const auto as_number = number(value);
  if (key == "begin" || key == "seconds") {
    if (!as_number || *as_number < 0) return wrong("write seconds");
    fault.numbers[key] = *as_number;
    return std::nullopt;
  }
  if (has_word(kind.places, key)) {
    if (key == "link") {
      fault.parameters[key] = value;
      return std::nullopt;
    }
    if (!as_number || *as_number < 0) return wrong("write a rank's number");
    fault.numbers[key] = *as_number;
    return std::nullopt;
  }
  if (has_word(kind.words, key)) {
    if (!is_choice(choices_of(kind.words, key), value)) return wrong(kind.words);
    fault.parameters[key] = value;
    return std::nullopt;
  }
  for (const FaultNumber& n : kind.numbers) {
    if (key != n.name) continue;
    if (!as_number || *as_number < 0) return wrong("write a number");
    fault.numbers[key] = *as_number;
    return std::nullopt;
  }
  return bad(fmt::format("fault {} has no parameter '{}'; it has {}", kind.name, key,
                         parameters_of(kind)));
}

}  // namespace

const std::vector<FaultKind>& fault_kinds() {
  static const std::vector<FaultKind> all = [] {
    std::vector<FaultKind> list = rank_faults();
    for (auto more : {link_faults(), operation_faults()})
      list.insert(list.end(), more.begin(), more.end());
    return list;
  }();
  return all;
}

const FaultKind* find_fault(std::string_view name) {
  for (const FaultKind& kind : fault_kinds()) {
    if (name == kind.name) return &kind;
  }
  return nullptr;
}

Result<Fault> parse_fault(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view wanted = text.substr(0, colon);
  Fault fault;
  fault.kind = find_fault(wanted);
  if (fault.kind == nullptr)
    return bad(fmt::format("there is no fault '{}'; there are {}", wanted, known_faults()));
  std::string_view rest = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    const std::string_view one = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
    const std::size_t equals = one.find('=');
    if (equals == std::string_view::npos)
      return bad(fmt::format("fault {}: '{}': write key=value", wanted, one));
    if (auto error =
            set(fault, std::string(one.substr(0, equals)), std::string(one.substr(equals + 1))))
      return *error;
  }
  return fault;
}

Result<Fault> place_fault(Fault fault, const FaultScene& scene, Random& random) {
  const int ranks = scene.topology->ranks();
  // In the order of the table, whatever is given: so that the rest stays the same.
  for (const FaultNumber& n : fault.kind->numbers) {
    const double chosen = random.between(n.least, n.most);
    fault.numbers.try_emplace(n.name, chosen);
  }
  const double begin_s = random.between(3.0, 5.0);
  fault.begin_ns =
      static_cast<std::int64_t>(fault.numbers.try_emplace("begin", begin_s).first->second * 1e9);
  if (const auto lasts = fault.numbers.find("seconds"); lasts != fault.numbers.end())
    fault.seconds = lasts->second;
  for (const char* key : {"rank", "peer"}) {
    const auto given = fault.numbers.find(key);
    if (given == fault.numbers.end()) continue;
    if (given->second >= ranks)
      return bad(fmt::format("fault {}: {}={:.0f}: there are ranks 0 to {}", fault.kind->name, key,
                             given->second, ranks - 1));
    (*key == 'r' ? fault.rank : fault.peer) = static_cast<int>(given->second);
  }
  if (const std::string link = fault.text("link"); !link.empty()) {
    fault.link = scene.topology->find_link(link);
    if (fault.link < 0)
      return bad(fmt::format("fault {}: {} has no link '{}'; see peerscope simulate --list",
                             fault.kind->name, scene.topology->name, link));
  }
  const std::string problem = fault.kind->place(fault, scene, random);
  if (!problem.empty())
    return bad(fmt::format("fault {} on {}: {}", fault.kind->name, scene.topology->name, problem));
  return fault;
}

std::string choose_rank(Fault& fault, const FaultScene& scene, Random& random) {
  const int chosen = random.below(scene.topology->ranks());
  if (fault.rank < 0) fault.rank = chosen;
  return {};
}

// One that a GPU is at an end of, and that GPUs talk over.
std::string choose_device_link(Fault& fault, const FaultScene& scene, Random& random) {
  const Topology& topology = *scene.topology;
  const int rank = random.below(topology.ranks());
  if (fault.link >= 0) return {};
  const int from = fault.rank >= 0 ? fault.rank : rank;
  const int other = random.below(topology.ranks() - 1);
  const Route route = scene.routes->find(from, other < from ? other : other + 1);
  if (route.empty()) return "no two GPUs are connected";
  fault.link = route.front() / 2;
  return {};
}

Truth truth_of(const Fault& fault, const FaultScene& scene) {
  Truth truth;
  truth.fault = fault.kind->name;
  truth.begin_ns = scene.origin_ns + fault.begin_ns;
  truth.rank = fault.rank;
  truth.peer = fault.peer;
  truth.operation = fault.operation;
  truth.bytes = fault.bytes;
  if (fault.link >= 0) {
    truth.link = scene.topology->links[static_cast<std::size_t>(fault.link)].name;
    truth.ranks = scene.topology->ranks_at(fault.link);
    if (truth.rank < 0 && truth.ranks.size() <= 2) {
      truth.rank = truth.ranks[0];
      if (truth.ranks.size() == 2) truth.peer = truth.ranks[1];
    }
  } else if (fault.rank >= 0) {
    truth.ranks = {fault.rank};
  }
  return truth;
}

Conditions healthy_conditions(const Topology& topology) {
  Conditions conditions;
  conditions.late_ns.assign(topology.gpus.size(), 0.0);
  conditions.links.assign(topology.links.size(), {});
  conditions.pcie_width.assign(topology.gpus.size(), 16);
  conditions.pool_used_share.assign(topology.gpus.size(), -1.0);
  conditions.kind_slowness.assign(PSCOPE_KIND_COUNT, 1.0);
  return conditions;
}

Conditions conditions_at(std::int64_t since_begin_ns, const std::vector<Fault>& faults,
                         const Conditions& healthy) {
  Conditions conditions = healthy;
  for (const Fault& fault : faults) {
    const double since_s = static_cast<double>(since_begin_ns - fault.begin_ns) / 1e9;
    if (since_s >= 0 && since_s < fault.seconds) fault.kind->act(fault, since_s, conditions);
  }
  return conditions;
}

std::string to_json_text(const std::vector<Truth>& truths, const std::vector<Fault>& faults,
                         std::uint64_t seed, const Topology& topology) {
  using nlohmann::json;
  json out{{"seed", seed},
           {"topology", topology.name},
           {"ranks", topology.ranks()},
           {"faults", json::array()}};
  const auto known = [](int number) { return number < 0 ? json() : json(number); };
  const auto named = [](const std::string& text) { return text.empty() ? json() : json(text); };
  for (std::size_t i = 0; i < truths.size(); ++i) {
    const Truth& truth = truths[i];
    json parameters = json::object();
    for (const auto& [key, value] : faults[i].numbers) parameters[key] = value;
    for (const auto& [key, value] : faults[i].parameters) parameters[key] = value;
    out["faults"].push_back({{"fault", truth.fault},
                             {"begin_ns", truth.begin_ns},
                             {"rank", known(truth.rank)},
                             {"peer", known(truth.peer)},
                             {"link", named(truth.link)},
                             {"operation", named(truth.operation)},
                             {"bytes", truth.bytes == 0 ? json() : json(truth.bytes)},
                             {"ranks", truth.ranks},
                             {"parameters", parameters}});
  }
  return out.dump(2);
}

}  // namespace peerscope::sim
