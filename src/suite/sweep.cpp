#include "suite/sweep.hpp"

#include <chrono>

#include <fmt/format.h>

#include "analyze/stats/robust.hpp"
#include "base/units.hpp"
#include "model/busbw.hpp"
#include "suite/worker.hpp"

namespace peerscope {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kEnd = std::chrono::seconds(5);  // for ranks to end: NCCL does not always

class Follower {
 public:
  Follower(const BenchBackend& backend, const SweepPlan& plan, const std::vector<Case>& places,
           const Board& board, const std::function<void(const BenchRow&)>& on_row)
      : backend_(backend), plan_(plan), places_(places), board_(board), on_row_(on_row) {}

  // Hands out what is complete. False if nothing has been for too long.
  bool look() {
    while (next_ < places_.size()) {
      const bool pair = next_ + 1 < places_.size() && places_[next_ + 1].in_place;
      if (!is_done(pair ? next_ + 1 : next_) || !is_done(next_)) break;
      on_row_(row(next_, pair));
      next_ += pair ? 2 : 1;
      moved_ = Clock::now();
    }
    return plan_.timeout_s == 0 || Clock::now() - moved_ < std::chrono::seconds(plan_.timeout_s);
  }
  [[nodiscard]] bool complete() const { return next_ == places_.size(); }
  [[nodiscard]] bool may_end() const { return Clock::now() - moved_ < kEnd; }
  [[nodiscard]] std::string where() const {
    const Case& test = places_[std::min(next_, places_.size() - 1)];
    return fmt::format("{} {} {}", sweep_name(test.kind), format_bytes(test.bytes),
                       algorithm_name(test));
  }

 private:
  static std::string algorithm_name(const Case& test) {
    return test.algorithm == Algorithm::unknown ? "auto" : std::string(name(test.algorithm));
  }
  [[nodiscard]] bool is_done(std::size_t at) const {
    return board_.slot(at).done.load(std::memory_order_acquire) == plan_.ranks;
  }

  [[nodiscard]] Timing timing(std::size_t at) const {
    const Lengths lengths = lengths_of(places_[at], plan_.ranks);
    const Batching batching = batching_of(places_[at], plan_, backend_.traits().asynchronous);
    const auto samples =
        static_cast<std::size_t>(plan_.rounds) * static_cast<std::size_t>(batching.samples);
    Timing timing = timing_of(batching.slowest ? board_.slowest_host_us(at, samples)
                                               : board_.mean_host_us(at, samples));
    if (const auto device = median_of(board_.slowest_device_us(at, samples)))
      timing.device_us = *device;
    const double bw = algbw(static_cast<double>(lengths.bytes), timing.median_us * 1e3);
    timing.algbw_gbs = bw / 1e9;
    timing.busbw_gbs =
        bw / 1e9 * busbw_factor(places_[at].kind, static_cast<std::uint32_t>(plan_.ranks));
    if (plan_.check) {
      timing.wrong = board_.slot(at).wrong.load(std::memory_order_relaxed);
      timing.checked = board_.slot(at).checked.load(std::memory_order_relaxed);
    }
    return timing;
  }

  [[nodiscard]] BenchRow row(std::size_t at, bool pair) const {
    const Case& test = places_[at];
    const Lengths lengths = lengths_of(test, plan_.ranks);
    BenchRow row{.operation = sweep_name(test.kind),
                 .algorithm = algorithm_name(test),
                 .backend = backend_.traits().name,
                 .dtype = std::string(name(test.dtype)),
                 .bytes = lengths.bytes,
                 .count = lengths.count,
                 .ranks = plan_.ranks,
                 .root = has_root(test.kind) ? 0 : -1,
                 .graph = test.graph,
                 .out = timing(at),
                 .in = {}};
    if (is_reduction(test.kind)) row.redop = name(test.op);
    if (pair) row.in = timing(at + 1);
    return row;
  }

  const BenchBackend& backend_;
  const SweepPlan& plan_;
  const std::vector<Case>& places_;
  const Board& board_;
  const std::function<void(const BenchRow&)>& on_row_;
  std::size_t next_ = 0;
  Clock::time_point moved_ = Clock::now();
};

}  // namespace

Status run_sweep(BenchBackend& backend, const SweepPlan& plan,
                 const std::function<void(const BenchRow&)>& on_row) {
  const bool asynchronous = backend.traits().asynchronous;
  const std::vector<Case> places = places_of(plan);
  const int samples = plan.rounds * (asynchronous ? 1 : plan.iterations);
  Result<Board> board = Board::create(places.size(), plan.ranks, static_cast<std::size_t>(samples));
  if (!board) return board.error();
  Follower follower(backend, plan, places, *board, on_row);
  bool stuck = false;
  Status ran = backend.run(
      plan.ranks,
      [&](BenchRank& rank) { return measure_places(rank, plan, places, asynchronous, *board); },
      [&] {
        const bool moves = follower.look();
        if (follower.complete()) return follower.may_end();
        stuck = !moves;
        return moves;
      });
  follower.look();
  if (stuck)
    return Error{ErrorCode::timeout, fmt::format("nothing has moved for {} s (-T), at {}",
                                                 plan.timeout_s, follower.where())};
  if (ran && !follower.complete())
    return Error{ErrorCode::peer_lost,
                 fmt::format("the ranks ended without a word at {}", follower.where())};
  return ran;
}

}  // namespace peerscope
