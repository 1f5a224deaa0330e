#include "comm/sim/schedule.hpp"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "comm/algorithms.hpp"

namespace peerscope::sim {
namespace {

// One end of a message: the n-th that `from` sends to `to` is the n-th that `to` takes from `from`.
struct MessageEnd {
  int from, to, step;
  bool whole;
  bool operator<(const MessageEnd& other) const {
    return std::tie(from, to, step) < std::tie(other.from, other.to, other.step);
  }
};

struct MessageEnds {
  std::vector<MessageEnd> sent, taken;
};

void add_plan(const Plan& plan, int rank, Schedule& schedule, MessageEnds& ends) {
  const int base = static_cast<int>(schedule.steps.size());
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    const int own = base + static_cast<int>(i);
    ScheduledStep scheduled{rank, -1, -1};
    if (step.after != kNoStep) scheduled.after = base + step.after;
    if (step.behind != kNoStep) scheduled.behind = base + step.behind;
    schedule.steps.push_back(scheduled);
    bool takes = false, sends = false;
    for (const int source : step.sources) {
      if (source == rank) continue;
      ends.taken.push_back({source, rank, own, step.block == kWhole});
      takes = true;
    }
    for (const int target : step.targets) {
      if (target == rank) continue;
      ends.sent.push_back({rank, target, own, step.block == kWhole});
      sends = true;
    }
    schedule.pipelined = schedule.pipelined || (takes && sends && step.block == kWhole);
  }
}

std::optional<Error> match(MessageEnds& ends, Schedule& schedule) {
  std::sort(ends.sent.begin(), ends.sent.end());
  std::sort(ends.taken.begin(), ends.taken.end());
  const Error wrong{ErrorCode::mismatch, "the ranks' plans do not fit together"};
  if (ends.sent.size() != ends.taken.size()) return wrong;
  for (std::size_t i = 0; i < ends.sent.size(); ++i) {
    const MessageEnd& sent = ends.sent[i];
    const MessageEnd& taken = ends.taken[i];
    if (sent.from != taken.from || sent.to != taken.to) return wrong;
    const bool same_lane =
        i > 0 && ends.sent[i - 1].from == sent.from && ends.sent[i - 1].to == sent.to;
    if (!same_lane) ++schedule.lanes;
    schedule.messages.push_back(
        {sent.from, sent.to, sent.step, taken.step, schedule.lanes - 1, sent.whole});
  }
  return std::nullopt;
}

// Lists of `of(i)` -> i, for i below `count`, as one array and its begins; -1 is of none.
template <class Of>
void index_by(std::size_t keys, int count, Of of, std::vector<int>& begins,
              std::vector<int>& items) {
  begins.assign(keys + 1, 0);
  for (int i = 0; i < count; ++i) {
    if (of(i) >= 0) ++begins[static_cast<std::size_t>(of(i)) + 1];
  }
  for (std::size_t k = 0; k < keys; ++k) begins[k + 1] += begins[k];
  items.resize(static_cast<std::size_t>(begins[keys]));
  std::vector<int> next(begins.begin(), begins.end() - 1);
  for (int i = 0; i < count; ++i) {
    if (of(i) >= 0) items[static_cast<std::size_t>(next[static_cast<std::size_t>(of(i))]++)] = i;
  }
}

void index(Schedule& schedule) {
  const auto& messages = schedule.messages;
  const auto& steps = schedule.steps;
  const int count = static_cast<int>(messages.size());
  const auto message = [&](int i) -> const Message& {
    return messages[static_cast<std::size_t>(i)];
  };
  index_by(
      steps.size(), count, [&](int i) { return message(i).sent_by; }, schedule.out_begin,
      schedule.out);
  index_by(
      steps.size(), count, [&](int i) { return message(i).taken_by; }, schedule.in_begin,
      schedule.in);
  // Twice the steps: a step may wait for one `after` and one `behind`.
  const int all = static_cast<int>(steps.size());
  index_by(
      steps.size(), 2 * all,
      [&](int i) {
        const ScheduledStep& step = steps[static_cast<std::size_t>(i % all)];
        return i < all ? step.after : step.behind;
      },
      schedule.next_begin, schedule.next);
  for (int& waiting : schedule.next) waiting %= all;
}

}  // namespace

Result<Schedule> make_schedule(Kind kind, Algorithm algorithm, int ranks, int root) {
  Schedule schedule;
  schedule.ranks = ranks;
  MessageEnds ends;
  for (int rank = 0; rank < ranks; ++rank) {
    const auto plan = make_plan(algorithm, {kind, rank, ranks, root});
    if (!plan) return plan.error();
    add_plan(*plan, rank, schedule, ends);
  }
  if (auto error = match(ends, schedule))
    return Error{error->code,
                 fmt::format("{} by {}: {}", name(kind), name(algorithm), error->message)};
  index(schedule);
  return schedule;
}

}  // namespace peerscope::sim
