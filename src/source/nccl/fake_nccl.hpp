// NCCL as a profiler plugin sees it, without a GPU: loads the built plugin and calls it in the orders that NCCL's source does,
// well or badly behaved. For tests and for `bench nccl-callback`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "source/nccl/abi.hpp"

namespace peerscope {

class FakeNccl {
 public:
  // Loads the plugin and takes its table of that version, as the NCCL of that version does.
  static Result<FakeNccl> load(const std::string& plugin, int version);

  struct Comm {
    void* context = nullptr;
    std::uint64_t hash = 0;
    int ranks = 0, rank = 0;
    std::uint64_t sequence[8] = {};  // by function, as NCCL counts
  };
  [[nodiscard]] Comm init(std::uint64_t hash, int ranks, int rank, const char* name = nullptr);
  void finalize(Comm& comm) const;

  // One collective, outside a group of the user's. `channels` as they lie on the device.
  struct Channel {
    std::uint8_t id = 0;
    std::uint64_t start_ns = 0, stop_ns = 0;
  };
  struct Collective {
    const char* func = "AllReduce";
    std::size_t count = 1024;
    const char* datatype = "ncclFloat32";
    const char* algorithm = "RING";
    const char* protocol = "LL";
    int root = 0;
    bool captured = false;
    std::vector<Channel> channels = {};  // given where NCCL has channels in its mask
  };
  void collective(Comm& comm, const Collective& what);

  // Its parts, for other orders.
  void* begin_group(const Comm& comm, bool captured = false, int depth = 1);
  void* begin_call(const Comm& comm, void* group, const Collective& what) const;
  void* begin_operation(Comm& comm, void* call, const Collective& what);
  void* begin_p2p_call(const Comm& comm, void* group, const Collective& what) const;
  void* begin_p2p(const Comm& comm, void* call, const Collective& what, int peer,
                  std::uint8_t channels) const;
  void* begin_channel(const Comm& comm, void* operation, const Channel& channel) const;
  void end_channel(void* handle, const Channel& channel, bool with_arguments = true) const;
  void channels(const Comm& comm, void* operation, const std::vector<Channel>& all) const;
  void* start(void* context, nccl::Descriptor& descriptor) const;
  void stop(void* handle) const;  // as NCCL: not for null
  void record(void* handle, int state, void* arguments) const;

  [[nodiscard]] int mask() const;  // as NCCL would read it now
  [[nodiscard]] int group_mask() const {
    return group_mask_;
  }  // as it was at the last group's begin
  [[nodiscard]] int version() const { return version_; }
  [[nodiscard]] std::uint64_t callbacks() const { return callbacks_; }  // made so far

 private:
  void* library_ = nullptr;
  int version_ = 0;
  nccl::TableV1* v1_ = nullptr;
  nccl::TableV4* v4_ = nullptr;
  nccl::TableV5* v5_ = nullptr;
  nccl::StartEvent start_ = nullptr;
  nccl::StopEvent stop_ = nullptr;
  nccl::RecordState record_ = nullptr;
  int* mask_ = nullptr;  // one for the process, as NCCL's
  int group_mask_ = 0;
  mutable std::uint64_t callbacks_ = 0;
};

}  // namespace peerscope
