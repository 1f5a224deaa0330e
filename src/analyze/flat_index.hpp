// From a 128-bit key to a small number: open addressing, at most half full, never shrinks, nothing
// is erased.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace peerscope {

struct FlatKey {
  std::uint64_t low = 0, high = 0;
  bool operator==(const FlatKey&) const = default;
};

class FlatIndex {
 public:
  static constexpr std::uint32_t kAbsent = UINT32_MAX;

  [[nodiscard]] std::uint32_t find(const FlatKey& key) const {
    for (std::size_t i = hash(key) & mask();; i = (i + 1) & mask()) {
      const Entry& entry = entries_[i];
      if (entry.value == kAbsent || entry.key == key) return entry.value;
    }
  }

  // `key` must be absent.
  void insert(const FlatKey& key, std::uint32_t value) {
    if (2 * (size_ + 1) > entries_.size()) grow();
    place({key, value});
    ++size_;
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t memory_bytes() const { return entries_.capacity() * sizeof(Entry); }
  static constexpr std::size_t memory_bound_bytes(std::size_t keys) {
    return (4 * keys + kFirst) * sizeof(Entry);
  }

 private:
  struct Entry {
    FlatKey key;
    std::uint32_t value = kAbsent;
  };
  static constexpr std::size_t kFirst = 64;

  [[nodiscard]] std::size_t mask() const { return entries_.size() - 1; }
  static std::size_t hash(const FlatKey& key) {
    const std::uint64_t mixed = (key.low ^ (key.high * 0xC2B2AE3D27D4EB4Fu)) * 0x9E3779B97F4A7C15u;
    return static_cast<std::size_t>(mixed ^ (mixed >> 32));
  }
  void place(const Entry& entry) {
    std::size_t i = hash(entry.key) & mask();
    while (entries_[i].value != kAbsent) i = (i + 1) & mask();
    entries_[i] = entry;
  }
  void grow() {
    std::vector<Entry> old(2 * entries_.size());
    old.swap(entries_);
    for (const Entry& entry : old) {
      if (entry.value != kAbsent) place(entry);
    }
  }

  std::vector<Entry> entries_ = std::vector<Entry>(kFirst);
  std::size_t size_ = 0;
};

}  // namespace peerscope
