// Shapes that were seen. Guesses what comes next: an iterative program repeats itself.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "trace/shape.hpp"

namespace peerscope {

// A shape that was seen; stays where it is until the table is cleared.
struct SeenShape {
  static constexpr std::uint32_t kNone = UINT32_MAX;

  Shape shape;
  SeenShape* next = nullptr;     // which followed it the last time
  std::uint32_t number = kNone;  // the table's owner's
};

class ShapeTable {
 public:
  // `previous` is that of the operation before it on the same thread, or null.
  SeenShape* find(const Op& op, SeenShape* previous) {
    const Shape shape = Shape::of(op);
    if (previous != nullptr) [[likely]] {
      SeenShape* guess = previous->next;
      if (guess != nullptr && guess->shape == shape) [[likely]]
        return guess;
    }
    SeenShape* seen = find_or_add(shape);
    if (previous != nullptr) previous->next = seen;
    return seen;
  }

  [[nodiscard]] std::size_t size() const { return seen_.size(); }
  void clear();

 private:
  SeenShape* find_or_add(const Shape& shape);
  void grow();

  std::deque<SeenShape> seen_;
  std::vector<SeenShape*> slots_ = std::vector<SeenShape*>(1024, nullptr);
};

}  // namespace peerscope
