// A simulated run through the real recorder: its virtual time is real time from open() on, so that
// whoever attaches sees it happen.
//
// One process records all ranks. So what needs processes of their own is not to be seen this way: a
// rank that dies inside a collective stays in it instead.
#pragma once

#include <memory>
#include <string>

#include "comm/sim/simulation.hpp"

namespace peerscope::sim {

class Recorded {
 public:
  // `run` must outlive it. Fails where there is no recorder or too little memory for its rings.
  static Result<std::unique_ptr<Recorded>> open(Simulation& run, const char* name);
  ~Recorded();  // closes the session
  Recorded(const Recorded&) = delete;
  Recorded& operator=(const Recorded&) = delete;

  // Records what has happened up to now. False: the run has no more to give.
  bool catch_up();
  [[nodiscard]] double elapsed_s() const;
  [[nodiscard]] std::string segment_path() const;

 private:
  struct State;
  explicit Recorded(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace peerscope::sim
