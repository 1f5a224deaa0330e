#include "source/exllama/ops.hpp"

#include <algorithm>
#include <bit>

namespace peerscope::exllama {
namespace {

Op op_of(Kind kind, std::uint32_t devices, int device, std::uint32_t process) {
  Op op;
  op.kind = kind;
  op.process = process;
  op.rank = rank_of(devices, device);
  op.ranks = static_cast<std::uint16_t>(std::popcount(devices));
  op.device = static_cast<std::uint16_t>(device);
  op.algorithm = Algorithm::host_staged;
  op.backend = Backend::exllama;
  op.async = true;
  return op;
}

}  // namespace

std::uint16_t rank_of(std::uint32_t devices, int device) {
  return static_cast<std::uint16_t>(std::popcount(devices & ((1u << device) - 1)));
}

std::uint64_t comm_of(const std::string& path, std::uint64_t inode) {
  std::uint64_t hash = 0xcbf29ce484222325u ^ inode;  // FNV-1a
  for (const char c : path) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return hash | 1;
}

void append_ops(const Observed& observed, std::uint64_t comm, std::uint32_t process, bool joined,
                std::vector<Op>& out) {
  if (observed.bytes == kUnknownBytes) return;
  const std::uint32_t who = observed.devices != 0 ? observed.devices : observed.all_devices;
  for (int device = 0; device < kMaxDevices; ++device) {
    if ((who >> device & 1) == 0) continue;
    const Bounds& arrival = observed.arrival[static_cast<std::size_t>(device)];
    Op op = op_of(observed.kind, observed.all_devices, device, process);
    op.begin_ns = arrival.known() ? arrival.by_ns : observed.release.by_ns;
    op.bytes = observed.bytes;
    op.sequence = observed.sequence;
    op.comm = joined ? comm : 0;
    op.dtype = observed.dtype;
    out.push_back(op);
  }
}

Collective collective_of(const Observed& observed, std::uint64_t comm,
                         std::array<Arrival, kMaxDevices>& arrivals) {
  Collective out;
  out.comm = comm;
  out.sequence = observed.sequence;
  out.bytes = observed.bytes;
  out.kind = observed.kind;
  out.algorithm = Algorithm::host_staged;
  out.backend = Backend::exllama;
  out.ranks = static_cast<std::uint16_t>(std::popcount(observed.all_devices));
  out.end_ns = observed.release.by_ns;
  std::size_t count = 0;
  for (int device = 0; device < kMaxDevices; ++device) {
    if ((observed.devices >> device & 1) == 0) continue;
    const std::int64_t at_ns = observed.arrival[static_cast<std::size_t>(device)].by_ns;
    const std::uint16_t rank = rank_of(observed.all_devices, device);
    arrivals[count++] = {at_ns, out.end_ns, rank, OpStatus::ok};
    if (out.first_rank == kNoRank || at_ns < out.first_ns) {
      out.first_ns = at_ns;
      out.first_rank = rank;
    }
    if (out.last_rank == kNoRank || at_ns > out.last_ns) {
      out.last_ns = at_ns;
      out.last_rank = rank;
    }
  }
  out.complete = count == out.ranks;
  out.arrivals = {arrivals.data(), count};
  return out;
}

void append_in_flight(const Waiting& waiting, std::uint32_t devices, std::uint64_t comm,
                      std::uint32_t process, std::int64_t now_ns, std::vector<InFlight>& out) {
  for (int device = 0; device < kMaxDevices; ++device) {
    if ((waiting.there >> device & 1) == 0) continue;
    InFlight entry;
    entry.op = op_of(waiting.kind, devices, device, process);
    entry.op.begin_ns = waiting.since_ns;
    entry.op.bytes = waiting.bytes == kUnknownBytes ? 0 : waiting.bytes;
    entry.op.sequence = waiting.sequence;
    entry.op.comm = comm;
    entry.age_ns = now_ns - waiting.since_ns;
    out.push_back(entry);
  }
}

}  // namespace peerscope::exllama
