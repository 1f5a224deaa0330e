#include "session/alerts/service.hpp"

#include <algorithm>
#include <ctime>

#include <fmt/format.h>

#include "analyze/alert/silence.hpp"
#include "analyze/alert/words.hpp"
#include "record/ticks.hpp"
#include "session/alerts/receivers.hpp"

namespace peerscope {
namespace {

std::int64_t real_now() { return static_cast<std::int64_t>(clock_ns(CLOCK_REALTIME)); }

Outcome keep(AlertHistory& history, const Alert& alert) {
  const Status done = history.add(alert, real_now());
  if (done) return {};
  return {Sent::later, done.error().message, 0};
}

Alert test_alert(std::int64_t real_ns) {
  Alert alert;
  alert.id = fmt::format("test-{}", real_ns / 1'000'000);
  alert.rule = "test";
  alert.state = AlertState::firing;
  alert.severity = Severity::info;
  alert.sentence = "This is a test: nothing is wrong.";
  alert.since_ns = alert.fired_ns = 0;
  alert.real_offset_ns = real_ns;
  alert.labels = {{"rule", "test"}, {"severity", "info"}};
  return alert;
}

}  // namespace

AlertService::AlertService(AlertSettings settings, bool deliver)
    : history_settings_(settings.history),
      judge_(std::move(settings.rules)),
      notices_(settings.notices),
      published_(std::make_shared<const AlertsState>()) {
  if (!history_settings_.path.empty()) {
    auto history = AlertHistory::open(history_settings_);
    if (history)
      history_ = std::move(*history);
    else
      history_problem_ = history.error().message;
  }
  if (history_) {
    silences_ = history_->silences(real_now());
    LaneOptions options;
    options.receiver = "history";
    options.target = history_settings_.path;
    options.retry_for_ns = 60'000'000'000;
    options.queue = 4096;
    keeper_ = std::make_unique<Lane>(
        options, [history = history_](const Notice& notice, const std::atomic<bool>&) {
          return keep(*history, notice.alert);
        });
  }
  if (deliver) lanes_ = make_lanes(settings.receivers);
  const std::lock_guard lock(mutex_);
  publish(judge_.alerts());
}

AlertService::~AlertService() {
  // The history first, and in a time of its own: what no receiver hears of can be read there.
  constexpr std::int64_t kHistoryNs = 3'000'000'000, kGraceNs = 1'000'000'000;
  if (keeper_) keeper_->drain(kHistoryNs);
  drain(kGraceNs);
}

void AlertService::look(const Snapshot& snapshot) {
  std::function<void(const Alert&)> hook;
  std::vector<Alert> alerts;
  {
    const std::lock_guard lock(mutex_);
    now_ns_ = std::max(now_ns_, snapshot.now_ns);
    alerts = judge_.look(snapshot, silences_);
    std::erase_if(silences_, [&](const Silence& silence) {
      return silence.until_real_ns <= snapshot.now_ns + snapshot.real_offset_ns;
    });
    changed(alerts, now_ns_);
    hook = hook_;
  }
  for (const Alert& alert : alerts) {
    if (hook) hook(alert);
  }
}

void AlertService::changed(const std::vector<Alert>& alerts, std::int64_t now_ns) {
  if (keeper_) {
    for (const Alert& alert : alerts) {
      if (alert.state != AlertState::pending) keeper_->put({alert, NoticeReason::fired});
    }
  }
  std::vector<Alert> all = judge_.alerts();
  for (const Notice& notice : notices_.plan(all, now_ns)) {
    for (const auto& lane : lanes_) lane->put(notice);
  }
  publish(std::move(all));
}

void AlertService::publish(std::vector<Alert> all) {
  auto state = std::make_shared<AlertsState>();
  state->now_ns = now_ns_;
  state->alerts = std::move(all);
  state->silences = silences_;
  for (std::size_t i = 0; i < judge_.rules().size(); ++i)
    state->rules.push_back({judge_.rules()[i], judge_.state_of(i)});
  state->overflowed = judge_.overflowed();
  published_.store(std::move(state));
}

std::shared_ptr<const AlertsState> AlertService::state() const {
  auto out = std::make_shared<AlertsState>(*published_.load());
  for (const auto& lane : lanes_) out->deliveries.push_back(lane->view());
  if (keeper_) out->deliveries.push_back(keeper_->view());
  out->history_note = history_ ? history_->note() : history_problem_;
  return out;
}

Result<Silence> AlertService::silence(std::vector<Matcher> matchers, std::int64_t until_real_ns,
                                      std::string comment, std::string author) {
  Silence silence;
  silence.created_real_ns = real_now();
  if (matchers.empty())
    return Error{ErrorCode::invalid_argument,
                 "a silence without matchers would silence everything; name a label"};
  if (until_real_ns <= silence.created_real_ns)
    return Error{ErrorCode::invalid_argument, "the end of a silence lies in the future"};
  constexpr std::size_t kMostMatchers = 20, kMostText = 1000;
  if (matchers.size() > kMostMatchers || comment.size() > kMostText || author.size() > kMostText)
    return Error{ErrorCode::invalid_argument,
                 "a silence has at most 20 matchers, and 1000 characters of comment and author"};
  for (const Matcher& matcher : matchers) {
    const Result<Matcher> known = parse_matcher(matcher_text(matcher));
    if (!known) return known.error();
    if (known->name != matcher.name)  // "rank!" and "=": it would read as something else
      return Error{ErrorCode::invalid_argument,
                   fmt::format("'{}' is no label", matcher.name.substr(0, 80))};
  }
  silence.matchers = std::move(matchers);
  silence.until_real_ns = until_real_ns;
  silence.comment = std::move(comment);
  silence.author = std::move(author);
  std::vector<Alert> alerts;
  std::function<void(const Alert&)> hook;
  {
    const std::lock_guard lock(mutex_);
    if (silences_.size() >= kMostSilences)
      return Error{ErrorCode::invalid_argument,
                   fmt::format("there are {} silences; end one first", kMostSilences)};
    silence.id = fmt::format("{:x}-{}", silence.created_real_ns / 1'000'000, ++silence_count_);
  }
  // Kept before anybody can see it and end it: else it could be written after its end, and be there again after a restart.
  // Not with the lock held: no look waits for a disk.
  if (history_) {
    if (const Status kept = history_->put(silence); !kept)
      silence.comment += " (not kept: " + kept.error().message + ")";
  }
  {
    const std::lock_guard lock(mutex_);
    silences_.push_back(silence);
    alerts = judge_.mark(silences_, silence.created_real_ns);
    changed(alerts, now_ns_);
    hook = hook_;
  }
  for (const Alert& alert : alerts) {
    if (hook) hook(alert);
  }
  return silence;
}

Status AlertService::unsilence(const std::string& id) {
  std::vector<Alert> alerts;
  std::function<void(const Alert&)> hook;
  {
    const std::lock_guard lock(mutex_);
    if (std::erase_if(silences_, [&](const Silence& silence) { return silence.id == id; }) == 0)
      return Error{ErrorCode::not_found, fmt::format("there is no silence '{}'", id)};
    alerts = judge_.mark(silences_, real_now());
    changed(alerts, now_ns_);
    hook = hook_;
  }
  for (const Alert& alert : alerts) {
    if (hook) hook(alert);
  }
  return history_ ? history_->remove_silence(id) : Status(Done{});
}

Result<HistoryPage> AlertService::history(const HistoryQuery& query) const {
  if (history_settings_.path.empty())
    return Error{ErrorCode::not_found, "no history of alerts is kept: alert.history is none"};
  return read_history(history_settings_.path, query);
}

Status AlertService::set_rules(const Config& config) {
  Result<AlertSettings> settings = alert_settings(config, "");
  if (!settings) return settings.error();
  std::vector<Alert> alerts;
  std::function<void(const Alert&)> hook;
  {
    const std::lock_guard lock(mutex_);
    alerts = judge_.set_rules(std::move(settings->rules));
    notices_.set_options(settings->notices);
    changed(alerts, now_ns_);
    hook = hook_;
  }
  for (const Alert& alert : alerts) {
    if (hook) hook(alert);
  }
  return Done{};
}

void AlertService::on_change(std::function<void(const Alert&)> hook) {
  const std::lock_guard lock(mutex_);
  hook_ = std::move(hook);
}

void AlertService::send_test(std::int64_t real_ns) {
  for (const auto& lane : lanes_) lane->put({test_alert(real_ns), NoticeReason::test});
}

bool AlertService::drain(std::int64_t timeout_ns) {
  const auto end_ns = static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)) + timeout_ns;
  const auto left_ns = [&] {
    return std::max<std::int64_t>(end_ns - static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)), 0);
  };
  bool all = true;
  for (const auto& lane : lanes_) all = lane->drain(left_ns()) && all;
  if (keeper_) all = keeper_->drain(left_ns()) && all;
  return all;
}

}  // namespace peerscope
