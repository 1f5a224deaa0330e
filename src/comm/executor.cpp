#include "comm/executor.hpp"

#include <algorithm>
#include <cstring>

namespace peerscope {
namespace {

constexpr std::uint64_t bit(int rank) { return std::uint64_t{1} << rank; }

}  // namespace

void Blocks::split(std::size_t elements, std::span<const std::size_t> counts, int ranks) {
  const auto n = static_cast<std::size_t>(ranks);
  const std::size_t share = elements / n, larger = elements % n;
  elements_ = elements;
  begins_[0] = 0;
  for (std::size_t i = 0; i < n; ++i) {
    begins_[i + 1] = begins_[i] + (counts.empty() ? share + (i < larger ? 1 : 0) : counts[i]);
  }
}

std::size_t Blocks::size(int block) const {
  return block == kWhole ? elements_ : begins_[static_cast<std::size_t>(block) + 1] - begin(block);
}

Status Executor::run(const Plan& plan, const Task& task, Marks& marks) {
  plan_ = &plan;
  task_ = &task;
  marks_ = &marks;
  prepare();
  while (first_open_ < progress_.size()) {
    awaited_ = 0;
    bool moved = false;
    for (std::size_t i = first_open_; i < progress_.size(); ++i) {
      const Move move = advance(i);
      if (move == Move::failed) return *std::exchange(error_, std::nullopt);
      moved |= move == Move::moved;
    }
    if (moved) {
      transport_.moved();
      retire();
    } else if (Status alive = transport_.idle(awaited_); !alive) {
      return alive;
    }
  }
  return Done{};
}

void Executor::prepare() {
  turn_ = transport_.channel_chunks() / 2;
  element_bytes_ = dtype_bytes(task_->reduction.dtype);
  chunk_elements_ = transport_.chunk_bytes() / element_bytes_;
  blocks_.split(task_->elements, task_->counts, ranks_);
  progress_.assign(plan_->steps.size(), {});
  for (std::size_t i = 0; i < progress_.size(); ++i) {
    const int block = plan_->steps[i].block;
    Progress& progress = progress_[i];
    progress.begin = blocks_.begin(block);
    progress.elements = blocks_.size(block);
    progress.chunks =
        std::max<std::size_t>(1, (progress.elements + chunk_elements_ - 1) / chunk_elements_);
  }
  lanes_.assign(plan_->lanes.size(), {});
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) settle(lane);
  first_open_ = 0;
  arrived_ = false;
}

// One chunk at most, so that all steps take turns and what was just written is read while it is in
// the cache.
Executor::Move Executor::advance(std::size_t index) {
  Progress& progress = progress_[index];
  const Step& step = plan_->steps[index];
  if (progress.ended() || !is_free(index)) return Move::blocked;
  const Chunk chunk = chunk_of(progress);
  if (const Move found = find_sources(step, progress, chunk); found != Move::moved) return found;
  if (!find_targets(step, progress, chunk)) return Move::blocked;
  transfer(step, chunk);
  pass_on(step, chunk);
  ++progress.done;
  pass_turns(index);
  return Move::moved;
}

bool Executor::is_free(std::size_t index) const {
  const Step& step = plan_->steps[index];
  const auto at = [this](int other) -> const Progress& {
    return progress_[static_cast<std::size_t>(other)];
  };
  if (step.behind != kNoStep && !at(step.behind).ended()) return false;
  if (step.after != kNoStep && at(step.after).done <= progress_[index].done) return false;
  for (const int lane : step.lanes) {
    if (lanes_[static_cast<std::size_t>(lane)].step != static_cast<int>(index)) return false;
  }
  return true;
}

void Executor::pass_turns(std::size_t index) {
  const Progress& progress = progress_[index];
  if (progress.done % turn_ != 0 && !progress.ended()) return;
  for (const int lane : plan_->steps[index].lanes) {
    ++lanes_[static_cast<std::size_t>(lane)].position;
    settle(static_cast<std::size_t>(lane));
  }
}

