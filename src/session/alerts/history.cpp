#include "session/alerts/history.hpp"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sqlite3.h>

#include "analyze/alert/silence.hpp"
#include "record/ticks.hpp"
#include "session/alerts/json.hpp"
#include "session/alerts/statement.hpp"

namespace peerscope {
namespace {

constexpr const char* kTables = R"(
CREATE TABLE IF NOT EXISTS changes(
  number INTEGER PRIMARY KEY AUTOINCREMENT, at_real_ns INTEGER NOT NULL, rule TEXT NOT NULL, state TEXT NOT NULL,
  severity TEXT NOT NULL, alert TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS changes_at ON changes(at_real_ns);
CREATE TABLE IF NOT EXISTS silences(
  id TEXT PRIMARY KEY, until_real_ns INTEGER NOT NULL, created_real_ns INTEGER NOT NULL, matchers TEXT NOT NULL,
  comment TEXT NOT NULL, author TEXT NOT NULL) STRICT;
)";
constexpr std::uint64_t kPruneEvery = 64;

bool is_damage(int code) {
  return (code & 0xFF) == SQLITE_CORRUPT || (code & 0xFF) == SQLITE_NOTADB;
}

}  // namespace

Result<std::unique_ptr<AlertHistory>> AlertHistory::open(const HistorySettings& settings) {
  std::unique_ptr<AlertHistory> history(new AlertHistory(settings));
  if (const Status done = history->open_or_replace(); !done) return done.error();
  return history;
}

AlertHistory::~AlertHistory() { close_file(); }

void AlertHistory::close_file() {
  sqlite3_close(db_);
  db_ = nullptr;
}

std::string AlertHistory::note() const {
  const std::lock_guard lock(mutex_);
  return note_ + (note_.empty() || prune_problem_.empty() ? "" : "; ") + prune_problem_;
}

Status AlertHistory::open_file() {
  std::error_code ignored;  // what is wrong shows when the file is made
  const std::filesystem::path parent = std::filesystem::path(settings_.path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, ignored);
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
  if (sqlite3_open_v2(settings_.path.c_str(), &db_, flags, nullptr) != SQLITE_OK)
    return failed("opened");
  sqlite3_busy_timeout(db_, 1000);
  for (const char* sql : {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", kTables}) {
    if (const Status done = run(sql); !done) return done;
  }
  Statement check(db_, "PRAGMA quick_check(1)");
  if (check.step() && check.text(0) != "ok") damaged_ = true;
  if (damaged_ || is_damage(check.code())) return failed("read");
  return Done{};
}

Status AlertHistory::failed(const char* what) {
  const int code = db_ == nullptr ? SQLITE_CANTOPEN : sqlite3_extended_errcode(db_);
  damaged_ = damaged_ || is_damage(code);
  return Error{damaged_ ? ErrorCode::corrupt : ErrorCode::io,
               fmt::format("the history of alerts {} cannot be {}: {}", settings_.path, what,
                           db_ == nullptr ? "it is not open" : sqlite3_errmsg(db_))};
}

Status AlertHistory::run(const char* sql) {
  return sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK ? Status(Done{})
                                                                        : failed("written");
}

Status AlertHistory::open_or_replace() {
  damaged_ = false;
  Status done = open_file();
  if (done) return done;
  close_file();  // so that the next one tries to open it again
  if (!damaged_) return done;
  const std::string beside =
      fmt::format("{}.damaged-{}", settings_.path, clock_ns(CLOCK_REALTIME) / 1'000'000);
  std::error_code problem;
  std::filesystem::rename(settings_.path, beside, problem);
  if (problem)
    return Error{ErrorCode::io, fmt::format("{}; and it cannot be renamed: {}",
                                            done.error().message, problem.message())};
  std::error_code ignored;  // of the old file; SQLite would take them for the new one's
  for (const char* suffix : {"-wal", "-shm"})
    std::filesystem::remove(settings_.path + suffix, ignored);
  note_ = fmt::format("the history of alerts was damaged; it is now {}, and a new one was begun",
                      beside);
  damaged_ = false;
  done = open_file();
  if (!done) close_file();
  return done;
}

Status AlertHistory::add_once(const Alert& alert, std::int64_t real_ns) {
  Statement insert(
      db_, "INSERT INTO changes(at_real_ns, rule, state, severity, alert) VALUES(?,?,?,?,?)");
  insert.bind(1, real_ns);
  insert.bind(2, alert.rule);
  insert.bind(3, std::string(name(alert.state)));
  insert.bind(4, std::string(name(alert.severity)));
  insert.bind(5, to_json(alert).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  insert.step();
  return insert.code() == SQLITE_DONE ? Status(Done{}) : failed("written");
}

Status AlertHistory::add(const Alert& alert, std::int64_t real_ns) {
  const std::lock_guard lock(mutex_);
  if (db_ == nullptr) {
    if (const Status done = open_or_replace(); !done) return done;
  }
  Status done = add_once(alert, real_ns);
  if (!done && damaged_) {
    close_file();
    if (const Status again = open_or_replace(); !again) return again;
    done = add_once(alert, real_ns);
  }
  if (!done) return done;
  // The alert is in: to add it again because others could not be removed would make it two.
  if (added_++ % kPruneEvery == 0) {
    const Status pruned = prune(real_ns);
    prune_problem_ = pruned ? "" : pruned.error().message;
  }
  return Done{};
}

Status AlertHistory::prune(std::int64_t real_ns) {
  if (settings_.age_ns > 0) {
    Statement old(db_, "DELETE FROM changes WHERE at_real_ns < ?");
    old.bind(1, real_ns - settings_.age_ns);
    old.step();
    if (old.code() != SQLITE_DONE) return failed("written");
  }
  Statement many(db_, "DELETE FROM changes WHERE number <= (SELECT max(number) FROM changes) - ?");
  many.bind(1, static_cast<std::int64_t>(settings_.rows));
  many.step();
  Statement past(db_, "DELETE FROM silences WHERE until_real_ns <= ?");
  past.bind(1, real_ns);
  past.step();
  return many.code() == SQLITE_DONE && past.code() == SQLITE_DONE ? Status(Done{})
                                                                  : failed("written");
}

Status AlertHistory::put(const Silence& silence) {
  const std::lock_guard lock(mutex_);
  nlohmann::json matchers = nlohmann::json::array();
  for (const Matcher& matcher : silence.matchers) matchers.push_back(matcher_text(matcher));
  Statement insert(db_, "INSERT OR REPLACE INTO silences VALUES(?,?,?,?,?,?)");
  insert.bind(1, silence.id);
  insert.bind(2, silence.until_real_ns);
  insert.bind(3, silence.created_real_ns);
  insert.bind(4, matchers.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  insert.bind(5, silence.comment);
  insert.bind(6, silence.author);
  insert.step();
  return insert.code() == SQLITE_DONE ? Status(Done{}) : failed("written");
}

Status AlertHistory::remove_silence(const std::string& id) {
  const std::lock_guard lock(mutex_);
  Statement remove(db_, "DELETE FROM silences WHERE id = ?");
  remove.bind(1, id);
  remove.step();
  return remove.code() == SQLITE_DONE ? Status(Done{}) : failed("written");
}

std::vector<Silence> AlertHistory::silences(std::int64_t real_ns) {
  const std::lock_guard lock(mutex_);
  std::vector<Silence> out;
  Statement rows(db_,
                 "SELECT id, until_real_ns, created_real_ns, matchers, comment, author FROM "
                 "silences WHERE until_real_ns > ?");
  rows.bind(1, real_ns);
  while (rows.step()) {
    Silence silence;
    silence.id = rows.text(0);
    silence.until_real_ns = rows.integer(1);
    silence.created_real_ns = rows.integer(2);
    silence.comment = rows.text(4);
    silence.author = rows.text(5);
    const auto matchers = nlohmann::json::parse(rows.text(3), nullptr, false);
    for (const auto& each : matchers.is_array() ? matchers : nlohmann::json::array()) {
      const auto matcher =
          each.is_string() ? parse_matcher(each.get<std::string>()) : parse_matcher("");
      if (matcher) silence.matchers.push_back(*matcher);
    }
    // One that lost a matcher would silence more than was asked for.
    if (matchers.is_array() && silence.matchers.size() == matchers.size() &&
        !silence.matchers.empty())
      out.push_back(std::move(silence));
  }
  return out;
}

Result<HistoryPage> read_history(const std::string& path, const HistoryQuery& query) {
  std::int64_t below = INT64_MAX;
  if (!query.cursor.empty()) {
    const char* end = query.cursor.data() + query.cursor.size();
    const auto [rest, problem] = std::from_chars(query.cursor.data(), end, below);
    if (rest != end || problem != std::errc{} || below < 1)
      return Error{ErrorCode::invalid_argument,
                   "this cursor is of no page of the history of alerts"};
  }
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return HistoryPage{};  // nothing has happened yet
  Database db(path);
  const std::size_t limit = std::clamp<std::size_t>(query.limit, 1, kMostHistoryPage);
  Statement rows(
      db.get(),
      "SELECT number, at_real_ns, alert FROM changes WHERE number < ?1 AND at_real_ns >= ?2 AND "
      "(?3 = '' OR rule = ?3) AND "
      "(?4 = '' OR state = ?4) AND (?5 = '' OR severity = ?5) ORDER BY number DESC LIMIT ?6");
  rows.bind(1, below);
  rows.bind(2, query.from_real_ns);
  rows.bind(3, query.rule);
  rows.bind(4, query.state);
  rows.bind(5, query.severity);
  rows.bind(6, static_cast<std::int64_t>(limit + 1));
  HistoryPage page;
  while (rows.step()) {
    if (page.items.size() == limit) {
      page.next = fmt::format("{}", page.items.back().number);
      return page;
    }
    page.items.push_back({rows.integer(0), rows.integer(1), rows.text(2)});
  }
  if (rows.code() != SQLITE_DONE)
    return Error{
        is_damage(rows.code()) ? ErrorCode::corrupt : ErrorCode::io,
        fmt::format("the history of alerts {} cannot be read: {}", path, sqlite3_errmsg(db.get()))};
  return page;
}

}  // namespace peerscope
