// Over real sockets: what is refused, and that the server lives on.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "http/server_for_test.hpp"

namespace peerscope::http {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string code_of(const Got& got) {
  const auto json = nlohmann::json::parse(got.body, nullptr, false);
  return json.is_object() ? json["error"]["code"].get<std::string>() : "";
}

class SecurityTest : public ServerTest {
 protected:
  // A wrong one is sent often: the limit has a test of its own.
  void start_with_token() {
    options_.token = kToken;
    start();
  }
};

TEST_F(SecurityTest, WithoutTheTokenNothingIsSaid) {
  start_with_token();
  for (const char* target :
       {"/api/v1/echo", "/api/v1/nothing", "/api", "/metrics", "/api/v1/stream"}) {
    const Got got = ask(port(), target);
    EXPECT_EQ(got.status, 401) << target;
    EXPECT_EQ(code_of(got), "unauthorized");
    EXPECT_THAT(got.field("www-authenticate"), HasSubstr("Bearer"));
  }
  EXPECT_EQ(
      ask(port(), Call{.method = "POST", .target = "/api/v1/echo", .more = "", .body = "x"}).status,
      401);
  EXPECT_EQ(ask(port(), "/api/v1/health").status, 200);
  EXPECT_EQ(ask(port(), "/").status, 200);
  EXPECT_EQ(ask(port(), "/api/v1/echo", kBearer).status, 200);
  EXPECT_EQ(ask(port(), "/api/v1/healthy").status, 401);
  EXPECT_EQ(ask(port(), "/api/v1/%68ealth").status, 200) << "the same path, written otherwise";
  EXPECT_EQ(server_->counters().refused, 7U);
}

TEST_F(SecurityTest, AWrongTokenIsRefusedAndGuessingIsSlow) {
  start_with_token();
  for (const char* token : {"wrong", "the-token-of-these-test", "the-token-of-these-testsx", ""})
    EXPECT_EQ(
        ask(port(), "/api/v1/echo", std::string("Authorization: Bearer ") + token + "\r\n").status,
        401)
        << token;
  EXPECT_EQ(ask(port(), "/api/v1/echo", "Authorization: Basic dGhlOnRva2Vu\r\n").status, 401);
  Got got;
  for (int at = 0; at < 30 && got.status != 429; ++at)
    got = ask(port(), "/api/v1/echo", "Authorization: Bearer no\r\n");
  EXPECT_EQ(got.status, 429);
  EXPECT_NE(got.field("retry-after"), "");
  const Call login{
      .method = "POST", .target = "/api/v1/login", .more = "", .body = R"({"token":"no"})"};
  EXPECT_EQ(ask(port(), login).status, 429);
  EXPECT_TRUE(lives());
}

TEST_F(SecurityTest, ALoginGivesACookieForBrowsers) {
  start_with_token();
  Call login{.method = "POST",
             .target = "/api/v1/login",
             .more = "",
             .body = R"({"token":"the-token-of-these-tests"})"};
  const Got got = ask(port(), login);
  EXPECT_EQ(got.status, 204);
  EXPECT_EQ(got.field("content-length"), "");
  const std::string field = got.field("set-cookie");
  EXPECT_THAT(field, testing::StartsWith("peerscope_token="));
  EXPECT_THAT(field, HasSubstr("Path=/; HttpOnly; SameSite=Strict"));
  EXPECT_THAT(field, Not(HasSubstr(kToken)));
  const std::string cookie = "Cookie: a=b; " + field.substr(0, field.find(';')) + "\r\n";
  EXPECT_EQ(ask(port(), "/api/v1/echo", cookie).status, 200);
  EXPECT_EQ(ask(port(), "/api/v1/echo", "Cookie: peerscope_token=x\r\n").status, 401);
  TestSocket events(port());
  ASSERT_TRUE(events.put("GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n" + cookie + "\r\n"));
  EXPECT_TRUE(events.wait_for("retry:"));
  const Got out =
      ask(port(), Call{.method = "POST", .target = "/api/v1/logout", .more = cookie, .body = ""});
  EXPECT_EQ(out.status, 204);
  EXPECT_THAT(out.field("set-cookie"), HasSubstr("Max-Age=0"));
  for (const char* body : {"", "{", "[]", "{\"token\":1}", "{\"token\":null}", "\xff"}) {
    login.body = body;
    EXPECT_EQ(ask(port(), login).status, 401) << body;
  }
  login.method = "GET";
  EXPECT_EQ(ask(port(), login).status, 405);
}

TEST_F(SecurityTest, PathsThatClimbAreRefused) {
  start();
  for (const char* target :
       {"/../../etc/passwd", "/api/v1/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2fx", "//etc/passwd", "/api//v1", "/a%00.js", "/a\\..\\b",
        "/%c0%ae%c0%ae/x", "/./x", "http://other/x", "*"}) {
    const Got got = ask(port(), target);
    EXPECT_EQ(got.status, 400) << target;
    EXPECT_THAT(got.body, HasSubstr("error"));
  }
  EXPECT_TRUE(lives());
}

TEST_F(SecurityTest, WhatIsTooLargeIsRefusedAndSaysSo) {
  start();
  EXPECT_EQ(ask(port(), Call{.method = "POST",
                             .target = "/api/v1/echo",
                             .more = "",
                             .body = std::string(1 << 20, 'x')})
                .status,
            200);
  EXPECT_EQ(ask(port(), Call{.method = "POST",
                             .target = "/api/v1/echo",
                             .more = "",
                             .body = std::string((1 << 20) + 1, 'x')})
                .status,
            413);
  EXPECT_EQ(ask(port(), Call{.method = "POST",
                             .target = "/api/v1/echo",
                             .more = "Content-Length: 99999999999\r\n",
                             .body = ""})
                .status,
            413);
  EXPECT_EQ(ask(port(), Call{.method = "POST",
                             .target = "/api/v1/echo",
                             .more = "Content-Length: 99999999999999999999999\r\n",
                             .body = ""})
                .status,
            400);
  EXPECT_EQ(ask(port(), "/" + std::string(9000, 'a')).status, 414);
  EXPECT_EQ(ask(port(), "/", "X: " + std::string(9000, 'a') + "\r\n").status, 431);
  EXPECT_EQ(ask(port(), "/", std::string(300, 'X') + ": 1\r\n").status, 431);
  std::string many;
  for (int at = 0; at < 200; ++at) many += "X-" + std::to_string(at) + ": 1\r\n";
  EXPECT_EQ(ask(port(), "/", many).status, 431);
  std::string query = "/api/v1/echo?";
  for (int at = 0; at < 200; ++at) query += "a=1&";
  EXPECT_EQ(ask(port(), query).status, 400);
  TestSocket chunks(port());
  std::string body =
      "POST /api/v1/echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int at = 0; at < 17; ++at) body += "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  (void)chunks.put(body);
  EXPECT_EQ(parsed(chunks.rest()).status, 413);
  EXPECT_TRUE(lives());
}

TEST_F(SecurityTest, WhatIsNoHttpIsRefused) {
  start();
  const std::vector<std::string> texts = {
      "\r\n\r\nnonsense\r\n\r\n",
      std::string(1000, '\0'),
      "GET\r\n\r\n",
      "GET / HTTP/9.9\r\n\r\n",
      "get / HTTP/1.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
      std::string("GET / HTTP/1.1\r\nHost: a\r\nA\0b: 1\r\n\r\n", 35),
      "\x16\x03\x01\x02",
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: "
      "chunked\r\n\r\n0\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n"};
  for (const std::string& text : texts) {
    TestSocket socket(port());
    (void)socket.put(text);
    ::shutdown(socket.fd(), SHUT_WR);
    const Got got = parsed(socket.rest());
    EXPECT_TRUE(got.status == 400 || got.status == 431) << got.status << " for " << text;
    EXPECT_FALSE(socket.timed_out()) << text;
  }
  EXPECT_TRUE(lives());
}

TEST_F(SecurityTest, AnotherProtocolIsNotSpoken) {
  start();
  const Got got = ask(port(), "/api/v1/health", "Upgrade: h2c\r\nConnection: Upgrade\r\n");
  EXPECT_EQ(got.status, 200) << "an upgrade may be ignored";
  EXPECT_EQ(got.field("connection"), "close");
  TestSocket socket(port());
  ASSERT_TRUE(socket.put("CONNECT example.org:80 HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  const int status = parsed(socket.rest()).status;
  EXPECT_TRUE(status == 400 || status == 405) << status;
  EXPECT_TRUE(lives());
}

TEST_F(SecurityTest, SlowClientsAreCutOffAndHoldUpNobody) {
  options_.request_time = std::chrono::milliseconds(400);
  start();
  TestSocket silent(port()), slow_head(port()), slow_body(port());
  ASSERT_TRUE(slow_head.put("GET /api/v1/health HTTP/1.1\r\nHo"));
  ASSERT_TRUE(slow_body.put(
      "POST /api/v1/echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx"));
  EXPECT_TRUE(lives());
  for (int at = 0; at < 12; ++at) {  // a byte now and then does not help
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    (void)slow_head.put("x");
    (void)slow_body.put("x");
  }
  for (TestSocket* socket : {&silent, &slow_head, &slow_body}) {
    (void)socket->rest();
    EXPECT_FALSE(socket->timed_out());
  }
  EXPECT_TRUE(lives());
  EXPECT_TRUE(eventually([this] { return server_->counters().connections == 0; }));
}

TEST_F(SecurityTest, NoValueOfAHeaderBecomesAHeader) {
  start();
  for (const char* value :
       {"x%0d%0aX-Evil:%201", "x%0aX-Evil:%201", "x%0d%0a%0d%0a<script>", "x%0dy"}) {
    const Got got = ask(port(), std::string("/api/v1/inject?value=") + value);
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.field("x-evil"), "");
    EXPECT_EQ(got.field("x-bad"), "") << "left out";
    EXPECT_EQ(got.field("x-good"), "yes");
    EXPECT_EQ(got.field("content-length"), "0") << "the server's to say";
  }
  EXPECT_EQ(ask(port(), "/api/v1/inject?value=fine").field("x-bad"), "fine");
}

TEST_F(SecurityTest, PagesOfElsewhereChangeNothing) {
  start();
  const auto post = [this](const std::string& more) {
    return ask(port(),
               Call{.method = "POST", .target = "/api/v1/echo", .more = more, .body = "{}"});
  };
  EXPECT_EQ(post("").status, 200) << "a program that is no browser";
  EXPECT_EQ(post("Origin: http://localhost\r\n").status, 200);
  EXPECT_EQ(post("Sec-Fetch-Site: same-origin\r\nOrigin: http://localhost\r\n").status, 200);
  for (const char* more :
       {"Origin: http://evil.example\r\n", "Origin: null\r\n", "Origin: http://localhost:9999\r\n",
        "Origin: http://localhost.evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n"}) {
    EXPECT_EQ(post(more).status, 403) << more;
    EXPECT_EQ(code_of(post(more)), "foreign_origin");
    EXPECT_EQ(
        ask(port(), Call{.method = "DELETE", .target = "/api/v1/echo", .more = more, .body = ""})
            .status,
        403);
    EXPECT_EQ(
        ask(port(), Call{.method = "PATCH", .target = "/api/v1/echo", .more = more, .body = "{}"})
            .status,
        403);
  }
  const Got read = ask(port(), "/api/v1/echo", "Origin: http://evil.example\r\n");
  EXPECT_EQ(read.field("access-control-allow-origin"), "") << "the browser keeps it from the page";
  EXPECT_EQ(
      ask(port(),
          Call{.method = "OPTIONS",
               .target = "/api/v1/echo",
               .more = "Origin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\n",
               .body = ""})
          .status,
      405);
}

TEST_F(SecurityTest, NamesThatLeadHereByATrickAreNotServed) {
  options_.allowed_hosts = {"Monitor.example"};
  start();
  for (const char* host :
       {"localhost", "127.0.0.1:1234", "[::1]:80", "monitor.example:8080", "LOCALHOST"})
    EXPECT_EQ(ask(port(), "/api/v1/health", std::string("Host: ") + host + "\r\n").status, 200)
        << host;
  for (const char* host : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
                           "10.0.0.1", "", "a b", "[::1"}) {
    const Got got = ask(port(), "/api/v1/health", std::string("Host: ") + host + "\r\n");
    EXPECT_EQ(got.status, 403) << host;
  }
  EXPECT_EQ(ask(port(), "/api/v1/health", "Host: localhost\r\nHost: evil.example\r\n").status, 400);
}

TEST_F(SecurityTest, TenThousandConnectionsAreHarmless) {
  options_.request_time = std::chrono::seconds(3);
  start();
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  ASSERT_EQ(limit.rlim_cur, limit.rlim_max) << "raised by the server";
  // All at once where the system lets this process have so many files; else the oldest go.
  const std::size_t at_once = std::min<std::size_t>(10'000, limit.rlim_cur / 2);
  std::vector<std::unique_ptr<TestSocket>> crowd(at_once);
  std::size_t connected = 0;
  for (std::size_t at = 0; at < 10'000; ++at) {
    auto& place = crowd[at % at_once];
    place.reset();
    place = std::make_unique<TestSocket>(port());
    if (place->connected()) ++connected;
  }
  EXPECT_GT(connected, 9'000U);
  EXPECT_TRUE(eventually([this] { return server_->counters().connections_refused > 0; }));
  EXPECT_LE(server_->counters().connections, options_.max_connections);
  crowd.clear();
  EXPECT_TRUE(eventually([this] { return lives(); }));
  EXPECT_TRUE(eventually([this] { return server_->counters().connections == 0; }));
}

TEST_F(SecurityTest, AcceptingGoesOnAfterAllFilesWereInUse) {
  start();
  ASSERT_TRUE(lives());
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const int next = dup(0);
  close(next);
  const rlimit one_more{static_cast<rlim_t>(next) + 1, limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &one_more), 0);
  TestSocket socket(port());  // takes the last one
  EXPECT_TRUE(socket.put(
      text_of(Call{.method = "GET", .target = "/api/v1/health", .more = "", .body = ""})));
  EXPECT_EQ(socket.more(std::chrono::milliseconds(300)), "");
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(parsed(socket.rest()).status, 200);
  EXPECT_TRUE(lives());
}

TEST_F(SecurityTest, WhoComesWhenItIsFullIsToldSo) {
  options_.max_connections = 2;
  start();
  TestSocket first(port()), second(port());
  ASSERT_TRUE(eventually([this] { return server_->counters().connections == 2; }));
  TestSocket third(port());
  EXPECT_EQ(parsed(third.rest()).status, 503);
  first.shut();
  EXPECT_TRUE(eventually([this] { return lives(); }));
}

}  // namespace
}  // namespace peerscope::http
