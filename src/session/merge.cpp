#include "session/merge.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "session/replay.hpp"
#include "session/summary.hpp"

namespace peerscope {
namespace {

// The last arrival and the first departure of one trace's ranks.
struct Span {
  std::int64_t last_begin = INT64_MIN, first_end = INT64_MAX;
  std::uint32_t ranks = 0;
};

struct Key {
  std::uint64_t comm, sequence;
  bool operator==(const Key&) const = default;
};
struct KeyHash {
  std::size_t operator()(const Key& key) const {
    return static_cast<std::size_t>(
        (key.comm ^ key.sequence * 0x9E37'79B9'7F4A'7C15u) * 0xC2B2'AE3D'27D4'EB4Fu >> 7);
  }
};
using Spans = std::unordered_map<Key, Span, KeyHash>;

constexpr std::size_t kMaxSpans = 1'000'000;  // the first ones are enough

bool synchronises(Kind kind) {
  return kind == Kind::all_reduce || kind == Kind::all_gather || kind == Kind::reduce_scatter ||
         kind == Kind::all_to_all || kind == Kind::barrier;
}

Result<Spans> spans_of(const TraceReader& trace) {
  Spans spans;
  OpFilter filter;
  for (const Kind kind :
       {Kind::all_reduce, Kind::all_gather, Kind::reduce_scatter, Kind::all_to_all, Kind::barrier})
    filter.kinds |= 1U << static_cast<unsigned>(kind);
  const Status read = trace.for_each_ops(filter, [&](std::span<const Op> ops) {
    for (const Op& op : ops) {
      // An asynchronous operation's host interval is its enqueue: it says nothing about the others.
      if (op.comm == 0 || op.async || op.host_duration_ns < 0 || op.status != OpStatus::ok ||
          !synchronises(op.kind) || op.device_only)
        continue;
      Span& span = spans[{op.comm, op.sequence}];
      span.last_begin = std::max(span.last_begin, op.begin_ns);
      span.first_end = std::min(span.first_end, op.begin_ns + op.host_duration_ns);
      ++span.ranks;
    }
    return spans.size() < kMaxSpans;
  });
  if (!read) return read.error();
  return spans;
}

Alignment align_one(const TraceReader& base, const Spans& base_spans, const TraceReader& trace,
                    const Spans& spans) {
  Alignment result;
  const TraceClock& a = base.meta().clock;
  const TraceClock& b = trace.meta().clock;
  result.shift_ns = b.real_offset_ns - a.real_offset_ns;  // both to the system's time
  std::int64_t least = INT64_MIN;
  std::int64_t most = INT64_MAX;
  for (const auto& [key, span] : spans) {
    const auto found = base_spans.find(key);
    if (found == base_spans.end()) continue;
    ++result.collectives;
    least = std::max(least, found->second.last_begin - span.first_end);
    most = std::min(most, found->second.first_end - span.last_begin);
  }
  if (result.collectives == 0) {
    result.uncertainty_ns = 1'000'000;  // what NTP keeps on a good day; nothing here says better
    return result;
  }
  result.contradicted = least > most;
  if (result.contradicted)
    std::swap(least, most);  // the clocks drifted: between the two is least wrong
  result.shift_ns =
      result.contradicted ? least / 2 + most / 2 : std::clamp(result.shift_ns, least, most);
  result.uncertainty_ns = std::max(result.shift_ns - least, most - result.shift_ns);
  return result;
}

bool same_host(const TraceReader& a, const TraceReader& b) {
  const auto& x = a.meta().hosts;
  const auto& y = b.meta().hosts;
  return x.size() == 1 && y.size() == 1 && !x[0].boot_id.empty() && x[0].boot_id == y[0].boot_id;
}

// Reads one trace chunk by chunk, its times shifted and its processes renumbered.
class Cursor {
 public:
  Cursor(const TraceReader& trace, std::int64_t shift_ns, std::uint32_t first_process)
      : trace_(trace), shift_ns_(shift_ns), first_process_(first_process) {
    order_.resize(trace.chunks().size());
    for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = i;
    std::sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
      return trace.chunks()[a].first_ns < trace.chunks()[b].first_ns;
    });
  }

  // All operations before `until_ns` that have not been taken yet.
  Status take(std::int64_t until_ns, std::vector<Op>& out) {
    while (next_ < order_.size() && begin_of(order_[next_]) < until_ns) {
      auto chunk = trace_.chunk(order_[next_++]);
      if (!chunk) return chunk.error();
      const auto ops = chunk->ops();
      if (!chunk->status()) return chunk->status();
      for (Op op : ops) {
        op.begin_ns += shift_ns_;
        if (op.device_begin_ns != kUnknownNs) op.device_begin_ns += shift_ns_;
        op.process += first_process_;
        held_.push_back(op);
      }
    }
    std::stable_sort(held_.begin(), held_.end(),
                     [](const Op& a, const Op& b) { return a.begin_ns < b.begin_ns; });
    const auto end = std::find_if(held_.begin(), held_.end(),
                                  [&](const Op& op) { return op.begin_ns >= until_ns; });
    out.insert(out.end(), held_.begin(), end);
    held_.erase(held_.begin(), end);
    return Done{};
  }

  // Where the chunk after the next begins: how far one may go without reading more than one.
  [[nodiscard]] std::int64_t horizon() const {
    return next_ + 1 < order_.size() ? begin_of(order_[next_ + 1]) : INT64_MAX;
  }
  [[nodiscard]] bool done() const { return next_ >= order_.size() && held_.empty(); }

