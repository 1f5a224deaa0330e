#include "metrics/otlp.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <zlib.h>

#include "config/document.hpp"
#include "net/transfer.hpp"

namespace peerscope {
namespace {

using std::chrono::nanoseconds;

constexpr std::size_t kLongestAnswer = 64 * 1024;
constexpr std::int64_t kLongestWaitNs = 3600'000'000'000;  // whatever a receiver asks for

// "" if it cannot be compressed.
std::string gzip(const std::string& text) {
  z_stream stream{};
  constexpr int kGzip = 15 + 16;
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return "";
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in =
      reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));  // zlib's way to say const
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const bool done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
  out.resize(done ? stream.total_out : 0);
  deflateEnd(&stream);
  return out;
}

// OTLP's list of answers after which one tries again.
bool is_passing(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

std::uint64_t rejected_points(const std::string& answer) {
  const auto root = nlohmann::json::parse(answer, nullptr, false);
  if (!root.is_object() || !root.contains("partialSuccess")) return 0;
  const auto& partial = root["partialSuccess"];
  if (!partial.is_object() || !partial.contains("rejectedDataPoints")) return 0;
  const auto& points = partial["rejectedDataPoints"];  // a string by proto3's mapping
  if (points.is_number_unsigned()) return points.get<std::uint64_t>();
  return points.is_string()
             ? std::strtoull(points.get_ref<const std::string&>().c_str(), nullptr, 10)
             : 0;
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7F && std::strchr("()<>@,;:\\\"/[]?={}", c) == nullptr;
  });
}
bool is_header_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != 0x7F; });
}

Status check(const OtlpOptions& options) {
  const bool has_scheme = options.url.starts_with("http://") || options.url.starts_with("https://");
  if (!has_scheme || options.url.find_first_of(" \r\n\t?#") != std::string::npos)
    return Error{ErrorCode::invalid_argument,
                 fmt::format("metrics.otlp_url is '{}', which is no address of a collector; write "
                             "http://HOST:4318 or https://HOST:4318",
                             without_login(options.url))};
  for (const auto& [name, value] : options.headers) {
    if (is_token(name) && is_header_value(value)) continue;
    return Error{ErrorCode::invalid_argument,
                 fmt::format("metrics.otlp_headers: '{}' is no name of a header, or its value has "
                             "control characters; write name=value",
                             name)};
  }
  return Done{};
}

}  // namespace

struct OtlpPusher::State {
  OtlpOptions options;
  Source source;
  std::string endpoint;
  SeriesChoice choice;
  std::int64_t start_real_ns = 0;  // 0: nothing was sent yet

  std::atomic<bool> stopping = false;
  mutable std::mutex mutex;  // `stopping` turns under it, so that no wait misses that
  std::condition_variable changed;
  PushFigures figures;
  std::thread thread;  // the last: it uses all the others

  void run();
  std::int64_t push(std::int64_t retry_ns);
  PostReply post(const std::string& body) const;
  std::int64_t note(const PostReply& answer, std::int64_t retry_ns);
};

namespace {

std::string base_of(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

// When counters began: the first operation, or now.
std::int64_t start_of(const Snapshot& snapshot) {
  const std::int64_t now_ns = snapshot.now_ns + snapshot.real_offset_ns;
  if (!snapshot.aggregates || snapshot.aggregates->totals.first_ns < 0) return now_ns;
  return std::min(now_ns, snapshot.aggregates->totals.first_ns + snapshot.real_offset_ns);
}

}  // namespace

PostReply OtlpPusher::State::post(const std::string& body) const {
  const std::string packed = gzip(body);
  PostRequest request{.url = endpoint,
                      .body = packed.empty() ? body : packed,
                      .headers = {"Content-Type: application/json"},
                      .timeout_ns = options.timeout_ns,
                      .most_reply = kLongestAnswer};
  if (!packed.empty()) request.headers.emplace_back("Content-Encoding: gzip");
  for (const auto& [name, value] : options.headers) request.headers.push_back(name + ": " + value);
  PostReply answer = ::peerscope::post(request, stopping);
  if (answer.status == 0)
    answer.error =
        fmt::format("{} could not be reached: {}", without_login(endpoint), answer.error);
  return answer;
}

// How long to wait for the next; the wait before a retry is in `retry_ns`.
std::int64_t OtlpPusher::State::note(const PostReply& answer, std::int64_t retry_ns) {
  const std::lock_guard lock(mutex);
  if (answer.status >= 200 && answer.status < 300) {
    ++figures.sent;
    figures.rejected_points += rejected_points(answer.body);
    figures.last_error.clear();
    return options.interval_ns;
  }
  ++figures.failed;
  figures.last_error = answer.error.empty()
                           ? fmt::format("{} answered {}", without_login(endpoint), answer.status)
                           : answer.error;
  if (answer.retry_after_ns > 0) return std::min(answer.retry_after_ns, kLongestWaitNs);
  const bool passing = answer.status == 0 || is_passing(answer.status);
  // What a receiver will never take is not sent more often for that.
  return passing ? retry_ns : std::max(retry_ns, options.interval_ns);
}

std::int64_t OtlpPusher::State::push(std::int64_t retry_ns) {
  const std::shared_ptr<const Snapshot> snapshot = source();
  if (!snapshot) return options.interval_ns;
  if (start_real_ns == 0) start_real_ns = start_of(*snapshot);
  ServerFigures server;
  {
    const std::lock_guard lock(mutex);
    server.push = figures;
  }
  return note(post(otlp_json(*snapshot, options.metrics, server, start_real_ns, &choice)),
              retry_ns);
}

void OtlpPusher::State::run() {
  std::int64_t retry_ns = options.first_retry_ns;
  std::uint64_t failed = 0;
  while (!stopping) {
    const std::int64_t wait_ns = push(retry_ns);
    std::unique_lock lock(mutex);
    const bool failed_now = figures.failed != failed;
    failed = figures.failed;
    retry_ns = failed_now ? std::min(2 * retry_ns, options.most_retry_ns) : options.first_retry_ns;
    changed.wait_for(lock, nanoseconds(wait_ns), [this] { return stopping.load(); });
  }
}

OtlpPusher::OtlpPusher(std::unique_ptr<State> state) : state_(std::move(state)) {
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

OtlpPusher::~OtlpPusher() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->changed.notify_all();
  state_->thread.join();
}

PushFigures OtlpPusher::figures() const {
  const std::lock_guard lock(state_->mutex);
  return state_->figures;
}

Result<std::unique_ptr<OtlpPusher>> OtlpPusher::open(const OtlpOptions& options, Source source) {
  if (const Status fine = check(options); !fine) return fine.error();
  auto state = std::make_unique<State>();
  state->options = options;
  state->source = std::move(source);
  state->endpoint = base_of(options.url) + "/v1/metrics";
  return std::unique_ptr<OtlpPusher>(new OtlpPusher(std::move(state)));
}

}  // namespace peerscope
