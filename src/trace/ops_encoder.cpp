#include "trace/ops_encoder.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "trace/bytes.hpp"
#include "trace/kernels.hpp"
#include "trace/section.hpp"

namespace peerscope {
namespace {

constexpr std::size_t kSortShapesFrom = 1024;  // fewer cost little in any order
constexpr std::size_t kForgetShapesFrom = 65'536;
constexpr std::size_t kForgetLanesFrom = 8'192;

std::uint8_t id(Column column) { return static_cast<std::uint8_t>(column); }

}  // namespace

std::uint32_t number_groups(std::span<const Shape> shapes, std::vector<std::uint32_t>& groups) {
  std::map<std::tuple<std::uint64_t, std::uint64_t, bool>, std::uint32_t> known;
  groups.clear();
  for (const Shape& shape : shapes) {
    const std::tuple key{shape.lane(), shape.words[0], is_collective(shape.kind())};
    groups.push_back(known.emplace(key, static_cast<std::uint32_t>(known.size())).first->second);
  }
  return static_cast<std::uint32_t>(known.size());
}

OpsEncoder::Lane& OpsEncoder::lane_of(std::uint64_t key) {
  if (last_lane_ < lanes_.size() && lanes_[last_lane_].key == key) return lanes_[last_lane_];
  const auto found =
      std::find_if(lanes_.begin(), lanes_.end(), [key](const Lane& l) { return l.key == key; });
  last_lane_ = static_cast<std::size_t>(found - lanes_.begin());
  if (found == lanes_.end()) lanes_.emplace_back().key = key;
  return lanes_[last_lane_];
}

void OpsEncoder::add(std::span<const Op> ops) {
  size_ += static_cast<std::uint32_t>(ops.size());
  while (!ops.empty()) {
    const auto lane_key = [](const Op& op) {
      return static_cast<std::uint64_t>(op.thread) << 32 | op.process;
    };
    const std::uint64_t key = lane_key(ops[0]);
    std::size_t run = 1;
    while (run < ops.size() && lane_key(ops[run]) == key) ++run;
    Lane& lane = lane_of(key);
    if (lane.begin.empty()) used_.push_back(static_cast<std::uint32_t>(last_lane_));
    append(lane, ops.first(run));
    ops = ops.subspan(run);
  }
}

namespace {

bool any_device_time(std::span<const Op> ops) {
  std::int64_t known = 0;
  for (const Op& op : ops)
    known |= (op.device_begin_ns ^ kUnknownNs) | (op.device_duration_ns ^ kUnknownNs);
  return known != 0;
}

}  // namespace

// The first device time of this chunk: all before it had none.
void OpsEncoder::begin_device_times() {
  has_device_ = true;
  for (const std::uint32_t number : used_) {
    Lane& lane = lanes_[number];
    lane.device_begin.assign(lane.begin.size(), static_cast<std::uint64_t>(kUnknownNs));
    lane.device.assign(lane.begin.size(), static_cast<std::uint64_t>(kUnknownNs));
  }
}

void OpsEncoder::append(Lane& lane, std::span<const Op> ops) {
  if (!has_device_ && any_device_time(ops)) begin_device_times();
  const std::size_t at = lane.begin.size();
  const std::size_t end = at + ops.size();
  const auto copy = [&](LaneColumn column, auto field) {
    auto& values = lane.*column;
    values.resize(end);
    std::uint64_t* out = values.data() + at;
    for (std::size_t i = 0; i < ops.size(); ++i) out[i] = static_cast<std::uint64_t>(ops[i].*field);
  };
  copy(&Lane::begin, &Op::begin_ns);
  copy(&Lane::host, &Op::host_duration_ns);
  copy(&Lane::bytes, &Op::bytes);
  copy(&Lane::sequence, &Op::sequence);
  if (has_device_) {
    copy(&Lane::device_begin, &Op::device_begin_ns);
    copy(&Lane::device, &Op::device_duration_ns);
  }
  lane.shape.resize(end);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    lane.last_shape = table_.id_of(ops[i], lane.last_shape);
    lane.shape[at + i] = lane.last_shape;
  }
}

