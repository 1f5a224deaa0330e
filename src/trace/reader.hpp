// Reads a .pscope file, also while it is being written: an index of its sections at open, one chunk
// in memory at a time. A torn tail is left out and said, never an error.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "trace/mark.hpp"
#include "trace/meta.hpp"
#include "trace/ops_chunk.hpp"
#include "trace/rollup.hpp"

namespace peerscope {

// Which operations. All conditions hold together; what is unset does not matter.
struct OpFilter {
  std::int64_t from_ns = INT64_MIN, to_ns = INT64_MAX;  // begin in [from, to)
  std::uint32_t kinds = 0;                              // bit k: this kind; 0: all
  std::optional<std::uint64_t> comm;
  std::optional<std::uint16_t> rank, peer, device;
  std::optional<std::uint32_t> process;
  std::uint64_t min_bytes = 0, max_bytes = UINT64_MAX;
  bool only_errors = false;

  [[nodiscard]] bool passes(const Shape& shape) const;  // all but time and bytes
  [[nodiscard]] bool passes(const Op& op) const;
};

struct ChunkInfo {
  std::uint32_t operations = 0, shapes = 0;
  std::int64_t first_ns = 0, last_ns = 0;  // least and greatest begin
  std::uint32_t kinds = 0;                 // bit k: holds this kind
  std::uint64_t bytes_on_disk = 0;
  std::uint64_t not_written_before = 0;  // operations lost to a full disk before this chunk
};

class TraceReader {
 public:
  // The error says what is wrong with the file; a file with nothing but a header is fine and empty.
  // Older parts of a rotated trace (see docs/trace-format.md) come first.
  static Result<TraceReader> open(const std::string& path);
  // Looks at the file again: what has been added, and which older parts are gone; what this reader has read is not read
  // again. This one stays as it is, and both share their files. Empty: nothing has changed.
  [[nodiscard]] Result<std::optional<TraceReader>> refreshed() const;
  TraceReader(TraceReader&&) noexcept;
  TraceReader& operator=(TraceReader&&) noexcept;
  ~TraceReader();

  [[nodiscard]] const TraceMeta& meta() const;
  [[nodiscard]] const std::string& path() const;
  [[nodiscard]] const std::vector<ChunkInfo>& chunks() const;
  // The cells of all chunks together, exact; null where the file is not closed, is in parts, or has
  // too many.
  [[nodiscard]] const Rollup* rollup() const;
  [[nodiscard]] std::uint64_t operations() const;
  [[nodiscard]] std::uint64_t marks() const;
  [[nodiscard]] std::uint64_t file_bytes() const;  // of all parts
  [[nodiscard]] std::uint64_t cut_bytes() const;   // a torn tail that was left out
  [[nodiscard]] std::uint64_t damaged() const;     // sections in the middle that were left out
  [[nodiscard]] std::size_t parts() const;         // files
  [[nodiscard]] bool closed() const;               // its writer ended in good order
  [[nodiscard]] bool truncated() const { return cut_bytes() > 0 || damaged() > 0; }
  // A sentence for people about the tail or damage; "" if there is none.
  [[nodiscard]] std::string note() const;
  // The writer's last analysis (a Snapshot as JSON), and how many operations it covers.
  [[nodiscard]] std::optional<std::string> summary() const;
  [[nodiscard]] std::uint64_t summary_operations() const;

  [[nodiscard]] std::uint64_t trace_id()
      const;  // another one: a new trace has taken the file's place
  // Rises with i; stays the same while the file grows and parts go.
  [[nodiscard]] std::uint64_t chunk_id(std::size_t i) const;

  // Chunk i's columns; see ops_chunk.hpp. Valid as long as the reader lives.
  [[nodiscard]] Result<OpsChunk> chunk(std::size_t i) const;

  // Calls with the operations that pass, chunk by chunk in the order of the file; within a chunk by
  // time of begin. `false` from the callee ends it. Memory: one chunk (6 MB). Progress: `done` of
  // operations() chunks have been looked at.
  using OpsCallback = std::function<bool(std::span<const Op>)>;
  Status for_each_ops(const OpFilter& filter, const OpsCallback& callback) const;
  using MarksCallback = std::function<bool(std::span<const Mark>)>;
  Status for_each_marks(const MarksCallback& callback) const;

 private:
  struct State;
  explicit TraceReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace peerscope
