// Where an operation's time goes, at the comprehensive level: the ends of its phases.
#pragma once

#include <array>

#include "comm/plan.hpp"
#include "peerscope/peerscope.h"

namespace peerscope {

// Ids of the phases' names, registered once when a communicator opens.
struct MarkNames {
  std::uint16_t arrive = 0;               // until the first byte from a peer
  std::array<std::uint16_t, 3> phases{};  // by Phase
};

inline MarkNames register_mark_names(pscope_session* session) {
  return {.arrive = pscope_name(session, "arrive"),
          .phases = {pscope_name(session, "send"), pscope_name(session, "reduce"),
                     pscope_name(session, "gather")}};
}

// The marks of one operation. Costs one predicted branch where phases are not recorded.
class Marks {
 public:
  Marks() = default;
  Marks(pscope_session* session, pscope_token token, const MarkNames& names)
      : session_(session), token_(token), names_(&names) {}

  bool active() const { return token_ != 0; }
  void arrive() { mark(names_ ? names_->arrive : std::uint16_t{0}); }
  void end(Phase phase) {
    mark(names_ ? names_->phases[static_cast<std::size_t>(phase)] : std::uint16_t{0});
  }

 private:
  void mark(std::uint16_t name) {
    if (name != 0) pscope_op_phase(session_, token_, name);
  }

  pscope_session* session_ = nullptr;
  pscope_token token_ = 0;
  const MarkNames* names_ = nullptr;
};

}  // namespace peerscope
