"""Copies between two GPUs as nvbandwidth makes them, by the driver alone: the reference for ours.

nvbandwidth (testcases_ce.cpp, memcpy_kernel): both buffers from cuMemAlloc, peer access enabled, 16 copies of 512 MiB by
cuMemcpyAsync in one stream between two events; the median of the samples. GB/s are 10^9 bytes a second.
"""
import ctypes
import json
import statistics
import sys

MIB = 1 << 20


class Driver:
    def __init__(self):
        self.lib = ctypes.CDLL("libcuda.so.1")
        self.call("cuInit", 0)
        self.contexts = []
        for ordinal in range(2):
            context = ctypes.c_void_p()
            self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), ordinal)
            self.contexts.append(context)
        for own, other in (self.contexts, self.contexts[::-1]):
            self.call("cuCtxSetCurrent", own)
            status = self.lib.cuCtxEnablePeerAccess(other, 0)
            if status not in (0, 704):  # 704: enabled already
                raise RuntimeError(f"cuCtxEnablePeerAccess: CUDA error {status}")

    def call(self, name, *arguments):
        status = getattr(self.lib, name)(*arguments)
        if status != 0:
            raise RuntimeError(f"{name}: CUDA error {status}")

    def made(self, name, *arguments, kind=ctypes.c_void_p):
        out = kind()
        self.call(name, ctypes.byref(out), *arguments)
        return out


def copies_gbs(size=512 * MIB, copies=16, samples=7, write=True):
    """[GB/s] of each sample: GPU 0 writes to GPU 1 (or reads from it)."""
    driver = Driver()
    memory = []
    for context in driver.contexts:
        driver.call("cuCtxSetCurrent", context)
        memory.append(driver.made("cuMemAlloc_v2", ctypes.c_size_t(size), kind=ctypes.c_uint64))
    driver.call("cuCtxSetCurrent", driver.contexts[0])
    stream = driver.made("cuStreamCreate", 1)
    begin, end = driver.made("cuEventCreate", 0), driver.made("cuEventCreate", 0)
    to, source = (memory[1], memory[0]) if write else (memory[0], memory[1])
    gbs = []
    for sample in range(samples + 1):  # the first is thrown away
        driver.call("cuEventRecord", begin, stream)
        for _ in range(copies):
            driver.call("cuMemcpyAsync", to, source, ctypes.c_size_t(size), stream)
        driver.call("cuEventRecord", end, stream)
        driver.call("cuStreamSynchronize", stream)
        ms = driver.made("cuEventElapsedTime", begin, end, kind=ctypes.c_float).value
        if sample > 0:
            gbs.append(size * copies / (ms * 1e6))
    for piece in memory:
        driver.call("cuMemFree_v2", piece)
    return gbs


if __name__ == "__main__":
    if "--json" in sys.argv:
        print(json.dumps({"write": copies_gbs(write=True), "read": copies_gbs(write=False)}))
        sys.exit(0)
    for write in (True, False):
        print("write" if write else "read", round(statistics.median(copies_gbs(write=write)), 1), "GB/s")
