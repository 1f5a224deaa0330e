#include "comm/cuda/cuda_device.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace peerscope {

Result<CudaDeviceInfo> describe(const CudaDriver& driver, int ordinal) {
  CudaDeviceInfo info{.ordinal = ordinal, .name = {}, .pci_bus_id = {}};
  CudaDeviceHandle device = 0;
  Status got = driver.check(driver->cuDeviceGet(&device, ordinal), "cuDeviceGet", ordinal);
  if (!got) return got.error();
  char text[256] = {};
  if (driver->cuDeviceGetName(text, sizeof text - 1, device) == kCudaSuccess) info.name = text;
  char bus[32] = {};
  if (driver->cuDeviceGetPCIBusId(bus, sizeof bus - 1, device) == kCudaSuccess)
    info.pci_bus_id = bus;
  return info;
}

Result<CudaDevice> CudaDevice::open(const CudaDriver& driver, int ordinal) {
  CudaDevice out;
  out.driver_ = &driver;
  out.ordinal_ = ordinal;
  CudaDeviceHandle handle = 0;
  Status ok = out.check(driver->cuDeviceGet(&handle, ordinal), "cuDeviceGet");
  if (!ok) return ok.error();
  ok = out.check(driver->cuDevicePrimaryCtxRetain(&out.context_, handle),
                 "cuDevicePrimaryCtxRetain");
  if (!ok) return ok.error();
  out.primary_ = {handle, driver->cuDevicePrimaryCtxRelease};
  ok = out.make_current();
  if (!ok) return ok.error();
  return out;
}

Status CudaDevice::make_current() const {
  return check((*driver_)->cuCtxSetCurrent(context_), "cuCtxSetCurrent");
}

Status CudaDevice::synchronize() const {
  return check((*driver_)->cuCtxSynchronize(), "cuCtxSynchronize");
}

Result<CudaMemory> CudaDevice::allocate(std::size_t bytes) const {
  CudaPointer memory = 0;
  const Status ok =
      check((*driver_)->cuMemAlloc(&memory, bytes), fmt::format("cuMemAlloc({})", bytes).c_str());
  if (!ok) return ok.error();
  return CudaMemory(memory, (*driver_)->cuMemFree);
}

Result<CudaStream> CudaDevice::make_stream() const {
  CudaStreamHandle stream = nullptr;
  const Status ok =
      check((*driver_)->cuStreamCreate(&stream, kCudaStreamNonBlocking), "cuStreamCreate");
  if (!ok) return ok.error();
  return CudaStream(stream, (*driver_)->cuStreamDestroy);
}

Result<CudaEvent> CudaDevice::make_event() const {
  CudaEventHandle event = nullptr;
  const Status ok = check((*driver_)->cuEventCreate(&event, kCudaEventDefault), "cuEventCreate");
  if (!ok) return ok.error();
  return CudaEvent(event, (*driver_)->cuEventDestroy);
}

Status CudaDevice::upload(CudaPointer to, const void* from, std::size_t bytes) const {
  return check((*driver_)->cuMemcpyHtoD(to, from, bytes), "cuMemcpyHtoD");
}

Status CudaDevice::download(void* to, CudaPointer from, std::size_t bytes) const {
  return check((*driver_)->cuMemcpyDtoH(to, from, bytes), "cuMemcpyDtoH");
}

Status CudaDevice::copy(CudaPointer to, CudaPointer from, std::size_t bytes) const {
  return check((*driver_)->cuMemcpyDtoD(to, from, bytes), "cuMemcpyDtoD");
}

Status CudaDevice::fill(CudaPointer to, std::byte byte, std::size_t bytes) const {
  return check((*driver_)->cuMemsetD8(to, static_cast<unsigned char>(byte), bytes), "cuMemsetD8");
}

Status CudaDevice::repeat(CudaPointer to, std::size_t period, std::size_t bytes) const {
  for (std::size_t done = period; done < bytes;) {
    const std::size_t next = std::min(done, bytes - done);
    const Status ok = copy(to + done, to, next);
    if (!ok) return ok;
    done += next;
  }
  return Done{};
}

Status CudaDevice::record(const CudaEvent& event, const CudaStream& stream) const {
  return check((*driver_)->cuEventRecord(event.get(), stream.get()), "cuEventRecord");
}

Result<double> CudaDevice::elapsed_ns(const CudaEvent& begin, const CudaEvent& end) const {
  float ms = 0;
  const Status ok =
      check((*driver_)->cuEventElapsedTime(&ms, begin.get(), end.get()), "cuEventElapsedTime");
  if (!ok) return ok.error();
  return static_cast<double>(ms) * 1e6;
}

Status CudaDevice::begin_capture(const CudaStream& stream) const {
  return check((*driver_)->cuStreamBeginCapture(stream.get(), kCudaCaptureThreadLocal),
               "cuStreamBeginCapture");
}

Result<CudaGraph> CudaDevice::end_capture(const CudaStream& stream) const {
  CudaGraphHandle graph = nullptr;
  Status ok = check((*driver_)->cuStreamEndCapture(stream.get(), &graph), "cuStreamEndCapture");
  if (!ok) return ok.error();
  const CudaOwned<CudaGraphHandle> recipe(graph, (*driver_)->cuGraphDestroy);
  CudaGraphExecHandle exec = nullptr;
  ok = check((*driver_)->cuGraphInstantiateWithFlags(&exec, graph, 0), "cuGraphInstantiate");
  if (!ok) return ok.error();
  return CudaGraph(exec, (*driver_)->cuGraphExecDestroy);
}

Status CudaDevice::launch(const CudaGraph& graph, const CudaStream& stream) const {
  return check((*driver_)->cuGraphLaunch(graph.get(), stream.get()), "cuGraphLaunch");
}

}  // namespace peerscope
