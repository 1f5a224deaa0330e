// peerscope debug errors: which operations failed, alike ones together, and whether they recovered.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "analyze/detect/words.hpp"
#include "base/units.hpp"
#include "cli/commands.hpp"
#include "cli/debug_source.hpp"
#include "cli/render.hpp"
#include "session/debug_json.hpp"

namespace peerscope {
namespace {

std::string ranks_text(const ErrorGroup& group) {
  if (group.ranks.empty()) return "–";
  if (!group.pairs.empty()) {
    const auto& [rank, peer] = *group.pairs.begin();
    return group.pairs.size() == 1 ? fmt::format("{}↔{}", rank, peer)
                                   : fmt::format("{} pairs", group.pairs.size());
  }
  std::string text;
  std::size_t shown = 0;
  for (const std::uint16_t rank : group.ranks) {
    if (++shown > 6) return text + fmt::format(" +{}", group.ranks.size() - 6);
    text += fmt::format("{}{}", text.empty() ? "" : " ", rank);
  }
  return text;
}

std::string recovery_text(const ErrorGroup& group) {
  if (group.tried_again == 0) return "not tried";
  if (group.recovered == 0) return "tried, failed";
  const auto mean = format_duration(static_cast<double>(group.recovery_mean_ns()));
  return group.recovered == group.errors
             ? "after " + mean
             : fmt::format("{} of {}, {}", group.recovered, group.errors, mean);
}

void print_groups(const ErrorTracker& errors, const Snapshot& snapshot, const Style& style) {
  std::vector<std::vector<std::string>> rows{
      {"type", "operation", "on", "ranks", "count", "sequences", "last", "recovered"}};
  for (const ErrorGroup& group : errors.groups()) {
    const std::string on = communicator_name(snapshot, group.comm);
    rows.push_back({std::string(name(group.type)), std::string(name(group.operation)),
                    on.empty() ? "–" : on, ranks_text(group), format_count(group.count),
                    group.first_sequence == group.last_sequence
                        ? fmt::format("#{}", group.first_sequence)
                        : fmt::format("#{}–{}", group.first_sequence, group.last_sequence),
                    time_of_day(group.last_ns + snapshot.real_offset_ns), recovery_text(group)});
  }
  fmt::print("{}", table(rows, 4, style));
}

void print_latest(const ErrorTracker& errors, const Snapshot& snapshot, std::size_t most,
                  const Style& style) {
  const auto& all = errors.errors();
  const std::size_t first = all.size() > most ? all.size() - most : 0;
  std::vector<std::vector<std::string>> rows{
      {"latest", "type", "rank", "operation", "size", "took", "tries", "recovered"}};
  for (std::size_t i = first; i < all.size(); ++i) {
    const TrackedError& e = all[i];
    const bool pair = e.op.peer != kNoPeer && !is_collective(e.op.kind);
    const std::string rank = e.op.rank == kNoRank ? "–" : std::to_string(e.op.rank);
    rows.push_back(
        {time_of_day(e.at_ns + snapshot.real_offset_ns), std::string(name(e.op.status)),
         pair ? fmt::format("{}↔{}", rank, e.op.peer) : rank,
         fmt::format("{} #{}", name(e.op.kind), e.op.sequence), format_bytes(e.op.bytes),
         e.op.host_duration_ns < 0 ? "–"
                                   : format_duration(static_cast<double>(e.op.host_duration_ns)),
         std::to_string(e.tries),
         e.recovered ? "after " + format_duration(static_cast<double>(e.recovery_ns)) : "no"});
  }
  fmt::print("\n{}", table(rows, 4, style));
}

int debug_errors_main(Args& args) {
  std::string wanted;
  bool json = false;
  int last = 10;
  args.positional("session", wanted, kDebugSourceHelp);
  args.integer("--last", last, 0, 10'000, "of single errors, print the latest so many");
  args.flag("--json", json, "print one JSON object");
  if (const auto status = args.parse()) return *status;
  auto source =
      open_debug_source("debug errors", wanted, args.config(), make_debug_watch(args.config()));
  if (!source) return 2;
  const ErrorTracker& errors = source->watch->errors();
  const Snapshot& snapshot = *source->snapshot;
  if (json) {
    print_json(errors_json(errors, snapshot));
    return 0;
  }
  const Style style = terminal_style();
  if (errors.operations() == 0) {
    fmt::print("  No operation was read: nothing to judge.\n");
    return 0;
  }
  if (errors.failed() == 0) {
    fmt::print("  {} None of {} operations failed.\n", paint(style, "32;1", "●"),
               format_count(errors.operations()));
    return 0;
  }
  fmt::print("  {} of {} operations failed ({}).\n\n", format_count(errors.failed()),
             format_count(errors.operations()),
             format_percent(static_cast<double>(errors.failed()) /
                            static_cast<double>(errors.operations())));
  print_groups(errors, snapshot, style);
  if (last > 0) print_latest(errors, snapshot, static_cast<std::size_t>(last), style);
  fmt::print("{}", paint(style, "2",
                         "  recovered: the same operation succeeded later on that rank (or pair); "
                         "host clock\n"));
  return 0;
}

}  // namespace

const Command kDebugErrorsCommand{
    {"debug errors", "operations that failed, alike ones together, and whether they recovered",
     "  peerscope debug errors                    the newest session\n"
     "  peerscope debug errors run.pscope --last 50\n"
     "  peerscope debug errors --json | jq '.groups[] | select(.recovered < .errors)'\n",
     ""},
    debug_errors_main};

}  // namespace peerscope
