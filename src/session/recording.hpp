// What a Monitor reads, written to a trace file as it comes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "analyze/debug/event.hpp"
#include "analyze/snapshot.hpp"
#include "base/result.hpp"
#include "collect/collector.hpp"
#include "trace/writer.hpp"

namespace peerscope {

struct RecordingOptions {
  std::string path;
  TraceWriterOptions writer;
  std::int64_t summary_interval_ns = 10'000'000'000;  // the analysis is stored this often
  std::string command;                                // what is being run, for people
  std::vector<TraceSetting> settings;                 // configuration in force
};

// One thread at a time: that of its Monitor.
class Recording {
 public:
  static Result<std::shared_ptr<Recording>> start(RecordingOptions options);
  explicit Recording(RecordingOptions options, TraceWriter writer);

  void on_ops(std::span<const Op> ops) { writer_.add(ops); }
  void on_phase(const PhaseMark& phase);
  void on_completion(const Completion& completion);
  void on_event(const Event& event);
  void on_call_site(const CallSite& site);
  void on_control(const ControlEvent& event);
  // What a reader saw beside the processes: an event of process kNotesProcess, its text a name.
  void on_note(const DebugEvent& event);
  static constexpr std::uint32_t kNotesProcess = 0x7ffffffe;

  // Writes what has waited long enough. True: the analysis is due; give it to store().
  bool tick(std::int64_t now_ns);
  void store(const Collector& collector, const Snapshot& snapshot);
  // The last word.
  void finish(const Collector& collector, const Snapshot& snapshot);

  [[nodiscard]] TraceView view() const;

 private:
  [[nodiscard]] TraceMeta meta_of(const Collector& collector, const Snapshot& snapshot) const;

  RecordingOptions options_;
  TraceWriter writer_;
  std::int64_t created_real_ns_ = 0, now_ns_ = 0, next_summary_ns_ = 0;
  std::vector<TraceName> notes_;  // at most kMostNotes
  static constexpr std::size_t kMostNotes = 4096;
  bool finished_ = false;
};

// This machine: its name, kernel and boot.
TraceHost this_host();

}  // namespace peerscope
