// What all operations of a shape have in common, as text that is made once.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>

#include "trace/export/out.hpp"

namespace peerscope {

class ShapeText {
 public:
  using Make = std::function<std::string(const Op&)>;
  explicit ShapeText(Make make) : make_(std::move(make)) {}

  const std::string& of(const Op& op) {
    const Shape shape = Shape::of(op);
    if (last_ != nullptr && shape == last_shape_) return *last_;
    // Few thousand as a rule; where every operation is another, memory must not grow with them.
    if (known_.size() > kMost) known_.clear();
    auto [at, is_new] = known_.try_emplace(shape);
    if (is_new) at->second = make_(op);
    last_shape_ = shape;
    last_ = &at->second;
    return *last_;
  }

 private:
  static constexpr std::size_t kMost = 65'536;
  struct Hash {
    std::size_t operator()(const Shape& shape) const {
      std::uint64_t hash = 0;
      for (const std::uint64_t word : shape.words)
        hash = (hash ^ word) * 0x9E37'79B9'7F4A'7C15u ^ hash >> 31;
      return static_cast<std::size_t>(hash ^ hash >> 32);
    }
  };
  Make make_;
  std::unordered_map<Shape, std::string, Hash> known_;
  Shape last_shape_;
  const std::string* last_ = nullptr;
};

// A number, or nothing where it is unknown.
template <class T>
std::string known_text(T value, T unknown, std::string_view otherwise = "") {
  return value == unknown ? std::string(otherwise) : std::to_string(value);
}

}  // namespace peerscope
