#include "analyze/alert/parse.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "analyze/alert/cursor.hpp"
#include "analyze/alert/figures.hpp"

namespace peerscope {
namespace {

// As docs/findings.md has them, which a test compares.
constexpr std::string_view kFindingKinds[] = {"hang",
                                              "process_died",
                                              "straggler",
                                              "failure_rate",
                                              "low_bandwidth_pair",
                                              "slow_link",
                                              "contention",
                                              "flapping_link",
                                              "step_change",
                                              "drift",
                                              "wrong_algorithm",
                                              "suggestion_outcome",
                                              "mismatch",
                                              "retries",
                                              "pool_pressure",
                                              "arrival_skew",
                                              "host_bound",
                                              "pair_imbalance",
                                              "slow_operation",
                                              "latency_bound",
                                              "records_lost",
                                              "overhead",
                                              "trace_incomplete",
                                              "xid",
                                              "gpu_unreadable",
                                              "pcie_width",
                                              "pcie_generation",
                                              "degraded_pcie",
                                              "pcie_slot",
                                              "nvlink_inactive",
                                              "link_errors",
                                              "clocks_held_down",
                                              "no_p2p",
                                              "rank_missing",
                                              "rank_error",
                                              "process_lost",
                                              "rank_behind",
                                              "rank_ahead",
                                              "rank_state"};

template <class Names>
std::string listed(const Names& names) {
  std::string out;
  for (const auto& each : names) out += (out.empty() ? "" : ", ") + std::string(each);
  return out;
}

std::string all_figures() {
  std::string out;
  for (const FigureSpec& spec : figures())
    out += (out.empty() ? "" : ", ") + std::string(spec.name);
  return out;
}

std::optional<Severity> parse_severity(std::string_view word) {
  for (const Severity s : {Severity::info, Severity::warning, Severity::critical}) {
    if (word == name(s)) return s;
  }
  return std::nullopt;
}

constexpr std::pair<std::string_view, Part> kParts[] = {{"host", Part::host},
                                                        {"device", Part::device},
                                                        {"transfer", Part::transfer},
                                                        {"skew", Part::skew},
                                                        {"device_transfer", Part::device_transfer},
                                                        {"device_wait", Part::device_wait}};
constexpr std::string_view kFilters[] = {"operation", "algorithm", "size",        "rank",
                                         "peer",      "device",    "communicator"};
constexpr std::string_view kOptions[] = {"for",   "keep",     "clear",        "over",  "severity",
                                         "group", "at_least", "inhibited_by", "action"};

// Reads one rule from left to right.
class RuleParser {
 public:
  RuleParser(std::string_view text, const RuleDefaults& defaults)
      : text_(text), cursor_(text), finding_for_ns_(defaults.finding_for_ns) {
    rule_.text = std::string(text);
    rule_.for_ns = defaults.for_ns;
    rule_.keep_ns = defaults.keep_ns;
  }

  Result<Rule> parse() {
    if (text_.size() > kMostRuleBytes)
      return Error{ErrorCode::invalid_argument,
                   fmt::format("column {}: a rule has at most {} characters", kMostRuleBytes + 1,
                               kMostRuleBytes)};
    if (Status done = name_of_rule(); !done) return done.error();
    const std::size_t begin = cursor_.at();
    if (Status done = condition(); !done) return done.error();
    if (rule_.name.empty()) rule_.name = trimmed(text_.substr(begin, cursor_.at() - begin));
    while (!cursor_.at_end()) {
      if (Status done = option(); !done) return done.error();
    }
    if (Status done = check(); !done) return done.error();
    return rule_;
  }

 private:
  static std::string trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return std::string(text);
  }

  // All before a colon that stands in no quotation and no parenthesis.
  Status name_of_rule() {
    const std::size_t colon = text_.find_first_of(":\"(");
    if (colon == std::string_view::npos || text_[colon] != ':') return Done{};
    rule_.name = trimmed(text_.substr(0, colon));
    if (rule_.name.empty()) return cursor_.error_at(0, "there is no name before the colon");
    if (rule_.name.size() > 80) return cursor_.error_at(0, "a name has at most 80 characters");
    cursor_.go(colon + 1);
    return Done{};
  }

  Status condition() {
    if (cursor_.take_word("finding")) return finding();
    const std::size_t begin = cursor_.here();
    if (cursor_.take_word("rate"))
      rule_.transform = Transform::rate;
    else if (cursor_.take_word("change"))
      rule_.transform = Transform::change;
    if (rule_.transform == Transform::none) {
      if (Status done = term(); !done) return done;
    } else {
      if (!cursor_.take('(')) return cursor_.error("'(' and a figure are missing");
      if (Status done = term(); !done) return done;
      if (!cursor_.take(')'))
        return cursor_.error(fmt::format("')' is missing, here is {}", cursor_.found()));
    }
    const Quantity own = spec_of(rule_.term.figure).quantity;
    if (rule_.transform == Transform::rate && own != Quantity::number && own != Quantity::bytes)
      return cursor_.error_at(begin,
                              fmt::format("{} is no amount that could have a rate; write change()",
                                          spec_of(rule_.term.figure).name));
    if (Status done = comparison(); !done) return done;
    const auto threshold = cursor_.quantity(quantity_of(rule_));
    if (!threshold) return threshold.error();
    rule_.threshold = *threshold;
    return Done{};
  }

