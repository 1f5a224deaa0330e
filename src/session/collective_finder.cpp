#include "session/collective_finder.hpp"

#include <algorithm>

#include "collect/joiner.hpp"

namespace peerscope {
namespace {

std::int64_t end_of(const Op& op) {
  return op.begin_ns + std::max<std::int64_t>(op.host_duration_ns, 0);
}

template <class Span>
bool is_of(const Span& span, const Op& which) {
  return span.comm == which.comm && span.sequence == which.sequence;
}

// Joined collectives first whose times mean something: by the devices' clocks or synchronous.
std::pair<int, std::int64_t> slowness(const Collective& c) {
  const int known = (c.complete ? 2 : 0) + (c.device || !c.async ? 1 : 0);
  if (!c.device) return {known, c.end_ns - c.first_ns};
  const DeviceSplit split = split_by_device(c);
  return {known, split.transfer_ns + split.wait_ns};
}

}  // namespace

bool CollectiveFinder::passes(const Op& op) const {
  return (!wanted_.comm || op.comm == *wanted_.comm) && (!wanted_.kind || op.kind == *wanted_.kind);
}

void CollectiveFinder::on_ops(std::span<const Op> ops) {
  for (const Op& op : ops) {
    if (wanted_.comm && op.comm != *wanted_.comm) continue;
    recent_.add(op);
    if (is_collective(op.kind) && passes(op)) {
      least_ = std::min(least_, op.sequence);
      most_ = std::max(most_, op.sequence);
    }
    if (wanted_.sequence && op.sequence == *wanted_.sequence && is_collective(op.kind) &&
        passes(op)) {
      if (std::find(kinds_.begin(), kinds_.end(), op.kind) == kinds_.end())
        kinds_.push_back(op.kind);
      if (!found_) {
        take(op, op.begin_ns, end_of(op));
        continue;
      }
    }
    if (found_) keep_if_part(op);
  }
}

void CollectiveFinder::keep_if_part(const Op& op) {
  if (is_part_of(op, which_)) {
    from_ns_ = std::min(from_ns_, op.begin_ns);
    until_ns_ = std::max(until_ns_, end_of(op));
    part_.push_back(op);
  } else if (is_message(op.kind) && op.comm == which_.comm && op.begin_ns <= until_ns_ &&
             end_of(op) >= from_ns_) {
    part_.push_back(op);
  }
}

// From now on this is the collective: what of it is still at hand is taken over.
void CollectiveFinder::take(const Op& which, std::int64_t from_ns, std::int64_t until_ns) {
  found_ = true;
  which_ = which;
  from_ns_ = from_ns;
  until_ns_ = until_ns;
  part_.clear();
  part_phases_.clear();
  part_completions_.clear();
  for (const Op& op : recent_.items) keep_if_part(op);
  for (const PhaseMark& phase : phases_.items) {
    if (is_of(phase, which_)) part_phases_.push_back(phase);
  }
  for (const Completion& done : completions_.items) {
    if (is_of(done, which_)) part_completions_.push_back(done);
  }
}

void CollectiveFinder::on_collective(const Collective& collective) {
  Op op;
  op.comm = collective.comm;
  op.sequence = collective.sequence;
  op.kind = collective.kind;
  op.backend = collective.backend;
  op.ranks = collective.ranks;
  if (wanted_.sequence || !passes(op)) return;
  const auto slow = slowness(collective);
  if (slow <= best_) return;
  best_ = slow;
  take(op, collective.first_ns, collective.end_ns);
}

void CollectiveFinder::on_phase(const PhaseMark& phase) {
  if (wanted_.comm && phase.comm != *wanted_.comm) return;
  if (found_ && is_of(phase, which_)) part_phases_.push_back(phase);
  phases_.add(phase);
}

void CollectiveFinder::on_completion(const Completion& completion) {
  if (wanted_.comm && completion.comm != *wanted_.comm) return;
  if (found_ && is_of(completion, which_)) part_completions_.push_back(completion);
  completions_.add(completion);
}

void CollectiveFinder::on_mark(const Mark& mark) {
  if (mark.type == MarkType::phase) {
    on_phase({mark.at_ns, mark.duration_ns, mark.comm, mark.sequence, mark.process, mark.rank,
              mark.name, mark.kind});
  } else if (mark.type == MarkType::completion) {
    on_completion({mark.at_ns, mark.duration_ns, mark.comm, mark.sequence, mark.process, mark.rank,
                   mark.kind, mark.status});
  }
}

CollectiveTrace CollectiveFinder::trace(const Text& text) const {
  std::vector<PhaseSpan> phases;
  for (const PhaseMark& p : part_phases_) {
    phases.push_back(
        {p.comm, p.sequence, p.rank, p.kind, p.begin_ns, p.duration_ns, text(p.process, p.name)});
  }
  std::vector<CompletionSpan> completions;
  for (const Completion& c : part_completions_) {
    completions.push_back({c.comm, c.sequence, c.rank, c.kind,
                           c.begin_ns + std::max<std::int64_t>(c.duration_ns, 0)});
  }
  return trace_collective(which_, found_ ? part_ : std::vector<Op>{}, phases, completions);
}

Result<CollectiveTrace> find_collective(const TraceReader& trace, CollectiveFinder& finder) {
  Joiner joiner(finder);
  const Status read = trace.for_each_ops({}, [&](std::span<const Op> ops) {
    finder.on_ops(ops);
    joiner.add(ops);
    return true;
  });
  if (!read) return read.error();
  joiner.flush_all();
  const Status marks = trace.for_each_marks([&](std::span<const Mark> all) {
    for (const Mark& mark : all) finder.on_mark(mark);
    return true;
  });
  if (!marks) return marks.error();
  return finder.trace([&](std::uint32_t process, std::uint16_t name) {
    return std::string(trace.meta().name(process, name));
  });
}

}  // namespace peerscope
