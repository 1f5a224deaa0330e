// Four ranks in this process that communicate, and the API over them: live and from a file.
#pragma once

#include <filesystem>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "http/api/api.hpp"
#include "http/api/resources.hpp"
#include "session/recording.hpp"

namespace peerscope::http {

inline constexpr int kRanks = 4;
inline constexpr const char* kNasty = "<img src=x onerror=alert(1)> \"quoted\" \xff";

class Ranks {
 public:
  explicit Ranks(const std::string& comm = "tp")
      : dir_(fmt::format("/dev/shm/peerscope-api-{}-{}", getpid(), ++count())),
        path_((std::filesystem::temp_directory_path() /
               fmt::format("peerscope-api-{}-{}.pscope", getpid(), count()))
                  .string()) {
    std::filesystem::remove_all(dir_);
    pscope_options options{};
    options.size = sizeof options;
    options.name = "ranks";
    options.session = "test";
    options.runtime_dir = dir_.c_str();
    options.level = PSCOPE_LEVEL_DETAILED;
    session_ = pscope_open(&options, nullptr);
    for (std::uint32_t rank = 0; rank < kRanks; ++rank) {
      const pscope_comm_desc desc{
          9, comm.c_str(), rank, kRanks, static_cast<std::uint16_t>(rank), PSCOPE_BACKEND_HOST, 0};
      comms_[rank] = pscope_comm_register(session_, &desc);
    }
  }
  ~Ranks() {
    pscope_close(session_);
    std::filesystem::remove_all(dir_);
    std::filesystem::remove(path_);
  }
  Ranks(const Ranks&) = delete;
  Ranks& operator=(const Ranks&) = delete;

  // Rank 2 comes last to each; then rank 1 sends to rank 3, and one in ten of these fails.
  void run(int rounds) const {
    for (int i = 0; i < rounds; ++i) {
      pscope_token tokens[kRanks];
      for (const int rank : {0, 1, 3, 2}) {
        if (rank == 2) std::this_thread::sleep_for(std::chrono::microseconds(300));
        const pscope_op one = op(rank, PSCOPE_KIND_ALL_REDUCE, 4096);
        tokens[rank] = pscope_op_begin(session_, &one);
      }
      for (const pscope_token token : tokens) pscope_op_end(session_, token, PSCOPE_STATUS_OK);
      pscope_op send = op(1, PSCOPE_KIND_SEND, 65536);
      send.peer = 3;
      const pscope_token token = pscope_op_begin(session_, &send);
      pscope_op_end(session_, token, i % 10 == 5 ? PSCOPE_STATUS_NO_MEMORY : PSCOPE_STATUS_OK);
    }
  }
  void event(const char* name) const {
    pscope_event(session_, PSCOPE_SEVERITY_WARNING, pscope_name(session_, name), comms_[0], 1);
  }
  pscope_token hang() const {
    const pscope_op stuck = op(0, PSCOPE_KIND_ALL_REDUCE, 4096);
    return pscope_op_begin(session_, &stuck);
  }
  void end(pscope_token token) const { pscope_op_end(session_, token, PSCOPE_STATUS_OK); }

  [[nodiscard]] ServedOptions options() const {
    ServedOptions options;
    options.id = "test";
    options.path = path_;
    options.follow_ns = 20'000'000;
    options.monitor.collect.dirs = {dir_};
    options.monitor.publish_every_ns = 20'000'000;
    RecordingOptions recording;
    recording.path = path_;
    recording.writer.flush_interval_ns = 20'000'000;
    options.monitor.recording = *Recording::start(std::move(recording));
    return options;
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  static int& count() {
    static int made = 0;
    return made;
  }
  [[nodiscard]] pscope_op op(int rank, int kind, std::uint64_t bytes) const {
    pscope_op op{};
    op.bytes = bytes;
    op.sequence = PSCOPE_SEQUENCE_AUTO;
    op.comm = comms_[rank];
    op.peer = PSCOPE_NO_PEER;
    op.kind = static_cast<std::uint8_t>(kind);
    op.algorithm = PSCOPE_ALGORITHM_RING;
    return op;
  }

  std::string dir_, path_;
  pscope_session* session_ = nullptr;
  std::uint16_t comms_[kRanks] = {};
};

// The API over a session or a file, without a server.
class Asked {
 public:
  explicit Asked(ServedOptions options)
      : config_(Config{},
                options.file ? std::vector<std::string>() : std::vector<std::string>{"api"}),
        served_(std::move(*Served::open(std::move(options)))) {
    api_.served = served_.get();
    api_.config = &config_;
    api_.version = "1";
    handler_ = make_handler(api_);
    served_->start({}, {});
  }
  Response ask(const std::string& method, const std::string& target,
               const std::string& body = "") const {
    Request request;
    request.method = method;
    const std::size_t mark = target.find('?');
    request.path = target.substr(0, mark);
    request.body = body;
    for (std::size_t at = mark; at != std::string::npos;) {
      const std::size_t end = target.find('&', at + 1);
      const std::string pair = target.substr(at + 1, end == std::string::npos ? end : end - at - 1);
      const std::size_t equals = pair.find('=');
      request.query.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
      at = end;
    }
    return handler_(request);
  }
  nlohmann::json get(const std::string& target) const {
    return nlohmann::json::parse(ask("GET", target).body);
  }
  // Until what was recorded can be asked for.
  void wait_for(std::uint64_t operations) const {
    for (int i = 0; i < 500 && served_->store()->state().indexed < operations; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  [[nodiscard]] Served& served() { return *served_; }
  [[nodiscard]] Api& api() { return api_; }

 private:
  LiveConfig config_;
  std::unique_ptr<Served> served_;
  Api api_;
  Handler handler_;
};

}  // namespace peerscope::http