 private:
  [[nodiscard]] std::int64_t begin_of(std::size_t chunk) const {
    return trace_.chunks()[chunk].first_ns + shift_ns_;
  }
  const TraceReader& trace_;
  std::int64_t shift_ns_;
  std::uint32_t first_process_;
  std::vector<std::size_t> order_;
  std::size_t next_ = 0;
  std::vector<Op> held_;
};

std::uint32_t process_limit(const TraceReader& trace) {
  std::uint32_t limit = 1;
  for (const TraceProcess& process : trace.meta().processes)
    limit = std::max(limit, process.index + 1);
  return limit;
}

void add_meta(const TraceMeta& from, const Alignment& alignment, std::uint32_t first_process,
              TraceMeta& to) {
  const auto first_host = static_cast<std::uint32_t>(to.hosts.size());
  for (TraceHost host : from.hosts) {
    host.shift_ns += alignment.shift_ns;
    host.shift_uncertainty_ns += alignment.uncertainty_ns;
    to.hosts.push_back(std::move(host));
  }
  for (TraceProcess process : from.processes) {
    process.index += first_process;
    process.host += first_host;
    if (process.created_ns != kUnknownNs) process.created_ns += alignment.shift_ns;
    to.processes.push_back(std::move(process));
  }
  for (TraceDevice device : from.devices) {
    device.host += first_host;
    to.devices.push_back(std::move(device));
  }
  for (TraceLink link : from.links) {
    link.host += first_host;
    to.links.push_back(std::move(link));
  }
  for (TraceName name : from.names) {
    name.process += first_process;
    to.names.push_back(std::move(name));
  }
  for (const TraceComm& comm : from.communicators) {
    auto found = std::find_if(to.communicators.begin(), to.communicators.end(),
                              [&](const TraceComm& c) { return c.id == comm.id; });
    if (found == to.communicators.end()) {
      to.communicators.push_back(comm);
      found = to.communicators.end() - 1;
      found->members.clear();
    }
    for (TraceMember member : comm.members) {
      member.process += first_process;
      found->members.push_back(member);
    }
  }
  to.measurements.insert(to.measurements.end(), from.measurements.begin(), from.measurements.end());
  to.lost += from.lost;
  to.dropped += from.dropped;
  to.not_written += from.not_written;
}

TraceMeta merged_meta(const std::vector<TraceReader>& traces,
                      const std::vector<Alignment>& alignments) {
  TraceMeta meta = traces[0].meta();
  meta.hosts.clear();
  meta.processes.clear();
  meta.devices.clear();
  meta.links.clear();
  meta.names.clear();
  meta.communicators.clear();
  meta.measurements.clear();
  meta.lost = meta.dropped = meta.not_written = 0;
  meta.overhead_fraction = 0;
  std::uint32_t first_process = 0;
  for (std::size_t i = 0; i < traces.size(); ++i) {
    add_meta(traces[i].meta(), alignments[i], first_process, meta);
    meta.overhead_fraction +=
        traces[i].meta().overhead_fraction / static_cast<double>(traces.size());
    first_process += process_limit(traces[i]);
  }
  return meta;
}

}  // namespace

Result<std::vector<Alignment>> align(const std::vector<TraceReader>& traces) {
  std::vector<Alignment> alignments(traces.size());
  auto base = spans_of(traces[0]);
  if (!base) return base.error();
  for (std::size_t i = 1; i < traces.size(); ++i) {
    if (same_host(traces[0], traces[i])) continue;  // one clock
    const auto spans = spans_of(traces[i]);
    if (!spans) return spans.error();
    alignments[i] = align_one(traces[0], *base, traces[i], *spans);
  }
  return alignments;
}

Status merge(const std::vector<TraceReader>& traces, const std::vector<Alignment>& alignments,
             const MonitorOptions& options, TraceWriter& out,
             const std::function<void(std::uint64_t)>& progress) {
  Replay replay(options);
  std::vector<Cursor> cursors;
  std::uint32_t first_process = 0;
  for (std::size_t i = 0; i < traces.size(); ++i) {
    cursors.emplace_back(traces[i], alignments[i].shift_ns, first_process);
    first_process += process_limit(traces[i]);
  }
  std::uint64_t done = 0;
  std::vector<Op> ops;
  while (!std::all_of(cursors.begin(), cursors.end(), [](const Cursor& c) { return c.done(); })) {
    std::int64_t until_ns = INT64_MAX;
    for (const Cursor& cursor : cursors) until_ns = std::min(until_ns, cursor.horizon());
    ops.clear();
    for (Cursor& cursor : cursors) {
      if (Status taken = cursor.take(until_ns, ops); !taken) return taken;
      if (until_ns == INT64_MAX) continue;
    }
    if (ops.empty() && until_ns != INT64_MAX) {
      // Chunks that begin at one instant: go past it.
      for (Cursor& cursor : cursors) {
        if (Status taken = cursor.take(until_ns + 1, ops); !taken) return taken;
      }
    }
    std::stable_sort(ops.begin(), ops.end(),
                     [](const Op& a, const Op& b) { return a.begin_ns < b.begin_ns; });
    out.add(ops);
    replay.add(ops);
    done += ops.size();
    if (progress) progress(done);
  }
  first_process = 0;
  for (std::size_t i = 0; i < traces.size(); ++i) {
    const Status read = traces[i].for_each_marks([&](std::span<const Mark> marks) {
      for (Mark mark : marks) {
        mark.at_ns += alignments[i].shift_ns;
        mark.process += first_process;
        out.add(mark);
        replay.add(mark);
      }
      return true;
    });
    if (!read) return read;
    first_process += process_limit(traces[i]);
  }
  const TraceMeta meta = merged_meta(traces, alignments);
  out.set_meta(meta);
  out.set_summary(to_summary(replay.finish(meta)));
  return Done{};
}

}  // namespace peerscope
