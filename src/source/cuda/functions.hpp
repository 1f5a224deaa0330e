// Which functions of CUDA are listened to, by CUPTI's numbers, and where in their arguments the copy is. One table: a function
// that is not in it costs nothing.
#pragma once

#include <cstdint>

#include "source/cuda/abi.hpp"

namespace peerscope::cuda {

enum class Shape : std::uint8_t {
  none,
  peer,
  plain,
  copy_3d,
  batch_v1,
  batch,
  runtime_peer,
  runtime_plain,
  runtime_copy_3d,
  capture_begin,
  capture_end,
};

struct Function {
  Domain domain;
  std::uint16_t id;
  Shape shape;
  bool has_stream;     // else it is the default one
  std::uint8_t since;  // the version of CUPTI (its count) that has it
};

// The runtime's functions are here, too: that a call of the runtime shows as one of the driver is nowhere promised, and
// PyTorch's traces have cudaLaunchKernel without a cuLaunchKernel in it. Where both come, the outer one counts.
inline constexpr Function kFunctions[] = {
    {Domain::driver, 280, Shape::plain, false, 0},             // cuMemcpyDtoD_v2
    {Domain::driver, 281, Shape::plain, true, 0},              // cuMemcpyDtoDAsync_v2
    {Domain::driver, 305, Shape::plain, false, 0},             // cuMemcpy
    {Domain::driver, 306, Shape::plain, true, 0},              // cuMemcpyAsync
    {Domain::driver, 318, Shape::peer, false, 0},              // cuMemcpyPeer
    {Domain::driver, 319, Shape::peer, true, 0},               // cuMemcpyPeerAsync
    {Domain::driver, 320, Shape::copy_3d, false, 0},           // cuMemcpy3DPeer
    {Domain::driver, 321, Shape::copy_3d, true, 0},            // cuMemcpy3DPeerAsync
    {Domain::driver, 399, Shape::plain, false, 0},             // cuMemcpyDtoD_v2_ptds
    {Domain::driver, 408, Shape::plain, false, 0},             // cuMemcpy_ptds
    {Domain::driver, 409, Shape::peer, false, 0},              // cuMemcpyPeer_ptds
    {Domain::driver, 410, Shape::copy_3d, false, 0},           // cuMemcpy3DPeer_ptds
    {Domain::driver, 418, Shape::plain, true, 0},              // cuMemcpyAsync_ptsz
    {Domain::driver, 423, Shape::plain, true, 0},              // cuMemcpyDtoDAsync_v2_ptsz
    {Domain::driver, 426, Shape::peer, true, 0},               // cuMemcpyPeerAsync_ptsz
    {Domain::driver, 427, Shape::copy_3d, true, 0},            // cuMemcpy3DPeerAsync_ptsz
    {Domain::driver, 495, Shape::capture_begin, true, 0},      // cuStreamBeginCapture
    {Domain::driver, 496, Shape::capture_begin, true, 0},      // cuStreamBeginCapture_ptsz
    {Domain::driver, 497, Shape::capture_end, true, 0},        // cuStreamEndCapture
    {Domain::driver, 498, Shape::capture_end, true, 0},        // cuStreamEndCapture_ptsz
    {Domain::driver, 539, Shape::capture_begin, true, 0},      // cuStreamBeginCapture_v2
    {Domain::driver, 540, Shape::capture_begin, true, 0},      // cuStreamBeginCapture_v2_ptsz
    {Domain::driver, 720, Shape::capture_begin, true, 21},     // cuStreamBeginCaptureToGraph
    {Domain::driver, 721, Shape::capture_begin, true, 21},     // cuStreamBeginCaptureToGraph_ptsz
    {Domain::driver, 776, Shape::batch_v1, true, 26},          // cuMemcpyBatchAsync
    {Domain::driver, 777, Shape::batch_v1, true, 26},          // cuMemcpyBatchAsync_ptsz
    {Domain::driver, 796, Shape::batch, true, 255},            // cuMemcpyBatchAsync_v2
    {Domain::driver, 797, Shape::batch, true, 255},            // cuMemcpyBatchAsync_v2_ptsz
    {Domain::runtime, 31, Shape::runtime_plain, false, 0},     // cudaMemcpy
    {Domain::runtime, 41, Shape::runtime_plain, true, 0},      // cudaMemcpyAsync
    {Domain::runtime, 160, Shape::runtime_peer, false, 0},     // cudaMemcpyPeer
    {Domain::runtime, 161, Shape::runtime_peer, true, 0},      // cudaMemcpyPeerAsync
    {Domain::runtime, 162, Shape::runtime_copy_3d, false, 0},  // cudaMemcpy3DPeer
    {Domain::runtime, 163, Shape::runtime_copy_3d, true, 0},   // cudaMemcpy3DPeerAsync
    {Domain::runtime, 215, Shape::runtime_plain, false, 0},    // cudaMemcpy_ptds
    {Domain::runtime, 225, Shape::runtime_plain, true, 0},     // cudaMemcpyAsync_ptsz
    {Domain::runtime, 249, Shape::runtime_copy_3d, false, 0},  // cudaMemcpy3DPeer_ptds
    {Domain::runtime, 250, Shape::runtime_copy_3d, true, 0},   // cudaMemcpy3DPeerAsync_ptsz
    {Domain::runtime, 315, Shape::capture_begin, true, 0},     // cudaStreamBeginCapture
    {Domain::runtime, 316, Shape::capture_begin, true, 0},     // cudaStreamBeginCapture_ptsz
    {Domain::runtime, 319, Shape::capture_end, true, 0},       // cudaStreamEndCapture
    {Domain::runtime, 320, Shape::capture_end, true, 0},       // cudaStreamEndCapture_ptsz
    {Domain::runtime, 452, Shape::capture_begin, true, 21},    // cudaStreamBeginCaptureToGraph
    {Domain::runtime, 453, Shape::capture_begin, true, 21},    // cudaStreamBeginCaptureToGraph_ptsz
    {Domain::runtime, 482, Shape::batch_v1, true, 26},         // cudaMemcpyBatchAsync of CUDA 12.8
    {Domain::runtime, 483, Shape::batch_v1, true, 26},         // cudaMemcpyBatchAsync_ptsz
    {Domain::runtime, 509, Shape::batch, true, 255},           // cudaMemcpyBatchAsync of CUDA 13
    {Domain::runtime, 510, Shape::batch, true, 255},           // cudaMemcpyBatchAsync_ptsz
};

inline constexpr std::uint32_t kIds = 1024;  // more than either domain's that we know

// By domain and number, so that a callback finds its shape in one load.
struct FunctionIndex {
  Function driver[kIds] = {}, runtime[kIds] = {};
};
constexpr FunctionIndex make_function_index() {
  FunctionIndex index;
  for (const Function& f : kFunctions)
    (f.domain == Domain::driver ? index.driver : index.runtime)[f.id] = f;
  return index;
}
inline constexpr FunctionIndex kFunctionIndex = make_function_index();

}  // namespace peerscope::cuda
