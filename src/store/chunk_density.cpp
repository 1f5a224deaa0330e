#include "store/chunk_density.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace peerscope {
namespace {

// Operations of a lane come one after the other: a bin is summed up here, and added once.
class Run {
 public:
  explicit Run(Density& density)
      : density_(density), end_(density.view().base + density.view().bins) {}
  ~Run() { flush(); }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  void move_to(std::uint32_t lane, std::int64_t number) {
    if (lane == lane_ && number == number_) [[likely]]
      return;
    flush();
    lane_ = lane;
    number_ = number;
  }
  void count(bool error) {
    ++bin_.count;
    bin_.errors = (bin_.errors + (error ? 1U : 0U)) & DensityBin::kMostErrors;
  }
  // An interval that begins in the bin with `room` ns left in it.
  void busy(std::int64_t ns, std::int64_t room, Kind kind) {
    const auto part = static_cast<float>(std::min(ns, room));
    const auto k = static_cast<unsigned>(kind) & 31U;
    bin_.busy_ns += part;
    by_kind_[k] += part;
    kinds_ |= 1U << k;
    if (ns > room) [[unlikely]]
      spill(ns - room, kind);
  }

 private:
  void spill(std::int64_t ns, Kind kind) {
    const std::int64_t bin_ns = density_.view().bin_ns();
    for (std::int64_t n = number_ + 1; ns > 0 && n < end_ && spilled_ < kMostSpilled; ++n) {
      DensityBin bin;
      bin.busy_ns = bin.kind_ns = static_cast<float>(std::min(ns, bin_ns));
      bin.kind = static_cast<std::uint8_t>(kind) & 31U;
      density_.add(lane_, n, bin);
      ns -= bin_ns;
      ++spilled_;
    }
  }
  void flush() {
    if (bin_.count == 0) return;
    for (unsigned left = kinds_; left != 0; left &= left - 1) {
      const auto k = static_cast<unsigned>(std::countr_zero(left));
      if (by_kind_[k] > bin_.kind_ns || k == static_cast<unsigned>(std::countr_zero(kinds_))) {
        bin_.kind_ns = by_kind_[k];
        bin_.kind = static_cast<std::uint8_t>(k);
      }
      by_kind_[k] = 0;
    }
    density_.add(lane_, number_, bin_);
    bin_ = {};
    kinds_ = 0;
  }

  static constexpr std::size_t kMostSpilled = std::size_t{1}
                                              << 20;  // bins: bounds what one chunk may cost
  Density& density_;
  std::int64_t end_;
  std::uint32_t lane_ = UINT32_MAX;
  std::int64_t number_ = 0;
  DensityBin bin_;
  std::array<float, 32> by_kind_{};
  std::uint32_t kinds_ = 0;
  std::size_t spilled_ = 0;
};

struct LaneFacts {
  std::uint32_t lane = UINT32_MAX;  // not asked for yet
  TimelineLane of;
  Kind kind = Kind::other;
  bool error = false, device_only = false;
};

}  // namespace

Span span_of(const ChunkColumns& columns, Intervals which) {
  std::vector<std::uint8_t> device_only;
  for (const Shape& shape : columns.shapes) device_only.push_back(shape.op().device_only ? 1 : 0);
  const auto begins = which.begins(columns);
  Span span;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (which.has(columns, i, device_only[columns.shape[i]] != 0)) span.add(begins[i]);
  }
  return span;
}

void add_density(const DensityTask& task, Density& density) {
  const ChunkColumns& c = task.columns;
  std::vector<LaneFacts> facts;
  for (const Shape& shape : c.shapes) {
    const Op op = shape.op();
    facts.push_back(
        {UINT32_MAX, task.which.lane(op), op.kind, op.status != OpStatus::ok, op.device_only});
  }
  const auto begins = task.which.begins(c), durations = task.which.durations(c);
  const std::int64_t bin_ns = density.view().bin_ns();
  Run run(density);
  for (std::size_t i = 0; i < c.size(); ++i) {
    LaneFacts& fact = facts[c.shape[i]];
    if (!task.which.has(c, i, fact.device_only) || begins[i] < task.from_ns ||
        begins[i] > task.to_ns)
      continue;
    if (fact.lane == UINT32_MAX) fact.lane = density.lane(fact.of);
    run.move_to(fact.lane, density.view().number_of(begins[i]));
    run.count(fact.error);
    if (durations[i] > 0) run.busy(durations[i], bin_ns - (begins[i] & (bin_ns - 1)), fact.kind);
  }
}

}  // namespace peerscope
