// What needs no socket: targets, header fields, the hub of events, tokens, compression, options.
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/assets.hpp"
#include "http/event_hub.hpp"
#include "http/fields.hpp"
#include "http/guard.hpp"
#include "http/gzip.hpp"
#include "http/options.hpp"
#include "http/target.hpp"

namespace peerscope::http {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

TEST(Target, IsDecodedOnceAndSplit) {
  const auto target = parse_target("/api/v1/a%20b?name=all+reduce&x=%2F%26&flag&=&limit=5");
  ASSERT_TRUE(target) << target.error().message;
  EXPECT_EQ(target->path, "/api/v1/a b");
  EXPECT_THAT(target->query, ElementsAre(Pair("name", "all reduce"), Pair("x", "/&"),
                                         Pair("flag", ""), Pair("", ""), Pair("limit", "5")));
  EXPECT_EQ(parse_target("/%252e%252e/")->path, "/%2e%2e/") << "never twice";
}

TEST(Target, ThatMeansAnotherPathToSomebodyElseIsRefused) {
  for (const char* text :
       {"",           "x",         "http://host/", "*",           "/../etc/passwd",
        "/a/../b",    "/a/..",     "/.",           "/a/./b",      "//a",
        "/a//b",      "/%2e%2e/a", "/a/%2E./b",    "/a%2f..%2fb", "/a%2f%2fb",
        "/a%00b",     "/a%0d%0ab", "/a\\b",        "/a%5cb",      "/a%",
        "/a%2",       "/a%zz",     "/a#b",         "/%ff",        "/%c0%ae%c0%ae/",
        "/%ed%a0%80", "/a?x=%",    "/a?x=%00",     "/a?x%0a=1",   "/a?x=%fe"})
    EXPECT_FALSE(parse_target(text)) << text;
  EXPECT_FALSE(parse_target(std::string_view("/a\0b", 4)));
  EXPECT_TRUE(parse_target("/a/...")) << "that is a name";
  EXPECT_TRUE(parse_target("/%E2%82%AC?x=%F0%9F%98%80"));
}

TEST(Fields, AHostIsNameAndPort) {
  EXPECT_EQ(parse_host("LocalHost:80")->name, "localhost");
  EXPECT_EQ(parse_host("localhost.")->name, "localhost");
  EXPECT_EQ(parse_host("[::1]:8080")->name, "::1");
  EXPECT_EQ(parse_host("[::1]:8080")->port, "8080");
  for (const char* text : {"", ":80", "a b", "host:80:90", "[::1", "host:x", "ho/st", "a@b"})
    EXPECT_FALSE(parse_host(text)) << text;
  EXPECT_TRUE(is_loopback("127.0.0.1"));
  EXPECT_TRUE(is_loopback("127.1.2.3"));
  EXPECT_FALSE(is_loopback("127.0.0.1.evil.example"));
  EXPECT_FALSE(is_loopback("localhost.evil.example"));
}

TEST(Fields, AcceptEncodingWithQualities) {
  EXPECT_TRUE(accepts_gzip("gzip, deflate, br"));
  EXPECT_TRUE(accepts_gzip("br;q=1.0, GZIP;q=0.8"));
  EXPECT_TRUE(accepts_gzip("*"));
  EXPECT_FALSE(accepts_gzip(""));
  EXPECT_FALSE(accepts_gzip("gzip;q=0, *"));
  EXPECT_FALSE(accepts_gzip("identity, deflate"));
}

TEST(Fields, CookiesBearersAndTagsAreFound) {
  EXPECT_EQ(cookie("a=1; peerscope_token=xyz; b=2", "peerscope_token"), "xyz");
  EXPECT_EQ(cookie("not_peerscope_token=1", "peerscope_token"), std::nullopt);
  EXPECT_EQ(bearer("bEaReR  abc "), "abc");
  EXPECT_EQ(bearer("Basic abc"), std::nullopt);
  EXPECT_TRUE(has_etag(R"("a", W/"b")", R"("b")"));
  EXPECT_TRUE(has_etag("*", R"("b")"));
  EXPECT_FALSE(has_etag("", R"("b")"));
}

TEST(Gzip, WholeAndInPiecesComeBack) {
  std::string text;
  for (int at = 0; at < 20'000; ++at) text += std::to_string(at);
  EXPECT_EQ(gunzipped(*gzipped(text), text.size()), text);
  EXPECT_EQ(gunzipped(*gzipped(text), 1000), std::nullopt) << "no bomb";
  EXPECT_EQ(gunzipped("not gzip", 1000), std::nullopt);
  const auto stream = GzipStream::open();
  std::string packed;
  for (std::size_t at = 0; at < text.size(); at += 1000)
    packed += stream->put(text.substr(at, 1000), false);
  packed += stream->put("", true);
  EXPECT_EQ(gunzipped(packed, text.size()), text);
}

TEST(Guard, TriesRunOutByAddressAndCookiesAreNotGuessed) {
  Guard guard("a token that is right");
  EXPECT_EQ(guard.try_token("a token that is right", "10.0.0.1:1"), Admission::yes);
  for (int at = 0; at < 10; ++at) EXPECT_EQ(guard.try_token("wrong", "10.0.0.1:1"), Admission::no);
  EXPECT_EQ(guard.try_token("wrong", "10.0.0.1:2"), Admission::too_many);
  EXPECT_EQ(guard.try_token("a token that is right", "10.0.0.1:3"), Admission::too_many)
      << "or guessing goes on";
  EXPECT_EQ(guard.try_token("a token that is right", "10.0.0.2:1"), Admission::yes);
  const std::string field = guard.cookie_field(false);
  EXPECT_THAT(field, HasSubstr("HttpOnly; SameSite=Strict"));
  EXPECT_THAT(field, testing::Not(HasSubstr("right"))) << "the token stays here";
  Request request;
  request.remote = "10.0.0.1:4";
  request.headers = {{"cookie", field.substr(0, field.find(';'))}};
  EXPECT_EQ(guard.admit(request), Admission::yes) << "who is in stays in";
  request.headers = {{"cookie", "peerscope_token=a token that is right"}};
  EXPECT_EQ(guard.admit(request), Admission::no);
  EXPECT_THAT(guard.cookie_field(true), HasSubstr("Secure"));
}

TEST(Options, OthersMayComeOnlyWithAToken) {
  ServerOptions options;
  EXPECT_TRUE(check_address(options));
  EXPECT_EQ(tls_warning(options), "");
  options.host = "0.0.0.0";
  const Status open = check_address(options);
  ASSERT_FALSE(open);
  EXPECT_THAT(open.error().message, HasSubstr("--token-file"));
  options.token = "short";
  EXPECT_FALSE(check_address(options));
  options.token = "0123456789abcdef";
  EXPECT_TRUE(check_address(options));
  EXPECT_THAT(tls_warning(options), HasSubstr("TLS is off"));
  options.tls_cert = "cert.pem";
  EXPECT_FALSE(check_address(options)) << "a certificate without its key";
  options.tls_key = "key.pem";
  EXPECT_TRUE(check_address(options));
  EXPECT_EQ(tls_warning(options), "");
  options.host = "example.org";
  EXPECT_FALSE(check_address(options));
  options.host = "::1";
  options.token = "a token with\nsomething";
  EXPECT_FALSE(check_address(options));
}

TEST(Assets, ViewsOfTheDashboardAreItsPageAndFilesAreFiles) {
  const std::vector<Asset> assets = {{"/index.html", "text/html", "\"1\"", ""},
                                     {"/assets/a-1.js", "text/javascript", "\"2\"", ""}};
  EXPECT_EQ(find_asset(assets, "/assets/a-1.js"), &assets[1]);
  EXPECT_EQ(find_asset(assets, "/"), &assets[0]);
  EXPECT_EQ(find_asset(assets, "/pairs/3"), &assets[0]);
  EXPECT_EQ(find_asset(assets, "/assets/b.js"), nullptr);
  EXPECT_EQ(find_asset({}, "/"), nullptr);
  EXPECT_TRUE(is_immutable(assets[1]));
  EXPECT_FALSE(is_immutable(assets[0]));
}

// ---- the hub ------------------------------------------------------------------------------------------------------

std::string text_of(EventHub& hub, const std::shared_ptr<EventClient>& client) {
  std::string text;
  std::vector<Frame> frames;
  while (hub.take(*client, 1 << 20, frames) == EventHub::Taken::some) {
    for (const Frame& frame : frames) text += *frame;
    frames.clear();
  }
  return text;
}

std::string last_id_in(const std::string& text) {
  const std::size_t at = text.rfind("id: ");
  return at == std::string::npos ? "" : text.substr(at + 4, text.find('\n', at) - at - 4);
}

TEST(EventHub, ANewClientGetsThePresentStateAndThenWhatComes) {
  EventHub hub;
  hub.publish("overview", "1", Retain::yes);
  hub.publish("overview", "2", Retain::yes);
  hub.publish("events", "3");
  int woken = 0;
  const auto client = hub.subscribe({}, [&] { ++woken; });
  const std::string first = text_of(hub, client);
  EXPECT_THAT(first, HasSubstr("event: overview\ndata: 2\n\n"));
  EXPECT_THAT(first, testing::Not(HasSubstr("data: 1")));
  EXPECT_THAT(first, testing::Not(HasSubstr("data: 3")));
  EXPECT_EQ(woken, 0);
  hub.publish("events", "4");
  hub.publish("events", "5");
  EXPECT_EQ(woken, 1) << "once: it takes all that there is";
  const std::string next = text_of(hub, client);
  EXPECT_THAT(next, HasSubstr("data: 4\n\n"));
  EXPECT_THAT(next, HasSubstr("data: 5\n\n"));
  hub.unsubscribe(client);
  EXPECT_EQ(hub.counters().clients, 0U);
}

TEST(EventHub, TopicsAreFilteredAndSomeComeOnlyByRequest) {
  EventHubOptions options;
  options.default_topics = {"overview"};
  EventHub hub(options);
  const auto plain = hub.subscribe({}, [] {});
  const auto asked = hub.subscribe({{"ranks", "pairs"}, ""}, [] {});
  (void)text_of(hub, plain);
  (void)text_of(hub, asked);
  hub.publish("ranks", "\"r\"");
  hub.publish("overview", "\"o\"");
  EXPECT_THAT(text_of(hub, plain),
              testing::AllOf(HasSubstr("\"o\""), testing::Not(HasSubstr("\"r\""))));
  EXPECT_THAT(text_of(hub, asked),
              testing::AllOf(HasSubstr("\"r\""), testing::Not(HasSubstr("\"o\""))));
}

TEST(EventHub, WhoComesBackMissesNothing) {
  EventHub hub;
  const auto first = hub.subscribe({}, [] {});
  hub.publish("events", "1");
  const std::string id = last_id_in(text_of(hub, first));
  hub.unsubscribe(first);
  hub.publish("events", "2");
  hub.publish("events", "3");
  const std::string text = text_of(hub, hub.subscribe({{}, id}, [] {}));
  EXPECT_THAT(text, testing::Not(HasSubstr("data: 1")));
  EXPECT_THAT(text, testing::Not(HasSubstr("reset")));
  EXPECT_LT(text.find("data: 2"), text.find("data: 3"));
  EXPECT_THAT(text_of(hub, hub.subscribe({{}, last_id_in(text)}, [] {})),
              testing::Not(HasSubstr("data:")));
}

TEST(EventHub, WhoWasAwayTooLongIsToldToReload) {
  EventHubOptions options;
  options.max_events = 4;
  EventHub hub(options);
  hub.publish("overview", "0", Retain::yes);
  const std::string id = last_id_in(text_of(hub, hub.subscribe({}, [] {})));
  for (int at = 0; at < 5; ++at) hub.publish("events", std::to_string(at));
  for (const std::string& last :
       {id, std::string("another-3"), std::string("garbage"), id + "9999999", id + "x"}) {
    const std::string text = text_of(hub, hub.subscribe({{}, last}, [] {}));
    EXPECT_THAT(text, HasSubstr("event: reset\n")) << last;
    EXPECT_LT(text.find("event: reset"), text.find("event: overview")) << last;
    EXPECT_THAT(text_of(hub, hub.subscribe({{}, last_id_in(text)}, [] {})),
                testing::Not(HasSubstr("reset")));
  }
}

TEST(EventHub, ASlowClientIsDroppedAndCounted) {
  EventHubOptions options;
  options.max_behind = 10;
  EventHub hub(options);
  const auto client = hub.subscribe({}, [] { FAIL() << "it has never said that it waits"; });
  for (int at = 0; at < 11; ++at) hub.publish("events", "1");
  std::vector<Frame> frames;
  EXPECT_EQ(hub.take(*client, 1000, frames), EventHub::Taken::closed);
  EXPECT_THAT(frames, IsEmpty());
  EXPECT_EQ(hub.counters().dropped, 1U);
}

TEST(EventHub, WhatAClientDoesNotWantMakesNobodyLate) {
  EventHubOptions options;
  options.max_events = 5;
  options.max_behind = 5;
  EventHub hub(options);
  const auto client = hub.subscribe({{"rare"}, ""}, [] {});  // busy with its greeting
  for (int at = 0; at < 100; ++at) hub.publish("often", "1");
  hub.publish("rare", "2");
  EXPECT_THAT(text_of(hub, client), HasSubstr("data: 2"));
  EXPECT_EQ(hub.counters().dropped, 0U);
}

TEST(EventHub, MemoryIsBoundedByBytesToo) {
  EventHubOptions options;
  options.max_bytes = 10'000;
  options.max_behind = 100'000;
  EventHub hub(options);
  const std::string id = last_id_in(text_of(hub, hub.subscribe({}, [] {})));
  for (int at = 0; at < 100; ++at) hub.publish("events", "\"" + std::string(1000, 'x') + "\"");
  EXPECT_THAT(text_of(hub, hub.subscribe({{}, id}, [] {})), HasSubstr("event: reset"));
  hub.publish("events", std::string(100'000, 'y'));  // one that is larger than all room
  EXPECT_THAT(text_of(hub, hub.subscribe({}, [] {})), HasSubstr("id: "));
}

TEST(EventHub, AHeartbeatComesToWhomNothingElseDoes) {
  EventHub hub;
  int woken = 0;
  const auto client = hub.subscribe({}, [&] { ++woken; });
  (void)text_of(hub, client);
  hub.heartbeat();
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(text_of(hub, client), ":\n\n");
}

TEST(EventHub, LineBreaksStayInsideTheirEvent) {
  EventHub hub;
  const auto client = hub.subscribe({}, [] {});
  (void)text_of(hub, client);
  hub.publish("a\nevent: b", "{\n\"x\": 1\r\n}");
  EXPECT_THAT(text_of(hub, client),
              HasSubstr("event: a_event:_b\ndata: {\ndata: \"x\": 1\ndata: \ndata: }\n\n"));
}

TEST(EventHub, TooManyClientsAreRefused) {
  EventHubOptions options;
  options.max_clients = 1;
  EventHub hub(options);
  const auto first = hub.subscribe({}, [] {});
  EXPECT_EQ(hub.subscribe({}, [] {}), nullptr);
  EXPECT_EQ(hub.counters().refused, 1U);
  hub.unsubscribe(first);
  EXPECT_NE(hub.subscribe({}, [] {}), nullptr);
}

TEST(EventHub, PublishersAndClientsOnManyThreadsLoseNothing) {
  EventHub hub;
  std::atomic<int> rings{0};
  const auto client = hub.subscribe({}, [&] { ++rings; });
  std::vector<std::thread> publishers;
  for (int thread = 0; thread < 4; ++thread)
    publishers.emplace_back([&] {
      for (int at = 0; at < 100; ++at) hub.publish("events", "1");
    });
  std::size_t frames_seen = 0;
  std::vector<Frame> frames;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (frames_seen < 402 && std::chrono::steady_clock::now() < deadline) {  // 2: the greeting
    frames.clear();
    (void)hub.take(*client, 1 << 20, frames);
    frames_seen += frames.size();
  }
  for (std::thread& thread : publishers) thread.join();
  EXPECT_EQ(frames_seen, 402U);
  EXPECT_EQ(hub.counters().published, 400U);
}

}  // namespace
}  // namespace peerscope::http