void OpsEncoder::gather(LaneColumn column, std::vector<std::uint64_t>& out) const {
  out.clear();
  for (const std::uint32_t lane : used_)
    out.insert(out.end(), (lanes_[lane].*column).begin(), (lanes_[lane].*column).end());
}

void OpsEncoder::gather_all() {
  gather(&Lane::begin, begins_);
  gather(&Lane::host, host_);
  gather(&Lane::device_begin, device_begin_);  // empty without device times
  gather(&Lane::device, device_);
  gather(&Lane::bytes, bytes_);
  gather(&Lane::sequence, values_);
}

// Numbers the shapes of this chunk, in order of appearance, or sorted where there are many: then
// their bytes repeat.
void OpsEncoder::number_shapes() {
  shapes_.clear();
  number_.assign(table_.size(), ShapeTable::kNone);
  shape_numbers_.resize(size_);
  std::vector<std::uint32_t> ids;
  std::size_t at = 0;
  for (const std::uint32_t lane : used_) {
    for (const std::uint32_t id : lanes_[lane].shape) {
      if (number_[id] == ShapeTable::kNone) [[unlikely]] {
        number_[id] = static_cast<std::uint32_t>(ids.size());
        ids.push_back(id);
      }
      shape_numbers_[at++] = number_[id];
    }
  }
  if (ids.size() >= kSortShapesFrom) {
    std::sort(ids.begin(), ids.end(), [this](std::uint32_t a, std::uint32_t b) {
      return table_[a].words < table_[b].words;
    });
    std::vector<std::uint32_t> renumbered(ids.size());
    for (std::uint32_t i = 0; i < ids.size(); ++i) renumbered[number_[ids[i]]] = i;
    for (std::uint64_t& number : shape_numbers_) number = renumbered[number];
  }
  for (const std::uint32_t id : ids) shapes_.push_back(table_[id]);
}

void OpsEncoder::add_lanes() {
  std::vector<std::uint64_t> sizes, firsts;
  for (const std::uint32_t lane : used_) {
    sizes.push_back(lanes_[lane].begin.size());
    firsts.push_back(lanes_[lane].begin[0]);
  }
  columns_.add(format::kLaneSizes, sizes, Texture::noise);
  columns_.add(format::kLaneFirstBegin, firsts, Texture::noise);
}

// Byte p of all shapes, then byte p + 1: one stream, since most of it repeats.
void OpsEncoder::add_shapes() {
  const std::size_t n = shapes_.size();
  scratch_.resize(n * Shape::kBytes);
  for (std::size_t i = 0; i < n; ++i) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(shapes_[i].words.data());
    for (std::size_t p = 0; p < Shape::kBytes; ++p) scratch_[p * n + i] = bytes[p];
  }
  add_blob(format::kShapesColumn, scratch_);
}

void OpsEncoder::add_blob(std::uint8_t id, std::span<const std::uint8_t> blob) {
  columns_.add_planes(id, blob, static_cast<std::uint32_t>(blob.size()), blob.empty() ? 0 : 1);
}

