#include "store/slots.hpp"

#include <algorithm>

namespace peerscope {

std::size_t Slot::memory_bytes() const {
  return sizeof *this + cells.capacity() * sizeof(SlotCell) + device.capacity() * sizeof(TimeSums) +
         buckets.capacity() * sizeof(std::uint32_t);
}

void append_bucket(std::vector<std::uint32_t>& buckets, std::size_t bucket, std::uint64_t count) {
  for (; count > PackedBucket::kMost; count -= PackedBucket::kMost)
    buckets.push_back(PackedBucket::pack(bucket, PackedBucket::kMost));
  if (count > 0) buckets.push_back(PackedBucket::pack(bucket, static_cast<std::uint32_t>(count)));
}

namespace {

using Buckets = std::span<const std::uint32_t>;

// Takes all of the front's bucket off; returns how many values it holds.
std::uint64_t take(Buckets& from, std::size_t bucket) {
  std::uint64_t count = 0;
  while (!from.empty() && PackedBucket::bucket(from.front()) == bucket) {
    count += PackedBucket::count(from.front());
    from = from.subspan(1);
  }
  return count;
}

// Returns how many were appended.
std::uint16_t append_merged(Buckets a, Buckets b, std::vector<std::uint32_t>& out) {
  const std::size_t before = out.size();
  while (!a.empty() && !b.empty()) {
    const std::size_t bucket =
        std::min(PackedBucket::bucket(a.front()), PackedBucket::bucket(b.front()));
    append_bucket(out, bucket, take(a, bucket) + take(b, bucket));
  }
  out.insert(out.end(), a.begin(), a.end());
  out.insert(out.end(), b.begin(), b.end());
  return static_cast<std::uint16_t>(out.size() - before);
}

// A slot's cells one after the other.
class Cursor {
 public:
  explicit Cursor(const Slot& slot)
      : cell_(slot.cells.data()),
        end_(cell_ + slot.cells.size()),
        bucket_(slot.buckets.data()),
        device_(slot.device.data()) {}
  [[nodiscard]] bool done() const { return cell_ == end_; }
  [[nodiscard]] const SlotCell& cell() const { return *cell_; }
  [[nodiscard]] Buckets host() const { return {bucket_, cell_->host_buckets}; }
  [[nodiscard]] Buckets device() const {
    return {bucket_ + cell_->host_buckets, cell_->device_buckets};
  }
  [[nodiscard]] const TimeSums* device_sums() const {
    return cell_->device_buckets > 0 ? device_ : nullptr;
  }
  void next() {
    device_ += cell_->device_buckets > 0 ? 1 : 0;
    bucket_ += cell_->host_buckets + cell_->device_buckets;
    ++cell_;
  }

