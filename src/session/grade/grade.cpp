#include "session/grade/grade.hpp"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace peerscope {
namespace {

// Words between spaces.
struct Accepted {
  const char* fault;
  const char* names;         // findings that name it
  const char* consequences;  // and what is true besides
};
constexpr Accepted kAccepted[] = {
    {"slow_rank", "straggler", "arrival_skew"},
    {"slow_link", "slow_link low_bandwidth_pair", "step_change slow_operation drift"},
    {"degraded_pcie", "degraded_pcie pcie_width",
     "slow_link low_bandwidth_pair step_change slow_operation drift"},
    {"flapping_link", "flapping_link link_errors nvlink_inactive",
     "slow_link low_bandwidth_pair step_change slow_operation drift"},
    {"contention", "contention", "slow_link low_bandwidth_pair step_change slow_operation drift"},
    {"lost_rank", "hang", "process_died"},
    {"mismatch", "mismatch", "hang failure_rate retries"},
    {"retries_with_errors", "retries failure_rate", ""},
    {"wrong_algorithm", "wrong_algorithm", "step_change"},
    {"pool_exhaustion", "pool_pressure", "retries failure_rate"},
    {"step_change", "step_change", ""},
    {"slow_drift", "drift", "step_change"},
};

bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::size_t space = words.find(' ');
    if (words.substr(0, space) == word) return true;
    words = space == std::string_view::npos ? std::string_view{} : words.substr(space + 1);
  }
  return false;
}

enum class Place : std::uint8_t { right, none, wrong };

// Where a finding puts it, against where it is. A device has the number of its rank.
Place place_of(const Finding& finding, const sim::Truth& truth) {
  const Subject& subject = finding.subject;
  if (truth.ranks.empty()) {
    if (truth.operation.empty()) return Place::right;
    if (subject.operation.empty()) return Place::none;
    return subject.operation.rfind(truth.operation, 0) == 0 ? Place::right : Place::wrong;
  }
  if (!subject.link.empty() && subject.link == truth.link) return Place::right;
  const auto is_there = [&](int rank) {
    return std::find(truth.ranks.begin(), truth.ranks.end(), rank) != truth.ranks.end();
  };
  std::vector<int> named;
  for (const auto& one : {subject.rank, subject.peer}) {
    if (one) named.push_back(*one);
  }
  if (named.empty() && subject.device) named.push_back(*subject.device);
  if (named.empty()) return Place::none;
  const auto there = static_cast<std::size_t>(std::count_if(named.begin(), named.end(), is_there));
  // A link between two GPUs: both that are named must be its ends. A port or a rank: one of them.
  const bool between = truth.ranks.size() == 2 && truth.peer >= 0;
  return (between ? there == named.size() : there > 0) ? Place::right : Place::wrong;
}

}  // namespace

Judgement judge(const Finding& finding, const sim::Truth* truth) {
  const bool alarms = finding.severity != Severity::info;
  const Judgement otherwise = alarms ? Judgement::wrong : Judgement::information;
  if (truth == nullptr) return otherwise;
  for (const Accepted& accepted : kAccepted) {
    if (truth->fault != accepted.fault) continue;
    const bool names = has_word(accepted.names, finding.kind);
    if (!names && !has_word(accepted.consequences, finding.kind)) return otherwise;
    const Place place = place_of(finding, *truth);
    if (place == Place::wrong) return names && !alarms ? Judgement::misplaced : otherwise;
    if (!names) return alarms ? Judgement::consequence : Judgement::information;
    return place == Place::right ? Judgement::right : Judgement::unlocalised;
  }
  return otherwise;
}

void CaseGrade::add(const std::vector<Finding>& findings, std::int64_t now_ns) {
  for (const Finding& finding : findings) {
    const bool begun = truth_ && now_ns >= truth_->begin_ns;
    const Judgement judgement = judge(finding, begun ? &*truth_ : nullptr);
    if (judgement == Judgement::right || judgement == Judgement::unlocalised) {
      if (named_ns_ < 0) named_ns_ = now_ns;
      if (judgement == Judgement::right && right_ns_ < 0) right_ns_ = now_ns;
    }
    if (judgement == Judgement::misplaced) misplaced_ = true;
    if (judgement != Judgement::wrong) continue;
    for (const Accepted& accepted : kAccepted) {
      if (begun && truth_->fault == accepted.fault && has_word(accepted.names, finding.kind))
        misplaced_ = true;
    }
    const Subject& subject = finding.subject;
    const auto text = [](const std::optional<int>& number) {
      return number ? std::to_string(*number) : std::string("-");
    };
    false_alarms_.insert(fmt::format("{} rank={} peer={} device={} {}", finding.kind,
                                     text(subject.rank), text(subject.peer), text(subject.device),
                                     subject.operation));
  }
}

std::optional<double> CaseGrade::delay_s() const {
  if (!truth_ || right_ns_ < 0) return std::nullopt;
  return static_cast<double>(right_ns_ - truth_->begin_ns) / 1e9;
}

}  // namespace peerscope
