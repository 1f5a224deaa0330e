// Rows of nccl-tests, from its table or its JSON.
#pragma once

#include <optional>

#include "trace/import/input.hpp"

namespace peerscope {

struct NcclTestRow {
  Kind kind = Kind::other;
  Dtype dtype = Dtype::unknown;
  std::uint64_t bytes = 0;
  int root = -1;
};

struct NcclTestTime {
  double us = 0;
  std::optional<double> algbw, busbw;  // GB/s
  double wrong = 0;                    // values
};

class NcclTestRows {
 public:
  explicit NcclTestRows(ImportSink& sink);
  void set_iterations(std::uint32_t iterations) { iterations_ = iterations; }
  void set_version(std::string version) { meta_.version = std::move(version); }
  void add_rank() { ++ranks_; }
  void set_ranks(std::size_t ranks) { ranks_ = ranks; }
  void add_device(const TraceDevice& device);
  void add(const NcclTestRow& row, const char* place, const NcclTestTime& time,
           ImportCounts& counts);
  void add_measurement(TraceMeasurement measurement) {
    meta_.measurements.push_back(std::move(measurement));
  }
  void finish(ImportSink& sink);

  Kind kind = Kind::other;

 private:
  OpBatch batch_;
  TraceMeta meta_;
  std::size_t ranks_ = 0;
  std::uint32_t iterations_ = 1;
  std::uint64_t sequence_ = 0;
  std::int64_t now_ns_ = 0;
};

}  // namespace peerscope
