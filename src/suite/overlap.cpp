#include "suite/overlap.hpp"

#include <algorithm>
#include <chrono>

#include "analyze/stats/robust.hpp"
#include "suite/board.hpp"

namespace peerscope {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kFigures = 4;  // of a round on the board

Status one_round(BenchRank& rank, const Call& call, const OverlapPlan& plan,
                 std::span<double> figures) {
  if (Status met = rank.barrier(); !met) return met;
  const Result<OverlapTime> time = rank.overlap(call, plan.iterations);
  if (!time) return time.error();
  const double each = plan.iterations;
  figures[0] = time->comm_alone_ns / each;
  figures[1] = time->comm_beside_ns / each;
  figures[2] = time->compute_alone_ns / each;
  figures[3] = time->compute_beside_ns / each;
  return Done{};
}

Status measure_case(BenchRank& rank, const OverlapPlan& plan, const Case& test,
                    std::span<double> figures) {
  const Lengths lengths = lengths_of(test, rank.ranks());
  const std::size_t width = dtype_bytes(test.dtype);
  const std::vector<std::size_t> counts(static_cast<std::size_t>(rank.ranks()), lengths.count);
  const Result<void*> input = rank.allocate(lengths.input * width);
  if (!input) return input.error();
  const Result<void*> output = rank.allocate(std::max(lengths.input, lengths.output) * width);
  if (!output) return output.error();
  const auto call = call_of(test, rank.rank(), rank.ranks(), {*input, *output, counts});
  if (!call)
    return Error{ErrorCode::unsupported, "overlap of sendrecv takes two ranks, not more (-g 2)"};
  Status fine = rank.fill(*input, std::byte{0}, lengths.input * width);
  if (fine) fine = rank.barrier();
  if (fine) {
    const Result<BatchTime> warm = rank.run(*call, std::max(plan.warmup, 1), false);
    if (!warm) fine = warm.error();
  }
  for (std::size_t round = 0; fine && round < static_cast<std::size_t>(plan.rounds); ++round)
    fine = one_round(rank, *call, plan, figures.subspan(round * kFigures, kFigures));
  rank.release(*output);
  rank.release(*input);
  return fine;
}

OverlapRow row_of(const BenchBackend& backend, const OverlapPlan& plan, const Board& board,
                  std::size_t at) {
  const Case& test = plan.cases[at];
  OverlapRow row{.operation = sweep_name(test.kind),
                 .algorithm = test.algorithm == Algorithm::unknown
                                  ? "auto"
                                  : std::string(name(test.algorithm)),
                 .backend = backend.traits().name,
                 .dtype = std::string(name(test.dtype)),
                 .bytes = lengths_of(test, plan.ranks).bytes,
                 .ranks = plan.ranks};
  const std::vector<double> figures =
      board.mean_host_us(at, kFigures * static_cast<std::size_t>(plan.rounds));
  const auto median = [&](std::size_t which) {
    std::vector<double> values;
    for (std::size_t i = which; i < figures.size(); i += kFigures) values.push_back(figures[i]);
    return median_of(values).value_or(0);
  };
  row.comm_alone_us = median(0);
  row.comm_beside_us = median(1);
  row.compute_alone_us = median(2);
  row.compute_beside_us = median(3);
  return row;
}

}  // namespace

double OverlapRow::hidden() const {
  const double shorter = std::min(comm_alone_us, compute_alone_us);
  const double together = std::max(comm_beside_us, compute_beside_us);
  if (!(shorter > 0)) return 0;
  return std::clamp((comm_alone_us + compute_alone_us - together) / shorter, 0.0, 1.0);
}

Status run_overlap(BenchBackend& backend, const OverlapPlan& plan,
                   const std::function<void(const OverlapRow&)>& on_row) {
  Result<Board> board = Board::create(plan.cases.size(), plan.ranks,
                                      kFigures * static_cast<std::size_t>(plan.rounds));
  if (!board) return board.error();
  std::size_t next = 0;
  Clock::time_point moved = Clock::now();
  const auto look = [&] {
    for (; next < plan.cases.size() &&
           board->slot(next).done.load(std::memory_order_acquire) == plan.ranks;
         ++next) {
      on_row(row_of(backend, plan, *board, next));
      moved = Clock::now();
    }
    return plan.timeout_s == 0 || Clock::now() - moved < std::chrono::seconds(plan.timeout_s);
  };
  bool stuck = false;
  const auto body = [&](BenchRank& rank) -> Status {
    for (std::size_t at = 0; at < plan.cases.size(); ++at) {
      Status done = measure_case(rank, plan, plan.cases[at], board->host_ns(at, rank.rank()));
      if (done) done = rank.barrier();
      if (!done) return done;
      board->slot(at).done.fetch_add(1, std::memory_order_release);  // publishes the figures
    }
    return Done{};
  };
  Status ran = backend.run(plan.ranks, body, [&] { return !(stuck = !look()); });
  look();
  if (stuck) return Error{ErrorCode::timeout, "nothing has moved for too long (-T)"};
  return ran;
}

}  // namespace peerscope
