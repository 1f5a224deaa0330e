#include "suite/worker.hpp"

#include <algorithm>

#include "suite/reference.hpp"

namespace peerscope {
namespace {

constexpr std::byte kPoison{0xFF};  // NaN in every floating-point type
constexpr std::size_t kPiece = std::size_t{4} << 20;

// The buffers of one group of cases on one rank.
class Group {
 public:
  Group(BenchRank& rank, const SweepPlan& plan, std::span<const Case> places, bool asynchronous)
      : rank_(rank),
        plan_(plan),
        places_(places),
        asynchronous_(asynchronous),
        lengths_(lengths_of(places[0], rank.ranks())),
        width_(dtype_bytes(places[0].dtype)),
        counts_(static_cast<std::size_t>(rank.ranks()), lengths_.count),
        reference_({places[0].kind, places[0].dtype, places[0].op, rank.ranks()},
                   std::max(lengths_.input, lengths_.output)) {}
  ~Group() {
    for (void* buffer : {input_, output_}) {
      if (buffer != nullptr && buffer != registered_.data) rank_.release(buffer);
    }
  }
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  Status open() {
    Result<void*> input = buffer(lengths_.input * width_, Kind::get);
    if (!input) return input.error();
    input_ = *input;
    Result<void*> output = buffer(output_bytes(), Kind::copy);
    if (!output) return output.error();
    output_ = *output;
    Status given = give(input_);
    return given ? rank_.fill(output_, kPoison, output_bytes()) : given;
  }

  Status warm_up() {
    for (std::size_t i = 0; i < places_.size(); ++i) {
      Status done = synchronise(i);
      for (int turn = 0; done && turn < plan_.warmup; ++turn) done = once(i).status;
      if (!done) return done;
    }
    return Done{};
  }

  Status time_round(int round, std::size_t first, const Board& board) {
    for (std::size_t i = 0; i < places_.size(); ++i) {
      if (Status met = synchronise(i); !met) return met;
      const std::span<double> host = board.host_ns(first + i, rank_.rank());
      const std::span<double> device = board.device_ns(first + i, rank_.rank());
      const Batching batching = batching_of(places_[i], plan_, asynchronous_);
      for (int sample = 0; sample < batching.samples; ++sample) {
        if (sample > 0 && batching.slowest) {
          if (Status met = rank_.barrier(); !met) return met;
        }
        const Ran ran = once(i, batching.operations);
        if (!ran.status) return ran.status;
        const auto at = static_cast<std::size_t>(round * batching.samples + sample);
        host[at] = ran.time.host_ns / batching.operations;
        device[at] = ran.time.device_ns / batching.operations;
      }
    }
    return Done{};
  }

  // One more operation, from fresh input into poisoned output.
  Status check(std::size_t i, Board::Slot& slot) {
    Status fine = rank_.fill(output_, kPoison, output_bytes());
    if (fine) fine = give(input_of(i));
    if (fine) fine = rank_.barrier();
    if (fine) fine = once(i).status;
    // Who is written to does not notice.
    if (fine && is_one_sided(places_[i].kind)) fine = rank_.barrier();
    if (!fine || !reference_.has_output(rank_.rank())) return fine;
    std::vector<std::byte> piece(std::min(kPiece, lengths_.output * width_));
    const auto* const from = static_cast<const std::byte*>(output_of(i));
    for (std::size_t at = 0; at < lengths_.output * width_; at += piece.size()) {
      piece.resize(std::min(piece.size(), lengths_.output * width_ - at));
      fine = rank_.download(piece.data(), from + at, piece.size());
      if (!fine) return fine;
      slot.wrong += reference_.count_wrong(rank_.rank(), lengths_, at / width_, piece);
      slot.checked += piece.size() / width_;
    }
    return Done{};
  }

 private:
  struct Ran {
    Status status = Done{};
    BatchTime time;
  };

