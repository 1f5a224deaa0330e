#include "metrics/otlp.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "metrics/scene_for_test.hpp"

namespace peerscope {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;
using namespace std::chrono_literals;

std::string gunzip(const std::string& packed) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string in = packed, out(8u << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

// A collector that answers what it is told to, one connection after the other.
class Receiver {
 public:
  struct Request {
    std::string head, body;
    std::chrono::steady_clock::time_point at;
  };

  explicit Receiver(std::vector<std::string> answers) : answers_(std::move(answers)) {
    socket_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(socket_, 8), 0);
    EXPECT_EQ(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Receiver() {
    stop_ = true;
    ::shutdown(socket_, SHUT_RDWR);
    if (const int open = connection_; open >= 0) ::shutdown(open, SHUT_RDWR);
    thread_.join();
    ::close(socket_);
  }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

  std::vector<Request> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, 20s, [&] { return requests_.size() >= count; });
    return requests_;
  }

 private:
  void serve() {
    while (!stop_) {
      connection_ = ::accept(socket_, nullptr, nullptr);
      while (connection_ >= 0 && answer_one()) {
      }
      if (connection_ >= 0) ::close(connection_);
      connection_ = -1;
    }
  }

  bool answer_one() {
    std::string data;
    char buffer[65536];
    for (;;) {
      const ssize_t got = ::recv(connection_, buffer, sizeof buffer, 0);
      if (got <= 0) return false;
      data.append(buffer, static_cast<std::size_t>(got));
      const std::size_t end = data.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      const std::size_t at = data.find("Content-Length: ");
      const std::size_t length = std::stoul(data.substr(at + 16));
      if (data.size() < end + 4 + length) continue;
      return note({data.substr(0, end), data.substr(end + 4), std::chrono::steady_clock::now()});
    }
  }

  bool note(Request request) {
    std::string answer;
    {
      const std::lock_guard lock(mutex_);
      const std::size_t index = std::min(requests_.size(), answers_.size() - 1);
      answer = answers_[index];
      requests_.push_back(std::move(request));
    }
    changed_.notify_all();
    if (answer.empty()) {  // silence
      char byte = 0;
      return ::recv(connection_, &byte, 1, 0) > 0;
    }
    return ::send(connection_, answer.data(), answer.size(), MSG_NOSIGNAL) > 0;
  }

  std::vector<std::string> answers_;
  int socket_ = -1;
  std::atomic<int> connection_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Request> requests_;
  std::thread thread_;
};

std::string answer(const std::string& status, const std::string& headers = "",
                   const std::string& body = "{}") {
  return "HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         headers + "\r\n" + body;
}

OtlpOptions quick(const Receiver& receiver) {
  OtlpOptions options;
  options.url = receiver.url();
  options.interval_ns = 20'000'000;
  options.first_retry_ns = 50'000'000;
  options.metrics.host = "node7";
  return options;
}

std::shared_ptr<const Snapshot> scene() {
  MetricsScene scene;
  scene.step();
  return scene.step();
}

// What proto3's mapping to JSON and OTLP's schema say of each field that may be there.
void expect_number_string(const json& value) {
  ASSERT_TRUE(value.is_string()) << value;
  const std::string text = value.get<std::string>();
  EXPECT_FALSE(text.empty());
  EXPECT_EQ(text.find_first_not_of("0123456789"), std::string::npos) << text;
}

void check_attributes(const json& attributes) {
  ASSERT_TRUE(attributes.is_array());
  for (const json& attribute : attributes) {
    EXPECT_EQ(attribute.size(), 2U);
    EXPECT_TRUE(attribute["key"].is_string());
    EXPECT_TRUE(attribute["value"]["stringValue"].is_string());
  }
}

void check_point(const json& point, const std::string& kind) {
  check_attributes(point["attributes"]);
  expect_number_string(point["timeUnixNano"]);
  if (kind != "gauge") expect_number_string(point["startTimeUnixNano"]);
  if (kind == "sum" || kind == "gauge") {
    ASSERT_NE(point.contains("asInt"), point.contains("asDouble")) << point;
    if (point.contains("asInt")) expect_number_string(point["asInt"]);
    if (point.contains("asDouble")) {
      EXPECT_TRUE(point["asDouble"].is_number()) << point;
    }
    return;
  }
  expect_number_string(point["count"]);
  EXPECT_TRUE(point["sum"].is_number());
  if (kind == "summary") return;
  ASSERT_EQ(point["bucketCounts"].size(), point["explicitBounds"].size() + 1);
  std::uint64_t total = 0;
  for (const json& count : point["bucketCounts"]) {
    expect_number_string(count);
    total += std::stoull(count.get<std::string>());
  }
  EXPECT_EQ(std::to_string(total), point["count"]);
  for (std::size_t i = 1; i < point["explicitBounds"].size(); ++i)
    EXPECT_GT(point["explicitBounds"][i], point["explicitBounds"][i - 1]);
}

TEST(Otlp, JsonIsOfProto3sMappingAndOtlpsSchema) {
  MetricsOptions options;
  options.host = "node7";
  const json root = json::parse(otlp_json(*scene(), options, {}, 1'700'000'000'000'000'000));
  const json& resource = root["resourceMetrics"][0]["resource"];
  check_attributes(resource["attributes"]);
  EXPECT_THAT(resource.dump(),
              HasSubstr(R"({"key":"service.name","value":{"stringValue":"peerscope"}})"));
  EXPECT_THAT(resource.dump(), HasSubstr(R"({"key":"host.name","value":{"stringValue":"node7"}})"));
  EXPECT_THAT(resource.dump(),
              HasSubstr(R"({"key":"peerscope.session","value":{"stringValue":"s1"}})"));
  const json& scope = root["resourceMetrics"][0]["scopeMetrics"][0];
  EXPECT_EQ(scope["scope"]["name"], "peerscope");
  std::set<std::string> kinds;
  for (const json& metric : scope["metrics"]) {
    EXPECT_EQ(metric.size(), 4U) << metric;  // name, description, unit, one kind of data
    EXPECT_FALSE(metric["name"].get<std::string>().empty());
    for (const std::string kind : {"sum", "gauge", "histogram", "summary"}) {
      if (!metric.contains(kind)) continue;
      kinds.insert(kind);
      const bool cumulates = kind == "sum" || kind == "histogram";
      EXPECT_EQ(metric[kind].contains("aggregationTemporality"), cumulates);
      if (cumulates) {
        EXPECT_EQ(metric[kind]["aggregationTemporality"], 2);
      }
      if (kind == "sum") {
        EXPECT_EQ(metric[kind]["isMonotonic"], true);
      }
      EXPECT_FALSE(metric[kind]["dataPoints"].empty());
      for (const json& point : metric[kind]["dataPoints"]) check_point(point, kind);
    }
  }
  EXPECT_EQ(kinds, (std::set<std::string>{"sum", "gauge", "histogram", "summary"}));
}

TEST(Otlp, PushesGzippedJsonWithItsHeaders) {
  Receiver receiver({answer("200 OK")});
  OtlpOptions options = quick(receiver);
  options.headers = {{"authorization", "Bearer abc"}};
  auto pusher = OtlpPusher::open(options, scene);
  ASSERT_TRUE(pusher) << pusher.error().message;
  const auto requests = receiver.wait_for(2);
  ASSERT_GE(requests.size(), 2U);
  EXPECT_THAT(requests[0].head, testing::StartsWith("POST /v1/metrics HTTP/1.1\r\n"));
  EXPECT_THAT(requests[0].head, HasSubstr("Content-Type: application/json"));
  EXPECT_THAT(requests[0].head, HasSubstr("Content-Encoding: gzip"));
  EXPECT_THAT(requests[0].head, HasSubstr("authorization: Bearer abc"));
  const json first = json::parse(gunzip(requests[0].body));
  const json second = json::parse(gunzip(requests[1].body));
  EXPECT_THAT(first.dump(), HasSubstr("\"peerscope_operation_duration_seconds\""));
  EXPECT_THAT(first.dump(), HasSubstr("\"peerscope_finding\""));
  const auto start = [](const json& root) {
    for (const json& metric : root["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]) {
      if (metric.contains("sum")) return metric["sum"]["dataPoints"][0]["startTimeUnixNano"].dump();
    }
    return std::string();
  };
  EXPECT_EQ(start(first), start(second));
  EXPECT_NE(start(first), "");
}

TEST(Otlp, HonoursRetryAfter) {
  Receiver receiver({answer("429 Too Many Requests", "Retry-After: 1\r\n"), answer("200 OK")});
  auto pusher = OtlpPusher::open(quick(receiver), scene);
  ASSERT_TRUE(pusher);
  const auto requests = receiver.wait_for(2);
  ASSERT_GE(requests.size(), 2U);
  EXPECT_GE(requests[1].at - requests[0].at, 990ms);
}

TEST(Otlp, BacksOffWhileItFailsAndThenGoesOn) {
  Receiver receiver({answer("503 Service Unavailable"), answer("503 Service Unavailable"),
                     answer("503 Service Unavailable"), answer("200 OK")});
  auto pusher = OtlpPusher::open(quick(receiver), scene);
  ASSERT_TRUE(pusher);
  const auto requests = receiver.wait_for(5);
  ASSERT_GE(requests.size(), 5U);
  EXPECT_GE(requests[1].at - requests[0].at, 49ms);
  EXPECT_GE(requests[2].at - requests[1].at, 99ms);
  EXPECT_GE(requests[3].at - requests[2].at, 199ms);
  for (int i = 0; i < 200 && (*pusher)->figures().sent == 0; ++i) std::this_thread::sleep_for(5ms);
  EXPECT_EQ((*pusher)->figures().failed, 3U);
  EXPECT_GE((*pusher)->figures().sent, 1U);
  EXPECT_EQ((*pusher)->figures().last_error, "");
}

TEST(Otlp, CountsPointsThatTheReceiverRejected) {
  Receiver receiver({answer("200 OK", "", R"({"partialSuccess":{"rejectedDataPoints":"7"}})")});
  OtlpOptions options = quick(receiver);
  options.interval_ns = 3600'000'000'000;
  auto pusher = OtlpPusher::open(options, scene);
  ASSERT_TRUE(pusher);
  receiver.wait_for(1);
  for (int i = 0; i < 400 && (*pusher)->figures().sent == 0; ++i) std::this_thread::sleep_for(5ms);
  EXPECT_EQ((*pusher)->figures().rejected_points, 7U);
}

TEST(Otlp, NeverShowsItsHeadersAndDoesNotFollowElsewhere) {
  Receiver elsewhere({answer("200 OK")});
  Receiver receiver(
      {answer("307 Temporary Redirect", "Location: " + elsewhere.url() + "/v1/metrics\r\n")});
  OtlpOptions options = quick(receiver);
  options.headers = {{"authorization", "s3cret"}};
  auto pusher = OtlpPusher::open(options, scene);
  ASSERT_TRUE(pusher);
  receiver.wait_for(2);
  EXPECT_THAT((*pusher)->figures().last_error, HasSubstr("answered 307"));
  EXPECT_THAT((*pusher)->figures().last_error, Not(HasSubstr("s3cret")));
  EXPECT_TRUE(elsewhere.wait_for(0).empty());
}

TEST(Otlp, EndsSoonThoughTheReceiverIsSilent) {
  Receiver receiver({""});
  auto pusher = OtlpPusher::open(quick(receiver), scene);
  ASSERT_TRUE(pusher);
  receiver.wait_for(1);
  const auto begin = std::chrono::steady_clock::now();
  pusher->reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s);
}

TEST(Otlp, SaysWhatIsWrongWithAnAddressOrAHeader) {
  OtlpOptions options;
  for (const char* url :
       {"", "collector:4318", "file:///etc/passwd", "http://a b", "http://h/?x=1"}) {
    options.url = url;
    const auto pusher = OtlpPusher::open(options, scene);
    ASSERT_FALSE(pusher) << url;
    EXPECT_THAT(pusher.error().message, HasSubstr("metrics.otlp_url"));
  }
  options.url = "http://127.0.0.1:1";
  options.headers = {{"x", "a\r\nInjected: 1"}};
  const auto pusher = OtlpPusher::open(options, scene);
  ASSERT_FALSE(pusher);
  EXPECT_THAT(pusher.error().message, Not(HasSubstr("Injected")));
}

TEST(Otlp, ShowsNoLoginOfItsAddress) {
  OtlpOptions options;
  options.url = "http://me:hush@127.0.0.1:1";
  auto pusher = OtlpPusher::open(options, scene);
  ASSERT_TRUE(pusher);
  for (int i = 0; i < 2000 && (*pusher)->figures().failed == 0; ++i)
    std::this_thread::sleep_for(5ms);
  EXPECT_THAT((*pusher)->figures().last_error, HasSubstr("http://(set)@127.0.0.1:1/v1/metrics"));
  options.url += "?x";
  const auto wrong = OtlpPusher::open(options, scene);
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, Not(HasSubstr("hush")));
}

TEST(Otlp, SaysThatNobodyIsThere) {
  OtlpOptions options;
  options.url = "http://127.0.0.1:1";
  auto pusher = OtlpPusher::open(options, scene);
  ASSERT_TRUE(pusher);
  for (int i = 0; i < 2000 && (*pusher)->figures().failed == 0; ++i)
    std::this_thread::sleep_for(5ms);
  EXPECT_THAT((*pusher)->figures().last_error,
              HasSubstr("http://127.0.0.1:1/v1/metrics could not be reached"));
}

}  // namespace
}  // namespace peerscope
