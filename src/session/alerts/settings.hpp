// What the configuration says of alerts.
#pragma once

#include <string>
#include <vector>

#include "analyze/alert/notices.hpp"
#include "analyze/alert/rule.hpp"
#include "base/result.hpp"
#include "config/config.hpp"

namespace peerscope {

struct ReceiverSettings {  // what is empty is not there
  std::string log;
  std::vector<std::string> command;
  std::string webhook_url, webhook_secret;
  std::string smtp_url, smtp_from, smtp_user, smtp_password;
  std::vector<std::string> smtp_to;
  std::string alertmanager_url;
  std::int64_t timeout_ns = 10'000'000'000, retry_for_ns = 600'000'000'000;
  std::int64_t first_retry_ns = 1'000'000'000;  // doubles up to a minute
};

struct HistorySettings {
  std::string path;         // empty: nowhere
  std::int64_t age_ns = 0;  // 0: no limit
  std::uint64_t rows = 100'000;
};

struct AlertSettings {
  std::vector<Rule> rules;  // names differ, and none inhibits itself by way of others
  NoticeOptions notices;
  ReceiverSettings receivers;
  HistorySettings history;
};

inline constexpr std::size_t kMostRules = 256;

// `state_dir`: where the history goes that has no path of its own; empty: nowhere. The error is one sentence
// that names the key, and of a rule its place in the list and the column.
Result<AlertSettings> alert_settings(const Config& config, const std::string& state_dir);

}  // namespace peerscope
