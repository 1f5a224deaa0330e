// What is asked of the CUDA driver, in callbacks of its own functions: queries that neither allocate nor wait.
#pragma once

#include <cstdint>

#include "source/cuda/abi.hpp"

namespace peerscope::cuda {

inline constexpr std::uint32_t kNoDevice = UINT32_MAX;

bool find_driver();            // the one that is loaded. Idempotent
std::uint32_t device_count();  // 0: unknown

// Of memory on a device; kNoDevice for any other. Remembered for a moment: memory may be freed and be another device's.
std::uint32_t device_of_pointer(DevicePointer pointer, std::uint64_t now_ticks);
// Of a context; asks CUPTI the first time. kNoDevice: unknown.
std::uint32_t device_of_context(void* context);
void forget_contexts();

bool is_capturing(void* stream);

}  // namespace peerscope::cuda
