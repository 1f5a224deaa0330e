// Ranks that do not do the same: another kind or size under one number, or another number at one time.
#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "analyze/detect/detectors.hpp"
#include "analyze/detect/stuck.hpp"
#include "analyze/detect/words.hpp"
#include "base/units.hpp"

namespace peerscope {
namespace {

constexpr const char* kCompareCalls =
    "Compare what this rank and another call at that number (shapes, branches that only one "
    "takes); "
    "the calls of each: peerscope report --json";

std::string what_of(Kind kind, std::uint64_t bytes) {
  Op op;
  op.kind = kind;
  op.bytes = bytes;
  return operation_name(op);
}

Finding made(const Snapshot& snapshot, std::uint64_t comm, Kind kind) {
  Finding out;
  out.kind = "mismatch";
  out.severity = Severity::critical;  // its result is wrong, or it will not end
  out.subject.communicator = communicator_name(snapshot, comm);
  out.subject.operation = std::string(name(kind));
  out.action = kCompareCalls;
  out.confidence = 0.95;
  out.impact = 1.0;
  return out;
}

// The rank that was most often alone with its opinion, over the last minute.
const RankRow* odd_one(const Aggregates& aggregates, std::uint64_t comm) {
  const RankRow* most = nullptr;
  std::uint64_t all = 0;
  for (const RankRow& rank : aggregates.ranks) {
    if (rank.comm != comm) continue;
    const std::uint64_t odd = rank.windows.in(Window::minute).odd;
    all += odd;
    if (odd > 0 && (most == nullptr || odd > most->windows.in(Window::minute).odd)) most = &rank;
  }
  return most != nullptr && 2 * most->windows.in(Window::minute).odd > all ? most : nullptr;
}

void judge_joined(const Snapshot& snapshot, const CommunicatorRow& comm,
                  std::vector<Finding>& out) {
  const std::uint64_t recent = comm.windows.in(Window::minute).mismatched;
  if (recent == 0) return;
  const Disagreement& last = comm.last_mismatch;
  Finding finding = made(snapshot, comm.id, last.kind);
  const RankRow* odd = odd_one(*snapshot.aggregates, comm.id);
  if (odd != nullptr) finding.subject.rank = odd->rank;
  const std::string since = since_in_words(comm.first_mismatch.at_ns, snapshot.now_ns);
  const std::string who = odd != nullptr
                              ? fmt::format("Rank {} is alone in most of them", odd->rank)
                              : "no rank is alone against the others";
  const std::string example =
      last.odd_rank != kNoRank
          ? fmt::format(", in number {} with {} where the others have {}", last.sequence,
                        what_of(last.odd_kind, last.odd_bytes), what_of(last.kind, last.bytes))
          : fmt::format(", the last in number {} ({} and {})", last.sequence,
                        what_of(last.kind, last.bytes), what_of(last.odd_kind, last.odd_bytes));
  finding.sentence =
      fmt::format("Ranks disagree about what they call in {} collectives{}: {}{}.",
                  format_count(recent), since.empty() ? "" : " " + since, lower(who), example);
  finding.since_ns = comm.first_mismatch.at_ns;
  finding.evidence = {{"mismatched", static_cast<double>(recent)},
                      {"sequence", static_cast<double>(last.sequence)},
                      {"others_bytes", static_cast<double>(last.bytes)},
                      {"odd_bytes", static_cast<double>(last.odd_bytes)}};
  if (odd == nullptr) finding.confidence = 0.8;
  out.push_back(std::move(finding));
}

using Call = std::tuple<Kind, std::uint64_t>;  // kind, bytes

// In flight under one number, and not the same.
void judge_one_number(const Snapshot& snapshot, const std::vector<const InFlight*>& group,
                      std::vector<Finding>& out) {
  std::map<Call, std::vector<const InFlight*>> calls;
  for (const InFlight* entry : group) calls[{entry->op.kind, entry->op.bytes}].push_back(entry);
  if (calls.size() < 2) return;
  auto usual = calls.begin(), odd = calls.begin();
  for (auto call = calls.begin(); call != calls.end(); ++call) {
    if (call->second.size() > usual->second.size()) usual = call;
  }
  for (auto call = calls.begin(); call != calls.end(); ++call) {
    if (call != usual && (odd == usual || call->second.size() < odd->second.size())) odd = call;
  }
  const InFlight& other = *odd->second.front();
  const InFlight& one = *usual->second.front();
  Finding finding = made(snapshot, one.op.comm, one.op.kind);
  const bool alone = odd->second.size() == 1 && usual->second.size() >= 2;
  if (alone) finding.subject.rank = other.op.rank;
  finding.sentence =
      fmt::format("Ranks are in number {} with different calls: rank {} with {}, {} with {}.",
                  one.op.sequence, other.op.rank, operation_name(other.op),
                  usual->second.size() == 1 ? fmt::format("rank {}", one.op.rank)
                                            : fmt::format("{} others", usual->second.size()),
                  operation_name(one.op));
  finding.confidence = alone ? 0.97 : 0.85;
  finding.since_ns = std::min(one.op.begin_ns, other.op.begin_ns);
  finding.evidence = {{"sequence", static_cast<double>(one.op.sequence)},
                      {"others_bytes", static_cast<double>(one.op.bytes)},
                      {"odd_bytes", static_cast<double>(other.op.bytes)},
                      {"age_host_ns", static_cast<double>(std::max(one.age_ns, other.age_ns))}};
  out.push_back(std::move(finding));
}

// Stuck, each in a number of its own: one has left out, or done once more, what the others do.
void judge_numbers(const Snapshot& snapshot, const std::vector<const InFlight*>& all,
                   const DetectOptions& options, std::vector<Finding>& out) {
  std::map<std::uint64_t, std::vector<const InFlight*>> numbers;
  for (const InFlight* entry : all) {
    // A root may go on while the others are still in it; and what is enqueued may be far ahead.
    if (has_root(entry->op.kind) || entry->enqueued || entry->op.async) return;
    if (is_dead(snapshot, entry->pid)) return;
    if (!hangs(snapshot, *entry, options)) return;
    numbers[entry->op.sequence].push_back(entry);
  }
  if (numbers.size() != 2) return;
  const auto& [first, early] = *numbers.begin();
  const auto& [second, later] = *numbers.rbegin();
  const auto& few = early.size() < later.size() ? early : later;
  const auto& many = early.size() < later.size() ? later : early;
  if (few.size() != 1 || many.size() < 2) return;
  const Op& odd = few.front()->op;
  const Op& usual = many.front()->op;
  Finding finding = made(snapshot, odd.comm, usual.kind);
  finding.subject.rank = odd.rank;
  finding.sentence = fmt::format(
      "Rank {} is in {} number {} while {} others are in {} number {}, and nothing moves: it has "
      "called {} than they have.",
      odd.rank, operation_name(odd), odd.sequence, many.size(), operation_name(usual),
      usual.sequence, odd.sequence > usual.sequence ? "more" : "fewer");
  finding.since_ns = std::min(odd.begin_ns, usual.begin_ns);
  finding.evidence = {{"sequence", static_cast<double>(odd.sequence)},
                      {"others_sequence", static_cast<double>(usual.sequence)},
                      {"age_host_ns", static_cast<double>(few.front()->age_ns)}};
  out.push_back(std::move(finding));
}

}  // namespace

void detect_mismatch(const Snapshot& snapshot, const DetectOptions& options,
                     std::vector<Finding>& out) {
  std::set<std::uint64_t> told;
  std::map<std::uint64_t, std::vector<const InFlight*>> communicators;
  for (const InFlight& entry : snapshot.in_flight) {
    if (entry.op.comm != 0 && is_collective(entry.op.kind) && entry.op.rank != kNoRank)
      communicators[entry.op.comm].push_back(&entry);
  }
  for (const auto& [comm, entries] : communicators) {
    const std::size_t before = out.size();
    std::map<std::pair<std::uint64_t, Kind>, std::vector<const InFlight*>> numbers;
    for (const InFlight* entry : entries) {
      // NCCL counts each kind by itself.
      const Kind counted = entry->op.backend == Backend::nccl ? entry->op.kind : Kind::other;
      numbers[{entry->op.sequence, counted}].push_back(entry);
    }
    for (const auto& [number, group] : numbers) judge_one_number(snapshot, group, out);
    if (out.size() == before && entries.front()->op.backend != Backend::nccl)
      judge_numbers(snapshot, entries, options, out);
    if (out.size() > before) told.insert(comm);
  }
  if (!snapshot.aggregates) return;
  for (const CommunicatorRow& comm : snapshot.aggregates->communicators) {
    if (told.count(comm.id) == 0) judge_joined(snapshot, comm, out);
  }
}

}  // namespace peerscope
