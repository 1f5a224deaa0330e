// Judges rules while a session is watched, tells who is to be told, and remembers.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "analyze/alert/judge.hpp"
#include "analyze/alert/notices.hpp"
#include "session/alerts/history.hpp"
#include "session/alerts/lane.hpp"
#include "session/alerts/settings.hpp"
#include "session/published.hpp"

namespace peerscope {

struct RuleView {
  Rule rule;
  AlertState state = AlertState::inactive;
};

struct AlertsState {
  std::int64_t now_ns = 0;
  std::vector<Alert> alerts;  // pending and firing, the worst first; then resolved, the last first
  std::vector<Silence> silences;
  std::vector<RuleView> rules;
  std::vector<DeliveryView> deliveries;
  std::uint64_t overflowed = 0;  // alerts that found no room at the last look
  std::string history_note;      // what is wrong with the history; empty: nothing
};

class AlertService {
 public:
  static constexpr std::size_t kMostSilences = 1000;

  // `deliver`: to receivers; without it alerts are judged and kept only.
  explicit AlertService(AlertSettings settings, bool deliver = true);
  ~AlertService();
  AlertService(const AlertService&) = delete;
  AlertService& operator=(const AlertService&) = delete;

  // One thread at a time, such as the monitor's. Waits for no receiver, no disk and no network.
  void look(const Snapshot& snapshot);

  // All others: any thread.
  [[nodiscard]] std::shared_ptr<const AlertsState> state() const;
  Result<Silence> silence(std::vector<Matcher> matchers, std::int64_t until_real_ns,
                          std::string comment, std::string author);
  Status unsilence(const std::string& id);
  [[nodiscard]] Result<HistoryPage> history(const HistoryQuery& query) const;
  // Rules and the repeat interval; receivers stay as they are. All or nothing.
  Status set_rules(const Config& config);
  // Called with each alert that changed, on the thread that changed it; must not call back into the service.
  void on_change(std::function<void(const Alert&)> hook);
  // A made-up alert to every receiver.
  void send_test(std::int64_t real_ns);
  // Until all is delivered or given up. False: not within that time.
  bool drain(std::int64_t timeout_ns);

 private:
  void changed(const std::vector<Alert>& alerts, std::int64_t now_ns);  // with mutex_ held
  void publish(std::vector<Alert> all);                                 // likewise

  const HistorySettings history_settings_;
  mutable std::mutex mutex_;
  AlertJudge judge_;
  Notices notices_;
  std::vector<Silence> silences_;
  std::int64_t now_ns_ = 0;
  std::uint64_t silence_count_ = 0;
  std::function<void(const Alert&)> hook_;
  std::string history_problem_;
  std::shared_ptr<AlertHistory> history_;  // null: none
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::unique_ptr<Lane> keeper_;  // writes the history; null: none
  Published<AlertsState> published_;
};

}  // namespace peerscope
