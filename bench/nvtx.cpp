// NVTX ranges with no tool attached: what an instrumented program pays when nobody looks.
#include <nvtx3/nvToolsExt.h>

#include "peers.hpp"

namespace peerscope::peers {

void add_nvtx(Bench& bench) {
  add_row(bench, "NVTX, no tool", [](const Operation&) {
    nvtxRangePushA("send");
    nvtxRangePop();
  });
}

}  // namespace peerscope::peers
