// peerscope debug hang: which operation is stuck, who is in it and who does not come.
#include "cli/debug_hang.hpp"

#include <algorithm>
#include <ctime>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "analyze/debug/given_up.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"
#include "cli/commands.hpp"
#include "cli/stop.hpp"
#include "record/ticks.hpp"
#include "session/debug_json.hpp"
#include "session/json.hpp"

namespace peerscope {
namespace {

struct HangOptions {
  std::string wanted;
  double wait_s = 1.0;
  bool json = false, quiet = false;
};

struct Hangs {
  std::vector<InFlightGroup> groups;  // that hang
  std::vector<Finding> others;        // hangs that no group is left of
  std::vector<GivenUp> given_up;
  [[nodiscard]] bool any() const { return !groups.empty() || !others.empty() || !given_up.empty(); }
};

bool same_subject(const Finding& a, const Finding& b) {
  return a.sentence == b.sentence && a.subject.communicator == b.subject.communicator &&
         a.subject.operation == b.subject.operation;
}

// The job has gone on since, as with a new communicator.
bool is_over(const GivenUp& end, const DebugSource& source) {
  const auto& errors = source.watch->errors().errors();
  return std::any_of(errors.begin(), errors.end(), [&](const TrackedError& error) {
    return error.recovered && error.op.comm == end.op.comm && error.op.sequence == end.op.sequence;
  });
}

Hangs hangs_in(const DebugSource& source) {
  Hangs hangs;
  for (InFlightGroup& group : in_flight_groups(*source.snapshot)) {
    // Ranks that are in different calls of one number will not come out of it, however young it is; but
    // a look may fall between two ranks' entering the next one.
    const bool stuck = !group.mismatch.empty() && group.age_ns > 100'000'000;
    if (group.hang || stuck) hangs.groups.push_back(std::move(group));
  }
  for (const Finding& finding : source.snapshot->findings) {
    if (finding.kind != "hang") continue;
    const bool told = std::any_of(hangs.groups.begin(), hangs.groups.end(), [&](const auto& g) {
      return g.hang && (same_subject(*g.hang, finding) ||
                        (g.hang->subject.communicator == finding.subject.communicator &&
                         g.hang->evidence == finding.evidence));
    });
    if (!told) hangs.others.push_back(finding);
  }
  hangs.given_up = given_up(source.watch->last_seen());
  std::erase_if(hangs.given_up, [&](const GivenUp& end) { return is_over(end, source); });
  return hangs;
}

std::int64_t hang_now_ns() { return static_cast<std::int64_t>(clock_ns(CLOCK_MONOTONIC)); }

// Looks until something hangs, the session is over or the time is.
Hangs wait_for_hang(DebugSource& source, double wait_s) {
  constexpr std::int64_t kLookNs = 40'000'000;
  const std::int64_t until_ns = hang_now_ns() + static_cast<std::int64_t>(wait_s * 1e9);
  for (;;) {
    Hangs hangs = hangs_in(source);
    if (hangs.any() || !source.live || hang_now_ns() >= until_ns || stop_requested()) return hangs;
    for (std::int64_t slept_ns = 0; slept_ns < kLookNs;) {
      const std::int64_t ns = std::min<std::int64_t>(source.monitor->next_poll_ns(), kLookNs);
      const timespec nap{0, static_cast<long>(ns)};
      nanosleep(&nap, nullptr);
      slept_ns += ns;
      source.monitor->poll();
    }
    source.look();
  }
}

// "; rank 1 has not come: its process 4711 died"
std::string not_come(const GivenUp& end, const DebugSource& source) {
  if (end.missing.empty()) return {};
  std::string who = ranks_in_words(end.missing);
  who[0] = 'r';
  std::string text = fmt::format("; {} {} not come", who, end.missing.size() == 1 ? "has" : "have");
  std::string died;
  for (const int rank : end.missing) {
    const DebugMember* member = source.member(end.op.comm, rank);
    if (member != nullptr && member->state == ProcessState::dead && died.size() < 60)
      died += fmt::format("{}{}", died.empty() ? "" : ", ", member->pid);
  }
  if (died.empty()) return text;
  return text + (end.missing.size() == 1 ? ": its process " : "; of these died: process ") + died +
         (end.missing.size() == 1 ? " died" : "");
}

std::string given_up_text(const GivenUp& end, const DebugSource& source, const Style& style) {
  std::vector<int> ranks;
  std::int64_t waited_ns = 0;
  for (const Op& op : end.ranks) {
    ranks.push_back(op.rank);
    waited_ns = std::max(waited_ns, op.host_duration_ns);
  }
  std::sort(ranks.begin(), ranks.end());
  const std::string communicator = communicator_name(*source.snapshot, end.op.comm);
  std::string sentence =
      fmt::format("{} gave up {} #{} on {} after {} ({})", ranks_in_words(ranks),
                  operation_name(end.op), end.op.sequence, communicator,
                  format_duration(static_cast<double>(waited_ns)), name(end.op.status));
  if (!end.mismatch.empty()) {
    sentence += ": the ranks disagree: " + end.mismatch;
  } else {
    sentence += not_come(end, source);
  }
  const std::size_t width = static_cast<std::size_t>(std::max(style.width, 40)) - 5;
  std::string out = "  " + paint(style, "31;1", "■") + " " +
                    paint(style, "1", wrap(sentence + ".", width, "    ")) + "\n";
  return out + "    → what came before: peerscope debug events\n";
}

// Whom to look at, and how.
std::string advice(const InFlightGroup& group, const DebugSource& source) {
  constexpr std::size_t kMost = 4;
  std::string out;
  std::size_t shown = 0;
  for (const Suspect& suspect : suspects_of(group, source)) {
    if (++shown > kMost) break;
    out += fmt::format("    rank {} {}\n", suspect.rank, suspect.why);
    const DebugMember* member = source.member(group.op.comm, suspect.rank);
    if (!source.live || member == nullptr || member->state != ProcessState::live) continue;
    out += suspect.cont ? fmt::format("    → let it go on: kill -CONT {}\n", suspect.pid)
                        : fmt::format(
                              "    → where it is: gdb -p {0} -batch -ex 'thread apply all bt', or "
                              "py-spy dump --pid {0}\n",
                              suspect.pid);
  }
  return out;
}

void print(const Hangs& hangs, const DebugSource& source, const HangOptions& options) {
  const Style style = terminal_style();
  if (!hangs.any()) {
    const std::size_t open = source.snapshot->in_flight.size();
    fmt::print("  {} Nothing hangs{}.\n", paint(style, "32;1", "●"),
               open == 0 ? ""
                         : fmt::format(": {} operation{} in flight, none for longer than is normal",
                                       format_count(open), open == 1 ? "" : "s"));
    return;
  }
  for (const InFlightGroup& group : hangs.groups) {
    if (group.hang) {
      fmt::print("{}", finding_text(*group.hang, style));
    } else {
      fmt::print("  {} {}\n", paint(style, "31;1", "■"),
                 paint(style, "1", "The ranks disagree: " + group.mismatch + "."));
    }
    if (options.quiet) continue;
    fmt::print("{}\n{}\n", advice(group, source), group_text(group, source, style));
  }
  for (const Finding& finding : hangs.others) fmt::print("{}", finding_text(finding, style));
  for (const GivenUp& end : hangs.given_up) fmt::print("{}", given_up_text(end, source, style));
}

nlohmann::json hangs_json(const Hangs& hangs, const DebugSource& source, double watched_s) {
  nlohmann::json out = {{"hang", hangs.any()},
                        {"live", source.live},
                        {"watched_s", watched_s},
                        {"in_flight", source.snapshot->in_flight.size()},
                        {"hangs", nlohmann::json::array()},
                        {"other_findings", nlohmann::json::array()},
                        {"given_up", nlohmann::json::array()}};
  for (const InFlightGroup& group : hangs.groups) out["hangs"].push_back(group_json(group, source));
  for (const Finding& finding : hangs.others) out["other_findings"].push_back(to_json(finding));
  for (const GivenUp& end : hangs.given_up) {
    nlohmann::json given_up = to_json(end, *source.snapshot);
    given_up["missing_processes"] = nlohmann::json::array();
    for (const int rank : end.missing) {
      const DebugMember* member = source.member(end.op.comm, rank);
      if (member == nullptr) continue;
      given_up["missing_processes"].push_back(
          {{"rank", rank}, {"pid", member->pid}, {"process_state", name(member->state)}});
    }
    out["given_up"].push_back(std::move(given_up));
  }
  return out;
}

int debug_hang_main(Args& args) {
  HangOptions options;
  args.positional("session", options.wanted, kDebugSourceHelp);
  args.real("--wait", options.wait_s, 0, 86'400,
            "of a live session: watch for so many seconds; ends as soon as something hangs");
  args.flag("--json", options.json, "print one JSON object");
  args.flag("-q,--quiet", options.quiet, "print the verdict only");
  if (const auto status = args.parse()) return *status;
  stop_on_interrupt();
  auto source = open_debug_source("debug hang", options.wanted, args.config(),
                                  make_debug_watch(args.config()));
  if (!source) return 2;
  const std::int64_t begin_ns = hang_now_ns();
  const Hangs hangs = wait_for_hang(*source, options.wait_s);
  const double watched_s = static_cast<double>(hang_now_ns() - begin_ns) / 1e9;
  if (options.json)
    print_json(hangs_json(hangs, *source, watched_s));
  else
    print(hangs, *source, options);
  return hangs.any() ? 1 : 0;
}

}  // namespace

const Command kDebugHangCommand{
    {"debug hang", "which operation is stuck: who is in it, who does not come, who disagrees",
     "  peerscope debug hang                       the newest session, also one that was killed\n"
     "  peerscope debug hang --wait 3600 -q && echo well || alert   until something hangs\n"
     "  peerscope debug hang --json | jq '.hangs[0].missing[].rank'\n",
     "1 something hangs, or was given up"},
    debug_hang_main};

}  // namespace peerscope
