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
  shapes_.clear();
  next_.clear();
  slots_.assign(1024, kNone);
}

std::uint32_t ShapeTable::find_or_add(const Shape& shape) {
  if (2 * (shapes_.size() + 1) > slots_.size()) grow();
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = hash_of(shape) & mask;
  for (; slots_[slot] != kNone; slot = (slot + 1) & mask) {
    if (shapes_[slots_[slot]] == shape) return slots_[slot];
  }
  slots_[slot] = static_cast<std::uint32_t>(shapes_.size());
  shapes_.push_back(shape);
  next_.push_back(kNone);
  return slots_[slot];
}

void ShapeTable::grow() {
  slots_.assign(slots_.size() * 2, kNone);
  const std::size_t mask = slots_.size() - 1;
  for (std::uint32_t id = 0; id < shapes_.size(); ++id) {
    std::size_t slot = hash_of(shapes_[id]) & mask;
    while (slots_[slot] != kNone) slot = (slot + 1) & mask;
    slots_[slot] = id;
  }
}

}  // namespace peerscope
