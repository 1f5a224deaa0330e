// A stored trace through the same analysis as a live session.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>

#include "analyze/detect/detect.hpp"
#include "analyze/snapshot.hpp"
#include "base/result.hpp"
#include "session/monitor.hpp"
#include "trace/reader.hpp"

namespace peerscope {

// Fed with a trace's contents in the order of time; gives what a Monitor would have given.
class Replay {
 public:
  explicit Replay(const MonitorOptions& options);
  ~Replay();
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  void add(std::span<const Op> ops);
  void add(const Mark& mark);
  // The last word: incomplete collectives are counted as such. `stored` is what the writer knew at the end, if it is there:
  // what no operation says (in flight, metrics, readings of the machine, the time itself) is taken from it.
  Snapshot finish(const TraceMeta& meta, const std::optional<Snapshot>& stored = std::nullopt);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Reads all of a trace. With options.debug: that is fed, and looks at the snapshot when the caller
// says so. `progress` is called with the operations done so far. An error, too, once `stop` is true.
Result<Snapshot> replay(const TraceReader& trace, const MonitorOptions& options,
                        const std::function<void(std::uint64_t)>& progress,
                        const std::atomic<bool>* stop = nullptr);

// What its writer knew at the end, where that covers all of the file; else what can be said from
// the last time it was stored. Empty if there is nothing stored.
std::optional<Snapshot> stored_snapshot(const TraceReader& trace);

// What a closed file's statistics say at once: counts, sizes and durations by operation. Ranks,
// collectives and findings need every operation: replay(). Empty where the file has none.
std::optional<Snapshot> snapshot_from_statistics(const TraceReader& trace,
                                                 const MonitorOptions& options);

}  // namespace peerscope