  Status finding() {
    rule_.of_finding = true;
    rule_.for_ns = finding_for_ns_;
    const std::size_t before = cursor_.at();
    const std::string_view kind = cursor_.word();
    const bool known = std::find(std::begin(kFindingKinds), std::end(kFindingKinds), kind) !=
                       std::end(kFindingKinds);
    if (!known && kind != "any") {
      cursor_.go(before);
      return cursor_.error(fmt::format("{} is no kind of finding; there are: any, {}",
                                       cursor_.found(), listed(kFindingKinds)));
    }
    if (kind != "any") rule_.finding = std::string(kind);
    return Done{};
  }

  Status term() {
    const std::size_t before = cursor_.at();
    const std::string_view word = cursor_.word();
    const FigureSpec* spec = find_figure(word);
    if (spec == nullptr) {
      cursor_.go(before);
      return cursor_.error(fmt::format("{} is no figure; there are: finding, rate(), change(), {}",
                                       cursor_.found(), all_figures()));
    }
    Term& term = rule_.term;
    term.figure = spec->figure;
    if (spec->figure >= Figure::mean && spec->figure <= Figure::max) term.part = Part::best;
    term_at_ = cursor_.at() - word.size();
    if (cursor_.take('(')) {
      do {
        if (Status done = argument(); !done) return done;
      } while (cursor_.take(','));
      if (!cursor_.take(')'))
        return cursor_.error(fmt::format("',' or ')' is missing, here is {}", cursor_.found()));
    }
    if (term.figure == Figure::metric && term.metric.empty())
      return cursor_.error_at(term_at_, "metric wants the metric's name: metric(\"queue.depth\")");
    return Done{};
  }

  Status argument() {
    Term& term = rule_.term;
    const std::size_t before = cursor_.here();
    for (const Window window : {Window::ten_seconds, Window::second, Window::minute}) {
      if (take_text(name(window))) {
        term.window = window;
        return Done{};
      }
    }
    if (term.figure == Figure::metric && term.metric.empty()) {
      const auto text = cursor_.value();
      if (!text) return text.error();
      term.metric = *text;
      return Done{};
    }
    const std::string word(cursor_.word());
    if (word == "all") {
      term.window = Window::all;
      return Done{};
    }
    if (cursor_.take('=')) return filter(word, before);
    for (const auto& [known, part] : kParts) {
      if (word != known) continue;
      if (term.part == Part::whole)
        return cursor_.error_at(before,
                                fmt::format("{} has no '{}'", spec_of(term.figure).name, word));
      term.part = part;
      return Done{};
    }
    term.operation = parse_kind(word);
    if (term.operation) return Done{};
    cursor_.go(before);
    return cursor_.error(
        fmt::format("{} is no operation (all_reduce, ...), window (1s, 10s, 1m, all), time (host, "
                    "device, transfer, skew, "
                    "device_transfer, device_wait) or filter ({}=)",
                    cursor_.found(), fmt::format("{}", listed(kFilters))));
  }

  // "10s" begins with a digit: no word.
  bool take_text(std::string_view wanted) {
    const std::size_t before = cursor_.at();
    (void)cursor_.at_end();
    const std::string_view rest = text_.substr(cursor_.at());
    const bool ends =
        rest.size() == wanted.size() ||
        (rest.size() > wanted.size() &&
         (rest[wanted.size()] == ',' || rest[wanted.size()] == ')' || rest[wanted.size()] == ' '));
    if (rest.starts_with(wanted) && ends) {
      cursor_.go(cursor_.at() + wanted.size());
      return true;
    }
    cursor_.go(before);
    return false;
  }

  Status filter(const std::string& which, std::size_t begin) {
    Term& term = rule_.term;
    const std::size_t at = cursor_.here();
    if (which == "size") {
      const auto bytes = cursor_.quantity(Quantity::bytes);
      if (!bytes) return bytes.error();
      if (*bytes < 0 || *bytes > 1e18) return cursor_.error_at(at, "a size is not negative");
      term.min_bytes = static_cast<std::uint64_t>(*bytes);
      return Done{};
    }
    const auto value = cursor_.value();
    if (!value) return value.error();
    if (which == "operation") {
      if (term.operation = parse_kind(*value); term.operation) return Done{};
      return cursor_.error_at(at, fmt::format("'{}' is no operation", *value));
    }
    if (which == "algorithm") {
      if (term.algorithm = parse_algorithm(*value); term.algorithm) return Done{};
      return cursor_.error_at(at, fmt::format("'{}' is no algorithm", *value));
    }
    if (which == "communicator") {
      term.communicator = *value;
      return Done{};
    }
    std::optional<int>* number = which == "rank"     ? &term.rank
                                 : which == "peer"   ? &term.peer
                                 : which == "device" ? &term.device
                                                     : nullptr;
    if (number == nullptr)
      return cursor_.error_at(
          begin, fmt::format("'{}' is no filter; there are: {}", which, listed(kFilters)));
    const bool digits =
        !value->empty() && value->size() <= 5 &&
        std::all_of(value->begin(), value->end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits)
      return cursor_.error_at(at, fmt::format("'{}' is no number of a {}", *value, which));
    *number = std::stoi(*value);
    return Done{};
  }

