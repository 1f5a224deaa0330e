// Writes a .pscope file: append only, readable while it grows. See docs/trace-format.md.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/result.hpp"
#include "trace/mark.hpp"
#include "trace/meta.hpp"

namespace peerscope {

class FileSystem;

struct TraceWriterOptions {
  std::uint64_t max_bytes = 0;              // of all parts together; 0: no limit
  std::int64_t max_age_ns = 0;              // parts whose last operation is older go; 0: none
  std::uint32_t chunk_operations = 65'536;  // at most 65,536
  std::int64_t flush_interval_ns = 1'000'000'000;  // an incomplete chunk is written after this
  int compression = 1;                             // zstd level, 1 to 9
  // Times are rounded to at most this, a power of two up to 65,536, and to at most 1/256 of a chunk's
  // median duration. 1: not at all. Reading the clock takes longer than the default.
  std::uint32_t time_step_ns = 8;
};

struct TraceWriterStatus {
  std::uint64_t operations = 0, marks = 0;  // written or waiting to be
  std::uint64_t bytes = 0;                  // on disk, of all parts that are left
  std::uint64_t not_written = 0;  // operations and marks discarded while the disk was full
  std::uint64_t parts_removed = 0;
  bool suspended = false;  // the disk is full: tried again every second
  std::int64_t suspended_since_ns = 0;
  std::string why;  // a sentence, while suspended
};

// One thread at a time. What cannot be written is counted; it never fails after open.
class TraceWriter {
 public:
  // Fails if the file cannot be made, or another process is writing to it. Replaces an existing
  // file, and older parts beside it.
  static Result<TraceWriter> create(const std::string& path, const TraceWriterOptions& options);
  static Result<TraceWriter> create(const std::string& path, const TraceWriterOptions& options,
                                    FileSystem& files);
  TraceWriter(TraceWriter&&) noexcept;
  TraceWriter& operator=(TraceWriter&&) noexcept;
  ~TraceWriter();  // as close()

  void add(std::span<const Op> ops);
  void add(const Mark& mark);
  void set_meta(const TraceMeta& meta);       // written now if it has changed
  void set_summary(const std::string& json);  // written now; covers all operations so far
  void tick(std::int64_t now_ns);             // CLOCK_MONOTONIC: writes what has waited long enough
  Status close();                             // writes the rest and the index

  [[nodiscard]] const TraceWriterStatus& status() const;

 private:
  struct State;
  explicit TraceWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace peerscope
