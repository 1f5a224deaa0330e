// The operations of a trace by time: pages of them, what they add up to, and timelines. Of a file that is
// closed, or of one that is being written.
//
// Answers come from an index that a thread of the store makes: slots of time, at most kMostSlots, whose length
// doubles when there is no room for one more; each holds a cell per (shape, size class) with counts and a
// histogram. A narrow range is answered from the operations themselves, exactly. `from_ns` and `to_ns` of an
// answer say what it really covers.
//
// Memory, whatever the trace: 24 MB of slots, twice 8 MB of lanes, 24 MB of decoded chunks at most. Where there would be
// more, slots and bins are made longer.
//
// All times are CLOCK_MONOTONIC of the traced host, as in Op. Any thread may ask, several at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analyze/aggregates.hpp"
#include "base/result.hpp"
#include "model/op.hpp"
#include "trace/reader.hpp"

namespace peerscope {

struct StoreState {
  std::uint64_t operations = 0, indexed = 0;                 // in the file; of those, in the index
  std::int64_t first_ns = kUnknownNs, last_ns = kUnknownNs;  // begins
  std::int64_t slot_ns = 0;
  std::size_t memory_bytes = 0;
  std::uint64_t overflowed =
      0;  // operations whose cell had no room of its own: counted in a cell "other"
};

struct OperationQuery {
  OpFilter filter;
  bool newest_first = false;
  std::string cursor;  // of an earlier page; "": the first
  std::size_t limit = 100;
};
struct OperationPage {
  std::vector<Op> items;  // in the order of begin, within what one page needs
  std::string next;       // "": that was all
};

// One collective, as far as its ranks' records lie in the file.
struct CollectiveItem {
  std::uint64_t comm = 0, sequence = 0, bytes = 0;
  Kind kind = Kind::other;
  Algorithm algorithm = Algorithm::unknown;
  std::uint16_t ranks = 0, seen = 0;  // of the communicator; with a record
  std::uint16_t last_rank = kNoRank;  // that arrived last
  std::int64_t first_ns = 0, last_ns = 0, end_ns = kUnknownNs;  // arrivals; the last departure
  std::int64_t device_transfer_ns = kUnknownNs, device_wait_ns = kUnknownNs;
  bool async = false, error = false;
  std::vector<Op> ops;  // of its ranks
};
struct CollectivePage {
  std::vector<CollectiveItem> items;
  std::string next;
};

enum class GroupBy : std::uint8_t {
  operation,
  algorithm,
  protocol,
  size,
  rank,
  peer,
  device,
  communicator,
  process,
  backend,
  status
};

struct AggregateQuery {
  OpFilter filter;                 // min_bytes and max_bytes: by size class
  std::vector<GroupBy> by;         // empty: one row
  std::int64_t resolution_ns = 0;  // length of a point; 0: no points
  std::size_t max_rows = 1000;
};
struct AggregatePoint {
  std::int64_t begin_ns = 0, end_ns = 0;
  Counts counts;
  double host_p50_ns = kUnknown, host_p99_ns = kUnknown, device_p50_ns = kUnknown,
         device_p99_ns = kUnknown;
};
struct AggregateRow {
  Op key;                       // what it is grouped by; other fields are as in a default Op
  std::uint8_t size_class = 0;  // with GroupBy::size
  bool other = false;           // what found no room of its own
  Counts counts;
  Distribution host, device;           // not weighted
  std::vector<AggregatePoint> points;  // empty ones are left out
};
struct AggregateTable {
  std::int64_t from_ns = 0,
               to_ns = 0;    // that it covers: wider than asked for by at most a slot at each end
  bool exact = false;        // from operations, not from slots
  double indexed_share = 1;  // of the range's operations: the index is still being made
  std::size_t rows_left_out = 0;   // beyond max_rows, the smallest
  std::vector<AggregateRow> rows;  // the most host time first
};

// How long operations took, over time: a column per stretch of time, a row per bucket of duration.
struct HeatMapQuery {
  OpFilter filter;
  std::size_t columns = 200;
  bool device = false;  // device times; else host times
};
struct HeatMap {
  std::int64_t from_ns = 0, to_ns = 0, column_ns = 0;
  std::vector<double> bucket_top_ns;                // ascending
  std::vector<std::vector<std::uint64_t>> columns;  // [column][bucket]
};

struct TimelineQuery {
  // Of much, lanes are told apart by rank and process only where the filter asks for anything else but these: then all
  // of a rank's operations are in its first lane.
  OpFilter filter;
  std::size_t bins = 1000;            // per lane
  std::size_t max_operations = 4000;  // up to so many are given one by one
  bool device = false;                // lanes of the devices' time; else of the host's
};
struct TimelineLane {
  std::uint32_t process = 0, thread = 0;
  std::uint16_t rank = kNoRank, stream = 0;
  bool other = false;  // what found no lane of its own
};
struct TimelineOp {
  std::uint32_t lane = 0;
  Op op;
};
struct TimelineBin {
  std::uint32_t lane = 0, bin = 0;
  std::uint32_t count = 0, errors = 0;  // of operations that begin there
  float busy = 0;                       // share of its time in operations, 0..1
  Kind kind = Kind::other;              // that took most of it
};
struct Timeline {
  std::int64_t from_ns = 0, to_ns = 0, bin_ns = 0;
  std::vector<TimelineLane>
      lanes;  // by rank, then process, then thread: all of the file, whatever the range
  std::vector<TimelineOp> ops;    // either these,
  std::vector<TimelineBin> bins;  // or these; empty bins are left out
  double indexed_share = 1;
};

class Store {
 public:
  static constexpr std::size_t kMostSlots = 4096;

  // Follows a file that grows: looks at it every `follow_ns` (0: it is closed, or nobody cares).
  static Result<std::unique_ptr<Store>> open(const std::string& path, std::int64_t follow_ns = 0);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  [[nodiscard]] StoreState state() const;
  [[nodiscard]] std::shared_ptr<const TraceReader> trace() const;  // as it was last looked at

  // The error of a bad cursor is ErrorCode::invalid_argument, in one sentence.
  Result<OperationPage> operations(const OperationQuery& query) const;
  Result<CollectivePage> collectives(const OperationQuery& query) const;
  Result<AggregateTable> aggregate(const AggregateQuery& query) const;
  Result<HeatMap> heat_map(const HeatMapQuery& query) const;
  Result<Timeline> timeline(const TimelineQuery& query) const;

 private:
  struct State;
  explicit Store(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace peerscope
