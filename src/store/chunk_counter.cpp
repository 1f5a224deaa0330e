#include "store/chunk_counter.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>

namespace peerscope {
namespace {

constexpr std::size_t kTable = std::size_t{1} << 20;  // entries of place_of_

// By 9 bits at a time, least first; as many times as there are bits.
void radix_sort(std::vector<std::uint32_t>& keys, unsigned bits,
                std::vector<std::uint32_t>& scratch) {
  constexpr unsigned kDigit = 9;
  scratch.resize(keys.size());
  for (unsigned shift = 0; shift < bits; shift += kDigit) {
    std::array<std::uint32_t, 1U << kDigit> at{};
    for (const std::uint32_t key : keys) ++at[key >> shift & (at.size() - 1)];
    std::exclusive_scan(at.begin(), at.end(), at.begin(), 0U);
    for (const std::uint32_t key : keys) scratch[at[key >> shift & (at.size() - 1)]++] = key;
    keys.swap(scratch);
  }
}

}  // namespace

std::uint32_t ChunkCounter::local_cell(std::uint32_t shape, std::uint8_t size_class,
                                       CellTable& cells) {
  std::uint32_t& local = local_of_[shape * kSizeClasses + size_class];
  if (local != kSkipped) return local;
  const std::uint32_t number = cells.number(CellKey::of(shapes_[shape].op, size_class));
  std::uint32_t& known = local_of_cell_[number];
  if (known == kSkipped) {
    known = static_cast<std::uint32_t>(local_cells_.size());
    local_cells_.push_back(number);
  }
  return local = known;
}

void ChunkCounter::find_cells(const Task& task, CellTable& cells) {
  const ChunkColumns& c = task.columns;
  shapes_.clear();
  for (const Shape& shape : c.shapes) {
    const Op op = shape.op();
    shapes_.push_back({op, op.device_only ? 0 : op.weight});
  }
  local_of_.assign(c.shapes.size() * kSizeClasses, kSkipped);
  for (const std::uint32_t number : local_cells_) local_of_cell_[number] = kSkipped;
  local_cells_.clear();
  local_.resize(c.size());
  next_ = kNone;
  for (std::size_t i = 0; i < c.size(); ++i) {
    const bool wanted = c.begin[i] >= task.from_ns && c.begin[i] <= task.to_ns;
    local_[i] = wanted ? local_cell(c.shape[i], size_class(c.bytes[i]), cells) : kSkipped;
    if (!wanted) continue;
    next_ = std::min(next_, c.begin[i] >> task.shift);
    if (cells.is_other(local_cells_[local_[i]])) overflowed_ += shapes_[c.shape[i]].weight;
  }
}

void ChunkCounter::count_from(const Task& task, std::int64_t first) {
  const ChunkColumns& c = task.columns;
  const std::size_t stride = local_cells_.size();
  const std::uint64_t window = std::max<std::size_t>(1, kTable / stride);
  place_of_.clear();
  places_.clear();
  host_.all.clear();
  device_.all.clear();
  next_ = kNone;
  for (std::size_t i = 0; i < c.size(); ++i) {
    if (local_[i] == kSkipped) continue;
    const std::int64_t number = c.begin[i] >> task.shift;
    const auto slot = static_cast<std::uint64_t>(number) - static_cast<std::uint64_t>(first);
    if (number < first || slot >= window) {
      if (number > first) next_ = std::min(next_, number);
      continue;
    }
    const std::size_t at = slot * stride + local_[i];
    if (at >= place_of_.size()) place_of_.resize((slot + 1) * stride, 0);
    if (place_of_[at] == 0) {
      Place& made = places_.emplace_back();
      made.slot = static_cast<std::uint32_t>(slot);
      made.cell = local_cells_[local_[i]];
      place_of_[at] = static_cast<std::uint32_t>(places_.size());
    }
    const std::uint32_t number_of_place = place_of_[at] - 1;
    Place& place = places_[number_of_place];
    const ShapeFacts& shape = shapes_[c.shape[i]];
    place.count += shape.weight;
    place.bytes += shape.weight * c.bytes[i];
    if (c.host[i] >= 0 && shape.weight > 0) {
      const auto ns = static_cast<std::uint64_t>(c.host[i]);
      place.host.add(ns);
      host_.all.push_back(number_of_place << kBucketBits |
                          static_cast<std::uint32_t>(duration_bucket(ns)));
    }
    if (c.device[i] >= 0) {
      const auto ns = static_cast<std::uint64_t>(c.device[i]);
      place.device.add(ns);
      device_.all.push_back(number_of_place << kBucketBits |
                            static_cast<std::uint32_t>(duration_bucket(ns)));
    }
  }
}

void ChunkCounter::Keys::sort(std::size_t places, std::vector<std::uint32_t>& scratch) {
  first_of.assign(places + 1, 0);
  if (all.empty()) return;
  radix_sort(all, kBucketBits + static_cast<unsigned>(std::bit_width(places)), scratch);
  for (const std::uint32_t key : all) ++first_of[(key >> kBucketBits) + 1];
  std::inclusive_scan(first_of.begin(), first_of.end(), first_of.begin());
}

std::uint16_t ChunkCounter::Keys::append_buckets(std::uint32_t place,
                                                 std::vector<std::uint32_t>& out) const {
  const std::size_t before = out.size();
  for (std::uint32_t i = first_of[place]; i < first_of[place + 1];) {
    const std::uint32_t key = all[i];
    const std::uint32_t begin = i;
    while (i < first_of[place + 1] && all[i] == key) ++i;
    append_bucket(out, key & ((1U << kBucketBits) - 1), i - begin);
  }
  return static_cast<std::uint16_t>(out.size() - before);
}

void ChunkCounter::make_slots(std::int64_t first) {
  host_.sort(places_.size(), scratch_);
  device_.sort(places_.size(), scratch_);
  std::vector<std::uint32_t> order(places_.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const Place &x = places_[a], &y = places_[b];
    return x.slot != y.slot ? x.slot < y.slot : x.cell < y.cell;
  });
  slots_.clear();
  for (const std::uint32_t at : order) {
    const Place& place = places_[at];
    const std::int64_t number = first + place.slot;
    if (slots_.empty() || slots_.back().first != number) slots_.emplace_back(number, Slot{});
    Slot& slot = slots_.back().second;
    SlotCell cell;
    cell.cell = place.cell;
    cell.count = place.count;
    cell.bytes = place.bytes;
    cell.host = place.host;
    cell.host_buckets = host_.append_buckets(at, slot.buckets);
    cell.device_buckets = device_.append_buckets(at, slot.buckets);
    if (cell.device_buckets > 0) slot.device.push_back(place.device);
    // Device times alone, and none that is known: nothing to count.
    if (cell.count > 0 || cell.device_buckets > 0 || cell.host_buckets > 0)
      slot.cells.push_back(cell);
  }
  std::erase_if(slots_, [](const auto& each) { return each.second.cells.empty(); });
}

}  // namespace peerscope
