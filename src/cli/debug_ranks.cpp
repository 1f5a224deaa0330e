// The ranks of an open operation, as text and JSON.
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "analyze/detect/words.hpp"
#include "base/units.hpp"
#include "cli/debug_hang.hpp"
#include "session/debug_json.hpp"

namespace peerscope {
namespace {

std::string duration_of(std::int64_t ns) { return format_duration(static_cast<double>(ns)); }

std::string call_of(const Op& op) { return fmt::format("{} #{}", operation_name(op), op.sequence); }

// "4713 stopped by a signal": of a live session the kernel knows more.
std::string process_text(std::uint32_t pid, ProcessState state, bool now) {
  if (pid == 0) return "–";
  if (state != ProcessState::live || !now) return fmt::format("{} {}", pid, name(state));
  const KernelState kernel = kernel_state(pid);
  return fmt::format("{} {}", pid, kernel.words.empty() ? "gone" : kernel.words);
}

std::string missing_text(const Absent& absent, const Op& op, const DebugSource& source) {
  const std::int64_t now_ns = source.snapshot->now_ns;
  if (absent.instead)
    return fmt::format("not here: in {} for {}", call_of(absent.instead->op),
                       duration_of(absent.instead->age_ns));
  const Op* last = source.watch->last_seen().of(op.comm, absent.rank);
  if (last == nullptr) return "not here; nothing that it did is known";
  const std::int64_t ended_ns = last->begin_ns + std::max<std::int64_t>(last->host_duration_ns, 0);
  const bool ahead = is_collective(last->kind) && last->sequence >= op.sequence;
  const bool alike = last->kind == op.kind && last->bytes == op.bytes;
  return fmt::format("{}; ended {}{} {} ago", ahead ? "left it" : "not here",
                     alike ? fmt::format("#{}", last->sequence) : call_of(*last),
                     last->status == OpStatus::ok ? "" : fmt::format(" ({})", name(last->status)),
                     duration_of(std::max<std::int64_t>(now_ns - ended_ns, 0)));
}

// Whether it has done its part already: a root may be gone before the others have come.
bool has_left(const Absent& absent, const Op& op, const DebugSource& source) {
  const Op* last = source.watch->last_seen().of(op.comm, absent.rank);
  return last != nullptr && is_collective(last->kind) && last->sequence >= op.sequence &&
         last->status == OpStatus::ok;
}

KernelState state_now(std::uint32_t pid, ProcessState state, const DebugSource& source) {
  if (state != ProcessState::live) return {fmt::format("{}", name(state))};
  return source.live && pid != 0 ? kernel_state(pid) : KernelState{};
}

}  // namespace

std::vector<Suspect> suspects_of(const InFlightGroup& group, const DebugSource& source) {
  std::vector<Suspect> all;
  const std::vector<int> odd = group.odd_ranks();
  const bool tie = odd.size() == group.entered.size();
  for (const Entered& e : group.entered) {
    if (!e.odd || tie || e.entry.op.rank == kNoRank) continue;
    all.push_back({e.entry.op.rank, e.entry.pid, "calls something else than the others"});
  }
  for (const Absent& absent : group.missing) {
    if (has_left(absent, group.op, source)) continue;
    const DebugMember* member = source.member(group.op.comm, absent.rank);
    Suspect suspect{absent.rank, 0, absent.instead ? "is in another operation" : "has not arrived"};
    if (member != nullptr) {
      const KernelState now = state_now(member->pid, member->state, source);
      suspect.pid = member->pid;
      suspect.cont = now.cont;
      if (!now.words.empty()) suspect.why += fmt::format("; its process is {}", now.words);
    }
    all.push_back(std::move(suspect));
  }
  if (!all.empty()) return all;
  for (const Entered& e : group.entered) {
    if (e.entry.op.rank == kNoRank) continue;
    const KernelState now = state_now(e.entry.pid, e.state, source);
    const bool halts = e.state == ProcessState::dead || now.cont ||
                       now.words.find("debugger") != std::string::npos ||
                       now.words.find("dead") != std::string::npos;
    if (halts)
      all.push_back({e.entry.op.rank, e.entry.pid,
                     fmt::format("is in it, and its process is {}", now.words), now.cont});
  }
  // Where all are alike, nobody stands out.
  if (all.size() == group.entered.size() && all.size() > 1) all.clear();
  return all;
}

KernelState kernel_state(std::uint32_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(file, line)) return {};
  const std::size_t after = line.rfind(')');  // the name may hold anything
  if (after == std::string::npos || after + 2 >= line.size()) return {};
  switch (line[after + 2]) {
    case 'R':
      return {"running"};
    case 'S':
      return {"sleeping"};
    case 'D':
      return {"waiting in the kernel (driver or disk)"};
    case 'T':
      return {"stopped by a signal", true};
    case 't':
      return {"stopped by a debugger"};
    case 'Z':
    case 'X':
      return {"dead, its parent has not waited for it"};
    default:
      return {"idle"};
  }
}

