#include "cli/debug_trace_text.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "analyze/detect/words.hpp"
#include "base/units.hpp"

namespace peerscope {
namespace {

constexpr std::size_t kMostMoves = 12, kMostSpans = 8;

std::string time_or_unknown(std::int64_t ns) {
  return ns < 0 ? "–" : format_duration(static_cast<double>(ns));
}
// "+214 µs" after the first arrival; clocks may put it before.
std::string offset(std::int64_t ns) {
  return (ns < 0 ? "−" : "+") + format_duration(static_cast<double>(ns < 0 ? -ns : ns));
}

// Lines of a branch: each begins with the marks of a tree.
class Tree {
 public:
  explicit Tree(const Style& style) : style_(style) {}

  void add(bool last, const std::string& text) { put("  ", last, text); }
  void below(bool last_above, bool last, const std::string& text) {
    put(last_above ? "     " : "  │  ", last, text);
  }
  [[nodiscard]] std::string text() const { return out_; }

 private:
  void put(const std::string& stem, bool last, const std::string& text) {
    const std::size_t indent = columns(stem) + 3;
    const std::size_t width = static_cast<std::size_t>(std::max(style_.width, 60)) - indent;
    const std::string rest = stem + (last ? "   " : "│  ");
    out_ += stem + (last ? "└─ " : "├─ ") + wrap(text, width, rest) + "\n";
  }
  const Style& style_;
  std::string out_;
};

std::string heading(const CollectiveTrace& trace, const std::string& communicator,
                    std::int64_t real_offset_ns, const Style& style) {
  const Op& op = trace.op;
  std::string first = fmt::format("{} #{}", operation_name(op), op.sequence);
  std::string facts;
  const auto add = [&](const std::string& fact) {
    if (!fact.empty()) facts += " · " + fact;
  };
  add(communicator);
  add(op.algorithm == Algorithm::unknown ? "" : std::string(name(op.algorithm)));
  add(op.protocol == Protocol::unknown ? "" : std::string(name(op.protocol)));
  add(fmt::format("{} ranks", op.ranks));
  add(op.backend == Backend::unknown ? "" : std::string(name(op.backend)));
  add("first arrival " + time_of_day(trace.first_ns + real_offset_ns));
  std::string out = "  " + paint(style, "1", first) + facts + "\n";
  std::string times;
  if (trace.device_transfer_ns >= 0) {
    times = fmt::format("transfer {} device · waiting up to {} device",
                        time_or_unknown(trace.device_transfer_ns),
                        time_or_unknown(trace.device_wait_ns));
  }
  std::string host = fmt::format("arrivals within {} host", time_or_unknown(trace.skew_ns()));
  if (op.async)
    host += " (of the enqueue)";
  else
    host += fmt::format(", then {} until all were done", time_or_unknown(trace.transfer_ns()));
  return out + "  " + (times.empty() ? "" : times + " · ") + host + "\n";
}

std::string rank_line(const RankTrace& rank, const CollectiveTrace& trace, const Style& style) {
  std::string text = paint(style, "1", fmt::format("rank {}", rank.op.rank)) +
                     (rank.late_ns == 0 ? "  comes first" : "  comes " + offset(rank.late_ns));
  if (rank.op.async) {
    text += fmt::format(" · enqueued in {}", time_or_unknown(rank.host_ns));
  } else if (rank.host_ns >= 0) {
    text += fmt::format(" · leaves {}", offset(rank.late_ns + rank.host_ns));
    if (rank.wait_ns > 0) text += fmt::format(" · waits {}", time_or_unknown(rank.wait_ns));
  }
  const bool last = trace.ranks.size() > 1 && &rank == &trace.ranks.back();
  if (last && trace.skew_ns() > 0) text += " · " + paint(style, "33;1", "the last to come");
  if (rank.complete_ns != kUnknownNs)
    text += fmt::format(" · left the device by {}", offset(rank.complete_ns - trace.first_ns));
  if (rank.op.status != OpStatus::ok)
    text += " · " + paint(style, "31;1", fmt::format("■ {}", name(rank.op.status)));
  if (rank.odd) text += " · " + paint(style, "31;1", "■ called " + operation_name(rank.op));
  return text;
}

void add_rank(Tree& tree, const RankTrace& rank, const CollectiveTrace& trace, bool last,
              const Style& style) {
  tree.add(last, rank_line(rank, trace, style));
  std::vector<std::string> lines;
  std::string phases;
  for (const PhaseSpan& phase : rank.phases) {
    phases +=
        fmt::format("{}{} {}", phases.empty() ? "" : " · ", phase.name.empty() ? "?" : phase.name,
                    time_or_unknown(phase.duration_ns));
  }
  if (!phases.empty()) lines.push_back("phases (measured, host)  " + phases);
  std::string device;
  std::size_t shown = 0;
  for (const DeviceSpan& span : rank.device) {
    if (++shown > kMostSpans) {
      device += fmt::format(" · and {} more", rank.device.size() - kMostSpans);
      break;
    }
    const std::string channel =
        rank.device.size() > 1 ? fmt::format("channel {} ", span.channel) : "";
    device += fmt::format("{}{}{} to {}", device.empty() ? "" : " · ", channel,
                          offset(span.begin_ns - trace.first_ns),
                          offset(span.begin_ns + span.duration_ns - trace.first_ns));
  }
  if (!device.empty()) lines.push_back("device (measured)  " + device);
  for (std::size_t i = 0; i < lines.size(); ++i) tree.below(last, i + 1 == lines.size(), lines[i]);
}

std::string move_text(const PlannedMove& move) {
  const std::string size =
      move.bytes < 0 ? "" : " " + format_bytes(static_cast<std::uint64_t>(move.bytes));
  const std::string block = move.block < 0 ? "" : fmt::format(" (block {})", move.block);
  return fmt::format("{}→{}{}{}", move.from, move.to, size, block);
}

std::string planned(const CollectiveTrace& trace, const Style& style) {
  if (trace.plan.empty()) {
    return trace.plan_unknown.empty()
               ? ""
               : fmt::format("\n  Who sends what to whom is not known: {}\n", trace.plan_unknown);
  }
  std::string out = fmt::format("\n  messages as {} plans them ({}: order and sizes, no times)\n",
                                name(trace.op.algorithm), paint(style, "1", "planned"));
  Tree tree(style);
  for (std::size_t i = 0; i < trace.plan.size();) {
    const int round = trace.plan[i].round;
    std::string line;
    std::size_t count = 0, end = i;
    for (; end < trace.plan.size() && trace.plan[end].round == round; ++end) {
      if (++count <= kMostMoves) line += (line.empty() ? "" : " · ") + move_text(trace.plan[end]);
    }
    if (count > kMostMoves) line += fmt::format(" · and {} more", count - kMostMoves);
    tree.add(end == trace.plan.size(),
             fmt::format("round {} ({})  {}", round, trace.plan[i].phase, line));
    i = end;
  }
  return out + tree.text();
}

std::string measured(const CollectiveTrace& trace, const Style& style) {
  if (trace.transfers.empty()) return {};
  std::string out = fmt::format("\n  messages recorded meanwhile on this communicator ({})\n",
                                paint(style, "1", "measured"));
  Tree tree(style);
  const std::size_t most = std::min<std::size_t>(trace.transfers.size(), 40);
  for (std::size_t i = 0; i < most; ++i) {
    const Transfer& t = trace.transfers[i];
    const auto side = [&](const char* what, std::int64_t begin_ns, std::int64_t end_ns) {
      if (begin_ns == kUnknownNs) return fmt::format("{} not recorded", what);
      const std::string end = end_ns == kUnknownNs ? "" : " to " + offset(end_ns - trace.first_ns);
      return fmt::format("{} {}{}", what, offset(begin_ns - trace.first_ns), end);
    };
    tree.add(i + 1 == most,
             fmt::format("{}→{} {} #{}  {} · {}", t.from, t.to, format_bytes(t.bytes), t.sequence,
                         side("sent", t.send_begin_ns, t.send_end_ns),
                         side("received", t.recv_begin_ns, t.recv_end_ns)));
  }
  if (most < trace.transfers.size())
    return out + tree.text() +
           fmt::format("  and {} more: see --json\n", trace.transfers.size() - most);
  return out + tree.text();
}

}  // namespace

std::string collective_tree(const CollectiveTrace& trace, const std::string& communicator,
                            std::int64_t real_offset_ns, const Style& style) {
  std::string out = heading(trace, communicator, real_offset_ns, style);
  if (!trace.mismatch.empty())
    out += "  " + paint(style, "31;1", "■") + " The ranks disagree: " + trace.mismatch + ".\n";
  if (!trace.missing.empty()) {
    std::string who = ranks_in_words(trace.missing);
    out += fmt::format(
        "  {} {} no record of it: did not end it, was not recorded, or its records "
        "are overwritten.\n",
        who, trace.missing.size() == 1 ? "has" : "have");
  }
  out += "\n";
  Tree tree(style);
  constexpr std::size_t kMostRanks = 32;
  const std::size_t shown = std::min(trace.ranks.size(), kMostRanks);
  // Of very many ranks: the first ones and the last to come.
  for (std::size_t i = 0; i < shown; ++i) {
    const bool cut = trace.ranks.size() > kMostRanks && i + 4 >= shown;
    const std::size_t at = cut ? trace.ranks.size() - (shown - i) : i;
    if (cut && i + 4 == shown)
      tree.add(false, fmt::format("… {} ranks between: see --json", trace.ranks.size() - shown));
    add_rank(tree, trace.ranks[at], trace, i + 1 == shown, style);
  }
  return out + tree.text() + measured(trace, style) + planned(trace, style);
}

}  // namespace peerscope
