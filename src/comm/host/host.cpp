#include "comm/host/host.hpp"

#include <thread>

#include <fmt/format.h>
#include <unistd.h>

#include "base/units.hpp"
#include "comm/channel_communicator.hpp"
#include "comm/host/host_transport.hpp"
#include "comm/host/region.hpp"

namespace peerscope {
namespace {

Status check(const HostOptions& options) {
  const auto invalid = [](std::string why) {
    return Error{ErrorCode::invalid_argument, std::move(why)};
  };
  if (options.ranks < 1 || options.ranks > kMaxRanks) {
    return invalid(
        fmt::format("a host communicator has 1 to {} ranks, not {}", kMaxRanks, options.ranks));
  }
  if (options.rank < 0 || options.rank >= options.ranks) {
    return invalid(fmt::format("there is no rank {} among {}", options.rank, options.ranks));
  }
  if (options.name.empty() || options.name.find('/') != std::string::npos) {
    return invalid(
        fmt::format("'{}' cannot be the name of a communicator: it names a file", options.name));
  }
  if (options.timeout.count() <= 0) return invalid("the timeout must be positive");
  return Done{};
}

Result<TunedChoices> tuned_choices(const HostOptions& options) {
  return options.tuning_file.empty() ? TunedChoices() : TunedChoices::read(options.tuning_file);
}

std::unique_ptr<Communicator> communicator(const HostOptions& options,
                                           const std::shared_ptr<Region>& region,
                                           TunedChoices tuned) {
  Identity identity{.id = options.id,
                    .name = options.name,
                    .rank = options.rank,
                    .ranks = options.ranks,
                    .backend = Backend::host,
                    .device = PSCOPE_NO_DEVICE,
                    .session = options.session};
  const Geometry& geometry = region->geometry();
  const CostModel costs{.turn_bytes = static_cast<double>(geometry.slot_bytes * geometry.slots / 2),
                        .cores = static_cast<int>(region->header().cores)};
  return std::make_unique<ChannelCommunicator>(
      std::move(identity),
      std::make_unique<HostTransport>(region, options.rank, options.name, options.timeout),
      region->pool(options.rank), costs, std::move(tuned));
}

std::uint64_t absent(const Region& region, int ranks) {
  std::uint64_t bits = 0;
  for (int rank = 0; rank < ranks; ++rank) {
    const auto presence =
        static_cast<Presence>(region.line(rank).presence.load(std::memory_order_acquire));
    if (presence == Presence::absent || presence == Presence::joining)
      bits |= std::uint64_t{1} << rank;
  }
  return bits;
}

Status all_have_joined(Region& region, const std::string& path) {
  unlink(path.c_str());
  region.header().complete.store(
      1, std::memory_order_release);  // publishes that the name is free again
  return Done{};
}

// Until all have joined. The last one unlinks the file, and nobody goes on before: the name may be
// used again.
Status rendezvous(const Region& region, const HostOptions& options, const std::string& path) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point deadline = Clock::now() + options.timeout;
  const Verdict verdict(region, options.rank, options.name);
  while (region.header().complete.load(std::memory_order_acquire) == 0) {
    if (verdict.is_told()) return verdict.adopt();
    if (Clock::now() >= deadline) {
      unlink(path.c_str());
      const std::string time = format_duration(static_cast<double>(options.timeout.count()));
      const std::string missing = list_ranks(absent(region, options.ranks));
      return verdict.tell(ErrorCode::timeout,
                          fmt::format("opening communicator {}: {} did not join within {}",
                                      options.name, missing, time));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
  return Done{};
}

}  // namespace

Result<std::unique_ptr<Communicator>> open_host(const HostOptions& options) {
  if (Status fine = check(options); !fine) return fine.error();
  Result<TunedChoices> tuned = tuned_choices(options);
  if (!tuned) return tuned.error();
  const std::string path =
      fmt::format("{}/pscope-comm-{}-{:016x}", options.directory, options.name, options.id);
  const Geometry geometry = Geometry::of(options.ranks, options.staging_bytes, options.pool_bytes);
  Result<std::shared_ptr<Region>> region = Region::file(path, geometry, options.id);
  if (!region) return region.error();
  const Result<int> joined = join(**region, options.rank);
  if (!joined) {
    return Error{joined.error().code, fmt::format("communicator {} at {}: {}", options.name, path,
                                                  joined.error().message)};
  }
  const bool is_last = *joined == options.ranks;
  const Status complete =
      is_last ? all_have_joined(**region, path) : rendezvous(**region, options, path);
  if (!complete) {
    leave(**region, options.rank);
    return complete.error();
  }
  return communicator(options, *region, std::move(*tuned));
}

HostWorld::HostWorld(HostOptions options, std::shared_ptr<Region> region)
    : options_(std::move(options)), region_(std::move(region)) {}

Result<HostWorld> HostWorld::create(const HostOptions& options) {
  HostOptions own = options;
  own.rank = 0;
  if (Status fine = check(own); !fine) return fine.error();
  const Geometry geometry = Geometry::of(own.ranks, own.staging_bytes, own.pool_bytes);
  Result<std::shared_ptr<Region>> region = Region::anonymous(geometry, own.id);
  if (!region) return region.error();
  return HostWorld(std::move(own), std::move(*region));
}

Result<std::unique_ptr<Communicator>> HostWorld::open(int rank, pscope_session* session) const {
  HostOptions own = options_;
  own.rank = rank;
  own.session = session;
  if (Status fine = check(own); !fine) return fine.error();
  Result<TunedChoices> tuned = tuned_choices(own);
  if (!tuned) return tuned.error();
  if (const Result<int> joined = join(*region_, rank); !joined) {
    return Error{joined.error().code,
                 fmt::format("communicator {}: {}", own.name, joined.error().message)};
  }
  return communicator(own, region_, std::move(*tuned));
}

}  // namespace peerscope
