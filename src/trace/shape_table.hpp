// Shapes that were seen, by number. Guesses what comes next: an iterative program repeats itself.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "trace/shape.hpp"

namespace peerscope {

class ShapeTable {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  // The number of a shape; `previous` is the number of the one before it on the same thread, or
  // kNone.
  std::uint32_t id_of(const Op& op, std::uint32_t previous) {
    const Shape shape = Shape::of(op);
    if (previous != kNone) {
      const std::uint32_t guess = next_[previous];
      if (guess != kNone && shapes_[guess] == shape) [[likely]]
        return guess;
    }
    const std::uint32_t id = find_or_add(shape);
    if (previous != kNone) next_[previous] = id;
    return id;
  }

  [[nodiscard]] const Shape& operator[](std::uint32_t id) const { return shapes_[id]; }
  [[nodiscard]] std::size_t size() const { return shapes_.size(); }
  void clear();

 private:
  std::uint32_t find_or_add(const Shape& shape);
  void grow();

  std::vector<Shape> shapes_;
  std::vector<std::uint32_t> next_;
  std::vector<std::uint32_t> slots_ = std::vector<std::uint32_t>(1024, kNone);
};

}  // namespace peerscope
