#include "analyze/alert/figures.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/units.hpp"

namespace peerscope {
namespace {

constexpr std::uint16_t bit(RowSource source) {
  return static_cast<std::uint16_t>(1U << static_cast<unsigned>(source));
}
constexpr std::uint16_t kOps = bit(RowSource::operations), kRanks = bit(RowSource::ranks),
                        kPairs = bit(RowSource::pairs), kDevices = bit(RowSource::devices),
                        kComms = bit(RowSource::communicators), kCells = bit(RowSource::cells),
                        kOpen = bit(RowSource::in_flight), kMetrics = bit(RowSource::metrics),
                        kMachine = bit(RowSource::machine), kMonitor = bit(RowSource::monitor),
                        kTraffic = kOps | kRanks | kPairs | kDevices | kComms | kCells;

// figure, name, counts in, adds up, counter, rows, help
// clang-format off: a table
constexpr FigureSpec kFigures[] = {
{Figure::count, "count", Quantity::number, true, false, kTraffic, "operations in the window"},
{Figure::errors, "errors", Quantity::number, true, false, kTraffic, "operations that failed in the window"},
{Figure::bytes, "bytes", Quantity::bytes, true, false, kTraffic, "bytes moved in the window"},
{Figure::success_rate, "success_rate", Quantity::share, false, false, kTraffic, "share of operations that ended well"},
{Figure::mean, "mean", Quantity::time, false, false, kTraffic, "mean time of an operation"},
{Figure::p50, "p50", Quantity::time, false, false, kOps | kCells, "median time"},
{Figure::p90, "p90", Quantity::time, false, false, kOps | kCells, "time that 90 % stay below"},
{Figure::p99, "p99", Quantity::time, false, false, kOps | kCells, "time that 99 % stay below"},
{Figure::p999, "p99.9", Quantity::time, false, false, kOps | kCells, "time that 99.9 % stay below"},
{Figure::max, "max", Quantity::time, false, false, kOps | kCells, "longest time"},
{Figure::busbw, "busbw", Quantity::bandwidth, false, false, kOps, "bus bandwidth, by the median time (nccl-tests' definition)"},
{Figure::algbw, "algbw", Quantity::bandwidth, false, false, kOps, "size over median time"},
{Figure::bandwidth, "bandwidth", Quantity::bandwidth, false, false, kPairs, "between two ranks, by the median time since start"},
{Figure::skew, "skew", Quantity::time, false, false, kOps | kComms, "median time from the first to the last arrival"},
{Figure::transfer, "transfer", Quantity::time, false, false, kOps | kComms, "median time from the last arrival to the end"},
{Figure::waiting_share, "waiting_share", Quantity::share, false, false, kComms | kRanks, "share of communication time that is waiting; of a rank: that others wait for it"},
{Figure::lateness, "lateness", Quantity::time, false, false, kRanks, "median arrival after the other ranks"},
{Figure::last_share, "last_share", Quantity::share, false, false, kRanks, "share of collectives in which the rank came last"},
{Figure::incomplete, "incomplete", Quantity::number, true, false, kComms, "collectives given up in the window"},
{Figure::mismatched, "mismatched", Quantity::number, true, false, kComms, "collectives in which ranks disagreed"},
{Figure::in_flight, "in_flight", Quantity::number, true, false, kOpen, "operations that are open now"},
{Figure::in_flight_age, "in_flight_age", Quantity::time, false, false, kOpen, "age of the oldest open operation"},
{Figure::overhead, "overhead", Quantity::share, false, false, kMonitor, "what the monitor itself costs"},
{Figure::lost, "lost", Quantity::number, true, true, kMonitor, "records overwritten before they were read, since start"},
{Figure::dropped, "dropped", Quantity::number, true, true, kMonitor, "operations refused by the recorder, since start"},
{Figure::pool_share, "pool_share", Quantity::share, false, false, kMetrics, "how full the memory pool is"},
{Figure::metric, "metric", Quantity::number, false, false, kMetrics, "a metric of the program, by its name"},
{Figure::nvlink, "nvlink", Quantity::bandwidth, false, false, kMachine, "a GPU's NVLink traffic, both directions"},
{Figure::pcie, "pcie", Quantity::bandwidth, false, false, kMachine, "a GPU's PCIe traffic, both directions"},
{Figure::links_active, "links_active", Quantity::number, false, false, kMachine, "a GPU's NVLinks that are up"},
{Figure::device_errors, "device_errors", Quantity::number, true, true, kMachine, "a GPU's link errors that cost something, since the first look"},
};
// clang-format on

enum Dimension : unsigned {
  kOperation = 1,
  kShape = 2,
  kRank = 4,
  kPeer = 8,
  kDevice = 16,
  kComm = 32
};

constexpr unsigned dimensions_of(RowSource source) {
  switch (source) {
    case RowSource::operations:
      return kOperation | kShape;
    case RowSource::ranks:
      return kRank | kComm;
    case RowSource::pairs:
      return kRank | kPeer | kComm;
    case RowSource::devices:
    case RowSource::machine:
      return kDevice;
    case RowSource::communicators:
      return kComm;
    case RowSource::cells:
      return kOperation | kShape | kRank | kPeer | kDevice | kComm;
    case RowSource::in_flight:
      return kOperation | kRank | kPeer | kComm;
    case RowSource::metrics:
      return kRank;
    case RowSource::monitor:
      return 0;
  }
  return 0;
}

unsigned needed(const Term& term) {
  unsigned all = 0;
  if (term.operation || term.group == Group::operation) all |= kOperation;
  if (term.algorithm || term.min_bytes > 0) all |= kShape;
  if (term.rank || term.group == Group::rank) all |= kRank;
  if (term.peer) all |= kPeer;
  if (term.group == Group::pair) all |= kRank | kPeer;
  if (term.device || term.group == Group::device) all |= kDevice;
  if (!term.communicator.empty() || term.group == Group::communicator) all |= kComm;
  return all;
}

std::string words_for(unsigned dimensions) {
  std::string out;
  const std::pair<unsigned, const char*> kWords[] = {
      {kOperation, "operation"}, {kShape, "size or algorithm"}, {kRank, "rank"},
      {kPeer, "peer"},           {kDevice, "device"},           {kComm, "communicator"}};
  for (const auto& [dimension, word] : kWords) {
    if ((dimensions & dimension) != 0) out += (out.empty() ? "" : ", ") + std::string(word);
  }
  return out.empty() ? "nothing" : out;
}

bool has_windows(RowSource source) { return source < RowSource::cells; }

// Cells know host and device times only, and other rows no parts at all.
bool has_part(RowSource source, Part part) {
  if (part == Part::whole || source == RowSource::operations) return true;
  return part == Part::best || part == Part::host || part == Part::device;
}

bool fits(const FigureSpec& spec, RowSource source, const Term& term) {
  if ((spec.sources & bit(source)) == 0 || !has_part(source, term.part)) return false;
  if ((needed(term) & ~dimensions_of(source)) != 0) return false;
  if (!term.window || *term.window == Window::all) return true;
  return has_windows(source) && spec.figure != Figure::bandwidth;
}

}  // namespace

std::span<const FigureSpec> figures() { return kFigures; }

const FigureSpec& spec_of(Figure figure) { return kFigures[static_cast<std::size_t>(figure)]; }

const FigureSpec* find_figure(std::string_view name) {
  const auto* found = std::find_if(std::begin(kFigures), std::end(kFigures),
                                   [&](const FigureSpec& spec) { return name == spec.name; });
  return found == std::end(kFigures) ? nullptr : found;
}

Status choose_source(Term& term) {
  const FigureSpec& spec = spec_of(term.figure);
  unsigned told_apart = 0;
  bool without_window = false;
  Term any_time = term;
  any_time.window.reset();
  for (int i = 0; i <= static_cast<int>(RowSource::monitor); ++i) {
    const auto source = static_cast<RowSource>(i);
    if (fits(spec, source, term)) {
      term.source = source;
      if (!has_windows(source) || spec.figure == Figure::bandwidth)
        term.window = source == RowSource::cells || source == RowSource::pairs
                          ? std::optional(Window::all)
                          : std::nullopt;
      else if (!term.window)
        term.window = Window::ten_seconds;
      return Done{};
    }
    without_window |= fits(spec, source, any_time);
    if ((spec.sources & bit(source)) != 0 && has_part(source, term.part))
      told_apart |= dimensions_of(source);
  }
  if (without_window)
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{} of these has no window; leave '{}' out", spec.name,
                             name(term.window.value_or(Window::all)))};
  const unsigned missing = needed(term) & ~told_apart;
  return Error{
      ErrorCode::invalid_argument,
      fmt::format("{} is not told apart by {}; it is by {}", spec.name,
                  words_for(missing == 0 ? needed(term) : missing), words_for(told_apart))};
}

