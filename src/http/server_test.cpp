// Over real sockets: what the server answers.
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/server_for_test.hpp"
#include "http/tls_for_test.hpp"

namespace peerscope::http {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST_F(ServerTest, AnswersAndKeepsTheConnection) {
  start();
  TestSocket socket(port());
  for (int at = 0; at < 3; ++at) {
    socket.seen().clear();
    ASSERT_TRUE(socket.put("GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    ASSERT_TRUE(socket.wait_for(R"({"status":"ok"})"));
    const Got got = parsed(socket.seen());
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.field("connection"), "keep-alive");
    EXPECT_EQ(got.field("content-type"), "application/json");
  }
  EXPECT_EQ(server_->counters().requests, 3U);
  EXPECT_EQ(server_->counters().connections, 1U);
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  start();
  TestSocket socket(port());
  ASSERT_TRUE(
      socket.put("GET /api/v1/echo?n=1 HTTP/1.1\r\nHost: localhost\r\n\r\nGET /api/v1/echo?n=2 "
                 "HTTP/1.1\r\nHost: "
                 "localhost\r\nConnection: close\r\n\r\n"));
  const std::string all = socket.rest();
  ASSERT_NE(all.find(R"(["n","2"])"), std::string::npos) << all;
  EXPECT_LT(all.find(R"(["n","1"])"), all.find(R"(["n","2"])"));
}

TEST_F(ServerTest, EveryAnswerCarriesWhatBrowsersObey) {
  start();
  for (const char* target : {"/", "/api/v1/health", "/api/v1/nothing", "/api/v1/../x"}) {
    const Got got = ask(port(), target);
    EXPECT_THAT(got.field("content-security-policy"),
                HasSubstr("default-src 'self'; script-src 'self'; style-src 'self';"));
    EXPECT_THAT(got.field("content-security-policy"), HasSubstr("frame-ancestors 'none'"));
    EXPECT_EQ(got.field("x-content-type-options"), "nosniff") << target;
    EXPECT_EQ(got.field("referrer-policy"), "no-referrer");
    EXPECT_EQ(got.field("cross-origin-opener-policy"), "same-origin");
    EXPECT_EQ(got.field("access-control-allow-origin"), "");
    EXPECT_NE(got.field("date"), "");
  }
  EXPECT_EQ(ask(port(), "/api/v1/health").field("cache-control"), "no-store");
}

TEST_F(ServerTest, HeadSaysTheLengthAndSendsNothing) {
  start();
  const Got got =
      ask(port(), Call{.method = "HEAD", .target = "/api/v1/big", .more = "", .body = ""});
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.field("content-length"), "10002");
  EXPECT_EQ(got.body, "");
  const Got stream =
      ask(port(), Call{.method = "HEAD", .target = "/api/v1/pieces", .more = "", .body = ""});
  EXPECT_EQ(stream.status, 200);
  EXPECT_EQ(stream.body, "");
  EXPECT_EQ(streams_.pieces.load(), 0U);
}

TEST_F(ServerTest, OtherMethodsAndPathsAreRefusedInJson) {
  start();
  for (const char* method : {"OPTIONS", "TRACE", "PROPFIND"}) {
    const Got got =
        ask(port(), Call{.method = method, .target = "/api/v1/echo", .more = "", .body = ""});
    EXPECT_EQ(got.status, 405) << method;
    EXPECT_EQ(got.field("allow"), "GET, HEAD, POST, PATCH, DELETE");
  }
  EXPECT_EQ(
      ask(port(), Call{.method = "POST", .target = "/", .more = "", .body = "x"}).field("allow"),
      "GET, HEAD");
  EXPECT_EQ(ask(port(), Call{.method = "POST", .target = "/api/v1/stream", .more = "", .body = "x"})
                .status,
            405);
  const Got missing = ask(port(), "/api/v1/nothing");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(nlohmann::json::parse(missing.body)["error"]["code"], "not_found");
  EXPECT_EQ(ask(port(), "/assets/x.js").status, 404);
}

TEST_F(ServerTest, AHandlerThatThrowsIsAnAnswer) {
  start();
  const Got got = ask(port(), "/api/v1/throw");
  EXPECT_EQ(got.status, 500);
  EXPECT_THAT(nlohmann::json::parse(got.body)["error"]["message"].get<std::string>(),
              HasSubstr("something \"odd\""));
  EXPECT_TRUE(lives());
}

TEST_F(ServerTest, LargeBodiesAreCompressedForWhomThatIsGood) {
  start();
  const Got plain = ask(port(), "/api/v1/big");
  EXPECT_EQ(plain.field("content-encoding"), "");
  const Got packed = ask(port(), "/api/v1/big", "Accept-Encoding: gzip\r\n");
  EXPECT_EQ(packed.field("content-encoding"), "gzip");
  EXPECT_EQ(packed.field("vary"), "Accept-Encoding");
  EXPECT_LT(packed.body.size(), 1000U);
  EXPECT_EQ(gunzipped(packed.body, 20'000), plain.body);
  EXPECT_NE(packed.field("etag"), plain.field("etag")) << "strong tags are of bytes";
  EXPECT_EQ(ask(port(), "/api/v1/health", "Accept-Encoding: gzip\r\n").field("content-encoding"),
            "");
}

TEST_F(ServerTest, WhoHasTheBodyGetsNoBody) {
  start();
  const std::string etag = ask(port(), "/api/v1/big").field("etag");
  const std::string packed = ask(port(), "/api/v1/big", "Accept-Encoding: gzip\r\n").field("etag");
  ASSERT_FALSE(etag.empty());
  for (const std::string& tag : {etag, packed, "\"other\", " + etag}) {
    const Got got = ask(port(), "/api/v1/big", "If-None-Match: " + tag + "\r\n");
    EXPECT_EQ(got.status, 304) << tag;
    EXPECT_EQ(got.body, "");
    EXPECT_EQ(got.field("content-length"), "");
  }
  EXPECT_EQ(ask(port(), "/api/v1/big", "If-None-Match: \"other\"\r\n").status, 200);
}

TEST_F(ServerTest, AStreamComesWholeWithAndWithoutCompression) {
  start();
  const Got plain = ask(port(), "/api/v1/pieces");
  EXPECT_EQ(plain.field("transfer-encoding"), "chunked");
  EXPECT_EQ(plain.body.size(), 100'000U);
  const Got packed = ask(port(), "/api/v1/pieces", "Accept-Encoding: gzip\r\n");
  EXPECT_TRUE(gunzipped(packed.body, 1 << 20) == plain.body);
  TestSocket old(port());
  ASSERT_TRUE(old.put("GET /api/v1/pieces HTTP/1.0\r\n\r\n"));
  const Got got = parsed(old.rest());
  EXPECT_EQ(got.field("transfer-encoding"), "") << "HTTP/1.0 knows no chunks";
  EXPECT_TRUE(got.body == plain.body);
  EXPECT_TRUE(eventually([this] { return streams_.alive == 0; }));
}

TEST_F(ServerTest, AStreamThatFailsIsSeenToBeCutOff) {
  start();
  TestSocket socket(port());
  ASSERT_TRUE(socket.put("GET /api/v1/broken HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  const std::string all = socket.rest();
  EXPECT_FALSE(socket.timed_out()) << "the connection is closed";
  EXPECT_THAT(all, HasSubstr("3e8\r\naaa"));
  EXPECT_FALSE(all.ends_with("0\r\n\r\n"));
  EXPECT_TRUE(lives());
}

TEST_F(ServerTest, AStreamWaitsForItsClientAndEndsWithIt) {
  start();
  {
    TestSocket socket(port(), 4096);
    ASSERT_TRUE(socket.put("GET /api/v1/endless HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    ASSERT_TRUE(socket.wait_for("aaaa"));
    std::uint64_t before = 0;
    EXPECT_TRUE(eventually([&] {  // what the kernel holds is full
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      return std::exchange(before, streams_.pieces.load()) == streams_.pieces.load();
    }));
    EXPECT_LT(streams_.pieces.load(), 1000U);
    EXPECT_EQ(streams_.alive.load(), 1);
  }
  EXPECT_TRUE(eventually([this] { return streams_.alive == 0; }));
  EXPECT_TRUE(eventually([this] { return server_->counters().connections == 0; }));
}

TEST_F(ServerTest, StopsWhileBodiesAndEventsAreOnTheirWay) {
  start();
  TestSocket body(port(), 4096), events(port()), idle(port());
  ASSERT_TRUE(body.put("GET /api/v1/endless HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  ASSERT_TRUE(events.put("GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  ASSERT_TRUE(body.wait_for("aaaa"));
  ASSERT_TRUE(events.wait_for("retry:"));
  std::atomic<bool> done{false};
  std::thread publisher([&] {
    for (; !done; std::this_thread::sleep_for(std::chrono::microseconds(200)))
      hub_.publish("overview", "1", Retain::yes);
  });
  ASSERT_TRUE(events.wait_for("event: overview"));
  server_->stop();
  done = true;
  publisher.join();
  EXPECT_EQ(streams_.alive.load(), 0);
  EXPECT_EQ(hub_.counters().clients, 0U);
  EXPECT_EQ(server_->counters().connections, 0U);
  (void)events.rest();
  EXPECT_FALSE(events.timed_out());
}

TEST_F(ServerTest, TakesAPortThatIsFreeAndSaysWhatIsWrongWithOneThatIsNot) {
  start();
  EXPECT_EQ(server_->url(), "http://127.0.0.1:" + std::to_string(port()));
  ServerOptions second = options_;
  second.port = port();
  const auto refused = Server::start(second, [](const Request&) { return Response{}; }, nullptr);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("Address already in use"));
  EXPECT_THAT(refused.error().message, HasSubstr("--port"));
}

TEST_F(ServerTest, WithoutADashboardTheFirstPageSaysSo) {
  start();
  const Got got = ask(port(), "/");
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.field("content-type"), "text/html; charset=utf-8");
  EXPECT_THAT(got.body, HasSubstr("./dev build"));
  EXPECT_EQ(got.body.find("<script"), std::string::npos);
}

TEST_F(ServerTest, TheDashboardsFilesAreServed) {
  const std::string page = *gzipped("<!doctype html>"), script = *gzipped("let a = 1;");
  const std::vector<Asset> assets = {
      {"/index.html", "text/html; charset=utf-8", "\"p\"", page},
      {"/assets/a-1.js", "text/javascript; charset=utf-8", "\"s\"", script}};
  options_.assets = assets;
  options_.token = kToken;  // the page asks for it: it needs none itself
  start();
  const Got packed = ask(port(), "/assets/a-1.js", "Accept-Encoding: gzip\r\n");
  EXPECT_EQ(packed.body, script);
  EXPECT_THAT(packed.field("cache-control"), HasSubstr("immutable"));
  const Got plain = ask(port(), "/assets/a-1.js");
  EXPECT_EQ(plain.body, "let a = 1;");
  EXPECT_EQ(plain.field("content-encoding"), "");
  for (const char* target : {"/", "/index.html", "/pairs", "/timeline/3?from=1"}) {
    const Got got = ask(port(), target);
    EXPECT_EQ(got.body, "<!doctype html>") << target;
    EXPECT_EQ(got.field("cache-control"), "no-cache");
  }
  EXPECT_EQ(ask(port(), "/", "If-None-Match: \"p\"\r\n").status, 304);
  EXPECT_EQ(ask(port(), "/favicon.ico").status, 404);
  server_->stop();  // before `assets` goes
}

// ---- events -------------------------------------------------------------------------------------------------------

std::string stream_request(const std::string& query = "", const std::string& more = "") {
  return "GET /api/v1/stream" + query + " HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n";
}

TEST_F(ServerTest, EventsComeAsTheyHappenAndGoOnWhereAClientLeftOff) {
  start();
  hub_.publish("overview", R"({"n":0})", Retain::yes);
  std::string id;
  {
    TestSocket socket(port());
    ASSERT_TRUE(socket.put(stream_request()));
    ASSERT_TRUE(socket.wait_for(R"(data: {"n":0})"));
    EXPECT_THAT(socket.seen(), HasSubstr("text/event-stream"));
    hub_.publish("events", R"({"n":1})");
    ASSERT_TRUE(socket.wait_for("data: {\"n\":1}\n\n"));
    const std::size_t at = socket.seen().rfind("id: ");
    id = socket.seen().substr(at + 4, socket.seen().find('\n', at) - at - 4);
  }
  hub_.publish("events", R"({"n":2})");
  TestSocket again(port());
  ASSERT_TRUE(again.put(stream_request("?topics=events", "Last-Event-ID: " + id + "\r\n")));
  ASSERT_TRUE(again.wait_for(R"({"n":2})"));
  EXPECT_THAT(again.seen(), Not(HasSubstr(R"({"n":1})")));
  EXPECT_THAT(again.seen(), Not(HasSubstr("overview")));
  TestSocket late(port());
  ASSERT_TRUE(late.put(stream_request("", "Last-Event-ID: 12345678-1\r\n")));
  EXPECT_TRUE(late.wait_for("event: reset"));
}

TEST_F(ServerTest, AClientOfEventsThatGoesIsForgotten) {
  options_.heartbeat = std::chrono::milliseconds(50);
  start();
  {
    TestSocket socket(port());
    ASSERT_TRUE(socket.put(stream_request()));
    ASSERT_TRUE(socket.wait_for("\n:\n\n")) << "a heartbeat";
    EXPECT_EQ(server_->counters().events.clients, 1U);
  }
  EXPECT_TRUE(eventually([this] { return server_->counters().events.clients == 0; }));
  EXPECT_TRUE(eventually([this] { return server_->counters().connections == 0; }));
}

TEST_F(ServerTest, ASlowClientOfEventsIsDroppedAndNobodyWaitsForIt) {
  options_.write_time = std::chrono::seconds(5);
  start();
  TestSocket slow(port(), 4096), quick(port());
  ASSERT_TRUE(slow.put(stream_request()));
  ASSERT_TRUE(quick.put(stream_request("?topics=last")));
  ASSERT_TRUE(slow.wait_for("retry:"));
  ASSERT_TRUE(quick.wait_for("retry:"));
  const std::string large = "\"" + std::string(1'000'000, 'x') + "\"";
  for (int at = 0; at < 100 && server_->counters().events.dropped == 0; ++at)
    hub_.publish("events", large);
  EXPECT_EQ(server_->counters().events.dropped, 1U);
  hub_.publish("last", "1");
  EXPECT_TRUE(quick.wait_for("event: last"));
  const auto alone = [this] {
    const ServerCounters now = server_->counters();
    return now.events.clients == 1 && now.connections == 1;
  };
  EXPECT_TRUE(eventually(alone, std::chrono::seconds(30))) << "its connection is closed";
}

// ---- TLS ----------------------------------------------------------------------------------------------------------

class TlsServerTest : public ServerTest {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::temp_directory_path() / ("peerscope-tls-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    ASSERT_TRUE(write_certificate(folder_));
    options_.tls_cert = folder_ / "cert.pem";
    options_.tls_key = folder_ / "key.pem";
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }
  std::filesystem::path folder_;
};

TEST_F(TlsServerTest, AnswersStreamsAndRefusesOverTls) {
  options_.token = kToken;
  start();
  EXPECT_THAT(server_->url(), HasSubstr("https://"));
  TlsClient client(port());
  ASSERT_TRUE(client.connected());
  client.put(
      text_of(Call{.method = "GET", .target = "/api/v1/pieces", .more = kBearer, .body = ""}));
  EXPECT_EQ(parsed(client.rest()).body.size(), 100'000U);
  TlsClient login(port());
  login.put(text_of(Call{.method = "POST",
                         .target = "/api/v1/login",
                         .more = "",
                         .body = R"({"token":"the-token-of-these-tests"})"}));
  EXPECT_THAT(parsed(login.rest()).field("set-cookie"), HasSubstr("; Secure"));
  TlsClient odd(port());
  odd.put("this is no HTTP\r\n\r\n");
  EXPECT_EQ(parsed(odd.rest()).status, 400);
  EXPECT_EQ(ask(port(), "/api/v1/health").status, 0) << "no TLS, no answer";
}

TEST_F(TlsServerTest, EventsComeOverTlsAndStopEndsThem) {
  start();
  TlsClient client(port());
  ASSERT_TRUE(client.connected());
  client.put(stream_request());
  std::string seen;
  hub_.publish("overview", "7", Retain::yes);
  while (seen.find("data: 7") == std::string::npos) {
    const std::string piece = client.some();
    ASSERT_FALSE(piece.empty()) << seen;
    seen += piece;
  }
  server_->stop();
  EXPECT_EQ(client.rest(), "");
}

TEST_F(TlsServerTest, WhoNeverEndsTheHandshakeIsCutOff) {
  options_.request_time = std::chrono::milliseconds(300);
  start();
  TestSocket silent(port()), half(port());
  ASSERT_TRUE(half.put("\x16\x03\x01\x02"));
  EXPECT_EQ(silent.rest(), "");
  EXPECT_FALSE(silent.timed_out());
  (void)half.rest();
  EXPECT_FALSE(half.timed_out());
  EXPECT_TRUE(eventually([this] { return server_->counters().connections == 0; }));
}

TEST_F(TlsServerTest, SaysWhatIsWrongWithACertificate) {
  options_.tls_key = options_.tls_cert;
  const auto started = Server::start(options_, [](const Request&) { return Response{}; }, nullptr);
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, HasSubstr("cert.pem is no key"));
}

}  // namespace
}  // namespace peerscope::http
