#include "source/ras/judge.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/units.hpp"

namespace peerscope::ras {
namespace {

constexpr std::size_t kMostNamed = 8;

std::string rank_words(const std::vector<int>& ranks, int count) {
  if (ranks.empty()) return fmt::format("{} ranks", count);
  if (ranks.size() == 1 && count == 1) return fmt::format("rank {}", ranks[0]);
  const std::vector<int> named(ranks.begin(), ranks.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                  ranks.size(), kMostNamed)));
  const bool more = static_cast<std::size_t>(count) > named.size();
  return fmt::format("{} ranks ({}{})", count, fmt::join(named, ", "), more ? ", …" : "");
}

// "GPU 3, process 4003 on 10.0.0.1"
std::string place(const Rank& rank) {
  std::string text;
  if (!rank.gpu.empty()) text += "GPU " + rank.gpu;
  if (rank.pid) text += fmt::format("{}process {}", text.empty() ? "" : ", ", *rank.pid);
  if (!rank.host.empty()) text += " on " + rank.host;
  return text;
}

Finding finding(const Communicator& comm, const char* kind, Severity severity, std::string sentence,
                std::string action) {
  Finding out;
  out.kind = kind;
  out.severity = severity;
  out.subject.communicator = comm.hash;
  out.sentence = std::move(sentence);
  out.action = std::move(action);
  out.confidence = 1.0;
  return out;
}

void judge_missing(const Communicator& comm, std::vector<Finding>& out) {
  for (const MissingRank& missing : comm.missing) {
    const std::string where = place(missing.rank);
    const char* state = missing.dead.value_or(false)           ? "is considered dead"
                        : missing.unresponsive.value_or(false) ? "does not answer"
                                                               : "is missing";
    out.push_back(finding(comm, "rank_missing", Severity::critical,
                          fmt::format("Rank {} of communicator {} {}{}.", missing.rank.rank,
                                      comm.hash, state, where.empty() ? "" : " (" + where + ")"),
                          missing.rank.pid
                              ? fmt::format("look at process {}: is it stopped, or gone? "
                                            "py-spy dump --pid {}",
                                            *missing.rank.pid, *missing.rank.pid)
                              : "look at that rank's process and log"));
    out.back().subject.rank = missing.rank.rank;
  }
  const int unnamed = comm.missing_count - static_cast<int>(comm.missing.size());
  if (unnamed > 0)
    out.push_back(finding(comm, "rank_missing", Severity::critical,
                          fmt::format("{} ranks of communicator {} are missing, and NCCL does not "
                                      "name them.",
                                      unnamed, comm.hash),
                          "look for processes that have ended"));
}

// The slowest rank of a collective, as far as it had come.
std::uint64_t least_launched(const Communicator& comm, const std::string& collective) {
  std::uint64_t least = UINT64_MAX;
  for (const LaunchGroup& group : comm.groups) {
    if (group.collective == collective) least = std::min(least, group.launched);
  }
  return least;
}

bool has_moved(const Communicator& comm, const Report* earlier, const std::string& collective) {
  if (earlier == nullptr) return false;
  return std::ranges::any_of(earlier->communicators, [&](const Communicator& then) {
    return then.hash == comm.hash &&
           least_launched(comm, collective) > least_launched(then, collective);
  });
}

void judge_differences(const Communicator& comm, const Report* earlier, std::vector<Finding>& out) {
  for (const Difference& differ : differences(comm)) {
    if (has_moved(comm, earlier, differ.collective)) continue;
    const std::string who = rank_words(differ.ranks, differ.count);
    const std::uint64_t by = differ.behind() ? differ.majority_launched - differ.launched
                                             : differ.launched - differ.majority_launched;
    out.push_back(finding(
        comm, differ.behind() ? "rank_behind" : "rank_ahead",
        differ.behind() ? Severity::warning : Severity::info,
        fmt::format("Communicator {}: {} {} {} by {}: {} launched of {}, {} by {}.", comm.hash, who,
                    differ.count == 1 ? "is" : "are", differ.behind() ? "behind" : "ahead",
                    format_count(by), format_count(differ.launched),
                    differ.collective == "any" ? "all collectives" : differ.collective,
                    format_count(differ.majority_launched),
                    differ.majority_count == 1 ? "the other rank"
                                               : fmt::format("{} others", differ.majority_count)),
        differ.behind() ? "ask again: if the count stands still, look at what that rank does"
                        : "it waits for the others: look at what they do"));
    if (differ.ranks.size() == 1) out.back().subject.rank = differ.ranks[0];
    if (differ.collective != "any") out.back().subject.operation = differ.collective;
    out.back().evidence.emplace_back("by_count", static_cast<double>(by));
    out.back().confidence =
        earlier == nullptr ? 0.8 : 0.95;  // of one moment, counts may just have moved
  }
}

void judge_ranks(const Communicator& comm, std::vector<Finding>& out) {
  for (const Rank& rank : comm.ranks) {
    if (rank.error.empty()) continue;
    out.push_back(finding(
        comm, "rank_error", Severity::critical,
        fmt::format("Rank {} of communicator {} reports an error: {}{}.", rank.rank, comm.hash,
                    rank.error, place(rank).empty() ? "" : " (" + place(rank) + ")"),
        "its log says more with NCCL_DEBUG=WARN"));
    out.back().subject.rank = rank.rank;
  }
  if (comm.status_differs)
    out.push_back(
        finding(comm, "rank_state", Severity::info,
                fmt::format("Ranks of communicator {} are in different states.", comm.hash),
                "--json names them"));
}

}  // namespace

bool has_differences(const Report& report) {
  return std::ranges::any_of(report.communicators,
                             [](const Communicator& comm) { return !differences(comm).empty(); });
}

std::vector<Finding> judge(const Report& report, const Report* earlier) {
  std::vector<Finding> out;
  for (const LostProcess& process : report.lost) {
    Communicator none;
    out.push_back(
        finding(none, "process_lost", Severity::critical,
                fmt::format("Process {} on {} (GPU {}) {}.", process.pid, process.host,
                            process.gpus, process.dead ? "is considered dead" : "gave no data"),
                "is it stopped, or gone?"));
  }
  for (const Communicator& comm : report.communicators) {
    judge_missing(comm, out);
    judge_ranks(comm, out);
    judge_differences(comm, earlier, out);
  }
  std::stable_sort(out.begin(), out.end(), [](const Finding& a, const Finding& b) {
    return static_cast<int>(a.severity) > static_cast<int>(b.severity);
  });
  return out;
}

}  // namespace peerscope::ras
