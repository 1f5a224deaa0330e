#include "suite/cuda/device_ranks.hpp"

#include <cstdlib>

#include <unistd.h>

#include "comm/host/host.hpp"
#include "suite/cuda/device_rank.hpp"
#include "suite/ranks.hpp"

namespace peerscope {
namespace {

pscope_session* open_session(const DeviceRanksOptions& options) {
  if (options.session.empty()) return nullptr;
  pscope_options recording{};
  recording.size = sizeof recording;
  recording.name = "bench";
  recording.session = options.session.c_str();
  recording.level = static_cast<int>(options.level);
  return pscope_open(&recording, nullptr);
}

struct Worlds {
  const HostWorld& bootstrap;
  const HostWorld& beside;  // what is not measured: barriers
};

Status measured_rank(const Worlds& worlds, int rank, const OpenDevice& open,
                     const BenchBackend::Body& body, pscope_session* session) {
  Result<CudaDriver> driver = CudaDriver::open();
  if (!driver) return driver.error();
  Result<std::unique_ptr<Communicator>> bootstrap = worlds.bootstrap.open(rank, nullptr);
  Result<std::unique_ptr<Communicator>> host = worlds.beside.open(rank, nullptr);
  if (!bootstrap) return bootstrap.error();
  if (!host) return host.error();
  const DevicePlace place{.device = rank % driver->device_count(), .session = session};
  const OpenedDevice comm = open(*driver, place, std::move(*bootstrap));
  if (!comm) return comm.error();
  DeviceRank as_rank(**comm, **host);
  if (Status ready = as_rank.prepare(); !ready) return ready;
  const Status done = body(as_rank);
  // Nobody takes its memory away while another one may still write to it.
  if (done) static_cast<void>((*host)->barrier());
  return done;
}

}  // namespace

Status run_device_ranks(const DeviceRanksOptions& options, const OpenDevice& open,
                        const BenchBackend::Body& body, const BenchBackend::Watch& watch) {
  setenv("CUDA_DEVICE_MAX_CONNECTIONS", "32", 0);  // ranks that share a GPU wait for one another
  const HostOptions host{
      .name = "bench", .id = static_cast<std::uint64_t>(getpid()), .ranks = options.ranks};
  const Result<HostWorld> bootstrap = HostWorld::create(host);
  const Result<HostWorld> beside = HostWorld::create(host);
  if (!bootstrap || !beside) return bootstrap ? beside.error() : bootstrap.error();
  const auto rank_main = [&](int rank) {
    pscope_session* session = open_session(options);
    const Status done = measured_rank({*bootstrap, *beside}, rank, open, body, session);
    pscope_close(session);
    return done;
  };
  return run_ranks(options.ranks, options.threads, rank_main, watch);
}

}  // namespace peerscope
