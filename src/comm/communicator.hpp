// Collectives that really move bytes between ranks: one interface, a device behind it (host, cuda,
// nccl, sim).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "comm/call.hpp"
#include "comm/marks.hpp"
#include "comm/pool.hpp"
#include "peerscope/peerscope.h"

namespace peerscope {

// Who the communicator is, and where its operations are recorded.
struct Identity {
  std::uint64_t id = 0;  // the same on all ranks
  std::string name = "comm";
  int rank = 0;
  int ranks = 1;
  Backend backend = Backend::unknown;
  std::uint16_t device = PSCOPE_NO_DEVICE;
  pscope_session* session = nullptr;  // may be null: nothing is recorded
};

// One operation about to run: the call with its algorithm chosen, and its number. Collectives count
// per communicator; send and recv per (source, destination), equal on both sides; copy and get per
// (caller, peer).
struct Operation {
  Call call;
  std::uint64_t sequence = 0;
  std::uint64_t bytes = 0;  // as nccl-tests counts
};

// What this rank has moved to and from one peer's registered memory, as far as it was accepted.
struct PoolTraffic {
  std::uint64_t puts = 0, put_bytes = 0;  // copy
  std::uint64_t gets = 0, get_bytes = 0;  // get
};

// One rank of a communicator. Used by one thread at a time. Each call blocks until this rank's part
// is done, or says what went wrong and with which ranks. Between two ranks, operations must come in
// the same order on both.
//
// A call that is refused before it begins (`invalid_argument`, `unsupported`) changes nothing. Once
// an operation has failed, the communicator has failed, on all ranks: further calls return at once
// and say why.
class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return identity_.rank; }
  int ranks() const { return identity_.ranks; }
  const std::string& name() const { return identity_.name; }
  const std::optional<Error>& failure() const { return failure_; }

  Status send(const Source& input, int to);
  Status recv(const Target& output, int from);
  // One-sided: writes to (reads from) a peer's pool, without the peer's taking part. A barrier
  // makes it seen.
  Status copy(const Source& input, const Remote& to);
  Status get(const Target& output, const Remote& from);

  // `input.data` is read on the root only; `output` has input.count elements.
  Status broadcast(const Source& input, void* output, int root,
                   Algorithm algorithm = Algorithm::unknown);
  // `output` is written on the root only.
  Status reduce(const Source& input, void* output, ReduceOp op, int root,
                Algorithm algorithm = Algorithm::unknown);
  Status all_reduce(const Source& input, void* output, ReduceOp op,
                    Algorithm algorithm = Algorithm::unknown);
  // `output` has ranks * input.count elements.
  Status all_gather(const Source& input, void* output, Algorithm algorithm = Algorithm::unknown);
  // input.count is a multiple of the ranks; `output` has input.count / ranks elements.
  Status reduce_scatter(const Source& input, void* output, ReduceOp op,
                        Algorithm algorithm = Algorithm::unknown);
  // Rank r gives counts[r] elements (the same list on all ranks); the root's `output` has them in
  // the order of ranks.
  Status gather(const Source& input, void* output, std::span<const std::size_t> counts, int root,
                Algorithm algorithm = Algorithm::unknown);
  // input.count is a multiple of the ranks: block r goes to rank r; `output` has input.count
  // elements.
  Status all_to_all(const Source& input, void* output, Algorithm algorithm = Algorithm::unknown);
  Status barrier(Algorithm algorithm = Algorithm::unknown);

  // Any of the above. The one place where calls are checked, counted and recorded.
  Status run(const Call& call);

  // This rank's registered memory; nullptr where the backend has none.
  virtual Pool* pool() { return nullptr; }
  const PoolTraffic& pool_traffic(int peer) const {
    return traffic_[static_cast<std::size_t>(peer)];
  }

 protected:
  explicit Communicator(Identity identity);

  const Identity& identity() const { return identity_; }
  // What `Algorithm::unknown` becomes.
  virtual Result<Algorithm> choose(const Call& call) const = 0;
  // Further conditions of the backend, before anybody hears of the call: its algorithm is
  // supported, its bounds hold.
  virtual Status admit(const Call&) { return Done{}; }
  // Types that it can add.
  virtual bool reduces(Dtype dtype) const;
  // A call that may run: checked, its algorithm chosen, admitted and counted.
  Result<Operation> begin(const Call& call);
  // No further operations: `why` is what they are told.
  void fail(const Error& why) { failure_ = why; }
  // Does it. Any error fails the communicator.
  virtual Status perform(const Operation& operation, Marks& marks) = 0;

 private:
  Status check(const Call& call) const;
  std::uint64_t& counter_of(const Call& call);
  Status record_and_perform(const Operation& operation);
  Error refusal() const;

  Identity identity_;
  std::optional<Error> failure_;
  std::uint64_t collectives_ = 0;
  std::vector<std::uint64_t> sent_, received_;  // by peer
  std::vector<PoolTraffic> traffic_;
  std::uint16_t recorded_as_ = 0;
  MarkNames mark_names_;
};

// Of its pool; an error where it has none.
Result<Block> allocate_registered(Communicator& comm, std::size_t bytes);

}  // namespace peerscope
