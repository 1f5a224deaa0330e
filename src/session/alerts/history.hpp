// What alerts there were, in SQLite. Written by one program, read by any at the same time (WAL).
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "analyze/alert/alert.hpp"
#include "base/result.hpp"
#include "session/alerts/settings.hpp"

struct sqlite3;

namespace peerscope {

struct HistoryQuery {
  std::string cursor = {};  // of an earlier page; empty: the newest
  std::size_t limit = 100;
  std::string rule = {}, state = {}, severity = {};  // empty: all
  std::int64_t from_real_ns = 0;                     // not before
};

struct HistoryItem {
  std::int64_t number = 0, at_real_ns = 0;
  std::string alert;  // as JSON
};

struct HistoryPage {
  std::vector<HistoryItem> items;  // the newest first
  std::string next;                // cursor; empty: that was all
};

class AlertHistory {
 public:
  // A file that is damaged is renamed and a new one begun: `note` says so.
  static Result<std::unique_ptr<AlertHistory>> open(const HistorySettings& settings);
  ~AlertHistory();
  AlertHistory(const AlertHistory&) = delete;
  AlertHistory& operator=(const AlertHistory&) = delete;

  // Any thread.
  Status add(const Alert& alert, std::int64_t real_ns);
  Status put(const Silence& silence);
  Status remove_silence(const std::string& id);
  [[nodiscard]] std::vector<Silence> silences(std::int64_t real_ns);  // that hold then
  [[nodiscard]] std::string note() const;

 private:
  explicit AlertHistory(HistorySettings settings) : settings_(std::move(settings)) {}
  Status open_file();
  Status open_or_replace();
  Status prune(std::int64_t real_ns);
  Status run(const char* sql);
  Status failed(const char* what);  // and begins anew where the file is damaged
  Status add_once(const Alert& alert, std::int64_t real_ns);
  void close_file();

  const HistorySettings settings_;
  mutable std::mutex mutex_;
  sqlite3* db_ = nullptr;
  bool damaged_ = false;
  std::uint64_t added_ = 0;
  std::string note_, prune_problem_;
};

inline constexpr std::size_t kMostHistoryPage = 1000;

// Opened read-only, for this question only.
Result<HistoryPage> read_history(const std::string& path, const HistoryQuery& query);

}  // namespace peerscope