// Finds the next step on the lane that still has chunks in its round.
void Executor::settle(std::size_t index) {
  Lane& lane = lanes_[index];
  const std::vector<int>& steps = plan_->lanes[index];
  bool any_left = true;
  while (any_left) {
    any_left = lane.position != 0;  // a whole round in which nobody had anything ends it
    for (; lane.position < steps.size(); ++lane.position) {
      lane.step = steps[lane.position];
      const Progress& progress = progress_[static_cast<std::size_t>(lane.step)];
      if (progress.chunks > lane.round * turn_) return;
    }
    lane.position = 0;
    ++lane.round;
  }
  lane.step = kNoStep;
}

Executor::Chunk Executor::chunk_of(const Progress& progress) const {
  const std::size_t first = progress.done * chunk_elements_;
  const std::size_t elements = std::min(chunk_elements_, progress.elements - first);
  return {first, elements, elements * element_bytes_};
}

// `moved` if all have arrived. Waits for the first that has not: when it has, the others may have,
// too.
Executor::Move Executor::find_sources(const Step& step, const Progress& progress,
                                      const Chunk& chunk) {
  for (std::size_t i = 0; i < step.sources.size(); ++i) {
    const int source = step.sources[i];
    if (source == rank_) {
      const std::size_t begin = input_is_one_block(task_->kind) ? 0 : progress.begin;
      sources_[i] = task_->input ? task_->input + (begin + chunk.first) * element_bytes_ : nullptr;
      continue;
    }
    const Message message = transport_.peek(source);
    if (!message.data) {
      awaited_ |= bit(source);
      return Move::blocked;
    }
    if (message.envelope != task_->envelope || message.bytes != chunk.bytes) {
      error_ = transport_.disagree(source, message.envelope);
      return Move::failed;
    }
    if (!arrived_ && marks_->active()) marks_->arrive();
    arrived_ = true;
    sources_[i] = message.data;
  }
  return Move::moved;
}

bool Executor::find_targets(const Step& step, const Progress& progress, const Chunk& chunk) {
  for (std::size_t i = 0; i < step.targets.size(); ++i) {
    const int target = step.targets[i];
    if (target == rank_) {
      const std::size_t begin = output_is_one_block(task_->kind) ? 0 : progress.begin;
      targets_[i] =
          task_->output ? task_->output + (begin + chunk.first) * element_bytes_ : nullptr;
      continue;
    }
    targets_[i] = transport_.reserve(target, chunk.bytes);
    if (!targets_[i]) {
      awaited_ |= bit(target);
      return false;
    }
  }
  return true;
}

void Executor::transfer(const Step& step, const Chunk& chunk) {
  if (chunk.bytes == 0) return;
  const void* from = sources_[0];
  std::size_t next = 0;
  if (step.sources.size() > 1) {
    Reduction reduction = task_->reduction;
    if (!step.finishes) reduction.divisor = 1;
    reduce_elements(reduction, {sources_.data(), step.sources.size()}, targets_[0], chunk.elements);
    from = targets_[0];
    next = 1;
  }
  for (; next < step.targets.size(); ++next) {
    if (targets_[next] != from) std::memcpy(targets_[next], from, chunk.bytes);  // equal: in place
  }
}

void Executor::pass_on(const Step& step, const Chunk& chunk) {
  for (const int target : step.targets) {
    if (target != rank_) transport_.post(target, chunk.bytes);
  }
  for (const int source : step.sources) {
    if (source != rank_) transport_.release(source);
  }
}

void Executor::retire() {
  while (first_open_ < progress_.size() && progress_[first_open_].ended()) {
    const Phase phase = plan_->steps[first_open_].phase;
    ++first_open_;
    const bool last = first_open_ == progress_.size() || plan_->steps[first_open_].phase != phase;
    if (last && marks_->active()) marks_->end(phase);
  }
}

}  // namespace peerscope