std::string unit_of(Quantity quantity) {
  constexpr const char* kUnits[] = {"", "ns", "bytes", "bytes/s", "/s", "share"};
  return kUnits[static_cast<int>(quantity)];
}

std::string quantity_text(Quantity quantity, double value) {
  switch (quantity) {
    case Quantity::time:
      return format_duration(value);
    case Quantity::bytes:
      return format_bytes(static_cast<std::uint64_t>(std::clamp(value, 0.0, 1e18)));
    case Quantity::bandwidth:
      return format_bandwidth(value);
    case Quantity::rate:
      return format_rate(value);
    case Quantity::share:
      return format_percent(value);
    case Quantity::number:
      break;
  }
  return fmt::format("{:.6g}", value);
}

std::string term_text(const Term& term, Transform transform) {
  constexpr const char* kParts[] = {
      "", "host", "device", "transfer", "arrival skew", "device transfer", "device wait", ""};
  constexpr const char* kWindowWords[] = {"last 1 s", "last 10 s", "last 1 min", "since start"};
  std::string out = term.figure == Figure::metric ? term.metric : spec_of(term.figure).name;
  std::string more = kParts[static_cast<int>(term.part)];
  if (term.window)
    more += (more.empty() ? "" : ", ") + std::string(kWindowWords[static_cast<int>(*term.window)]);
  if (!more.empty()) out += " (" + more + ")";
  if (transform == Transform::rate) return "the rate of " + out;
  if (transform == Transform::change) return "the change of " + out;
  return out;
}

Quantity quantity_of(const Rule& rule) {
  if (rule.transform == Transform::change) return Quantity::share;
  const Quantity own = spec_of(rule.term.figure).quantity;
  if (rule.transform == Transform::none) return own;
  return own == Quantity::bytes ? Quantity::bandwidth : Quantity::rate;
}

}  // namespace peerscope
