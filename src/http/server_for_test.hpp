// A server with a handler that has a bit of everything.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "http/client_for_test.hpp"
#include "http/error_response.hpp"
#include "http/gzip.hpp"
#include "http/server.hpp"

namespace peerscope::http {

inline constexpr const char* kToken = "the-token-of-these-tests";
inline constexpr const char* kBearer = "Authorization: Bearer the-token-of-these-tests\r\n";

// Waits for what another thread does.
template <class Condition>
bool eventually(Condition condition, std::chrono::seconds patience = std::chrono::seconds(10)) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

struct Streams {
  std::atomic<int> alive{0};
  std::atomic<std::uint64_t> pieces{0};
};

class CountedStream {
 public:
  explicit CountedStream(Streams& streams) : streams_(streams) { ++streams_.alive; }
  ~CountedStream() { --streams_.alive; }
  CountedStream(const CountedStream&) = delete;
  CountedStream& operator=(const CountedStream&) = delete;

 private:
  Streams& streams_;
};

inline Response stream_of(Streams& streams, std::uint64_t pieces, std::size_t bytes, bool fails) {
  Response response;
  response.type = "text/csv";
  auto counted = std::make_shared<CountedStream>(streams);
  response.stream = [&streams, counted, pieces, bytes, fails,
                     at = std::uint64_t{0}](std::string& piece) mutable {
    if (fails && at == 1) throw std::runtime_error("the disk is gone");
    if (at == pieces) return false;
    ++streams.pieces;
    piece.assign(bytes, static_cast<char>('a' + at++ % 26));
    return true;
  };
  return response;
}

inline Response answer_for_test(const Request& request, Streams& streams) {
  Response response;
  if (request.path == "/api/v1/health") {
    response.body = R"({"status":"ok"})";
  } else if (request.path == "/api/v1/big") {
    response.body = "\"" + std::string(10'000, 'x') + "\"";
  } else if (request.path == "/api/v1/echo") {
    const nlohmann::json echo = {
        {"method", request.method}, {"query", request.query}, {"bytes", request.body.size()}};
    response.body = echo.dump();
  } else if (request.path == "/api/v1/inject") {
    const std::string value(request.parameter("value").value_or(""));
    response.headers = {
        {"X-Good", "yes"}, {"X-Bad", value}, {"X-Bad\r\nX-Evil: 1", "1"}, {"Content-Length", "3"}};
  } else if (request.path == "/api/v1/throw") {
    throw std::runtime_error("something \"odd\" \xff");
  } else if (request.path == "/api/v1/pieces") {
    return stream_of(streams, 100, 1000, false);
  } else if (request.path == "/api/v1/endless") {
    return stream_of(streams, UINT64_MAX, 64 << 10, false);
  } else if (request.path == "/api/v1/broken") {
    return stream_of(streams, 10, 1000, true);
  } else {
    return error_response(404, "not_found", "there is nothing at " + request.path);
  }
  return response;
}

class ServerTest : public testing::Test {
 protected:
  void start() {
    auto started = Server::start(
        options_, [this](const Request& request) { return answer_for_test(request, streams_); },
        &hub_);
    ASSERT_TRUE(started) << started.error().message;
    server_ = std::move(*started);
  }
  [[nodiscard]] std::uint16_t port() const { return server_->port(); }
  // The server is well: it answers somebody else.
  [[nodiscard]] bool lives() const { return ask(port(), "/api/v1/health").status == 200; }

  Streams streams_;
  ServerOptions options_;
  EventHub hub_;
  std::unique_ptr<Server> server_;
};

}  // namespace peerscope::http
