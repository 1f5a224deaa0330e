// What the fake NCCL gives the fake CUDA to do: at once, or when the graph that is being captured is
// launched.
#pragma once

#include <functional>

#include "comm/cuda/cuda_abi.hpp"

namespace peerscope {

inline constexpr const char* kFakeEnqueue = "pscope_fake_enqueue";
using FakeEnqueue = void (*)(CudaStreamHandle stream, const std::function<void()>& work);

// A stream that hangs never becomes empty, as one on which a kernel waits for ever.
inline constexpr const char* kFakeHang = "pscope_fake_hang";
using FakeHang = void (*)(CudaStreamHandle stream, bool hangs);

}  // namespace peerscope