 private:
  const SlotCell *cell_, *end_;
  const std::uint32_t* bucket_;
  const TimeSums* device_;
};

void append(const Cursor& from, Slot& out) {
  out.cells.push_back(from.cell());
  const Buckets host = from.host(), device = from.device();
  out.buckets.insert(out.buckets.end(), host.begin(), host.end());
  out.buckets.insert(out.buckets.end(), device.begin(), device.end());
  if (const TimeSums* sums = from.device_sums()) out.device.push_back(*sums);
}

void append_both(const Cursor& a, const Cursor& b, Slot& out) {
  SlotCell cell = a.cell();
  cell.count += b.cell().count;
  cell.bytes += b.cell().bytes;
  cell.host.merge(b.cell().host);
  cell.host_buckets = append_merged(a.host(), b.host(), out.buckets);
  cell.device_buckets = append_merged(a.device(), b.device(), out.buckets);
  if (cell.device_buckets > 0) {
    TimeSums sums;
    for (const TimeSums* each : {a.device_sums(), b.device_sums()}) {
      if (each != nullptr) sums.merge(*each);
    }
    out.device.push_back(sums);
  }
  out.cells.push_back(cell);
}

}  // namespace

Slot merge(const Slot& a, const Slot& b) {
  Slot out;
  out.cells.reserve(std::max(a.cells.size(), b.cells.size()) + 4);
  out.buckets.reserve(std::max(a.buckets.size(), b.buckets.size()) + 16);
  Cursor x(a), y(b);
  while (!x.done() && !y.done()) {
    if (x.cell().cell == y.cell().cell) {
      append_both(x, y, out);
      x.next();
      y.next();
    } else if (x.cell().cell < y.cell().cell) {
      append(x, out);
      x.next();
    } else {
      append(y, out);
      y.next();
    }
  }
  for (; !x.done(); x.next()) append(x, out);
  for (; !y.done(); y.next()) append(y, out);
  return out;
}

namespace {

std::shared_ptr<const Slot> made(Slot slot) {
  slot.cells.shrink_to_fit();
  slot.device.shrink_to_fit();
  slot.buckets.shrink_to_fit();
  return std::make_shared<const Slot>(std::move(slot));
}

std::size_t bytes_of(const std::shared_ptr<const Slot>& slot) {
  return slot ? slot->memory_bytes() : 0;
}

}  // namespace

void SlotTable::cover(std::int64_t first_ns, std::int64_t last_ns) {
  const auto too_long = [&](std::int64_t first, std::int64_t last) {
    return static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first) >= most_slots_;
  };
  std::int64_t first = 0, last = 0;
  for (;; twice_as_long()) {
    first = view_.number_of(first_ns);
    last = view_.number_of(last_ns);
    if (!view_.slots.empty()) {
      first = std::min(first, view_.base);
      last = std::max(last, view_.end() - 1);
    }
    if (!too_long(first, last)) break;
  }
  if (view_.slots.empty()) view_.base = first;
  if (first < view_.base)
    view_.slots.insert(view_.slots.begin(), static_cast<std::size_t>(view_.base - first), nullptr);
  view_.base = first;
  view_.slots.resize(static_cast<std::size_t>(last - first + 1));
}

void SlotTable::twice_as_long() {
  ++view_.shift;
  const std::int64_t base = view_.base >> 1;
  std::vector<std::shared_ptr<const Slot>> longer;
  for (std::size_t i = 0; i < view_.slots.size(); ++i) {
    const std::int64_t number = (view_.base + static_cast<std::int64_t>(i)) >> 1;
    const auto at = static_cast<std::size_t>(number - base);
    if (at >= longer.size()) longer.resize(at + 1);
    std::shared_ptr<const Slot>& slot = view_.slots[i];
    if (!slot) continue;
    if (longer[at]) {
      bytes_ -= bytes_of(longer[at]) + bytes_of(slot);
      longer[at] = made(merge(*longer[at], *slot));
      bytes_ += bytes_of(longer[at]);
    } else {
      longer[at] = std::move(slot);
    }
  }
  view_.slots = std::move(longer);
  view_.base = base;
}

void SlotTable::add(std::int64_t number, Slot slot) {
  std::shared_ptr<const Slot>& at = view_.slots[static_cast<std::size_t>(number - view_.base)];
  bytes_ -= bytes_of(at);
  at = made(at ? merge(*at, slot) : std::move(slot));
  bytes_ += bytes_of(at);
}

void SlotTable::keep_within_memory() {
  while (bytes_ > most_bytes_ && view_.slots.size() > 1) twice_as_long();
}

void SlotTable::erase(std::int64_t first, std::int64_t last) {
  for (std::int64_t n = std::max(first, view_.base); n <= last && n < view_.end(); ++n) {
    std::shared_ptr<const Slot>& at = view_.slots[static_cast<std::size_t>(n - view_.base)];
    bytes_ -= bytes_of(at);
    at.reset();
  }
  std::size_t empty = 0;
  while (empty < view_.slots.size() && !view_.slots[empty]) ++empty;
  view_.slots.erase(view_.slots.begin(), view_.slots.begin() + static_cast<std::ptrdiff_t>(empty));
  view_.base += static_cast<std::int64_t>(empty);
}

}  // namespace peerscope
