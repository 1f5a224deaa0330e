// A second profiler plugin, behind ours: NCCL takes only one. $PEERSCOPE_NCCL_CHAIN names it as NCCL_PROFILER_PLUGIN would.
//
// It is asked in NCCL's version, or in an earlier one from 5 on, whose descriptors begin alike. Its mask is part of ours; its
// handles and contexts are kept beside ours, and each sees its own parents. What NCCL sends to us alone (the windows of
// channels) it may see, too.
#pragma once

#include <cstdint>

#include "source/nccl/abi.hpp"

namespace peerscope::nccl {

struct Communicator;
using StartOurs = void* (*)(Communicator* comm, std::uint64_t type, bool has_calls,
                            const Descriptor& descriptor);

bool chain_is_on();
void chain_init(int version, Communicator& comm, const char* name, int nodes, Logger log);
void chain_finalize(Communicator& comm);

int chain_start(void* context, void** handle, Descriptor& descriptor, int version, StartOurs ours);
int chain_stop(void* handle);
int chain_record(void* handle, int state, void* arguments);

}  // namespace peerscope::nccl
