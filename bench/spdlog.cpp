// spdlog, asynchronous: two lines an operation, a queue of 64 Ki, the oldest line gives way.
#include <memory>

#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "peers.hpp"

namespace peerscope::peers {
namespace {

void add_logger(Bench& bench, const char* name, const std::shared_ptr<spdlog::logger>& logger) {
  add_row(bench, name, [raw = logger.get()](const Operation& o) {
    raw->info("begin kind={} algorithm={} bytes={} source={} destination={} stream={} sequence={}",
              o.kind, o.algorithm, o.bytes, o.source, o.destination, o.stream, o.sequence);
    raw->info("end sequence={} status={}", o.sequence, kOk);
  });
}

}  // namespace

void add_spdlog(Bench& bench) {
  spdlog::init_thread_pool(65536, 1);
  const std::string path = bench.directory + "/spdlog.log";
  static const auto file =
      spdlog::create_async_nb<spdlog::sinks::basic_file_sink_mt>("file", path, true);
  unlink(path.c_str());  // its memory goes with the process
  static const auto null = spdlog::create_async_nb<spdlog::sinks::null_sink_mt>("null");
  add_logger(bench, "spdlog, file in /dev/shm", file);
  add_logger(bench, "spdlog, null sink", null);
}

}  // namespace peerscope::peers