std::string group_text(const InFlightGroup& group, const DebugSource& source, const Style& style) {
  const Op& op = group.op;
  std::string out = "  " + paint(style, "1", call_of(op));
  if (!group.communicator.empty()) out += " · " + group.communicator;
  if (op.algorithm != Algorithm::unknown) out += fmt::format(" · {}", name(op.algorithm));
  if (op.ranks > 0) out += fmt::format(" · {} ranks", op.ranks);
  if (group.normal_p50_ns >= 0)
    out += fmt::format(" · normally {} (p99.9 {}, host)", format_duration(group.normal_p50_ns),
                       format_duration(group.normal_p999_ns));
  out += "\n";
  if (!group.mismatch.empty())
    out += "  " + paint(style, "31;1", "■") + " The ranks disagree: " + group.mismatch + ".\n";
  std::vector<std::vector<std::string>> rows{{"rank", "what", "for", "process"}};
  for (const Entered& e : group.entered) {
    const std::string rank = e.entry.op.rank == kNoRank ? "–" : std::to_string(e.entry.op.rank);
    rows.push_back({rank,
                    e.odd              ? "in " + call_of(e.entry.op)
                    : e.entry.enqueued ? "in it (enqueued)"
                                       : "in it",
                    duration_of(e.entry.age_ns), process_text(e.entry.pid, e.state, source.live)});
  }
  constexpr std::size_t kMost = 24;
  std::size_t hidden = 0;
  for (const Absent& absent : group.missing) {
    if (rows.size() > kMost) {
      ++hidden;
      continue;
    }
    const DebugMember* member = source.member(op.comm, absent.rank);
    rows.push_back(
        {std::to_string(absent.rank), missing_text(absent, op, source), "",
         member == nullptr ? "–" : process_text(member->pid, member->state, source.live)});
  }
  out += table(rows, 4, style);
  if (hidden > 0) out += fmt::format("  and {} more: see --json\n", hidden);
  return out;
}

nlohmann::json group_json(const InFlightGroup& group, const DebugSource& source) {
  using nlohmann::json;
  json out = to_json(group, *source.snapshot);
  const auto kernel = [&](std::uint32_t pid, ProcessState state) {
    if (!source.live || state != ProcessState::live || pid == 0) return json(nullptr);
    const KernelState known = kernel_state(pid);
    return known.words.empty() ? json(nullptr) : json(known.words);
  };
  for (std::size_t i = 0; i < group.entered.size(); ++i)
    out["entered"][i]["kernel_state"] = kernel(group.entered[i].entry.pid, group.entered[i].state);
  for (std::size_t i = 0; i < group.missing.size(); ++i) {
    json& missing = out["missing"][i];
    const DebugMember* member = source.member(group.op.comm, group.missing[i].rank);
    missing["pid"] = member != nullptr ? json(member->pid) : json(nullptr);
    missing["process_state"] = member != nullptr ? json(name(member->state)) : json(nullptr);
    missing["kernel_state"] =
        member != nullptr ? kernel(member->pid, member->state) : json(nullptr);
    missing["last"] = nullptr;
    const Op* last = source.watch->last_seen().of(group.op.comm, group.missing[i].rank);
    if (last == nullptr) continue;
    const std::int64_t ended_ns =
        last->begin_ns + std::max<std::int64_t>(last->host_duration_ns, 0);
    missing["last"] = {
        {"operation", name(last->kind)},
        {"sequence", last->sequence},
        {"bytes", last->bytes},
        {"status", name(last->status)},
        {"ended_ago_ns", std::max<std::int64_t>(source.snapshot->now_ns - ended_ns, 0)}};
  }
  out["suspects"] = json::array();
  for (const Suspect& suspect : suspects_of(group, source))
    out["suspects"].push_back({{"rank", suspect.rank},
                               {"pid", suspect.pid == 0 ? json(nullptr) : json(suspect.pid)},
                               {"why", suspect.why}});
  return out;
}

}  // namespace peerscope
