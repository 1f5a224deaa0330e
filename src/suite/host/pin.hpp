// Keeps threads on processors of their own, so that a measurement does not depend on where the
// scheduler happens to put them.
#pragma once

#include <sched.h>

namespace peerscope {

inline cpu_set_t allowed_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  return set;
}

// The calling thread, to the processor number `rank` (modulo) of those that are allowed.
void pin_rank(int rank, const cpu_set_t& allowed);
inline void pin_rank(int rank) { pin_rank(rank, allowed_processors()); }

// The calling thread may run on all of these again.
inline void unpin(const cpu_set_t& allowed) { sched_setaffinity(0, sizeof allowed, &allowed); }

}  // namespace peerscope