// Rounds the chunk's times to steps that nobody will miss; from here on all of them are multiples of
// a step, begins counted from their lane's first.
void OpsEncoder::choose_step() {
  constexpr std::size_t kSample = 255;
  constexpr std::uint64_t kFar = std::uint64_t{1} << 60;  // beyond, rounding could overflow
  shift_ = 0;
  std::vector<std::int64_t> sample;
  const std::size_t step = std::max<std::size_t>(1, host_.size() / kSample);
  for (std::size_t i = 0; i < host_.size(); i += step) {
    const bool on_device = has_device_ && device_[i] + 1 != 0;
    const auto ns = static_cast<std::int64_t>(on_device ? device_[i] : host_[i]);
    if (ns >= 0) sample.push_back(ns);
  }
  if (sample.empty() || max_shift_ == 0) return;
  const auto middle = sample.begin() + static_cast<std::ptrdiff_t>(sample.size() / 2);
  std::nth_element(sample.begin(), middle, sample.end());
  const auto width =
      static_cast<unsigned>(std::bit_width(static_cast<std::uint64_t>(*middle) / 256));
  const unsigned shift = std::min(width == 0 ? 0 : width - 1, max_shift_);
  const auto far = [](const std::vector<std::uint64_t>& values) {
    std::uint64_t bits = 0;
    for (const std::uint64_t v : values) bits |= v + 1;  // unknown (-1) is near
    return bits >= kFar;
  };
  if (shift == 0 || far(begins_) || far(host_) || far(device_begin_) || far(device_)) return;
  shift_ = shift;
  const std::uint64_t half = std::uint64_t{1} << (shift - 1);
  const auto round = [&](std::uint64_t v) { return (v + half) >> shift << shift; };
  for (std::vector<std::uint64_t>* times : {&host_, &device_}) {
    for (std::uint64_t& ns : *times) ns = ns + 1 == 0 ? ns : round(ns);
  }
  std::size_t at = 0;
  for (const std::uint32_t lane : used_) {
    const std::uint64_t first = begins_[at];
    for (const std::size_t end = at + lanes_[lane].begin.size(); at < end; ++at) {
      const auto since = static_cast<std::int64_t>(begins_[at] - first + half) >> shift;
      begins_[at] = first + (static_cast<std::uint64_t>(since) << shift);
    }
  }
}

// What is stored is how long after the end of the one before on its thread an operation begins: a
// program's own time, which varies less than what it waits for others.
void OpsEncoder::add_begins(format::OpsHead& head) {
  head.first_ns = INT64_MAX;
  head.last_ns = INT64_MIN;
  values_.resize(size_);
  std::size_t at = 0;
  for (const std::uint32_t lane : used_) {
    std::uint64_t expected = begins_[at];
    for (const std::size_t end = at + lanes_[lane].begin.size(); at < end; ++at) {
      const std::uint64_t begin = begins_[at];
      const auto ns = static_cast<std::int64_t>(begin);
      head.first_ns = std::min(head.first_ns, ns);
      head.last_ns = std::max(head.last_ns, ns);
      const std::uint64_t after =
          static_cast<std::uint64_t>(static_cast<std::int64_t>(begin - expected) >> shift_);
      values_[at] = after;
      expected = begin + (host_[at] + 1 == 0 ? 0 : host_[at]);
    }
  }
  columns_.add_signed(id(Column::begin), values_, Texture::noise);
}

void OpsEncoder::add_times() {
  for (std::size_t i = 0; i < device_begin_.size(); ++i) {
    if (static_cast<std::int64_t>(device_begin_[i]) == kUnknownNs) {
      device_begin_[i] = 0;
      continue;
    }
    const std::uint64_t half = shift_ == 0 ? 0 : std::uint64_t{1} << (shift_ - 1);
    const auto after = static_cast<std::int64_t>(device_begin_[i] - begins_[i] + half) >> shift_;
    device_begin_[i] = format::zigzag(static_cast<std::uint64_t>(after)) + 1;
  }
  for (std::vector<std::uint64_t>* times : {&host_, &device_}) {
    for (std::uint64_t& ns : *times) ns = ns + 1 == 0 ? 0 : (ns >> shift_) + 1;
  }
  columns_.add(id(Column::host_duration), host_, Texture::noise);
  if (has_device_) {
    columns_.add(id(Column::device_begin), device_begin_, Texture::noise);
    columns_.add(id(Column::device_duration), device_, Texture::noise);
  } else {
    columns_.add_constant(id(Column::device_begin), size_, 0);
    columns_.add_constant(id(Column::device_duration), size_, 0);
  }
}

