#include "trace/op_lanes.hpp"

#include <algorithm>

namespace peerscope {
namespace {

constexpr std::size_t kSortShapesFrom = 1024;  // fewer cost little in any order
constexpr std::size_t kForgetShapesFrom = 65'536;
constexpr std::size_t kForgetLanesFrom = 8'192;

constexpr auto kUnknownBits = static_cast<std::uint64_t>(kUnknownNs);

std::uint64_t key_of(const Op& op) {
  return static_cast<std::uint64_t>(op.thread) << 32 | op.process;
}

std::uint64_t bits(std::int64_t ns) { return static_cast<std::uint64_t>(ns); }

}  // namespace

OpLane& OpLanes::lane_of(std::uint64_t key) {
  if (last_lane_ < all_.size() && all_[last_lane_].key == key) return all_[last_lane_];
  const auto found =
      std::find_if(all_.begin(), all_.end(), [key](const OpLane& l) { return l.key == key; });
  last_lane_ = static_cast<std::size_t>(found - all_.begin());
  if (found == all_.end()) all_.emplace_back().key = key;
  return all_[last_lane_];
}

void OpLanes::add(std::span<const Op> ops) {
  size_ += static_cast<std::uint32_t>(ops.size());
  while (!ops.empty()) {
    const std::uint64_t key = key_of(ops[0]);
    std::size_t n = 1;
    while (n < ops.size() && key_of(ops[n]) == key) ++n;
    OpLane& lane = lane_of(key);
    if (lane.begin.empty()) used_.push_back(static_cast<std::uint32_t>(last_lane_));
    append(lane, ops.first(n));
    ops = ops.subspan(n);
  }
}

// A few columns at a time: more would not fit in registers.
void OpLanes::append(OpLane& lane, std::span<const Op> ops) {
  const std::size_t at = lane.size();
  for (auto* column : {&lane.begin, &lane.host, &lane.bytes, &lane.sequence})
    column->resize(at + ops.size());
  std::uint64_t* begin = lane.begin.data() + at;
  std::uint64_t* host = lane.host.data() + at;
  std::uint64_t* bytes = lane.bytes.data() + at;
  std::uint64_t* sequence = lane.sequence.data() + at;
  std::uint64_t times = 0, device = 0;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    begin[i] = bits(ops[i].begin_ns);
    host[i] = bits(ops[i].host_duration_ns);
    times |= (begin[i] + 1) | (host[i] + 1);  // unknown (-1) is near
    device |= ~bits(ops[i].device_begin_ns) | ~bits(ops[i].device_duration_ns);
  }
  for (std::size_t i = 0; i < ops.size(); ++i) {
    bytes[i] = ops[i].bytes;
    sequence[i] = ops[i].sequence;
  }
  time_bits_ |= times;
  if (has_device_ || device != 0) [[unlikely]]
    append_device_times(lane, ops);
  append_shapes(lane, ops);
}

void OpLanes::append_shapes(OpLane& lane, std::span<const Op> ops) {
  const std::size_t at = lane.shape.size();
  lane.shape.resize(at + ops.size());
  std::uint16_t* shape = lane.shape.data() + at;
  SeenShape* seen = lane.last_shape;
  for (const Op& op : ops) {
    seen = table_.find(op, seen);
    if (seen->number == SeenShape::kNone) [[unlikely]] {
      seen->number = static_cast<std::uint32_t>(numbered_.size());
      numbered_.push_back(seen);
    }
    *shape++ = static_cast<std::uint16_t>(seen->number);
  }
  lane.last_shape = seen;
}

// Nothing is kept until the first that is known: all before it had none.
void OpLanes::append_device_times(OpLane& lane, std::span<const Op> ops) {
  if (!has_device_) {
    for (const std::uint32_t number : used_) {
      OpLane& one = all_[number];
      const std::size_t before = &one == &lane ? one.size() - ops.size() : one.size();
      one.device_begin.assign(before, kUnknownBits);
      one.device.assign(before, kUnknownBits);
    }
  }
  has_device_ = true;
  for (const Op& op : ops) {
    lane.device_begin.push_back(bits(op.device_begin_ns));
    lane.device.push_back(bits(op.device_duration_ns));
    time_bits_ |= (lane.device_begin.back() + 1) | (lane.device.back() + 1);
  }
}

void OpLanes::number_shapes(std::vector<Shape>& shapes) {
  if (numbered_.size() >= kSortShapesFrom) {
    std::sort(numbered_.begin(), numbered_.end(), [](const SeenShape* a, const SeenShape* b) {
      return a->shape.words < b->shape.words;
    });
    std::vector<std::uint16_t> renumbered(numbered_.size());
    for (std::size_t i = 0; i < numbered_.size(); ++i)
      renumbered[numbered_[i]->number] = static_cast<std::uint16_t>(i);
    for (const std::uint32_t lane : used_) {
      for (std::uint16_t& number : all_[lane].shape) number = renumbered[number];
    }
  }
  shapes.clear();
  for (const SeenShape* seen : numbered_) shapes.push_back(seen->shape);
}

void OpLanes::clear() {
  for (const std::uint32_t number : used_) {
    OpLane& lane = all_[number];
    for (auto* column :
         {&lane.begin, &lane.host, &lane.bytes, &lane.sequence, &lane.device_begin, &lane.device})
      column->clear();
    lane.shape.clear();
  }
  used_.clear();
  for (SeenShape* seen : numbered_) seen->number = SeenShape::kNone;
  numbered_.clear();
  time_bits_ = 0;
  has_device_ = false;
  size_ = 0;
  if (all_.size() > kForgetLanesFrom) all_.clear();
  if (table_.size() > kForgetShapesFrom) {
    table_.clear();
    for (OpLane& lane : all_) lane.last_shape = nullptr;
  }
}

}  // namespace peerscope
