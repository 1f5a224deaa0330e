#include "trace/ops_encoder.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "trace/bytes.hpp"
#include "trace/kernels.hpp"
#include "trace/section.hpp"

namespace peerscope {
namespace {

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

// Times are rounded to steps that nobody will miss: begins counted from their lane's first.
void OpsEncoder::choose_step() {
  constexpr std::size_t kSample = 255;
  shift_ = 0;
  if (max_shift_ == 0 || !lanes_.near()) return;
  std::vector<std::int64_t> sample;
  const std::size_t step = std::max<std::size_t>(1, lanes_.size() / kSample);
  std::size_t at = 0;  // in the lane
  for (std::size_t i = 0; i < lanes_.lanes(); ++i) {
    const OpLane& lane = lanes_.lane(i);
    for (; at < lane.size(); at += step) {
      const bool on_device = lanes_.has_device() && lane.device[at] + 1 != 0;
      const auto ns = static_cast<std::int64_t>(on_device ? lane.device[at] : lane.host[at]);
      if (ns >= 0) sample.push_back(ns);
    }
    at -= lane.size();
  }
  if (sample.empty()) return;
  const auto middle = sample.begin() + static_cast<std::ptrdiff_t>(sample.size() / 2);
  std::nth_element(sample.begin(), middle, sample.end());
  const auto width =
      static_cast<unsigned>(std::bit_width(static_cast<std::uint64_t>(*middle) / 256));
  shift_ = std::min(width == 0 ? 0 : width - 1, max_shift_);
}

template <class T>
void OpsEncoder::Numbers<T>::resize(std::size_t n, bool with_device) {
  for (auto* column : {&begin, &host, &sequence}) column->resize(n);
  for (auto* column : {&device_begin, &device}) column->resize(with_device ? n : 0);
  shape.resize(n);
}

namespace {

// Not 0 if a number with a sign, or one without, is beyond what T holds when its sign is folded in.
template <class T>
std::uint64_t beyond_signed(std::int64_t value) {
  if constexpr (sizeof(T) == 8) return 0;
  return (static_cast<std::uint64_t>(value) + (std::uint64_t{1} << 30)) >> 31;
}
template <class T>
std::uint64_t beyond(std::uint64_t value) {
  if constexpr (sizeof(T) == 8) return 0;
  return value >> 32;
}

}  // namespace

// Begin: how long after the end of the one before on its thread an operation begins, which is a
// program's own time and varies less than what it waits for others. Returns 0 if T is wide enough.
template <class T>
std::uint64_t OpsEncoder::number_times(const OpLane& lane, T* begin, T* host,
                                       format::OpsHead& head) {
  const kernels::Times times =
      kernels::number_times(lane.begin.data(), lane.host.data(), lane.size(), shift_, begin, host);
  head.first_ns = std::min(head.first_ns, times.first_ns);
  head.last_ns = std::max(head.last_ns, times.last_ns);
  return times.too_wide;
}

// Sequence numbers go up by one within their group, most of the time: by how much they did not.
// And the chunk's statistics. Returns 0 if T is wide enough.
template <class T>
std::uint64_t OpsEncoder::number_operations(const OpLane& lane, const T* host, T* sequence,
                                            format::OpsHead& head) {
  const unsigned shift = shift_;
  const bool with_cells = !cells_.overflowed();
  const std::uint32_t* group_of = group_of_.data();
  Group* groups = groups_.data();
  std::uint64_t bytes_sum = 0, too_wide = 0;
  for (std::size_t i = 0, n = lane.size(); i < n; ++i) {
    const std::uint32_t shape = lane.shape[i];
    Group& group = groups[group_of[shape]];
    if (!group.seen) [[unlikely]]
      group = {lane.sequence[i], lane.sequence[i], true};
    const auto skipped = static_cast<std::int64_t>(lane.sequence[i] - group.next);
    group.next = lane.sequence[i] + 1;
    sequence[i] = static_cast<T>(skipped);
    too_wide |= beyond_signed<T>(skipped);
    bytes_sum += lane.bytes[i];
    const auto steps = static_cast<std::int64_t>(std::uint64_t{host[i]} - 1);
    if (with_cells) [[likely]]
      cells_.add(shape, lane.bytes[i], static_cast<std::uint64_t>(steps << shift));
  }
  head.bytes += bytes_sum;
  return too_wide;
}

// Device times: begins counted from the operation's begin on the host. Returns 0 if T is wide
// enough.
template <class T>
std::uint64_t OpsEncoder::number_device_times(const OpLane& lane, T* device_begin, T* device) {
  const unsigned shift = shift_;
  const std::uint64_t half = shift == 0 ? 0 : std::uint64_t{1} << (shift - 1);
  const bool with_cells = !cells_.overflowed();
  const std::uint64_t first = lane.begin[0];
  std::uint64_t too_wide = 0;
  for (std::size_t i = 0; i < lane.size(); ++i) {
    const auto since = static_cast<std::int64_t>(lane.begin[i] - first + half) >> shift;
    const std::uint64_t begin = first + (static_cast<std::uint64_t>(since) << shift);
    const auto later = static_cast<std::int64_t>(lane.device_begin[i] - begin + half) >> shift;
    const std::uint64_t begun =
        lane.device_begin[i] + 1 != 0 ? format::zigzag(static_cast<std::uint64_t>(later)) + 1 : 0;
    const bool known = lane.device[i] + 1 != 0;
    const std::uint64_t steps = (lane.device[i] + half) >> shift;
    if (with_cells && known) cells_.add_device(lane.shape[i], lane.bytes[i], steps << shift);
    device[i] = static_cast<T>(known ? steps + 1 : 0);
    device_begin[i] = static_cast<T>(begun);
    too_wide |= beyond<T>(known ? steps + 1 : 0) | beyond<T>(begun);
  }
  return too_wide;
}

// False if T is not wide enough.
template <class T>
bool OpsEncoder::number(Numbers<T>& out, format::OpsHead& head) {
  const bool device = lanes_.has_device();
  out.resize(lanes_.size(), device);
  groups_.assign(number_groups(shapes_, group_of_), Group{});
  cells_.begin(shapes_);
  head.first_ns = INT64_MAX;
  head.last_ns = INT64_MIN;
  head.bytes = 0;
  std::size_t at = 0;
  std::uint64_t too_wide = 0;
  for (std::size_t i = 0; i < lanes_.lanes() && too_wide == 0; ++i) {
    const OpLane& lane = lanes_.lane(i);
    T* host = out.host.data() + at;
    too_wide |= number_times(lane, out.begin.data() + at, host, head);
    too_wide |= number_operations(lane, host, out.sequence.data() + at, head);
    if (device)
      too_wide |= number_device_times(lane, out.device_begin.data() + at, out.device.data() + at);
    std::copy(lane.shape.begin(), lane.shape.end(), out.shape.begin() + std::ptrdiff_t(at));
    at += lane.size();
  }
  cells_.finish();
  return too_wide == 0;
}

void OpsEncoder::add_blob(std::uint8_t id, std::span<const std::uint8_t> blob) {
  columns_.add_planes(id, blob, static_cast<std::uint32_t>(blob.size()), blob.empty() ? 0 : 1);
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

void OpsEncoder::add_cells(format::OpsHead& head) {
  series_ = cells_.series();
  head.cells = static_cast<std::uint32_t>(cells_.cells().size());
  head.series = static_cast<std::uint32_t>(series_.size());
  scratch_.clear();
  encode_cells(cells_.cells(), scratch_);
  add_blob(format::kCellsColumn, scratch_);
  scratch_.clear();
  encode_series(series_, scratch_);
  add_blob(format::kSeriesColumn, scratch_);
}

void OpsEncoder::add_groups() {
  std::vector<std::uint64_t> firsts;
  for (const Group& group : groups_) firsts.push_back(group.first);
  columns_.add(format::kGroupFirstSequence, firsts, Texture::noise);
}

void OpsEncoder::add_bytes() {
  if (lanes_.lanes() == 1) return columns_.add_repeating(id(Column::bytes), lanes_.lane(0).bytes);
  bytes_.clear();
  for (std::size_t i = 0; i < lanes_.lanes(); ++i)
    bytes_.insert(bytes_.end(), lanes_.lane(i).bytes.begin(), lanes_.lane(i).bytes.end());
  columns_.add_repeating(id(Column::bytes), bytes_);
}

void OpsEncoder::add_lanes() {
  std::vector<std::uint64_t> sizes, firsts;
  for (std::size_t i = 0; i < lanes_.lanes(); ++i) {
    sizes.push_back(lanes_.lane(i).size());
    firsts.push_back(lanes_.lane(i).begin[0]);
  }
  columns_.add(format::kLaneSizes, sizes, Texture::noise);
  columns_.add(format::kLaneFirstBegin, firsts, Texture::noise);
}

// What many questions can be answered from lies in front.
template <class T>
void OpsEncoder::add_columns(Numbers<T>& numbers, format::OpsHead& head) {
  columns_.clear();
  add_shapes();
  add_cells(head);
  columns_.add_signed(id(Column::sequence), numbers.sequence, Texture::repeating);
  add_groups();
  add_bytes();
  columns_.add(id(Column::shape), numbers.shape, Texture::repeating);
  add_lanes();
  columns_.set_shift(shift_);
  columns_.add_signed(id(Column::begin), numbers.begin, Texture::noise);
  columns_.add(id(Column::host_duration), numbers.host, Texture::noise);
  if (lanes_.has_device()) {
    columns_.add(id(Column::device_begin), numbers.device_begin, Texture::noise);
    columns_.add(id(Column::device_duration), numbers.device, Texture::noise);
  } else {
    columns_.add_constant(id(Column::device_begin), lanes_.size(), 0);
    columns_.add_constant(id(Column::device_duration), lanes_.size(), 0);
  }
}

format::IndexEntry OpsEncoder::encode(const OpsContext& context, std::vector<std::uint8_t>& out) {
  format::OpsHead head{};
  head.operations = lanes_.size();
  lanes_.number_shapes(shapes_);
  choose_step();
  if (number(narrow_, head)) {
    add_columns(narrow_, head);
  } else {
    number(wide_, head);
    add_columns(wide_, head);
  }
  head.shapes = static_cast<std::uint32_t>(shapes_.size());
  for (const Shape& shape : shapes_) head.kinds |= 1U << (static_cast<unsigned>(shape.kind()) & 31);
  head.lanes = static_cast<std::uint32_t>(lanes_.lanes());
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
  lanes_.clear();
  return entry;
}

}  // namespace peerscope
