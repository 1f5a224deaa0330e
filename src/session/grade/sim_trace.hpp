// A simulated run as a trace file, and what was wrong with it as a JSON file beside it.
#pragma once

#include <map>
#include <string>

#include "analyze/snapshot.hpp"
#include "comm/sim/simulation.hpp"
#include "trace/writer.hpp"

namespace peerscope {

class SimTrace final : public sim::SimSink {
 public:
  static Result<SimTrace> create(const std::string& path, const TraceWriterOptions& options);

  void on_ops(std::span<const Op> ops) override { writer_.add(ops); }
  void on_event(const sim::SimEvent& event) override;
  // The last word: who, what and what was found.
  Status finish(const sim::Simulation& run, const Snapshot& snapshot, const std::string& command);
  [[nodiscard]] const TraceWriterStatus& status() const { return writer_.status(); }

 private:
  explicit SimTrace(TraceWriter writer) : writer_(std::move(writer)) {}
  [[nodiscard]] TraceMeta meta_of(const sim::Simulation& run, const Snapshot& snapshot,
                                  const std::string& command) const;

  TraceWriter writer_;
  std::map<std::string, std::uint16_t> names_;  // of events, the same in all processes
};

// "run.pscope" -> "run.truth.json"
std::string truth_path(const std::string& trace_path);

}  // namespace peerscope
