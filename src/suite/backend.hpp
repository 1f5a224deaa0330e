// What a benchmark needs of a backend: ranks with memory, that run calls and tell how long they took.
// A new backend is a folder below suite/ that implements these two, and a line in cli/backends.cpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "comm/call.hpp"
#include "comm/pool.hpp"
#include "suite/result.hpp"

namespace peerscope {

struct BatchTime {
  double host_ns = 0;    // from the first call until the last operation is complete
  double device_ns = 0;  // the same by the device's clock; 0: there is none
};

struct OverlapTime {  // of the same work, alone and both at once
  double comm_alone_ns = 0, comm_beside_ns = 0;
  double compute_alone_ns = 0, compute_beside_ns = 0;
};

// One rank. Used by one thread at a time; different ranks by different threads or processes. An
// error ends the measurement on all ranks.
class BenchRank {
 public:
  virtual ~BenchRank() = default;
  [[nodiscard]] virtual int rank() const = 0;
  [[nodiscard]] virtual int ranks() const = 0;

  // Memory that calls take as `input` and `output`, aligned to 256 bytes, until `release` or the
  // rank's end. All ranks allocate and release the same sizes in the same order: so a backend may
  // register it with its peers here.
  virtual Result<void*> allocate(std::size_t bytes) = 0;
  virtual void release(void* memory) = 0;
  // The same within the registered memory, at the same offset on all ranks; it stays to the rank's end.
  virtual Result<Block> register_memory(std::size_t bytes) = 0;
  // Complete when they return.
  virtual Status upload(void* to, const void* from, std::size_t bytes) = 0;
  virtual Status download(void* to, const void* from, std::size_t bytes) = 0;
  virtual Status fill(void* to, std::byte value, std::size_t bytes) = 0;

  // All ranks leave it at about the same time. Not measured.
  virtual Status barrier() = 0;
  // `count` times the same call, back to back; as one CUDA graph where traits().graph.
  virtual Result<BatchTime> run(const Call& call, int count, bool graph) = 0;
  double compute_us =
      0;  // that the rank's thread is busy before each call of run(), unless as a graph
  // Instead of `run`, on a rank that has no part in what the others run.
  virtual Status sit_out() { return Done{}; }
  // The same beside computation that takes about as long and touches no memory.
  virtual Result<OverlapTime> overlap(const Call&, int) {
    return Error{ErrorCode::unsupported, "this backend does not measure overlap"};
  }
};

// Busy, not asleep.
inline void compute_for(double us) {
  if (us <= 0) return;
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double, std::micro>(us);
  while (std::chrono::steady_clock::now() < end) continue;
}

struct BackendTraits {
  std::string name;       // "host"
  std::string ranks_are;  // "processes that share memory"
  std::string time_is;    // which clock, from when till when
  int usual_ranks = 2, most_ranks = kMaxRanks;
  bool graph = false;
  // Operations are enqueued, not waited for: a sample is the mean of a batch. Else each is one.
  bool asynchronous = false;
};

// What cannot be measured as a collective: bandwidth and latency between ranks' memories.
struct P2pOptions {
  int ranks = 2;
  std::uint64_t bytes = std::uint64_t{64} << 20;  // of each copy
  int samples = 5;
};
struct P2pMatrix {
  std::string unit;                        // "GB/s", "ns"
  std::string rows, columns;               // what they are: "writer", "owner"; "" for one row
  std::vector<std::vector<double>> cells;  // [row][column]; negative: not measured
};
struct P2pCase {
  const char* name;
  const char* help;
  Result<P2pMatrix> (*run)(const P2pOptions& options);
};

class BenchBackend {
 public:
  using Body = std::function<Status(BenchRank& rank)>;
  using Watch = std::function<bool()>;

  virtual ~BenchBackend() = default;
  [[nodiscard]] virtual const BackendTraits& traits() const = 0;
  // What this machine is for this backend, the same on each start: part of the fingerprint.
  [[nodiscard]] virtual std::string hardware() const = 0;
  [[nodiscard]] virtual std::vector<Algorithm> algorithms(Kind kind) const = 0;
  // Done, or why not: unsupported type, no device.
  [[nodiscard]] virtual Status takes(Kind kind, Dtype dtype, ReduceOp op, int ranks) const = 0;
  [[nodiscard]] virtual std::span<const P2pCase> p2p_cases() const { return {}; }

  // What the slowest link between ranks (or the memory) carries one way, measured or known: the
  // report's roofline. gbs 0: unknown.
  virtual Ceiling ceiling() { return {}; }

  // Runs `body` once for each rank, wherever ranks live: threads, or processes forked from this one
  // (so what `body` has to tell goes through memory that was shared before). Meanwhile calls `watch`
  // every few milliseconds; when it says false, the ranks are ended. The first rank's error is
  // returned.
  virtual Status run(int ranks, const Body& body, const Watch& watch) = 0;
};

}  // namespace peerscope
