// What comes into a session without a process that records it: samplers on the reader's side.
#pragma once

#include "analyze/snapshot.hpp"
#include "collect/collector.hpp"

namespace peerscope {

// Called by the thread that polls the Monitor. Operations carry `process` kNoProcess.
class Feeder {
 public:
  static constexpr std::uint32_t kNoProcess = 0x7fffffff;

  virtual ~Feeder() = default;
  virtual void poll(Sink& sink) = 0;  // delivers all that is new; never waits
  // What is open now and what things are called, before findings are made of it.
  virtual void add_to(Snapshot& snapshot) = 0;
  virtual void add_findings(Snapshot& snapshot) = 0;
  [[nodiscard]] virtual bool live() const = 0;  // there is something to sample
};

}  // namespace peerscope
