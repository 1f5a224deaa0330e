// libcupti, found in the process or on disk, and the functions that we call.
#pragma once

#include <cstddef>
#include <cstdint>

#include "source/cuda/abi.hpp"

namespace peerscope::cuda {

struct Cupti {
  int (*get_version)(std::uint32_t*);
  int (*get_result_string)(int, const char**);
  int (*get_timestamp)(std::uint64_t*);
  int (*get_device_id)(void* context, std::uint32_t*);
  int (*subscribe)(void** subscriber, Callback, void* user);
  int (*unsubscribe)(void* subscriber);
  int (*enable_callback)(std::uint32_t enable, void* subscriber, Domain, std::uint32_t id);
  int (*register_buffers)(BufferRequested, BufferCompleted);
  int (*enable)(int kind);
  int (*disable)(int kind);
  int (*enable_and_dump)(int kind);
  int (*flush_all)(std::uint32_t flag);
  int (*next_record)(std::uint8_t* buffer, std::size_t valid, ActivityHead** record);
  std::uint32_t version;
};

// False, with a sentence on standard error, if there is none or it is one that we do not know.
bool load_cupti();
const Cupti& cupti();                 // after load_cupti
const char* result_text(int result);  // CUPTI's own name of it

// Where it may lie, the likeliest first: calls `visit` with each path or soname, until that returns true.
using VisitPath = bool (*)(const char* path, void* user);
bool for_each_place(VisitPath visit, void* user);

}  // namespace peerscope::cuda
