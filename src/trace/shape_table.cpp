#include "trace/shape_table.hpp"

namespace peerscope {
namespace {

std::size_t hash_of(const Shape& shape) {
  std::uint64_t hash = 0;
  for (const std::uint64_t word : shape.words) {
    hash = (hash ^ word) * 0x9E37'79B9'7F4A'7C15u;
    hash ^= hash >> 29;
  }
  return static_cast<std::size_t>(hash ^ (hash >> 32));
}

}  // namespace

void ShapeTable::clear() {
  seen_.clear();
  slots_.assign(1024, nullptr);
}

SeenShape* ShapeTable::find_or_add(const Shape& shape) {
  if (2 * (seen_.size() + 1) > slots_.size()) grow();
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash_of(shape) & mask;
  for (; slots_[slot] != nullptr; slot = (slot + 1) & mask) {
    if (slots_[slot]->shape == shape) return slots_[slot];
  }
  seen_.emplace_back().shape = shape;
  return slots_[slot] = &seen_.back();
}

void ShapeTable::grow() {
  slots_.assign(slots_.size() * 2, nullptr);
  const std::size_t mask = slots_.size() - 1;
  for (SeenShape& seen : seen_) {
    std::size_t slot = hash_of(seen.shape) & mask;
    while (slots_[slot] != nullptr) slot = (slot + 1) & mask;
    slots_[slot] = &seen;
  }
}

}  // namespace peerscope