  Status comparison() {
    const bool high = cursor_.take('>');
    if (!high && !cursor_.take('<'))
      return cursor_.error(
          fmt::format("a comparison is missing (>, >=, <, <=), here is {}", cursor_.found()));
    const bool equal = cursor_.take('=');
    rule_.comparison = high ? (equal ? Comparison::at_least : Comparison::above)
                            : (equal ? Comparison::at_most : Comparison::below);
    return Done{};
  }

  Status option() {
    const std::size_t begin = cursor_.here();
    const std::string word(cursor_.word());
    if (word == "for") return take(rule_.for_ns);
    if (word == "keep") return take(rule_.keep_ns);
    if (word == "over") return over(begin);
    if (word == "clear") return clear();
    if (word == "severity") return severity(rule_.severity);
    if (word == "group") return group();
    if (word == "inhibited_by" || word == "action") {
      const auto value = cursor_.value();
      if (!value) return value.error();
      if (word == "action")
        rule_.action = *value;
      else
        rule_.inhibited_by.push_back(*value);
      return Done{};
    }
    if (word == "at_least") {
      std::optional<Severity> least;
      if (!rule_.of_finding)
        return cursor_.error_at(begin, "at_least is of findings: finding any at_least critical");
      if (Status done = severity(least); !done) return done;
      rule_.at_least = *least;
      return Done{};
    }
    cursor_.go(begin);
    return cursor_.error(
        fmt::format("{} is no option; there are: {}", cursor_.found(), listed(kOptions)));
  }

  Status take(std::int64_t& ns) {
    const auto duration = cursor_.duration();
    if (!duration) return duration.error();
    ns = *duration;
    return Done{};
  }

  Status over(std::size_t begin) {
    if (rule_.transform == Transform::none)
      return cursor_.error_at(begin, "over is of rate() and change()");
    over_at_ = begin;
    if (Status done = take(rule_.over_ns); !done) return done;
    constexpr std::int64_t kLeast = 1'000'000'000, kMost = 3'600'000'000'000;
    if (rule_.over_ns < kLeast || rule_.over_ns > kMost)
      return cursor_.error_at(begin, "over lies between 1 s and 1 h");
    return Done{};
  }

  Status clear() {
    const std::size_t begin = cursor_.here();
    if (rule_.of_finding)
      return cursor_.error_at(begin, "a finding has no threshold that it could fall below");
    const auto value = cursor_.quantity(quantity_of(rule_));
    if (!value) return value.error();
    const bool high = wants_high(rule_.comparison);
    if (high ? *value > rule_.threshold : *value < rule_.threshold)
      return cursor_.error_at(
          begin, fmt::format("clear has to lie {} the threshold", high ? "below" : "above"));
    rule_.clear = *value;
    return Done{};
  }

  Status severity(std::optional<Severity>& out) {
    const std::size_t before = cursor_.at();
    if (out = parse_severity(cursor_.word()); out) return Done{};
    cursor_.go(before);
    return cursor_.error(
        fmt::format("{} is no severity; there are: info, warning, critical", cursor_.found()));
  }

  Status group() {
    const std::size_t before = cursor_.at();
    const std::string_view word = cursor_.word();
    group_at_ = cursor_.at() - word.size();
    for (const Group group : {Group::none, Group::operation, Group::rank, Group::pair,
                              Group::device, Group::communicator}) {
      if (word == name(group) || (word == "link" && group == Group::pair)) {
        rule_.term.group = group;
        return Done{};
      }
    }
    cursor_.go(before);
    return cursor_.error(fmt::format(
        "{} is no group; there are: none, operation, rank, pair, link, device, communicator",
        cursor_.found()));
  }

  Status check() {
    if (rule_.of_finding) return Done{};
    // Without a group: what the filters leave is one thing.
    if (const Status done = choose_source(rule_.term); !done)
      return cursor_.error_at(group_at_.value_or(term_at_), done.error().message);
    const bool of_window = rule_.term.window && rule_.transform == Transform::rate;
    if (of_window && over_at_)
      return cursor_.error_at(*over_at_,
                              "this rate is that of its window; write it there: rate(errors(1m))");
    return Done{};
  }

  std::string_view text_;
  Cursor cursor_;
  std::int64_t finding_for_ns_;
  Rule rule_;
  std::size_t term_at_ = 0;
  std::optional<std::size_t> group_at_, over_at_;
};

}  // namespace

std::span<const std::string_view> finding_kinds() { return kFindingKinds; }

Result<Rule> parse_rule(std::string_view text, const RuleDefaults& defaults) {
  return RuleParser(text, defaults).parse();
}

}  // namespace peerscope
