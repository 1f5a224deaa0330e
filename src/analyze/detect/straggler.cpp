// The rank that the others wait for.
//
// A rank is late if, over the recent stretch, it is so in three of four collectives, by well more
// than it scatters: so neither jitter nor rare long stalls make one. It must also be the last often
// enough and cost a share of the communication time worth a sentence. Where more than a quarter of
// the ranks are about as late (two of four on shared cores take turns) the cause is not a rank, and
// nothing is said.
#include <algorithm>
#include <cmath>
#include <span>

#include <fmt/format.h>

#include "analyze/detect/detectors.hpp"
#include "analyze/detect/statistics.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"

namespace peerscope {
namespace {

// Half the distance between the quartiles: stalls in less than a quarter of the collectives don't
// move it.
double spread_ns(const RankStats& stats) {
  return (stats.lateness_p75_ns - stats.lateness_p25_ns) / 2.0;
}

double noise_of_others(std::span<const RankRow> ranks, const RankRow& rank) {
  std::vector<double> spreads;
  for (const RankRow& other : ranks) {
    if (other.rank != rank.rank && other.recent.lateness_samples > 0) {
      spreads.push_back(spread_ns(other.recent));
    }
  }
  return median(std::move(spreads));
}

// A slow rank that keeps its core busy makes those late that share it, and so widens the others'
// spread: its own counts where that is less.
double noise_ns(std::span<const RankRow> ranks, const RankRow& rank) {
  return std::min(spread_ns(rank.recent), noise_of_others(ranks, rank));
}

bool is_late(const RankStats& recent, double noise, const DetectOptions& options) {
  return recent.collectives >= options.straggler.min_collectives &&
         recent.lateness_p50_ns >= options.straggler.min_lateness_ns &&
         recent.lateness_p50_ns >= options.straggler.noise_ratio * noise &&
         recent.lateness_p25_ns >= recent.lateness_p50_ns / 2.0;
}

struct Suspect {
  const RankRow* rank = nullptr;
  double noise_ns = 0.0;
  double waiting_share = 0.0;  // of all ranks' communication time, for it
};

// Where the host's times of a communicator's collectives are unknown, the devices' tell what ranks wait: all but the last.
double device_waiting_share(const Snapshot& snapshot, const CommunicatorRow& comm) {
  double transfer_ns = 0.0, wait_ns = 0.0;
  for (const OperationRow& row : snapshot.aggregates->operations) {
    const OperationStats& stats = row.windows.in(Window::ten_seconds);
    if (row.kind != comm.dominant || !stats.device_wait.known() || !stats.device_transfer.known())
      continue;
    const auto count = static_cast<double>(stats.count);
    transfer_ns += count * stats.device_transfer.mean_ns;
    wait_ns += count * stats.device_wait.mean_ns;
  }
  if (transfer_ns + wait_ns <= 0.0 || comm.ranks == 0) return 0.0;
  return wait_ns / (transfer_ns + wait_ns) * (comm.ranks - 1.0) / comm.ranks;
}

double waiting_share(const Snapshot& snapshot, const CommunicatorRow& comm,
                     const RankStats& recent) {
  if (comm.recent.communication_ns > 0.0) return recent.waiting_share;
  return recent.last_share() * device_waiting_share(snapshot, comm);
}

std::vector<Suspect> late_ranks(std::span<const RankRow> ranks, const DetectOptions& options) {
  double latest_ns = 0.0;
  for (const RankRow& rank : ranks) latest_ns = std::max(latest_ns, rank.recent.lateness_p50_ns);
  std::vector<Suspect> late;
  std::size_t about_as_late = 0;
  for (const RankRow& rank : ranks) {
    if (rank.recent.lateness_p50_ns < latest_ns / 2.0) continue;
    ++about_as_late;
    const double noise = noise_ns(ranks, rank);
    if (is_late(rank.recent, noise, options)) late.push_back({&rank, noise, 0.0});
  }
  if (about_as_late > std::max<std::size_t>(1, ranks.size() / 4)) return {};
  return late;
}

// Collectives in a row share their noise (one stall, one scheduler): a hundred is as many as are
// counted as independent.
double independent(const RankStats& stats) {
  return std::min(100.0, static_cast<double>(stats.collectives));
}

double confidence(const Suspect& suspect, double ranks) {
  const RankStats& recent = suspect.rank->recent;
  const double chance = 1.0 / ranks;
  const double n = independent(recent);
  const double z = (recent.last_share() - chance) / std::sqrt(chance * (1.0 - chance) / n);
  const double ratio = recent.lateness_p50_ns / std::max(suspect.noise_ns, 1.0);
  return std::min(0.99, normal_below(z) * (1.0 - std::exp(-ratio)));
}

std::string sentence(const Snapshot& snapshot, const CommunicatorRow& comm,
                     const Suspect& suspect) {
  const RankRow& rank = *suspect.rank;
  const RankStats& recent = rank.recent;
  const std::string since = since_in_words(rank.late_since_ns, snapshot.now_ns);
  return fmt::format(
      "Rank {} arrives {} late (host clock) in {} {}{}{}: {} of communication time is waiting for "
      "it.",
      rank.rank, format_duration(recent.lateness_p50_ns),
      recent.last_share() >= 0.95 ? "every" : "most", name(comm.dominant), since.empty() ? "" : " ",
      since, format_percent(suspect.waiting_share));
}

Finding finding(const Snapshot& snapshot, const CommunicatorRow& comm, const Suspect& suspect,
                double ranks) {
  const RankRow& rank = *suspect.rank;
  const RankStats& recent = rank.recent;
  Finding out;
  out.kind = "straggler";
  out.severity = Severity::warning;
  out.subject.rank = rank.rank;
  out.subject.communicator = communicator_name(snapshot, comm.id);
  out.subject.operation = std::string(name(comm.dominant));
  out.sentence = sentence(snapshot, comm, suspect);
  out.action =
      fmt::format("Look at what rank {} does before the collective: peerscope report", rank.rank);
  out.confidence = confidence(suspect, ranks);
  out.impact = std::clamp(suspect.waiting_share, 0.0, 1.0);
  out.since_ns = rank.late_since_ns;
  out.evidence = {{"lateness_p50_host_ns", recent.lateness_p50_ns},
                  {"noise_host_ns", suspect.noise_ns},
                  {"last_share", recent.last_share()},
                  {"waiting_share", suspect.waiting_share},
                  {"collectives", static_cast<double>(recent.collectives)}};
  // Unknown is left out, never 0.
  if (comm.recent.skew_p50_ns >= 0.0)
    out.evidence.emplace_back("skew_p50_host_ns", comm.recent.skew_p50_ns);
  if (comm.recent.transfer_p50_ns >= 0.0) {
    out.evidence.emplace_back("transfer_p50_host_ns", comm.recent.transfer_p50_ns);
  }
  return out;
}

void judge(const Snapshot& snapshot, const CommunicatorRow& comm, std::span<const RankRow> ranks,
           const DetectOptions& options, std::vector<Finding>& out) {
  const std::vector<Suspect> late = late_ranks(ranks, options);
  if (late.empty()) return;
  double last_share = 0.0;
  for (const Suspect& suspect : late) last_share += suspect.rank->recent.last_share();
  if (wilson_lower(std::min(1.0, last_share), independent(late[0].rank->recent)) <
      options.straggler.min_last_share) {
    return;
  }
  for (Suspect suspect : late) {
    const RankStats& recent = suspect.rank->recent;
    suspect.waiting_share = waiting_share(snapshot, comm, recent);
    const double chance = 1.0 / static_cast<double>(ranks.size());
    if (suspect.waiting_share < options.straggler.min_waiting_share) continue;
    if (wilson_lower(recent.last_share(), independent(recent)) <= chance) continue;
    out.push_back(finding(snapshot, comm, suspect, static_cast<double>(ranks.size())));
  }
}

}  // namespace

void detect_straggler(const Snapshot& snapshot, const DetectOptions& options,
                      std::vector<Finding>& out) {
  if (!snapshot.aggregates) return;
  const std::span<const RankRow> all = snapshot.aggregates->ranks;
  for (const CommunicatorRow& comm : snapshot.aggregates->communicators) {
    const auto is_before = [](const RankRow& row, std::uint64_t id) { return row.comm < id; };
    const auto begin = std::lower_bound(all.begin(), all.end(), comm.id, is_before);
    auto end = begin;
    while (end != all.end() && end->comm == comm.id) ++end;
    if (end - begin >= 2) judge(snapshot, comm, std::span(begin, end), options, out);
  }
}

}  // namespace peerscope
