// What debug hang and debug inflight share: who is in an open operation, who is not, and what each of
// them is doing.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "analyze/debug/in_flight.hpp"
#include "cli/debug_source.hpp"
#include "cli/render.hpp"

namespace peerscope {

// What the kernel says of a process now: "stopped by a signal", "sleeping", ...; "" of one that is gone.
// `cont`: it would go on with SIGCONT.
struct KernelState {
  std::string words;
  bool cont = false;
};
KernelState kernel_state(std::uint32_t pid);

// Who holds the others up, as far as one can tell: ranks that call something else, that have not come, or
// that are in it and whose process is stopped or gone. Empty: nobody stands out.
struct Suspect {
  int rank = 0;
  std::uint32_t pid = 0;  // 0: unknown
  std::string why;        // "has not arrived"
  bool cont = false;      // its process would go on with SIGCONT
};
std::vector<Suspect> suspects_of(const InFlightGroup& group, const DebugSource& source);

// A table of all its ranks, those that are missing with what they ended last.
std::string group_text(const InFlightGroup& group, const DebugSource& source, const Style& style);
nlohmann::json group_json(const InFlightGroup& group, const DebugSource& source);

}  // namespace peerscope
