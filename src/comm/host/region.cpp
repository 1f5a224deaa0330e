#include "comm/host/region.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstring>
#include <new>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/units.hpp"
#include "comm/host/process.hpp"

namespace peerscope {
namespace {

using Shared = Result<std::shared_ptr<Region>>;

Error failed(const std::string& what, int error) {
  const ErrorCode code = error == ENOSPC || error == ENOMEM ? ErrorCode::no_memory : ErrorCode::io;
  return {code, fmt::format("{}: {}", what, std::strerror(error))};
}

// Closes at the end.
struct Fd {
  int fd = -1;
  explicit Fd(int opened) : fd(opened) {}
  ~Fd() {
    if (fd >= 0) close(fd);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
};

Shared map(int fd, const Geometry& geometry, const std::string& name) {
  const int flags = fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
  void* const base = mmap(nullptr, geometry.total(), PROT_READ | PROT_WRITE, flags, fd, 0);
  if (base == MAP_FAILED) {
    return failed(
        fmt::format("cannot map {} of shared memory for {}", format_bytes(geometry.total()), name),
        errno);
  }
#ifdef MADV_POPULATE_WRITE
  madvise(base, geometry.pools_at(),
          MADV_POPULATE_WRITE);  // spares the first messages their page faults
#endif
  return std::make_shared<Region>(static_cast<std::byte*>(base), geometry);
}

void initialise(Region& region, std::uint64_t id) {
  const Geometry& geometry = region.geometry();
  Header& header = region.header();
  header.id = id;
  header.ranks = geometry.ranks;
  header.slot_bytes = geometry.slot_bytes;
  header.slots = geometry.slots;
  header.pool_bytes = geometry.pool_bytes;
  header.cores = std::max(1u, std::thread::hardware_concurrency());
  header.magic = kRegionMagic;
}

// Made under another name and linked when it is complete, so that nobody sees half of it.
// `not_found`: somebody else was faster.
Shared create(const std::string& path, const Geometry& geometry, std::uint64_t id) {
  static std::atomic<unsigned> made{0};  // relaxed: only distinct
  const std::string draft =
      fmt::format("{}.{}.{}", path, getpid(), made.fetch_add(1, std::memory_order_relaxed));
  const Fd file(open(draft.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600));
  if (file.fd < 0) return failed("cannot create " + draft, errno);
  // Allocated now: memory that is missing later would be a SIGBUS.
  const int error = posix_fallocate(file.fd, 0, static_cast<off_t>(geometry.total()));
  Shared region = error == 0 ? map(file.fd, geometry, path)
                             : Shared(failed(fmt::format("cannot allocate {} for {}",
                                                         format_bytes(geometry.total()), path),
                                             error));
  if (region) {
    initialise(**region, id);
    if (link(draft.c_str(), path.c_str()) != 0) {
      region = errno == EEXIST ? Shared(Error{ErrorCode::not_found, ""})
                               : Shared(failed("cannot link " + path, errno));
    }
  }
  unlink(draft.c_str());
  return region;
}

Status check_header(const Header& header, const Geometry& own, std::uint64_t id,
                    const std::string& path) {
  if (header.magic != kRegionMagic)
    return Error{ErrorCode::corrupt, path + " is not the memory of a communicator"};
  if (header.id == id && header.ranks == own.ranks && header.slot_bytes == own.slot_bytes &&
      header.slots == own.slots && header.pool_bytes == own.pool_bytes) {
    return Done{};
  }
  return Error{ErrorCode::mismatch, fmt::format("{} was made for communicator {:#x} of {} ranks "
                                                "({} B slots, {} pool), this rank wants {:#x} of "
                                                "{} ({} B, {})",
                                                path, header.id, header.ranks, header.slot_bytes,
                                                format_bytes(header.pool_bytes), id, own.ranks,
                                                own.slot_bytes, format_bytes(own.pool_bytes))};
}

// Left behind: somebody had joined, and none of those lives.
bool is_stale(const Region& region) {
  bool anybody = false;
  for (int rank = 0; rank < static_cast<int>(region.geometry().ranks); ++rank) {
    const auto presence =
        static_cast<Presence>(region.line(rank).presence.load(std::memory_order_acquire));
    if (presence == Presence::absent) continue;
    if (!has_gone(region, rank)) return false;
    anybody = true;
  }
  return anybody;
}

// Another rank may have replaced it meanwhile.
void remove_if_same(const std::string& path, const struct stat& known) {
  struct stat now{};
  if (stat(path.c_str(), &now) == 0 && now.st_ino == known.st_ino) unlink(path.c_str());
}

Shared attach(const std::string& path, const Geometry& geometry, std::uint64_t id) {
  const Fd file(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (file.fd < 0)
    return errno == ENOENT ? Shared(Error{ErrorCode::not_found, ""})
                           : Shared(failed("cannot open " + path, errno));
  struct stat status{};
  if (fstat(file.fd, &status) != 0) return failed("cannot look at " + path, errno);
  if (!S_ISREG(status.st_mode) || status.st_uid != geteuid()) {
    return Error{ErrorCode::invalid_argument, path + " is not a file of this user"};
  }
  if (static_cast<std::size_t>(status.st_size) < sizeof(Header))
    return Error{ErrorCode::corrupt, path + " is too short"};
  if (static_cast<std::size_t>(status.st_size) != geometry.total()) {
    return Error{ErrorCode::mismatch, fmt::format("{} has {} B, this rank expects {}: do all ranks "
                                                  "give the same number of ranks and sizes?",
                                                  path, status.st_size, geometry.total())};
  }
  Shared region = map(file.fd, geometry, path);
  if (!region) return region;
  if (Status fine = check_header((*region)->header(), geometry, id, path); !fine)
    return fine.error();
  if (!is_stale(**region)) return region;
  remove_if_same(path, status);
  return Error{ErrorCode::not_found, ""};
}

}  // namespace

Geometry Geometry::of(int ranks, std::size_t staging_bytes, std::size_t pool_bytes) {
  constexpr std::size_t kSlots = 8, kSmallest = 1024, kLargest = 64 * 1024;
  const auto n = static_cast<std::size_t>(ranks);
  const std::size_t share = staging_bytes / kSlots / std::max<std::size_t>(1, n - 1);
  return {.ranks = n,
          .slot_bytes = std::clamp(std::bit_floor(share), kSmallest, kLargest),
          .slots = kSlots,
          .pool_bytes = (pool_bytes + kPage - 1) / kPage * kPage};
}

Shared Region::anonymous(const Geometry& geometry, std::uint64_t id) {
  Shared region = map(-1, geometry, "a communicator");
  if (region) initialise(**region, id);
  return region;
}

Shared Region::file(const std::string& path, const Geometry& geometry, std::uint64_t id) {
  for (int attempt = 0; attempt < 16;
       ++attempt) {  // each failure means that another rank made or removed it just now
    Shared region = attach(path, geometry, id);
    if (region || region.error().code != ErrorCode::not_found) return region;
    region = create(path, geometry, id);
    if (region || region.error().code != ErrorCode::not_found) return region;
  }
  return Error{ErrorCode::io, path + " appears and disappears: do two communicators use one name?"};
}

Region::~Region() { munmap(base_, geometry_.total()); }

Channel& Region::channel(int from, int to) const {
  return *at<Channel>(geometry_.channels_at() +
                      (index(from) * geometry_.ranks + index(to)) * sizeof(Channel));
}

Slot& Region::slot(int from, int to, std::uint64_t message) const {
  const std::size_t pair = index(from) * (geometry_.ranks - 1) + index(to < from ? to : to - 1);
  return *at<Slot>(geometry_.slots_at() +
                   (pair * geometry_.slots + message % geometry_.slots) * geometry_.slot_stride());
}

std::span<std::byte> Region::pool(int rank) const {
  return {base_ + geometry_.pools_at() + index(rank) * geometry_.pool_bytes, geometry_.pool_bytes};
}

Result<int> join(Region& region, int rank) {
  RankLine& line = region.line(rank);
  auto expected = static_cast<std::uint32_t>(Presence::absent);
  if (!line.presence.compare_exchange_strong(
          expected, static_cast<std::uint32_t>(Presence::joining), std::memory_order_acq_rel)) {
    // Only `joined` publishes the process.
    const std::uint32_t pid =
        expected == static_cast<std::uint32_t>(Presence::joined) ? line.pid : 0;
    return Error{ErrorCode::mismatch,
                 fmt::format("rank {} has been opened before (process {})", rank, pid)};
  }
  const ProcessId self = this_process();
  line.pid = self.pid;
  line.start_ticks = self.start_ticks;
  line.pid_namespace = self.pid_namespace;
  line.presence.store(static_cast<std::uint32_t>(Presence::joined), std::memory_order_release);
  return static_cast<int>(region.header().joined.fetch_add(1, std::memory_order_acq_rel)) + 1;
}

void leave(Region& region, int rank) {
  region.line(rank).presence.store(static_cast<std::uint32_t>(Presence::left),
                                   std::memory_order_release);
}

bool has_gone(const Region& region, int rank) {
  const RankLine& line = region.line(rank);
  const auto presence = static_cast<Presence>(line.presence.load(std::memory_order_acquire));
  if (presence == Presence::left) return true;
  if (presence != Presence::joined) return false;
  static const std::uint64_t here = this_process().pid_namespace;
  return line.pid_namespace == here && is_gone({line.pid, line.start_ticks, line.pid_namespace});
}

}  // namespace peerscope
