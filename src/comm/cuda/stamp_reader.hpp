// Reads the stamps of a rank's operations from its device's memory, beside its streams, and records them.
//
// A kernel stamps itself (device/memory.hpp) and knows no reader. A thread copies what is new every few milliseconds on a stream
// of its own; a ring holds 16,384, and what was overwritten before is counted. So operations cost the host nothing, and a graph's
// replays are recorded, too.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "comm/call.hpp"
#include "comm/cuda/device/wire.hpp"
#include "comm/cuda/kernels.hpp"
#include "peerscope/peerscope.h"

namespace peerscope {

class StampReader {
 public:
  // `region`: the rank's own; `pscope_comm`: the communicator's id in the session. Without a session nothing is done.
  StampReader(const CudaDevice& device, const cuda::Kernels& kernels, CudaPointer region,
              const cuda::Layout& layout, pscope_session* session, std::uint16_t pscope_comm);
  ~StampReader();
  StampReader(const StampReader&) = delete;
  StampReader& operator=(const StampReader&) = delete;

  // The id of a call, by which its stamps are recognised. Equal calls have the same.
  std::uint16_t id_of(const pscope_op& op);
  // Whether operations are to stamp themselves: at level off, too, where stamps are read and dropped. One that is missing would be
  // waited for, numbers of what is not a collective would stay behind the peer's, and a graph would never be heard of.
  [[nodiscard]] bool reads() const { return thread_.joinable(); }

  void flush();  // reads what is there now
  [[nodiscard]] std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  struct Buffers;
  void work();
  void read_all();
  void read_ring(int ring, std::uint64_t count);
  void note_lost(int ring, std::uint64_t count);
  void record(int ring, std::uint64_t number, const cuda::Stamp& stamp);
  void tie_clocks();

  const CudaDevice& device_;
  const cuda::Kernels& kernels_;
  const CudaPointer region_;
  const cuda::Layout layout_;
  pscope_session* const session_;
  const std::uint16_t comm_;
  const PeerFunctions* f_ = nullptr;
  CudaStream stream_;
  std::unique_ptr<Buffers> buffers_;
  std::uint64_t read_[2] = {};  // of each ring
  std::map<std::tuple<int, int>, std::uint64_t>
      numbers_;  // of what is not a collective: by kind and peer
  // Some of these were overwritten: the rest can no longer be told which of the peer's they are, and must match none.
  bool numbers_lost_ = false;
  std::atomic<std::uint64_t> lost_{0};
  std::uint64_t clocks_tied_ns_ = 0;
  std::int64_t host_ahead_ns_ = 0;  // the host's clock less the device's

  std::mutex calls_mutex_;
  std::vector<pscope_op> calls_;  // by id
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint16_t> ids_;
  struct Recent {
    pscope_op op{};
    std::uint16_t id = 0;
  };
  Recent recent_[64];  // of the launching thread

  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace peerscope
