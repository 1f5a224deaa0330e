// Traces at random, and what is in them one by one.
#pragma once

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "store/store.hpp"
#include "trace/writer.hpp"

namespace peerscope {

class TestFolder {
 public:
  TestFolder()
      : dir_(std::filesystem::temp_directory_path() /
             fmt::format("peerscope-store-{}-{}", getpid(), count()++)) {
    std::filesystem::create_directories(dir_);
  }
  ~TestFolder() { std::filesystem::remove_all(dir_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  [[nodiscard]] std::string path() const { return dir_ / "run.pscope"; }

 private:
  static int& count() {
    static int number = 0;
    return number;
  }
  std::filesystem::path dir_;
};

inline TraceWriter writer_to(const std::string& path, std::uint32_t chunk_operations,
                             std::uint64_t max_bytes = 0) {
  TraceWriterOptions options;
  options.chunk_operations = chunk_operations;
  options.time_step_ns = 1;
  options.max_bytes = max_bytes;
  auto writer = TraceWriter::create(path, options);
  EXPECT_TRUE(writer) << (writer ? "" : writer.error().message);
  return std::move(*writer);
}

inline void write_trace(const std::string& path, const std::vector<Op>& ops,
                        std::uint32_t chunk_operations) {
  TraceWriter writer = writer_to(path, chunk_operations);
  writer.add(ops);
  EXPECT_TRUE(writer.close());
}

inline std::unique_ptr<Store> opened(const std::string& path, std::int64_t follow_ns = 0) {
  auto store = Store::open(path, follow_ns);
  EXPECT_TRUE(store) << (store ? "" : store.error().message);
  return std::move(*store);
}

// Waits until `operations` are in the file, and all of them in the index. Gives up when nothing has happened for long.
inline void wait_for(const Store& store, std::uint64_t operations) {
  std::uint64_t last = 0;
  for (int still = 0; still < 8000; ++still) {
    const StoreState state = store.state();
    if (state.operations == operations && state.indexed == operations) return;
    if (state.indexed != last) still = 0;
    last = state.indexed;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  FAIL() << store.state().operations << " operations, " << store.state().indexed << " indexed";
}

// Of everything a little: ranks, communicators, sizes, errors, weights, unknown times, device times beside their
// operation and apart from it. Begins ascend, but for some that come late.
class RandomOps {
 public:
  explicit RandomOps(std::uint64_t seed) : engine_(seed) {}

  std::vector<Op> take(std::size_t n) {
    std::vector<Op> ops;
    while (ops.size() < n) {
      ops.push_back(next());
      if (ops.size() < n && below(10) == 0) ops.push_back(device_only(ops.back()));
    }
    return ops;
  }
  std::uint64_t below(std::uint64_t n) { return engine_() % n; }

 private:
  Op next() {
    now_ns_ += static_cast<std::int64_t>(below(200'000));
    Op op;
    op.begin_ns = now_ns_ - (below(50) == 0 ? 300'000 : 0);
    op.kind = static_cast<Kind>(1 + below(8));
    op.algorithm = static_cast<Algorithm>(below(2));
    op.protocol = Protocol::simple;
    op.rank = op.device = static_cast<std::uint16_t>(below(4));
    op.process = op.rank / 2u;
    op.thread = static_cast<std::uint32_t>(below(2));
    op.peer = static_cast<std::uint16_t>(below(2));
    op.ranks = 4;
    op.comm = 1 + below(2);
    op.backend = Backend::cuda;
    op.bytes = below(3) == 0 ? 0 : std::uint64_t{1} << 3 * below(7);
    op.sequence = sequence_++;
    op.weight = below(20) == 0 ? 64 : 1;
    op.status = below(100) == 0 ? OpStatus::timeout : OpStatus::ok;
    if (below(15) != 0) op.host_duration_ns = duration();
    if (below(4) == 0) {
      op.async = true;
      op.device_begin_ns = op.begin_ns + 500;
      op.device_duration_ns = duration();
    }
    return op;
  }
  Op device_only(Op op) {
    op.device_only = true;
    op.host_duration_ns = kUnknownNs;
    op.device_begin_ns = op.begin_ns + 700;
    op.device_duration_ns = duration();
    return op;
  }
  std::int64_t duration() {
    return static_cast<std::int64_t>(1 + below(std::uint64_t{1} << (1 + below(20))));
  }

  std::mt19937_64 engine_;
  std::int64_t now_ns_ = 5'000'000'000;
  std::uint64_t sequence_ = 0;
};

}  // namespace peerscope
