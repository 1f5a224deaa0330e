#include "analyze/alert/judge.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "analyze/alert/figures.hpp"
#include "analyze/alert/silence.hpp"
#include "analyze/alert/words.hpp"

namespace peerscope {
namespace {

constexpr std::int64_t kPoints = 64;  // of a past, over the time that a rule looks back

std::uint64_t hashed(std::string_view text) {  // FNV-1a
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

bool beyond(Comparison comparison, double value, double threshold) {
  switch (comparison) {
    case Comparison::above:
      return value > threshold;
    case Comparison::at_least:
      return value >= threshold;
    case Comparison::below:
      return value < threshold;
    case Comparison::at_most:
      return value <= threshold;
  }
  return false;
}

// Well is what lies on the clear threshold's other side, the threshold's own side included.
bool is_well(const Rule& rule, double value) {
  if (!rule.clear) return !beyond(rule.comparison, value, rule.threshold);
  return wants_high(rule.comparison) ? value <= *rule.clear : value >= *rule.clear;
}

std::optional<double> of_window(const Rule& rule, const TermReading& reading) {
  if (!reading.value || rule.transform == Transform::none) return reading.value;
  if (reading.span_ns <= 0) return std::nullopt;
  return *reading.value * 1e9 / static_cast<double>(reading.span_ns);
}

bool is_wrong(const Rule& rule, const TermReading& reading) {
  const std::optional<double> value = of_window(rule, reading);
  return value && beyond(rule.comparison, *value, rule.threshold);
}

bool over_time(const Rule& rule) {
  return rule.transform == Transform::change ||
         (rule.transform == Transform::rate && !rule.term.window);
}

// Pending or firing, how bad, and who keeps it quiet: what others want to hear of.
std::string said_of(const Alert& alert) {
  return fmt::format("{}/{}/{}/{}", name(alert.state), name(alert.severity), alert.silenced_by,
                     alert.inhibited_by);
}

bool same_rule(const Rule& a, const Rule& b) {
  return a.name == b.name && a.text == b.text && a.for_ns == b.for_ns && a.keep_ns == b.keep_ns &&
         a.threshold == b.threshold && a.at_least == b.at_least;
}

bool is_empty(const Subject& s) {
  return !s.rank && !s.peer && !s.device && s.link.empty() && s.communicator.empty() &&
         s.operation.empty();
}

template <class T>
bool contradict(const std::optional<T>& a, const std::optional<T>& b) {
  return a && b && *a != *b;
}
bool contradict(const std::string& a, const std::string& b) {
  return !a.empty() && !b.empty() && a != b;
}
bool contradict(const Subject& a, const Subject& b) {
  return contradict(a.rank, b.rank) || contradict(a.peer, b.peer) ||
         contradict(a.device, b.device) || contradict(a.link, b.link) ||
         contradict(a.communicator, b.communicator) || contradict(a.operation, b.operation);
}

}  // namespace

AlertJudge::AlertJudge(std::vector<Rule> rules, const JudgeOptions& options)
    : options_(options), rules_(std::move(rules)), tracks_(rules_.size()) {}

std::vector<Alert> AlertJudge::look(const Snapshot& snapshot, std::span<const Silence> silences) {
  now_ns_ = std::max(now_ns_, snapshot.now_ns);
  real_offset_ns_ = snapshot.real_offset_ns;
  overflowed_ = 0;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (rules_[i].of_finding)
      look_at_findings(rules_[i], tracks_[i], snapshot);
    else
      look_at_figures(rules_[i], tracks_[i], snapshot);
    forget(rules_[i], tracks_[i]);
  }
  while (!resolved_.empty() &&
         (resolved_.size() > options_.max_resolved ||
          now_ns_ - resolved_.front().resolved_ns > options_.keep_resolved_ns))
    resolved_.pop_front();
  return mark(silences, now_ns_ + real_offset_ns_);
}

void AlertJudge::look_at_findings(const Rule& rule, Tracks& tracks, const Snapshot& snapshot) {
  std::map<std::string, const Finding*> present;
  for (const Finding& finding : snapshot.findings) {
    if (finding.severity < rule.at_least) continue;
    if (!rule.finding.empty() && finding.kind != rule.finding) continue;
    present.emplace(finding.kind + "|" + subject_key(finding.subject),
                    &finding);  // the first: the worst
  }
  // What is over first: it makes room.
  for (auto& [key, track] : tracks) {
    if (!present.contains(key)) step(rule, track, {false, true}, now_ns_);
  }
  forget(rule, tracks);
  for (const auto& [key, finding] : present) {
    Track* track = track_of(rule, tracks, key, finding->subject);
    if (track == nullptr) continue;
    Alert& alert = track->alert;
    alert.severity = rule.severity.value_or(finding->severity);
    alert.sentence = finding->sentence;
    alert.action = rule.action.empty() ? finding->action : rule.action;
    alert.labels = labels_of(rule, finding->kind, alert);
    const bool knows = finding->since_ns >= 0 && finding->since_ns <= now_ns_;
    step(rule, *track, {true, false}, knows ? finding->since_ns : now_ns_);
  }
}

void AlertJudge::look_at_figures(const Rule& rule, Tracks& tracks, const Snapshot& snapshot) {
  std::set<std::string> present;
  for (const TermReading& reading : read_term(rule.term, wants_high(rule.comparison), snapshot)) {
    const std::string key = subject_key(reading.subject);
    present.insert(key);
    if (!over_time(rule) && !tracks.contains(key) && !is_wrong(rule, reading)) continue;
    if (Track* track = track_of(rule, tracks, key, reading.subject))
      take_reading(rule, *track, reading);
  }
  for (auto& [key, track] : tracks) {
    if (present.contains(key)) continue;
    if (!absence_is_zero(rule.term)) {
      track.known = false;
      track.alert.value.reset();
      continue;
    }
    TermReading nothing;
    nothing.subject = track.alert.subject;
    nothing.value = 0;
    take_reading(rule, track, nothing);
  }
}

void AlertJudge::take_reading(const Rule& rule, Track& track, const TermReading& reading) {
  const std::optional<double> value = transformed(rule, track, reading);
  Alert& alert = track.alert;
  alert.value = value;
  if (!value) {
    track.known = false;
    return;
  }
  const Seen seen{beyond(rule.comparison, *value, rule.threshold), is_well(rule, *value)};
  if (seen.wrong) {  // what it says stays as it was when it was wrong
    alert.severity = rule.severity.value_or(Severity::warning);
    alert.sentence = figure_sentence(rule, reading, *value);
    alert.action = figure_action(rule);
    alert.threshold = rule.threshold;
    alert.unit = unit_of(quantity_of(rule));
    alert.labels = labels_of(rule, "", alert);
  }
  step(rule, track, seen, now_ns_);
}

std::optional<double> AlertJudge::transformed(const Rule& rule, Track& track,
                                              const TermReading& reading) {
  if (!over_time(rule)) return of_window(rule, reading);
  if (!reading.value) return std::nullopt;
  std::deque<Point>& past = track.past;
  // The last point that is old enough; one that is twice as old says nothing of this time.
  const Point* before = nullptr;
  for (const Point& point : past) {
    if (now_ns_ - point.at_ns >= rule.over_ns && now_ns_ - point.at_ns <= 2 * rule.over_ns)
      before = &point;
  }
  std::optional<double> out;
  if (before != nullptr) {
    const double rise = *reading.value - before->value;
    const bool was_reset = spec_of(rule.term.figure).is_counter && rise < 0;
    if (rule.transform == Transform::rate && !was_reset)
      out = rise * 1e9 / static_cast<double>(now_ns_ - before->at_ns);
    if (rule.transform == Transform::change && before->value != 0)
      out = rise / std::abs(before->value);
  }
  if (past.empty() || now_ns_ - past.back().at_ns >= rule.over_ns / kPoints)
    past.push_back({now_ns_, *reading.value});
  while (past.size() > 2 * kPoints ||
         (!past.empty() && now_ns_ - past.front().at_ns > 2 * rule.over_ns))
    past.pop_front();
  return out;
}

AlertJudge::Track* AlertJudge::track_of(const Rule& rule, Tracks& tracks, const std::string& key,
                                        const Subject& subject) {
  const auto found = tracks.find(key);
  if (found != tracks.end()) return &found->second;
  if (tracks.size() >= options_.max_groups) {
    ++overflowed_;
    return nullptr;
  }
  Track& track = tracks[key];
  track.alert.rule = rule.name;
  track.alert.state = AlertState::inactive;
  track.alert.subject = subject;
  return &track;
}

void AlertJudge::step(const Rule& rule, Track& track, const Seen& seen, std::int64_t since_ns) {
  const std::int64_t passed = track.known ? now_ns_ - track.seen_ns : 0;
  const bool was_well = track.known && track.well;
  track.known = true;
  track.well = seen.well;
  track.seen_ns = now_ns_;
  track.alert.real_offset_ns = real_offset_ns_;
  if (track.alert.state == AlertState::firing) {
    track.well_for_ns = seen.well && was_well ? track.well_for_ns + passed : 0;
    if (seen.well && track.well_for_ns >= rule.keep_ns) resolve(track);
    return;
  }
  if (!seen.wrong) {
    if (track.is_open()) --open_count_;
    track.alert.state = AlertState::inactive;
    return;
  }
  if (track.is_open())
    track.wrong_for_ns += passed;
  else
    open(rule, track, since_ns);
  if (track.is_open() && track.wrong_for_ns >= rule.for_ns) {
    track.alert.state = AlertState::firing;
    track.alert.fired_ns = now_ns_;
    track.well_for_ns = 0;
  }
}

void AlertJudge::open(const Rule& rule, Track& track, std::int64_t since_ns) {
  if (open_count_ >= options_.max_alerts) {
    ++overflowed_;
    return;
  }
  ++open_count_;
  Alert& alert = track.alert;
  alert.state = AlertState::pending;
  alert.since_ns = since_ns;
  alert.fired_ns = alert.resolved_ns = kUnknownNs;
  alert.silenced_by.clear();
  alert.inhibited_by.clear();
  alert.id = fmt::format("{:016x}",
                         hashed(fmt::format("{}|{}|{}|{}", rule.name, subject_key(alert.subject),
                                            now_ns_ + real_offset_ns_, ++occurrences_)));
  track.wrong_for_ns = 0;
}

void AlertJudge::resolve(Track& track) {
  track.alert.state = AlertState::resolved;
  track.alert.resolved_ns = now_ns_;
  resolved_.push_back(track.alert);
  track.alert.state = AlertState::inactive;
  --open_count_;
}

// What is not open is kept for its past only. What was pending and is unknown for long has gone.
bool AlertJudge::is_over(const Rule& rule, const Track& track) const {
  const std::int64_t past_ns = track.past.empty() ? kUnknownNs : track.past.back().at_ns;
  if (!track.is_open())
    return !over_time(rule) || now_ns_ - std::max(track.seen_ns, past_ns) > 2 * rule.over_ns;
  return track.alert.state == AlertState::pending && !track.known &&
         now_ns_ - track.seen_ns > options_.forget_pending_ns;
}

void AlertJudge::forget(const Rule& rule, Tracks& tracks) {
  for (auto at = tracks.begin(); at != tracks.end();) {
    const bool over = is_over(rule, at->second);
    if (over && at->second.is_open()) --open_count_;
    at = over ? tracks.erase(at) : std::next(at);
  }
}

std::vector<Alert*> AlertJudge::open_alerts() {
  std::vector<Alert*> out;
  for (Tracks& tracks : tracks_) {
    for (auto& [key, track] : tracks) {
      if (track.is_open()) out.push_back(&track.alert);
    }
  }
  return out;
}

void AlertJudge::inhibit(std::vector<Alert*>& open) {
  std::map<std::string, const Rule*> by_name;
  for (const Rule& rule : rules_) by_name.emplace(rule.name, &rule);
  std::map<std::string, const Alert*> critical;  // by subject
  std::multimap<std::string, const Alert*> firing;
  for (const Alert* alert : open) {
    if (alert->state != AlertState::firing) continue;
    firing.emplace(alert->rule, alert);
    if (alert->severity == Severity::critical && !is_empty(alert->subject))
      critical.emplace(subject_key(alert->subject), alert);
  }
  for (Alert* alert : open) {
    alert->inhibited_by.clear();
    const auto worse = critical.find(subject_key(alert->subject));
    if (alert->severity < Severity::critical && worse != critical.end())
      alert->inhibited_by = worse->second->rule;
    for (const std::string& other : by_name[alert->rule]->inhibited_by) {
      const auto [begin, end] = firing.equal_range(other);
      const bool hit = std::any_of(begin, end, [&](const auto& entry) {
        return !contradict(alert->subject, entry.second->subject);
      });
      if (hit && alert->inhibited_by.empty()) alert->inhibited_by = other;
    }
  }
}

std::vector<Alert> AlertJudge::mark(std::span<const Silence> silences, std::int64_t real_ns) {
  std::vector<Alert*> open = open_alerts();
  inhibit(open);
  for (Alert* alert : open) {
    const Silence* silence = silence_of(alert->labels, silences, real_ns);
    alert->silenced_by = silence == nullptr ? "" : silence->id;
  }
  return changes();
}

std::vector<Alert> AlertJudge::changes() {
  std::vector<Alert> out;
  std::map<std::string, std::string> now;
  const auto tell = [&](const Alert& alert) {
    std::string said = said_of(alert);
    const auto before = told_.find(alert.id);
    if (before == told_.end() || before->second != said) out.push_back(alert);
    now.emplace(alert.id, std::move(said));
  };
  for (const Alert* alert : open_alerts()) tell(*alert);
  for (const Alert& alert : resolved_) tell(alert);
  told_ = std::move(now);
  return out;
}

std::vector<Alert> AlertJudge::set_rules(std::vector<Rule> rules) {
  std::vector<Tracks> tracks(rules.size());
  for (std::size_t i = 0; i < rules.size(); ++i) {
    for (std::size_t old = 0; old < rules_.size(); ++old) {
      if (same_rule(rules[i], rules_[old]) && tracks[i].empty())
        tracks[i] = std::exchange(tracks_[old], {});
    }
  }
  for (Tracks& gone : tracks_) {
    for (auto& [key, track] : gone) {
      if (track.alert.state == AlertState::firing)
        resolve(track);
      else if (track.is_open())
        --open_count_;
    }
  }
  tracks_ = std::move(tracks);
  rules_ = std::move(rules);
  return changes();
}

std::vector<Alert> AlertJudge::alerts() const {
  std::vector<Alert> out;
  for (const Tracks& tracks : tracks_) {
    for (const auto& [key, track] : tracks) {
      if (track.is_open()) out.push_back(track.alert);
    }
  }
  std::stable_sort(out.begin(), out.end(), [](const Alert& a, const Alert& b) {
    if (a.state != b.state) return a.state > b.state;  // firing before pending
    if (a.severity != b.severity) return a.severity > b.severity;
    return a.since_ns < b.since_ns;
  });
  out.insert(out.end(), resolved_.rbegin(), resolved_.rend());
  return out;
}

AlertState AlertJudge::state_of(std::size_t rule) const {
  AlertState state = AlertState::inactive;
  for (const auto& [key, track] : tracks_[rule]) state = std::max(state, track.alert.state);
  return state;
}

}  // namespace peerscope
