#include "suite/host/pin.hpp"

#include <algorithm>

namespace peerscope {

void pin_rank(int rank, const cpu_set_t& allowed) {
  int skip = rank % std::max(1, CPU_COUNT(&allowed));
  for (unsigned cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || skip-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    return;
  }
}

}  // namespace peerscope
