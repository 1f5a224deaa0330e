// Devices, memory, streams, events and graphs of the CUDA driver, owned.
#pragma once

#include <string>
#include <utility>

#include "comm/cuda/cuda_driver.hpp"

namespace peerscope {

// Frees its handle with the driver's function. The driver outlives it.
template <class Handle>
class CudaOwned {
 public:
  using Free = CudaResult (*)(Handle);
  CudaOwned() = default;
  CudaOwned(Handle handle, Free free) : handle_(handle), free_(free) {}
  CudaOwned(CudaOwned&& other) noexcept
      : handle_(other.handle_), free_(std::exchange(other.free_, nullptr)) {}
  CudaOwned& operator=(CudaOwned&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(free_, other.free_);
    return *this;
  }
  ~CudaOwned() {
    if (free_ != nullptr) free_(handle_);
  }
  [[nodiscard]] Handle get() const { return handle_; }
  explicit operator bool() const { return free_ != nullptr; }

 private:
  Handle handle_{};
  Free free_ = nullptr;
};

using CudaMemory = CudaOwned<CudaPointer>;
using CudaStream = CudaOwned<CudaStreamHandle>;
using CudaEvent = CudaOwned<CudaEventHandle>;
using CudaGraph = CudaOwned<CudaGraphExecHandle>;

struct CudaDeviceInfo {
  int ordinal = 0;
  std::string name, pci_bus_id;  // "NVIDIA H200", "0000:04:00.0"
};
Result<CudaDeviceInfo> describe(const CudaDriver& driver, int ordinal);

// A device's primary context: the one that NCCL and the CUDA runtime use, too. What it makes
// belongs to the device that is current: call make_current() first where a thread has several.
class CudaDevice {
 public:
  static Result<CudaDevice> open(const CudaDriver& driver, int ordinal);  // and makes it current

  [[nodiscard]] int ordinal() const { return ordinal_; }
  [[nodiscard]] Status make_current() const;
  [[nodiscard]] Status synchronize() const;  // of the current device

  [[nodiscard]] Result<CudaMemory> allocate(std::size_t bytes) const;
  [[nodiscard]] Result<CudaStream> make_stream() const;  // does not wait for the default stream
  [[nodiscard]] Result<CudaEvent> make_event() const;    // with timing

  [[nodiscard]] Status upload(CudaPointer to, const void* from, std::size_t bytes) const;
  [[nodiscard]] Status download(void* to, CudaPointer from, std::size_t bytes) const;
  [[nodiscard]] Status copy(CudaPointer to, CudaPointer from, std::size_t bytes) const;
  [[nodiscard]] Status fill(CudaPointer to, std::byte byte, std::size_t bytes) const;
  // `[0, bytes)` repeats its first `period` bytes: copies on the device, doubling.
  [[nodiscard]] Status repeat(CudaPointer to, std::size_t period, std::size_t bytes) const;

  [[nodiscard]] Status record(const CudaEvent& event, const CudaStream& stream) const;
  // Between two events that have both happened.
  [[nodiscard]] Result<double> elapsed_ns(const CudaEvent& begin, const CudaEvent& end) const;

  // What this thread gives to the stream from here on becomes a graph instead of running.
  [[nodiscard]] Status begin_capture(const CudaStream& stream) const;
  [[nodiscard]] Result<CudaGraph> end_capture(const CudaStream& stream) const;
  [[nodiscard]] Status launch(const CudaGraph& graph, const CudaStream& stream) const;

  [[nodiscard]] Status check(CudaResult code, const char* call) const {
    return driver_->check(code, call, ordinal_);
  }
  [[nodiscard]] const CudaDriver& driver() const { return *driver_; }

 private:
  const CudaDriver* driver_ = nullptr;
  int ordinal_ = 0;
  CudaContext context_ = nullptr;
  CudaOwned<CudaDeviceHandle> primary_;
};

}  // namespace peerscope
