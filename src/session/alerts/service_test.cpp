// From a snapshot to whoever is to be told, and what is remembered of it.
#include "session/alerts/service.hpp"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sqlite3.h>

#include "analyze/alert/silence.hpp"
#include "analyze/alert/snapshot_for_test.hpp"
#include "record/ticks.hpp"
#include "session/alerts/json.hpp"
#include "session/alerts/made_up_for_test.hpp"
#include "session/alerts/server_for_test.hpp"

namespace peerscope {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
constexpr std::int64_t kLong = 20'000'000'000;

Config configured(const std::string& toml) {
  const Result<Config> config = load_text(toml, "test");
  EXPECT_TRUE(config) << (config ? "" : config.error().message);
  return config ? *config : Config();
}

AlertSettings settings_of(const std::string& toml, const std::string& dir = "") {
  const Result<AlertSettings> settings = alert_settings(configured(toml), dir);
  EXPECT_TRUE(settings) << (settings ? "" : settings.error().message);
  return settings ? *settings : AlertSettings{};
}

std::string error_of(const std::string& toml) {
  const Result<AlertSettings> settings = alert_settings(configured(toml), "");
  return settings ? "none" : settings.error().message;
}

std::int64_t real_now() { return static_cast<std::int64_t>(clock_ns(CLOCK_REALTIME)); }

// p99 of that many µs at that second from now.
Snapshot at(double second, double us) {
  Snapshot snapshot = of_all_reduce(static_cast<std::int64_t>(second * 1e9), us * 1e3);
  snapshot.real_offset_ns = real_now();
  return snapshot;
}

TEST(AlertSettings, BuiltInThresholdsAreRulesWhereTheyAreSet) {
  ASSERT_EQ(settings_of("").rules.size(), 1u);
  EXPECT_EQ(settings_of("").rules[0].at_least, Severity::warning);
  EXPECT_EQ(settings_of("").rules[0].for_ns, kSecond);
  EXPECT_TRUE(settings_of("alert.finding_severity = 'off'").rules.empty());
  EXPECT_TRUE(settings_of("alert.enabled = false").rules.empty());
  const auto all = settings_of(
                       "[alert]\nmin_bandwidth = 1.5\nmin_bandwidth_size = '64 KiB'\nmax_latency = "
                       "'100 ms'\nmin_success_rate = '95 %'\n"
                       "max_memory_share = '90 %'\nfor = '3 s'\nkeep = '4 s'\n")
                       .rules;
  ASSERT_EQ(all.size(), 5u);
  EXPECT_EQ(all[1].threshold, 1.5e9);
  EXPECT_EQ(all[1].term.min_bytes, 64u << 10);
  EXPECT_EQ(all[2].threshold, 100e6);
  EXPECT_EQ(all[3].threshold, 0.95);
  EXPECT_EQ(all[4].threshold, 0.9);
  EXPECT_EQ(all[4].origin, "alert.max_memory_share");
  for (const Rule& rule : all) EXPECT_EQ(rule.keep_ns, 4 * kSecond);
  EXPECT_EQ(all[2].for_ns, 3 * kSecond);
}

TEST(AlertSettings, EveryKeyArrives) {
  const AlertSettings s = settings_of(
      "[alert]\nrules = ['x: p99 > 1ms']\nrepeat = '2 h'\ntimeout = '3 s'\nretry_for = '4 s'\nlog "
      "= 'stderr'\ncommand = ['a', 'b']\n"
      "webhook_url = 'https://x/'\nwebhook_secret = 's'\nsmtp_url = 'smtp://m'\nsmtp_from = "
      "'f'\nsmtp_to = ['t']\nsmtp_user = 'u'\n"
      "smtp_password = 'p'\nalertmanager_url = 'http://a'\nhistory_age = '5 d'\nhistory_rows = 6\n",
      "/state");
  EXPECT_EQ(s.rules.back().name, "x");
  EXPECT_EQ(s.rules.back().origin, "test:2");
  EXPECT_EQ(s.notices.repeat_ns, 7200 * kSecond);
  const ReceiverSettings& r = s.receivers;
  EXPECT_EQ(r.timeout_ns, 3 * kSecond);
  EXPECT_EQ(r.retry_for_ns, 4 * kSecond);
  EXPECT_THAT(r.command, ElementsAre("a", "b"));
  EXPECT_EQ(r.log + r.webhook_url + r.webhook_secret + r.smtp_url + r.smtp_from + r.smtp_to[0] +
                r.smtp_user + r.smtp_password + r.alertmanager_url,
            "stderrhttps://x/ssmtp://mftuphttp://a");
  EXPECT_EQ(s.history.path, "/state/alerts.sqlite");
  EXPECT_EQ(s.history.age_ns, 5 * 86'400 * kSecond);
  EXPECT_EQ(s.history.rows, 6u);
  EXPECT_EQ(settings_of("alert.history = 'none'", "/state").history.path, "");
  EXPECT_EQ(settings_of("alert.history = '/x'", "/state").history.path, "/x");
}

TEST(AlertSettings, WhatIsWrongIsSaidWithKeyRuleAndColumn) {
  EXPECT_THAT(error_of("alert.rules = ['finding hang', 'p98 > 1ms']"),
              HasSubstr("test:1: alert.rules: rule 2: column 1: 'p98' is no figure"));
  EXPECT_THAT(error_of("alert.rules = ['a: p99 > 1ms', 'a: p99 > 2ms']"),
              HasSubstr("two rules are called 'a'"));
  EXPECT_THAT(error_of("alert.rules = ['a: p99 > 1ms inhibited_by b']"),
              HasSubstr("'a' is inhibited by 'b', which is no rule"));
  EXPECT_THAT(
      error_of("alert.rules = ['a: p99 > 1ms inhibited_by b', 'b: p99 > 1ms inhibited_by a']"),
      HasSubstr("inhibits itself"));
  EXPECT_THAT(error_of("alert.webhook_url = 'file:///etc/passwd'"),
              HasSubstr("alert.webhook_url: write an address"));
  EXPECT_THAT(error_of("alert.smtp_url = 'smtp://x'"),
              HasSubstr("alert.smtp_from and alert.smtp_to"));
  EXPECT_THAT(error_of("alert.smtp_url = 'smtp://x'\nalert.smtp_from = \"a\\r\\nBcc: "
                       "b\"\nalert.smtp_to = ['c']"),
              HasSubstr("no line break"));
  EXPECT_EQ(
      error_of(
          "alert.rules = ['b: p99 > 1ms', 'a: p99 > 1ms inhibited_by b inhibited_by findings']"),
      "none");
}

TEST(AlertSettings, TheSampleOfTheDocumentationIsRight) {
  std::ifstream file(PSCOPE_SOURCE_DIR "/docs/alerts.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  const std::size_t begin = page.find("```toml\n") + 8;
  EXPECT_EQ(settings_of(page.substr(begin, page.find("```", begin) - begin)).rules.size(), 5u);
}

class Service : public testing::Test {
 protected:
  static std::vector<std::string> states(const AlertService& service) {
    std::vector<std::string> out;
    const auto state = service.state();
    for (const Alert& alert : state->alerts)
      out.push_back(std::string(name(alert.state)) + (is_quiet(alert) ? " quiet" : ""));
    return out;
  }
  std::string toml(const std::string& more = "") const {
    return "[alert]\nkeep = 0\nhistory = '" + folder_.file("alerts.sqlite") +
           "'\nrules = ['slow: p99 > 200us for 0s']\n" + more;
  }
  TestFolder folder_;
};

TEST_F(Service, TellsReceiversTheHookAndTheHistory) {
  const HttpSink sink;
  AlertService service(settings_of(toml("webhook_url = '" + sink.url() + "'\n")));
  std::vector<std::string> heard;
  service.on_change([&](const Alert& alert) { heard.emplace_back(name(alert.state)); });
  service.look(at(1, 100));
  service.look(at(2, 300));
  service.look(at(3, 300));
  EXPECT_THAT(states(service), ElementsAre("firing"));
  EXPECT_EQ(service.state()->rules.back().state, AlertState::firing);
  service.look(at(4, 100));
  EXPECT_THAT(states(service), ElementsAre("resolved"));
  EXPECT_THAT(heard, ElementsAre("firing", "resolved"));
  ASSERT_TRUE(service.drain(kLong));
  ASSERT_EQ(sink.requests().size(), 2u);
  EXPECT_EQ(json::parse(sink.requests()[0].body)["reason"], "fired");
  EXPECT_EQ(json::parse(sink.requests()[1].body)["alert"]["state"], "resolved");
  const auto page = service.history({});
  ASSERT_TRUE(page);
  ASSERT_EQ(page->items.size(), 2u);
  EXPECT_EQ(json::parse(page->items[0].alert)["state"], "resolved");
  const json all = to_json(*service.state());
  EXPECT_EQ(all["deliveries"].size(), 2u);
  EXPECT_EQ(all["deliveries"][0]["last"].size(), 2u);
  EXPECT_EQ(all["rules"][1]["text"], "slow: p99 > 200us for 0s");
  EXPECT_EQ(all["history_note"], nullptr);
}

TEST_F(Service, NeverWaitsForAReceiver) {
  const HttpSink sink({"hang"});
  AlertService service(settings_of(toml("webhook_url = '" + sink.url() + "'\n")));
  const std::uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
  for (int i = 1; i <= 400; ++i) service.look(at(i, i % 2 == 0 ? 300 : 100));
  EXPECT_LT(clock_ns(CLOCK_MONOTONIC) - begin_ns, 8'000'000'000u);  // the receiver takes 10 s
  EXPECT_GT(service.state()->deliveries[0].dropped, 0u);
}

TEST_F(Service, ASilencedAlertIsNotDeliveredUntilTheSilenceEnds) {
  const HttpSink sink;
  AlertService service(settings_of(toml("webhook_url = '" + sink.url() + "'\n")));
  const auto silence =
      service.silence({*parse_matcher("rule=slow")}, real_now() + 3600 * kSecond, "known", "me");
  ASSERT_TRUE(silence);
  service.look(at(1, 300));
  EXPECT_THAT(states(service), ElementsAre("firing quiet"));
  EXPECT_TRUE(service.drain(kLong));
  EXPECT_TRUE(sink.requests().empty());
  EXPECT_EQ(service.unsilence("nobody").error().code, ErrorCode::not_found);
  ASSERT_TRUE(service.unsilence(silence->id));
  EXPECT_THAT(states(service), ElementsAre("firing"));
  EXPECT_TRUE(service.drain(kLong));
  EXPECT_EQ(sink.requests().size(), 1u);
}

TEST_F(Service, ASilenceIsRefusedThatHoldsForAllOrIsOver) {
  AlertService service(settings_of(toml()));
  EXPECT_FALSE(service.silence({}, real_now() + kSecond, "", ""));
  EXPECT_FALSE(service.silence({*parse_matcher("rank=1")}, real_now() - kSecond, "", ""));
  EXPECT_FALSE(service.silence({*parse_matcher("rank=1")}, real_now() + kSecond,
                               std::string(2000, 'x'), ""));
}

TEST_F(Service, ASilenceIsRefusedThatCouldNotBeReadAgain) {
  AlertService service(settings_of(toml()));
  const auto problem = [&](std::vector<Matcher> matchers) {
    const auto silence = service.silence(std::move(matchers), real_now() + 3600 * kSecond, "", "");
    return silence ? "none" : silence.error().message;
  };
  EXPECT_THAT(problem({{"nonsense", MatchOp::equal, "1"}}), HasSubstr("is no matcher"));
  EXPECT_THAT(problem({{"rank!", MatchOp::equal, "1"}}), HasSubstr("'rank!' is no label"));
  EXPECT_THAT(problem({{"rule", MatchOp::like, std::string(201, 'x')}}), HasSubstr("200"));
  EXPECT_THAT(problem(std::vector<Matcher>(21, {"rank", MatchOp::equal, "1"})),
              HasSubstr("at most 20"));
  EXPECT_EQ(problem(std::vector<Matcher>(20, {"rank", MatchOp::equal, "1"})), "none");
}

TEST_F(Service, ASilenceThatWasEndedAtOnceIsNotThereAfterARestart) {
  {
    AlertService service(settings_of(toml()));
    std::atomic<bool> stop{false};
    std::thread ends([&] {
      for (bool last = false; !last;) {
        last = stop;  // once more after the last was made
        const auto state = service.state();
        for (const Silence& silence : state->silences) EXPECT_TRUE(service.unsilence(silence.id));
      }
    });
    for (int i = 0; i < 200; ++i)
      EXPECT_TRUE(service.silence({*parse_matcher("rank=1")}, real_now() + 3600 * kSecond, "", ""));
    stop = true;
    ends.join();
  }
  EXPECT_THAT(AlertService(settings_of(toml())).state()->silences, IsEmpty());
}

// Another program that writes, such as sqlite3.
void run_sql(const std::string& path, const char* sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(db, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  sqlite3_close(db);
}

TEST_F(Service, WaitsForItsHistoryBeforeItEnds) {
  const std::string path = folder_.file("alerts.sqlite");
  std::thread other;
  {
    AlertService service(settings_of(toml()));
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(db, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
    service.look(at(1, 300));
    other = std::thread([db] {
      std::this_thread::sleep_for(std::chrono::milliseconds(1200));
      sqlite3_close(db);
    });
  }
  other.join();
  const auto page = read_history(path, {});
  ASSERT_TRUE(page);
  EXPECT_EQ(page->items.size(), 1u);
}

TEST_F(Service, SilencesOutlastARestart) {
  {
    AlertService service(settings_of(toml()));
    ASSERT_TRUE(service.silence({*parse_matcher("rule~sl*"), *parse_matcher("rank!=7")},
                                real_now() + 3600 * kSecond, "known \"it\"", "me"));
    const auto gone =
        service.silence({*parse_matcher("rank=1")}, real_now() + 3600 * kSecond, "", "");
    ASSERT_TRUE(service.unsilence(gone->id));
  }
  AlertService service(settings_of(toml()));
  const auto silences = service.state()->silences;
  ASSERT_EQ(silences.size(), 1u);
  EXPECT_EQ(matcher_text(silences[0].matchers[0]), "rule~sl*");
  EXPECT_EQ(to_json(silences[0])["matchers"][1]["op"], "!=");
  EXPECT_EQ(silences[0].comment, "known \"it\"");
  service.look(at(1, 300));
  EXPECT_THAT(states(service), ElementsAre("firing quiet"));
}

TEST_F(Service, RulesChangeAtRunTimeAllOrNothing) {
  AlertService service(settings_of(toml()));
  service.look(at(1, 300));
  EXPECT_FALSE(service.set_rules(configured("alert.rules = ['nonsense']")));
  EXPECT_THAT(states(service), ElementsAre("firing"));
  ASSERT_TRUE(service.set_rules(configured("alert.rules = ['other: p99 > 1s']")));
  EXPECT_THAT(states(service), ElementsAre("resolved"));
  EXPECT_EQ(service.state()->rules.back().rule.name, "other");
}

TEST_F(Service, AViewOnceTakenNeverChanges) {
  AlertService service(settings_of(toml()));
  service.look(at(1, 300));
  const auto before = service.state();
  service.look(at(2, 100));
  EXPECT_EQ(before->alerts.front().state, AlertState::firing);
}

TEST_F(Service, ThreadsMayAskWhileItLooks) {
  AlertService service(settings_of(toml("log = '" + folder_.file("log") + "'\n")));
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      while (!stop) {
        (void)to_json(*service.state());
        if (i != 0) continue;
        const auto silence =
            service.silence({*parse_matcher("rule=slow")}, real_now() + 100 * kSecond, "", "");
        if (silence) (void)service.unsilence(silence->id);
        (void)service.history({});
      }
    });
  }
  for (int i = 1; i <= 200; ++i) service.look(at(i, i % 3 == 0 ? 300 : 100));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(service.drain(kLong));
}

class History : public Service {
 protected:
  HistorySettings settings() const {
    return {.path = folder_.file("alerts.sqlite"), .age_ns = 100 * kSecond, .rows = 10};
  }
  static std::vector<std::int64_t> numbers(const Result<HistoryPage>& page) {
    std::vector<std::int64_t> out;
    EXPECT_TRUE(page) << (page ? "" : page.error().message);
    if (page)
      for (const HistoryItem& item : page->items) out.push_back(item.number);
    return out;
  }
};

TEST_F(History, IsReadInPagesTheNewestFirst) {
  const auto history = AlertHistory::open(settings());
  ASSERT_TRUE(history);
  for (int i = 1; i <= 5; ++i)
    ASSERT_TRUE((*history)->add(notice_of(i % 2 == 0 ? "even" : "odd").alert, 1000 * kSecond + i));
  auto page = read_history(settings().path, {.limit = 2});
  EXPECT_THAT(numbers(page), ElementsAre(5, 4));
  page = read_history(settings().path, {.cursor = page->next, .limit = 2});
  EXPECT_THAT(numbers(page), ElementsAre(3, 2));
  page = read_history(settings().path, {.cursor = page->next, .limit = 2});
  EXPECT_THAT(numbers(page), ElementsAre(1));
  EXPECT_EQ(page->next, "");
  EXPECT_THAT(numbers(read_history(settings().path, {.rule = "even"})), ElementsAre(4, 2));
  EXPECT_THAT(numbers(read_history(settings().path, {.state = "resolved"})), IsEmpty());
  EXPECT_THAT(numbers(read_history(settings().path, {.from_real_ns = 1000 * kSecond + 5})),
              ElementsAre(5));
  for (const char* bad : {"x", "-1", "0", "5 ", "99999999999999999999"})
    EXPECT_EQ(read_history(settings().path, {.cursor = bad}).error().code,
              ErrorCode::invalid_argument)
        << bad;
  EXPECT_THAT(numbers(read_history(folder_.file("none"), {})), IsEmpty());
}

TEST_F(History, IsBoundedByRowsAndAge) {
  const auto history = AlertHistory::open(settings());
  for (int i = 0; i < 129; ++i) ASSERT_TRUE((*history)->add(notice_of().alert, 1000 * kSecond + i));
  EXPECT_EQ(numbers(read_history(settings().path, {})).size(), 10u);
  for (int i = 0; i < 64; ++i) ASSERT_TRUE((*history)->add(notice_of().alert, 2000 * kSecond));
  EXPECT_THAT(numbers(read_history(settings().path, {.limit = 1000})),
              testing::Each(testing::Ge(130)));
}

TEST_F(History, ADamagedFileIsKeptBesideAndANewOneBegun) {
  std::ofstream(settings().path)
      << "this is no database, but long enough to look at it as if it were one "
      << std::string(5000, 'x');
  const auto history = AlertHistory::open(settings());
  ASSERT_TRUE(history) << history.error().message;
  EXPECT_THAT((*history)->note(),
              HasSubstr("was damaged; it is now " + settings().path + ".damaged-"));
  ASSERT_TRUE((*history)->add(notice_of().alert, 1));
  EXPECT_EQ(numbers(read_history(settings().path, {})).size(), 1u);
}

TEST_F(History, DamageInsideIsFoundToo) {
  {
    const auto history = AlertHistory::open(settings());
    for (int i = 0; i < 60; ++i) ASSERT_TRUE((*history)->add(notice_of().alert, 1000 * kSecond));
  }
  const auto size = std::filesystem::file_size(settings().path);
  ASSERT_GT(size, 3 * 4096u);
  std::fstream file(settings().path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096);
  file << std::string(size - 4096, '\x5a');
  file.close();
  const auto history = AlertHistory::open(settings());
  ASSERT_TRUE(history) << history.error().message;
  EXPECT_NE((*history)->note(), "");
  ASSERT_TRUE((*history)->add(notice_of().alert, 1));
}

TEST_F(History, WhatCannotBeRemovedIsANoteAndNoReasonToAddTwice) {
  {
    const auto history = AlertHistory::open(settings());
    ASSERT_TRUE((*history)->add(notice_of().alert, 1000 * kSecond));
  }
  run_sql(settings().path,
          "CREATE TRIGGER stays BEFORE DELETE ON changes BEGIN SELECT RAISE(ABORT, 'stays'); END");
  const auto history = AlertHistory::open(settings());
  EXPECT_TRUE((*history)->add(notice_of().alert, 2000 * kSecond));
  EXPECT_THAT((*history)->note(), HasSubstr("cannot be written: stays"));
  EXPECT_EQ(numbers(read_history(settings().path, {})).size(), 2u);
}

TEST_F(History, IsOpenedAgainWhereThatOnceFailed) {
  const std::string path = settings().path, aside = folder_.file("aside");
  const auto history = AlertHistory::open(settings());
  for (int i = 0; i < 60; ++i) ASSERT_TRUE((*history)->add(notice_of().alert, 1000 * kSecond));
  run_sql(path, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA user_version = 1");
  const auto size = std::filesystem::file_size(path);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096);
  file << std::string(size - 4096, '\x5a');
  file.close();
  std::filesystem::rename(path, aside);
  std::filesystem::create_directory(path);
  EXPECT_FALSE((*history)->add(notice_of().alert, 1000 * kSecond));
  std::filesystem::remove(path);
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(path + suffix);
  EXPECT_TRUE((*history)->add(notice_of().alert, 1000 * kSecond));
  EXPECT_EQ(numbers(read_history(path, {})).size(), 1u);
}

TEST_F(History, WithoutAPlaceAlertsAreJudgedAllTheSame) {
  AlertService service(settings_of(
      "[alert]\nhistory = '/proc/nowhere/x'\nkeep = 0\nrules = ['slow: p99 > 200us for 0s']\n"));
  service.look(at(1, 300));
  EXPECT_THAT(states(service), ElementsAre("firing"));
  EXPECT_THAT(service.state()->history_note, HasSubstr("/proc/nowhere/x cannot be opened"));
  AlertService without(settings_of("alert.history = 'none'"));
  EXPECT_EQ(without.history({}).error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace peerscope
