// What receivers get, and what becomes of it when they do not take it: real sockets, real programs.
#include "session/alerts/receivers.hpp"

#include <csignal>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <sys/stat.h>

#include "record/ticks.hpp"
#include "session/alerts/json.hpp"
#include "session/alerts/made_up_for_test.hpp"
#include "session/alerts/server_for_test.hpp"

namespace peerscope {
namespace {

using nlohmann::json;
constexpr std::int64_t kMs = 1'000'000;
const std::atomic<bool> kGoOn{false};

class Receivers : public testing::Test {
 protected:
  Receivers() {
    unsetenv("http_proxy");
    settings_.timeout_ns = 5000 * kMs;
    settings_.retry_for_ns = 10'000 * kMs;
    settings_.first_retry_ns = 10 * kMs;
  }
  static std::string text_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  // The one lane there is gets a notice; its view when that is over.
  DeliveryView delivered() {
    const auto lanes = make_lanes(settings_);
    EXPECT_EQ(lanes.size(), 1u);
    lanes.front()->put(notice_of());
    EXPECT_TRUE(lanes.front()->drain(20'000 * kMs));
    return lanes.front()->view();
  }
  ReceiverSettings settings_;
  TestFolder folder_;
};

// HMAC (RFC 2104) once more, from SHA-256 alone.
std::string hmac(const std::string& key, const std::string& text) {
  const auto sha = [](const std::string& bytes) {
    std::string out(SHA256_DIGEST_LENGTH, '\0');
    SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
           reinterpret_cast<unsigned char*>(out.data()));
    return out;
  };
  std::string block = key.size() > 64 ? sha(key) : key;
  block.resize(64, '\0');
  std::string inner = block, outer = block;
  for (char& c : inner) c = static_cast<char>(c ^ 0x36);
  for (char& c : outer) c = static_cast<char>(c ^ 0x5c);
  std::string hex;
  for (const char c : sha(outer + sha(inner + text))) {
    constexpr char kDigits[] = "0123456789abcdef";
    hex += kDigits[(c >> 4) & 15];
    hex += kDigits[c & 15];
  }
  return hex;
}

TEST_F(Receivers, AWebhookGetsTheAlertSigned) {
  const HttpSink sink;
  settings_.webhook_url = sink.url() + "/hook?x=1";
  settings_.webhook_secret = "hush";
  const DeliveryView view = delivered();
  EXPECT_EQ(view.delivered, 1u);
  ASSERT_EQ(sink.requests().size(), 1u);
  const auto request = sink.requests().front();
  EXPECT_TRUE(request.head.starts_with("POST /hook?x=1 HTTP/1.1\r\n"));
  EXPECT_EQ(request.header("Content-Type"), "application/json");
  const std::string signature = request.header("X-Peerscope-Signature");
  const std::string stamp = signature.substr(2, signature.find(',') - 2);
  EXPECT_NEAR(std::stod(stamp), static_cast<double>(clock_ns(CLOCK_REALTIME)) / 1e9, 60);
  EXPECT_EQ(signature, "t=" + stamp + ",v1=" + hmac("hush", stamp + "." + request.body));
  const json body = json::parse(request.body);
  EXPECT_EQ(body["reason"], "fired");
  EXPECT_EQ(body["alert"]["rule"], "slow all_reduce");
  EXPECT_EQ(body["alert"]["since"], "2026-01-02T03:04:06.000Z");
  EXPECT_EQ(body["alert"]["resolved_at"], nullptr);
  EXPECT_EQ(body["alert"]["subject"]["rank"], 3);
  EXPECT_EQ(body["alert"]["value"], 231e3);
}

TEST_F(Receivers, WithoutASecretNothingIsSigned) {
  const HttpSink sink;
  settings_.webhook_url = sink.url();
  delivered();
  EXPECT_EQ(sink.requests().front().header("X-Peerscope-Signature"), "");
}

TEST_F(Receivers, WhatFailsForATimeIsTriedAgain) {
  const HttpSink sink({"503 Busy\r\n", "500 Broken\r\n"});
  settings_.webhook_url = sink.url();
  const DeliveryView view = delivered();
  EXPECT_EQ(sink.requests().size(), 3u);
  EXPECT_EQ(view.delivered, 1u);
  EXPECT_EQ(view.retried, 2u);
  EXPECT_EQ(view.last.back().attempts, 3);
  EXPECT_TRUE(view.last.back().ok);
}

TEST_F(Receivers, RetryAfterIsHonoured) {
  const HttpSink sink({"429 Too Many Requests\r\nRetry-After: 1\r\n"});
  settings_.webhook_url = sink.url();
  const std::uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
  EXPECT_EQ(delivered().delivered, 1u);
  EXPECT_GE(clock_ns(CLOCK_MONOTONIC) - begin_ns, 1'000'000'000u);
  EXPECT_EQ(sink.requests().size(), 2u);
}

TEST_F(Receivers, WhatIsRefusedForGoodIsGivenUpAtOnce) {
  const HttpSink sink({"403 Forbidden\r\n"});
  settings_.webhook_url = sink.url();
  const DeliveryView view = delivered();
  EXPECT_EQ(sink.requests().size(), 1u);
  EXPECT_EQ(view.failed, 1u);
  EXPECT_EQ(view.last.back().detail, "status 403");
}

TEST_F(Receivers, ARedirectIsNotFollowed) {
  const HttpSink other;
  const HttpSink sink({"302 Found\r\nLocation: " + other.url() + "/\r\n"});
  settings_.webhook_url = sink.url();
  EXPECT_EQ(delivered().failed, 1u);
  EXPECT_TRUE(other.requests().empty());
}

TEST_F(Receivers, OneThatHangsIsLeftAfterItsTimeAndTriedAgain) {
  const HttpSink sink({"hang"});
  settings_.webhook_url = sink.url();
  settings_.timeout_ns = 200 * kMs;
  const DeliveryView view = delivered();
  EXPECT_EQ(view.delivered, 1u);
  EXPECT_EQ(view.last.back().attempts, 2);
}

TEST_F(Receivers, OneThatIsNotThereIsGivenUpInTime) {
  settings_.webhook_url = "http://127.0.0.1:1/";
  settings_.retry_for_ns = 100 * kMs;
  const DeliveryView view = delivered();
  EXPECT_EQ(view.failed, 1u);
  EXPECT_GE(view.last.back().attempts, 2);
  EXPECT_THAT(view.last.back().detail, testing::HasSubstr("127.0.0.1"));
}

TEST_F(Receivers, ALaneEndsAtOnceWhateverItsReceiverDoes) {
  const HttpSink sink({"hang", "hang"});
  settings_.webhook_url = sink.url();
  settings_.timeout_ns = 600'000 * kMs;
  const std::uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
  {
    const auto lanes = make_lanes(settings_);
    lanes.front()->put(notice_of());
    ASSERT_TRUE(eventually([&] { return !sink.requests().empty(); }));
  }
  EXPECT_LT(clock_ns(CLOCK_MONOTONIC) - begin_ns, 10'000'000'000u);
}

TEST_F(Receivers, AQueueIsBoundedAndTheOldestGivesWay) {
  std::atomic<bool> open{false};
  std::vector<std::string> seen;
  LaneOptions options;
  options.queue = 3;
  Lane lane(options, [&](const Notice& notice, const std::atomic<bool>& stopping) -> Outcome {
    while (!open && !stopping) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    seen.push_back(notice.alert.rule);
    return {};
  });
  lane.put(notice_of("0"));
  ASSERT_TRUE(eventually([&] { return lane.view().waiting == 1; }));
  // The first may still lie in the queue: then it is the one that gives way.
  for (int i = 1; i <= 6; ++i) lane.put(notice_of(std::to_string(i)));
  EXPECT_GE(lane.view().dropped, 3u);
  open = true;
  ASSERT_TRUE(lane.drain(20'000 * kMs));
  const std::vector<std::string> last(seen.end() - 3, seen.end());
  EXPECT_THAT(last, testing::ElementsAre("4", "5", "6"));
  lane.put({notice_of().alert, NoticeReason::refresh});  // wants none
  EXPECT_EQ(lane.view().waiting, 0u);
}

TEST_F(Receivers, ACommandReadsTheAlertAndHasItInItsEnvironment) {
  const std::string out = folder_.file("out");
  settings_.command = {
      "sh", "-c",
      "cat >\"$1\"; echo "
      "\"$PEERSCOPE_ALERT_RULE|$PEERSCOPE_ALERT_STATE|$PEERSCOPE_ALERT_SENTENCE\" >>\"$1\"",
      "sh", out};
  EXPECT_EQ(delivered().delivered, 1u);
  const std::string text = text_of(out);
  const std::size_t end = text.find('\n');
  EXPECT_EQ(json::parse(text.substr(0, end))["alert"]["id"], "0123456789abcdef");
  EXPECT_EQ(text.substr(end + 1), "slow all_reduce|firing|Rank 3 arrives 214 µs late.\n");
}

TEST_F(Receivers, ACommandThatFailsSaysHow) {
  settings_.command = {"sh", "-c", "echo no such room >&2; exit 3"};
  const DeliveryView view = delivered();
  EXPECT_EQ(view.last.back().detail, "exit status 3: no such room");
  EXPECT_EQ(view.last.back().attempts, 1);
  settings_.command = {"/nowhere/program"};
  EXPECT_THAT(delivered().last.back().detail,
              testing::HasSubstr("'/nowhere/program' cannot be started"));
}

TEST_F(Receivers, ACommandMayAskForAnotherTime) {
  settings_.command = {"sh", "-c", "[ -e \"$1\" ] && exit 0; touch \"$1\"; exit 75", "sh",
                       folder_.file("was-there")};
  const DeliveryView view = delivered();
  EXPECT_EQ(view.delivered, 1u);
  EXPECT_EQ(view.last.back().attempts, 2);
}

TEST_F(Receivers, ACommandThatHangsIsKilledWithWhatItStarted) {
  const std::string pid_file = folder_.file("pid");
  settings_.timeout_ns = 300 * kMs;
  settings_.command = {"sh", "-c", "sleep 1000 & echo $! >\"$1\"; wait", "sh", pid_file};
  EXPECT_EQ(delivered().last.back().detail, "it took too long and was killed");
  const int pid = std::stoi(text_of(pid_file));
  // Nobody waits for an orphan here: it may stay as a zombie.
  EXPECT_TRUE(eventually([&] {
    const std::string stat = text_of("/proc/" + std::to_string(pid) + "/stat");
    return stat.empty() || stat.find(") Z ") != std::string::npos;
  }));
}

TEST_F(Receivers, ACommandMaySayAnyAmountAndOnlyTheBeginningIsKept) {
  settings_.command = {"sh", "-c", "head -c 3000000 /dev/zero >&2"};
  EXPECT_EQ(delivered().delivered, 1u);
  settings_.command = {"sh", "-c", "yes | head -c 3000000 >&2; exit 3"};
  EXPECT_EQ(delivered().last.back().detail, "exit status 3: y");
  settings_.command = {"sh", "-c", "exec 2>&-; sleep 0.1; exit 4"};
  EXPECT_EQ(delivered().last.back().detail, "exit status 4");
  settings_.timeout_ns = 300 * kMs;
  settings_.command = {"sh", "-c", "yes >&2"};
  EXPECT_EQ(delivered().last.back().detail, "it took too long and was killed");
}

TEST_F(Receivers, ACommandOfWhichNobodyKnowsHowItEndedIsNoSuccess) {
  std::signal(SIGCHLD, SIG_IGN);  // then the system waits for it
  const Outcome outcome = command_receiver({"true"}, 5000 * kMs)(notice_of(), kGoOn);
  std::signal(SIGCHLD, SIG_DFL);
  EXPECT_EQ(outcome.sent, Sent::later);
}

TEST_F(Receivers, ALogThatNobodyReadsHoldsNobodyUp) {
  const std::string path = folder_.file("fifo");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(log_receiver(path)(notice_of(), kGoOn).sent, Sent::later);
}

TEST_F(Receivers, TheLogHasOneLineForEach) {
  const std::string path = folder_.file("alerts.log");
  settings_.log = path;
  delivered();
  Notice hostile = notice_of("a\nb");
  hostile.alert.sentence = "x\x1b[2J\r\n2026 firing";
  hostile.reason = NoticeReason::repeated;
  EXPECT_EQ(log_receiver(path)(hostile, kGoOn).sent, Sent::ok);
  EXPECT_EQ(text_of(path),
            "2026-01-02T03:04:07.000Z firing critical slow all_reduce: Rank 3 arrives 214 µs late. "
            "-> peerscope debug trace --rank 3\n"
            "2026-01-02T03:04:07.000Z firing critical a b: x [2J  2026 firing (repeated) -> "
            "peerscope debug trace --rank 3\n");
  EXPECT_EQ(log_receiver("/nowhere/log")(hostile, kGoOn).sent, Sent::later);
}

std::string decoded(std::string text) {
  std::erase_if(text, [](char c) { return c == '\r' || c == '\n'; });
  std::string out(text.size(), '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  out.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  return out;
}

TEST_F(Receivers, AMailSaysWhatToDo) {
  const MailSink sink;
  settings_.smtp_url = sink.url();
  settings_.smtp_from = "peerscope <alerts@example.org>";
  settings_.smtp_to = {"a@example.org", "B <b@example.org>"};
  EXPECT_EQ(delivered().delivered, 1u);
  EXPECT_THAT(sink.envelope(), testing::HasSubstr("MAIL FROM:<alerts@example.org>"));
  EXPECT_THAT(sink.envelope(), testing::HasSubstr("RCPT TO:<b@example.org>"));
  const std::string mail = sink.mail();
  EXPECT_THAT(mail, testing::HasSubstr("\r\nTo: a@example.org, B <b@example.org>\r\n"));
  EXPECT_THAT(mail,
              testing::ContainsRegex("\r\nDate: [A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} "));
  const std::size_t body = mail.find("\r\n\r\n") + 4;
  const std::string text = decoded(mail.substr(body, mail.size() - body - 5));
  EXPECT_THAT(text,
              testing::StartsWith(
                  "Rank 3 arrives 214 µs late.\n\nWhat to do: peerscope debug trace --rank 3\n"));
  EXPECT_THAT(text, testing::HasSubstr("fired: 2026-01-02T03:04:07.000Z\n"));
}

TEST_F(Receivers, NoNameCanAddAHeaderToAMail) {
  Notice notice = notice_of();
  notice.alert.sentence = "x\r\nBcc: everybody@example.org\r\n\r\n" + std::string(200, 'y') + "µ";
  const std::string mail = mail_text(notice, settings_, 0);
  EXPECT_THAT(mail, testing::Not(testing::HasSubstr("Bcc")));
  for (std::size_t at = 0, end; (end = mail.find("\r\n", at)) != std::string::npos; at = end + 2)
    EXPECT_LE(end - at, 78u) << mail.substr(at, end - at);
}

TEST_F(Receivers, AMailboxThatIsNotThereIsRefusedAndOneThatIsFullComesLater) {
  settings_.smtp_from = settings_.smtp_to.emplace_back("a@example.org");
  const MailSink none("550 no such mailbox");
  settings_.smtp_url = none.url();
  EXPECT_EQ(mail_receiver(settings_)(notice_of(), kGoOn).sent, Sent::refused);
  const MailSink full("452 full");
  settings_.smtp_url = full.url();
  EXPECT_EQ(mail_receiver(settings_)(notice_of(), kGoOn).sent, Sent::later);
}

TEST_F(Receivers, APasswordIsNeverSentInTheClear) {
  const MailSink sink;  // offers no TLS
  settings_.smtp_url = sink.url();
  settings_.smtp_from = settings_.smtp_to.emplace_back("a@example.org");
  settings_.smtp_user = "me";
  settings_.smtp_password = "hush";
  EXPECT_NE(mail_receiver(settings_)(notice_of(), kGoOn).sent, Sent::ok);
  EXPECT_EQ(sink.envelope(), "");
}

TEST_F(Receivers, TargetsAreShownWithoutTheirSecrets) {
  settings_.webhook_url = "http://me:hush@127.0.0.1:1/x";
  settings_.retry_for_ns = 0;
  EXPECT_EQ(delivered().target, "http://(set)@127.0.0.1:1");
  settings_.webhook_url = "http://127.0.0.1:1/services/T0/B0/X?token=hush";
  const DeliveryView view = delivered();
  EXPECT_EQ(view.target, "http://127.0.0.1:1");
  EXPECT_THAT(view.last.back().detail,
              testing::Not(testing::AnyOf(testing::HasSubstr("B0"), testing::HasSubstr("hush"))));
}

TEST_F(Receivers, NoProxyIsAskedForThisMachine) {
  const HttpSink sink;
  settings_.webhook_url = sink.url();
  settings_.retry_for_ns = 0;
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  EXPECT_EQ(delivered().delivered, 1u);
  unsetenv("http_proxy");
}

TEST(AlertJson, HoldsWhateverBytesNamesHave) {
  Notice notice = notice_of("bad \xff\xfe name");
  EXPECT_TRUE(json::accept(notice_body(notice)));
  EXPECT_TRUE(json::accept(alertmanager_body(notice, 0)));
}

}  // namespace
}  // namespace peerscope
