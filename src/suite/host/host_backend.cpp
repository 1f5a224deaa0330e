#include "suite/host/host_backend.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "comm/algorithms.hpp"
#include "comm/elements.hpp"
#include "comm/host/host.hpp"
#include "suite/host/host_rank.hpp"
#include "suite/host/p2p.hpp"
#include "suite/ranks.hpp"

namespace peerscope {
namespace {

class HostBackend final : public BenchBackend {
 public:
  explicit HostBackend(HostBackendOptions options) : options_(std::move(options)) {
    traits_.name = "host";
    traits_.ranks_are = options_.threads ? "threads" : "processes";
    traits_.time_is = "host clock around each operation, mean over the ranks";
  }

  [[nodiscard]] const BackendTraits& traits() const override { return traits_; }
  [[nodiscard]] std::string hardware() const override {
    return {};
  }  // the processor: BenchMachine's
  [[nodiscard]] std::vector<Algorithm> algorithms(Kind kind) const override {
    return supported_algorithms(kind);
  }
  [[nodiscard]] Status takes(Kind kind, Dtype dtype, ReduceOp, int ranks) const override {
    if (ranks < 2)
      return Error{ErrorCode::invalid_argument, "-g must be at least 2 on the host device"};
    if (is_reduction(kind) && !can_reduce(dtype)) {
      return Error{ErrorCode::unsupported,
                   fmt::format("on the host device {} takes f32, f16, bf16, i32, i8 or u8, not {}",
                               name(kind), name(dtype))};
    }
    return Done{};
  }
  [[nodiscard]] std::span<const P2pCase> p2p_cases() const override { return host_p2p_cases(); }

  Ceiling ceiling() override {
    return {.backend = "host", .text = "memory: memcpy by one processor", .gbs = host_memcpy_gbs()};
  }

  Status run(int ranks, const Body& body, const Watch& watch) override {
    HostOptions host{.name = "bench", .id = static_cast<std::uint64_t>(getpid()), .ranks = ranks};
    host.tuning_file = options_.tuning_file;
    if (options_.pool_bytes > 0) host.pool_bytes = options_.pool_bytes;
    const Result<HostWorld> world = HostWorld::create(host);
    if (!world) return world.error();
    if (!options_.threads) {
      const auto as_process = [&](int rank) {
        pscope_session* session = open_session();
        const Status done = rank_main(*world, rank, body, session);
        pscope_close(session);
        return done;
      };
      return run_ranks(ranks, false, as_process, watch);
    }
    // A communicator whose ranks stop waits for nobody: threads end when their time-out does.
    pscope_session* session = open_session();
    const Status done = run_ranks(
        ranks, true, [&](int rank) { return rank_main(*world, rank, body, session); }, watch);
    pscope_close(session);
    return done;
  }

 private:
  Status rank_main(const HostWorld& world, int rank, const Body& body,
                   pscope_session* session) const {
    Result<std::unique_ptr<Communicator>> comm = world.open(rank, session);
    if (!comm) return comm.error();
    HostRank as_rank(**comm);
    if (options_.pin) as_rank.pin();
    return body(as_rank);
  }

  [[nodiscard]] pscope_session* open_session() const {
    if (options_.session.empty()) return nullptr;
    pscope_options recording{};
    recording.size = sizeof recording;
    recording.name = "bench";
    recording.session = options_.session.c_str();
    recording.level = static_cast<int>(options_.level);
    return pscope_open(&recording, nullptr);
  }

  HostBackendOptions options_;
  BackendTraits traits_;
};

}  // namespace

std::unique_ptr<BenchBackend> make_host_backend(const HostBackendOptions& options) {
  return std::make_unique<HostBackend>(options);
}

}  // namespace peerscope
