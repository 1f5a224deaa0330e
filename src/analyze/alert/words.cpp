#include "analyze/alert/words.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "analyze/alert/figures.hpp"
#include "base/units.hpp"

namespace peerscope {
namespace {

const char* beyond(Comparison comparison) {
  constexpr const char* kWords[] = {"above", "at or above", "below", "at or below"};
  return kWords[static_cast<int>(comparison)];
}

std::string threshold_text(const Rule& rule) {
  if (rule.transform != Transform::change) return quantity_text(quantity_of(rule), rule.threshold);
  return fmt::format("{:+.3g} %", rule.threshold * 100);
}

std::string value_text(const Rule& rule, double value) {
  if (rule.transform != Transform::change) return quantity_text(quantity_of(rule), value);
  return fmt::format("{:+.3g} % over {}", value * 100,
                     format_duration(static_cast<double>(rule.over_ns)));
}

}  // namespace

std::string subject_text(const Subject& subject) {
  std::string out;
  const auto add = [&](const std::string& part) { out += (out.empty() ? "" : ", ") + part; };
  if (!subject.operation.empty()) add(subject.operation);
  if (subject.rank && subject.peer)
    add(fmt::format("rank {} -> {}", *subject.rank, *subject.peer));
  else if (subject.rank)
    add(fmt::format("rank {}", *subject.rank));
  if (subject.device) add(fmt::format("GPU {}", *subject.device));
  if (!subject.link.empty()) add(subject.link);
  if (!subject.communicator.empty()) add("communicator " + subject.communicator);
  return out;
}

std::string figure_sentence(const Rule& rule, const TermReading& reading, double value) {
  Term term = rule.term;
  if (term.part == Part::best)
    term.part = std::strcmp(reading.clock, "device") == 0 ? Part::device : Part::host;
  std::string subject = subject_text(reading.subject);
  if (!subject.empty()) subject += ": ";
  std::string out =
      fmt::format("{}{} is {}, {} {}", subject, term_text(term, rule.transform),
                  value_text(rule, value), beyond(rule.comparison), threshold_text(rule));
  if (!reading.detail.empty()) out += fmt::format(" ({})", reading.detail);
  return out + ".";
}

std::string figure_action(const Rule& rule) {
  if (!rule.action.empty()) return rule.action;
  switch (rule.term.figure) {
    case Figure::errors:
    case Figure::success_rate:
      return "peerscope debug errors";
    case Figure::in_flight:
    case Figure::in_flight_age:
    case Figure::incomplete:
    case Figure::mismatched:
      return "peerscope debug hang";
    case Figure::nvlink:
    case Figure::pcie:
    case Figure::links_active:
    case Figure::device_errors:
      return "peerscope devices";
    case Figure::overhead:
    case Figure::lost:
    case Figure::dropped:
      return "peerscope config show --origin";
    default:
      return "peerscope report";
  }
}

std::string rule_meaning(const Rule& rule) {
  const auto duration = [](std::int64_t ns) { return format_duration(static_cast<double>(ns)); };
  std::string out;
  if (rule.of_finding) {
    out = rule.finding.empty() ? "any finding" : "a finding '" + rule.finding + "'";
    if (rule.at_least != Severity::info) out += fmt::format(" of at least {}", name(rule.at_least));
  } else {
    std::string filters;
    if (rule.term.operation) filters += fmt::format(" of {}", name(*rule.term.operation));
    if (rule.term.algorithm) filters += fmt::format(" by {}", name(*rule.term.algorithm));
    if (rule.term.min_bytes > 0)
      filters += fmt::format(" of at least {}", format_bytes(rule.term.min_bytes));
    if (rule.term.rank) filters += fmt::format(" of rank {}", *rule.term.rank);
    if (rule.term.peer) filters += fmt::format(" to rank {}", *rule.term.peer);
    if (rule.term.device) filters += fmt::format(" on GPU {}", *rule.term.device);
    if (!rule.term.communicator.empty()) filters += fmt::format(" in {}", rule.term.communicator);
    if (rule.term.group != Group::none) filters += fmt::format(", by {}", name(rule.term.group));
    out = fmt::format("{}{} {} {}", term_text(rule.term, rule.transform), filters,
                      beyond(rule.comparison), threshold_text(rule));
    if (rule.transform == Transform::change) out += " over " + duration(rule.over_ns);
  }
  out += fmt::format(" for {}; over after {}", duration(rule.for_ns), duration(rule.keep_ns));
  if (rule.clear) out += " beyond " + quantity_text(quantity_of(rule), *rule.clear);
  return out;
}

Labels labels_of(const Rule& rule, const std::string& kind, const Alert& alert) {
  Labels out{{"rule", rule.name}, {"severity", name(alert.severity)}};
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) out.emplace_back(key, value);
  };
  const auto number = [](const std::optional<int>& value) {
    return value ? fmt::format("{}", *value) : std::string();
  };
  add("kind", kind);
  add("rank", number(alert.subject.rank));
  add("peer", number(alert.subject.peer));
  add("device", number(alert.subject.device));
  add("link", alert.subject.link);
  add("communicator", alert.subject.communicator);
  add("operation", alert.subject.operation);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace peerscope
