// A real Alertmanager (Debian's prometheus-alertmanager) hears of an alert, and that it is over.
#include <csignal>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <spawn.h>
#include <sys/wait.h>

#include "record/ticks.hpp"
#include "session/alerts/made_up_for_test.hpp"
#include "session/alerts/receivers.hpp"
#include "session/alerts/server_for_test.hpp"

extern "C" char** environ;

namespace peerscope {
namespace {

using nlohmann::json;

class Alertmanager : public testing::Test {
 protected:
  static constexpr const char* kProgram = "/usr/bin/prometheus-alertmanager";

  void SetUp() override {
    unsetenv("http_proxy");
    if (access(kProgram, X_OK) != 0) GTEST_SKIP() << kProgram << " is not installed";
    {
      port_ = Server([](Connection&) {}).port();
    }  // free a moment ago
    const std::string config = folder_.file("config.yml");
    std::ofstream(config) << "route: {receiver: none}\nreceivers: [{name: none}]\n";
    std::string words[] = {kProgram,
                           "--config.file=" + config,
                           "--storage.path=" + folder_.file("data"),
                           "--web.listen-address=127.0.0.1:" + std::to_string(port_),
                           "--cluster.listen-address=",
                           "--log.level=error"};
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    ASSERT_EQ(posix_spawn(&pid_, kProgram, nullptr, nullptr, argv.data(), environ), 0);
    ASSERT_TRUE(
        eventually([&] { return http_get(port_, "/-/ready").starts_with("HTTP/1.0 200"); }));
  }
  void TearDown() override {
    if (pid_ == 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  json alerts() const {
    const std::string answer = http_get(port_, "/api/v2/alerts");
    const std::size_t body = answer.find("\r\n\r\n");
    return body == std::string::npos ? json()
                                     : json::parse(answer.substr(body + 4), nullptr, false);
  }

  TestFolder folder_;
  int port_ = 0;
  pid_t pid_ = 0;
};

TEST_F(Alertmanager, HearsOfAnAlertAndThatItIsOver) {
  ReceiverSettings settings;
  settings.alertmanager_url = "http://127.0.0.1:" + std::to_string(port_) + "/";
  const auto lanes = make_lanes(settings);
  Notice notice = notice_of();
  notice.alert.real_offset_ns =
      static_cast<std::int64_t>(clock_ns(CLOCK_REALTIME)) - 10'000'000'000;
  lanes[0]->put(notice);
  ASSERT_TRUE(lanes[0]->drain(20'000'000'000));
  ASSERT_EQ(lanes[0]->view().failed, 0u) << lanes[0]->view().last.back().detail;
  ASSERT_TRUE(eventually([&] { return alerts().size() == 1; }));
  const json alert = alerts()[0];
  EXPECT_EQ(alert["labels"]["alertname"], "slow all_reduce");
  EXPECT_EQ(alert["labels"]["rank"], "3");
  EXPECT_EQ(alert["annotations"]["summary"], notice.alert.sentence);
  EXPECT_EQ(alert["status"]["state"], "active");
  notice.reason = NoticeReason::refresh;
  lanes[0]->put(notice);
  ASSERT_TRUE(lanes[0]->drain(20'000'000'000));
  EXPECT_EQ(alerts().size(), 1u);  // the same one
  notice.alert.state = AlertState::resolved;
  notice.alert.resolved_ns = 3'000'000'000;
  notice.reason = NoticeReason::resolved;
  lanes[0]->put(notice);
  ASSERT_TRUE(lanes[0]->drain(20'000'000'000));
  EXPECT_TRUE(eventually([&] { return alerts().empty(); }));
  EXPECT_EQ(lanes[0]->view().delivered, 3u);
}

}  // namespace
}  // namespace peerscope