  // Registered where `one_sided` reaches it.
  Result<void*> buffer(std::size_t bytes, Kind one_sided) {
    if (places_[0].kind != one_sided) return rank_.allocate(bytes);
    const Result<Block> registered = rank_.register_memory(bytes);
    if (!registered) return registered.error();
    registered_ = *registered;
    return registered_.data;
  }
  [[nodiscard]] std::size_t output_bytes() const {
    return std::max(lengths_.input, lengths_.output) * width_;
  }
  [[nodiscard]] std::optional<Call> call(std::size_t i) const {
    return call_of(places_[i], rank_.rank(), rank_.ranks(),
                   {input_, output_, counts_, registered_.offset});
  }
  [[nodiscard]] void* input_of(std::size_t i) const {
    const auto made = call(i);
    return made && made->input ? const_cast<void*>(made->input) : input_;
  }
  [[nodiscard]] void* output_of(std::size_t i) const {
    const auto made = call(i);
    return made && made->output ? made->output : output_;
  }

  Status give(void* to) {
    std::vector<std::byte> piece(std::min(kPiece, lengths_.input * width_));
    for (std::size_t at = 0; at < lengths_.input * width_; at += piece.size()) {
      piece.resize(std::min(piece.size(), lengths_.input * width_ - at));
      reference_.write_input(rank_.rank(), at / width_, piece);
      Status sent = rank_.upload(static_cast<std::byte*>(to) + at, piece.data(), piece.size());
      if (!sent) return sent;
    }
    return Done{};
  }

  // Ranks begin together. In place what is there is used up: sums would grow.
  Status synchronise(std::size_t i) {
    if (places_[i].in_place) {
      if (Status fresh = give(input_of(i)); !fresh) return fresh;
    }
    return rank_.barrier();
  }

  Ran once(std::size_t i, int count = 1) {
    const std::optional<Call> made = call(i);
    if (!made) return {rank_.sit_out(), {}};
    Result<BatchTime> time = rank_.run(*made, count, places_[i].graph);
    if (!time) return {time.error(), {}};
    return {Done{}, *time};
  }

  BenchRank& rank_;
  const SweepPlan& plan_;
  std::span<const Case> places_;
  bool asynchronous_;
  Lengths lengths_;
  std::size_t width_;
  std::vector<std::size_t> counts_;
  Reference reference_;
  void *input_ = nullptr, *output_ = nullptr;
  Block registered_;  // one of the two, for what is one-sided
};

}  // namespace

std::vector<Case> places_of(const SweepPlan& plan) {
  std::vector<Case> places;
  for (Case test : plan.cases) {
    test.in_place = false;
    places.push_back(test);
    test.in_place = true;
    if (has_in_place(test.kind)) places.push_back(test);
  }
  return places;
}

std::size_t end_of_group(const std::vector<Case>& places, std::size_t begin) {
  std::size_t end = begin;
  const auto like = [&](Case other) {
    other.algorithm = places[begin].algorithm;
    other.in_place = places[begin].in_place;
    return other == places[begin];
  };
  while (end < places.size() && like(places[end])) ++end;
  return end;
}

Batching batching_of(const Case& test, const SweepPlan& plan, bool asynchronous) {
  // Of what not all ranks take part in, the others' share of the time is none.
  if (asynchronous)
    return {.samples = 1, .operations = plan.iterations, .slowest = !is_collective(test.kind)};
  if (!has_root(test.kind) && is_collective(test.kind)) return {.samples = plan.iterations};
  const int operations = std::min(plan.iterations, std::max(5, plan.iterations / 20));
  return {.samples = std::max(1, plan.iterations / operations),
          .operations = operations,
          .slowest = true};
}

Status measure_places(BenchRank& rank, const SweepPlan& plan, const std::vector<Case>& places,
                      bool asynchronous, const Board& board) {
  if (rank.rank() == plan.slow_rank) rank.compute_us = plan.slow_by_us;
  for (std::size_t begin = 0, end = 0; begin < places.size(); begin = end) {
    end = end_of_group(places, begin);
    Group group(rank, plan, std::span(places).subspan(begin, end - begin), asynchronous);
    Status fine = group.open();
    if (fine) fine = group.warm_up();
    for (int round = 0; fine && round < plan.rounds; ++round)
      fine = group.time_round(round, begin, board);
    for (std::size_t i = begin; fine && i < end; ++i) {
      if (plan.check) fine = group.check(i - begin, board.slot(i));
      if (fine) fine = rank.barrier();
      if (fine) board.slot(i).done.fetch_add(1, std::memory_order_release);  // publishes its times
    }
    if (!fine) return fine;
  }
  return Done{};
}

}  // namespace peerscope