// Sequence numbers go up by one within their group, most of the time: what is stored is by how much
// they did not.
void OpsEncoder::add_sequences() {
  std::vector<std::uint32_t> groups;
  std::vector<std::uint64_t> firsts(number_groups(shapes_, groups));
  std::vector<std::uint64_t> next(firsts.size());
  std::vector<bool> seen(firsts.size());
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const std::uint32_t group = groups[shape_numbers_[i]];
    const std::uint64_t sequence = values_[i];
    if (!seen[group]) [[unlikely]] {
      seen[group] = true;
      firsts[group] = next[group] = sequence;
    }
    values_[i] = sequence - next[group];
    next[group] = sequence + 1;
  }
  columns_.add_signed(id(Column::sequence), values_, Texture::repeating);
  columns_.add(format::kGroupFirstSequence, firsts, Texture::noise);
}

void OpsEncoder::add_cells(format::OpsHead& head) {
  cells_.begin(shapes_);
  cells_.add({shape_numbers_, bytes_, host_, device_});
  for (const std::uint64_t bytes : bytes_) head.bytes += bytes;
  series_ = cells_.series();
  head.cells = cells_.overflowed() ? 0 : static_cast<std::uint32_t>(cells_.cells().size());
  head.series = static_cast<std::uint32_t>(series_.size());
  scratch_.clear();
  if (!cells_.overflowed()) encode_cells(cells_.cells(), scratch_);
  add_blob(format::kCellsColumn, scratch_);
  scratch_.clear();
  encode_series(series_, scratch_);
  add_blob(format::kSeriesColumn, scratch_);
}

format::IndexEntry OpsEncoder::encode(const OpsContext& context, std::vector<std::uint8_t>& out) {
  format::OpsHead head{};
  head.operations = size_;
  columns_.clear();
  number_shapes();
  gather_all();
  choose_step();
  // What many questions can be answered from lies in front.
  add_shapes();
  add_cells(head);
  add_sequences();
  columns_.add_repeating(id(Column::bytes), bytes_);
  columns_.add(id(Column::shape), shape_numbers_, Texture::repeating);
  add_lanes();
  columns_.set_shift(shift_);
  add_begins(head);
  add_times();
  head.shapes = static_cast<std::uint32_t>(shapes_.size());
  for (const Shape& shape : shapes_) head.kinds |= 1U << (static_cast<unsigned>(shape.kind()) & 31);
  head.lanes = static_cast<std::uint32_t>(used_.size());
  head.columns = static_cast<std::uint32_t>(columns_.columns().size());
  head.streams = static_cast<std::uint32_t>(columns_.streams().size());
  head.not_written_before = context.not_written_before;
  head.clock_mono_ns = context.clock_mono_ns;
  head.clock_real_ns = context.clock_real_ns;
  head.clock_uncertainty_ns = context.clock_uncertainty_ns;

  scratch_.clear();
  append_struct(scratch_, head);
  append_structs(scratch_, columns_.columns());
  append_structs(scratch_, columns_.streams());
  const std::size_t before = out.size();
  append_section(out, format::SectionType::ops, scratch_, columns_.body());
  format::IndexEntry entry{};
  entry.section_bytes = out.size() - before;
  entry.first_ns = head.first_ns;
  entry.last_ns = head.last_ns;
  entry.not_written_before = head.not_written_before;
  entry.operations = head.operations;
  entry.shapes = head.shapes;
  entry.kinds = head.kinds;
  entry.type = static_cast<std::uint32_t>(format::SectionType::ops);
  reset();
  return entry;
}

void OpsEncoder::reset() {
  for (const std::uint32_t lane : used_) {
    for (const LaneColumn column : {&Lane::begin, &Lane::host, &Lane::device_begin, &Lane::device,
                                    &Lane::bytes, &Lane::sequence})
      (lanes_[lane].*column).clear();
    lanes_[lane].shape.clear();
  }
  used_.clear();
  has_device_ = false;
  size_ = 0;
  if (lanes_.size() > kForgetLanesFrom) lanes_.clear();
  if (table_.size() > kForgetShapesFrom) {
    table_.clear();
    for (Lane& lane : lanes_) lane.last_shape = ShapeTable::kNone;
  }
}

}  // namespace peerscope
