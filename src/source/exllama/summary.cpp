#include "source/exllama/summary.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include <fmt/format.h>

#include "base/units.hpp"
#include "source/exllama/ops.hpp"

namespace peerscope::exllama {
namespace {

constexpr std::size_t kMostRows = 256, kMostSamples = 8192;
constexpr double kLeastLatenessNs = 20'000;  // below it is scheduling, not a straggler
constexpr std::uint64_t kLeastSeen = 30;
constexpr double kLeastWaitingShare = 0.02;

void keep(std::vector<float>& values, std::uint64_t number, double value) {
  if (values.size() < kMostSamples)
    values.push_back(static_cast<float>(value));
  else
    values[number % kMostSamples] = static_cast<float>(value);
}

std::string collective_in_words(const Waiting& waiting) {
  const std::string kind(name(waiting.kind));
  const bool sized = waiting.bytes != kUnknownBytes && waiting.bytes != 0;
  return sized ? fmt::format("{} {}", kind, format_bytes(waiting.bytes)) : kind;
}

std::string missing_in_words(const Waiting& waiting) {
  if (waiting.missing == 0)
    return waiting.kind == Kind::all_reduce ? "all GPUs are in it: the CPU process does not add up"
                                            : "all GPUs are in it";
  return fmt::format("{} {} missing{}", devices_in_words(waiting.missing),
                     std::popcount(waiting.missing) == 1 ? "is" : "are",
                     waiting.guess ? " (if all take part)" : "");
}

void set_subject(Finding& out, int device, std::uint32_t devices) {
  out.subject.device = device;
  out.subject.rank = rank_of(devices, device);
}

Finding base_of(const Waiting* waiting, const std::string& context, std::uint32_t devices) {
  Finding out;
  out.kind = "hang";
  out.severity = Severity::critical;
  out.subject.communicator = context;
  out.confidence = 0.95;
  out.impact = 1.0;
  out.action =
      "Look at the stacks of its processes: py-spy dump --pid PID; which: peerscope exllama";
  if (waiting == nullptr) return out;
  out.subject.operation = std::string(name(waiting->kind));
  if (std::popcount(waiting->missing) == 1)
    set_subject(out, std::countr_zero(waiting->missing), devices);
  if (waiting->guess) out.confidence = 0.7;
  out.since_ns = waiting->since_ns;
  return out;
}

Finding hang(const Waiting& waiting, const std::string& context, std::uint32_t devices,
             std::int64_t now_ns) {
  Finding out = base_of(&waiting, context, devices);
  const auto age_ns = static_cast<double>(now_ns - waiting.since_ns);
  out.sentence =
      fmt::format("{} {} been in {} for {} (host clock); {}.", devices_in_words(waiting.there),
                  std::popcount(waiting.there) == 1 ? "has" : "have", collective_in_words(waiting),
                  format_duration(age_ns), missing_in_words(waiting));
  out.evidence = {{"age_host_ns", age_ns},
                  {"gpus_in_it", std::popcount(waiting.there)},
                  {"gpus_missing", std::popcount(waiting.missing)}};
  return out;
}

Finding time_out(const Tracker& tracker, const std::string& context) {
  const std::vector<Waiting>& waiting = tracker.waiting();
  Finding out =
      base_of(waiting.empty() ? nullptr : waiting.data(), context, tracker.totals().devices);
  out.sentence = "ExLlamaV3 has given up waiting (sync_timeout is set): ";
  out.sentence +=
      waiting.empty()
          ? "nothing that shows is open, so in a broadcast or gather its sender did not come."
          : fmt::format("{} in {}; {}.", devices_in_words(waiting[0].there),
                        collective_in_words(waiting[0]), missing_in_words(waiting[0]));
  out.since_ns = tracker.totals().timeout_ns;
  return out;
}

// The GPU that the others wait for: alone missing in most of what samples met, for a share of the time.
void straggler(const Tracker& tracker, const std::string& context, std::vector<Finding>& out) {
  const ContextTotals& totals = tracker.totals();
  std::uint64_t seen = 0;
  int worst = 0;
  for (int i = 0; i < kMaxDevices; ++i) {
    seen += totals.last[static_cast<std::size_t>(i)].seen;
    if (totals.last[static_cast<std::size_t>(i)].ns >
        totals.last[static_cast<std::size_t>(worst)].ns)
      worst = i;
  }
  const Share& share = totals.last[static_cast<std::size_t>(worst)];
  const Mean mean = mean_of(share, totals);
  if (share.seen < kLeastSeen || totals.sampled_ns <= 0 || share.seen * 3 < seen * 2) return;
  const double waiting = share.ns / totals.sampled_ns;
  if (mean.ns < kLeastLatenessNs || waiting < kLeastWaitingShare) return;
  Finding found;
  found.kind = "straggler";
  set_subject(found, worst, totals.devices);
  found.subject.communicator = context;
  found.subject.operation = "all_reduce";
  found.sentence = fmt::format(
      "GPU {} comes last in {} of the all_reduces in which samples tell, and the others wait for "
      "it "
      "alone {} ±{} each (mean, host clock): {} of the time.",
      worst, format_percent(static_cast<double>(share.seen) / static_cast<double>(seen)),
      format_duration(mean.ns), format_duration(mean.error_ns), format_percent(waiting));
  found.action = fmt::format(
      "Give GPU {} a smaller share of the model, or look at its clock, PCIe link and other load",
      worst);
  // Half of a share that is split by chance among the GPUs, against what was seen.
  found.confidence = 1.0 - std::exp2(-static_cast<double>(share.seen) / 10.0);
  found.confidence = std::min(found.confidence, 0.99);
  found.impact = std::min(waiting, 1.0);
  found.evidence = {{"lateness_mean_host_ns", mean.ns},
                    {"lateness_error_host_ns", mean.error_ns},
                    {"waiting_share", waiting},
                    {"all_reduces", static_cast<double>(totals.released)},
                    {"seen", static_cast<double>(seen)}};
  out.push_back(found);
}

}  // namespace

void Summary::add(const Observed& observed) {
  const auto same = [&](const Row& row) {
    return row.kind == observed.kind && row.bytes == observed.bytes &&
           row.most_bytes == observed.most_bytes;
  };
  auto found = std::find_if(rows_.begin(), rows_.end(), same);
  if (found == rows_.end()) {
    if (rows_.size() >= kMostRows) return;
    Row row;
    row.kind = observed.kind;
    row.bytes = observed.bytes;
    row.most_bytes = observed.most_bytes;
    row.least_bytes = observed.least_bytes;
    found = rows_.insert(rows_.end(), row);
  }
  ++found->count;
  found->least_bytes = std::min(found->least_bytes, observed.least_bytes);
  if (observed.last >= 0) {
    ++found->last[static_cast<std::size_t>(observed.last)];
    const auto least = static_cast<double>(observed.late_least_ns);
    const auto most = static_cast<double>(observed.late_most_ns);
    keep(found->late_ns, found->told, (least + most) / 2);
    keep(found->unsure_ns, found->told, (most - least) / 2);
    ++found->told;
  }
  for (; found != rows_.begin() && (found - 1)->count < found->count; --found)
    std::swap(*found, *(found - 1));
}

double median_of(std::vector<float> values) {
  if (values.empty()) return -1;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return static_cast<double>(*middle);
}

Mean mean_of(const Share& share, const ContextTotals& totals) {
  if (totals.released == 0 || totals.samples < 2) return {};
  Mean mean;
  mean.ns = share.ns / static_cast<double>(totals.released);
  // Samples that meet the same collective say the same: as many are independent as collectives were met.
  if (share.seen > 0) mean.error_ns = mean.ns / std::sqrt(static_cast<double>(share.seen));
  // Never met in n samples: with 95 % less than three of n.
  if (share.seen == 0) {
    mean.error_ns = 3 * totals.sampled_ns / static_cast<double>(totals.samples) /
                    static_cast<double>(totals.released);
  }
  return mean;
}

std::string devices_in_words(std::uint32_t devices) {
  std::string out = std::popcount(devices) == 1 ? "GPU " : "GPUs ";
  const int count = std::popcount(devices);
  for (int i = 0, done = 0; i < kMaxDevices; ++i) {
    if ((devices >> i & 1) == 0) continue;
    if (done > 0) out += done + 1 == count ? " and " : ", ";
    out += std::to_string(i);
    ++done;
  }
  return count == 0 ? "no GPU" : out;
}

std::string name_of(const std::string& path) {
  const std::string file = path.substr(path.rfind('/') + 1);
  return "exllama " + file.substr(0, std::min<std::size_t>(
                                         8, file.size() - std::min<std::size_t>(2, file.size())));
}

std::string size_in_words(const Row& row) {
  if (row.kind == Kind::barrier) return "–";
  if (row.bytes != kUnknownBytes) return format_bytes(row.bytes);
  if (row.most_bytes != kUnknownBytes) return fmt::format("≤ {}", format_bytes(row.most_bytes));
  return row.least_bytes > 0 ? fmt::format("≥ {}", format_bytes(row.least_bytes - 1)) : "–";
}

std::vector<Finding> findings(const Tracker& tracker, const std::string& context,
                              std::int64_t now_ns, std::int64_t hang_ns) {
  std::vector<Finding> out;
  if (tracker.totals().timeout) out.push_back(time_out(tracker, context));
  for (const Waiting& waiting : tracker.waiting()) {
    if (!tracker.totals().timeout && now_ns - waiting.since_ns >= hang_ns)
      out.push_back(hang(waiting, context, tracker.totals().devices, now_ns));
  }
  straggler(tracker, context, out);
  return out;
}

Finding death(const Tracker& tracker, const std::string& context) {
  const std::vector<Waiting>& waiting = tracker.waiting();
  Finding out =
      base_of(waiting.empty() ? nullptr : waiting.data(), context, tracker.totals().devices);
  out.kind = "process_died";
  out.severity = Severity::warning;
  out.since_ns = -1;
  out.sentence = "Its job ended without removing its files, ";
  out.sentence += waiting.empty()
                      ? "outside of any collective that shows."
                      : fmt::format("{}{} in {}: {}.",
                                    tracker.totals().timeout ? "after its own time-out, " : "",
                                    devices_in_words(waiting[0].there),
                                    collective_in_words(waiting[0]), missing_in_words(waiting[0]));
  out.action =
      fmt::format("Look for why it ended (exit status, kernel log); then remove {}* in /dev/shm",
                  context.substr(context.rfind(' ') + 1));
  return out;
}

}  // namespace peerscope::exllama
