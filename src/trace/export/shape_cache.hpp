// What all operations of a shape have in common, made once.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "trace/shape.hpp"

namespace peerscope {

template <class T>
class ShapeCache {
 public:
  using Make = std::function<T(const Op&)>;
  explicit ShapeCache(Make make) : make_(std::move(make)) {}

  // Valid until the next call.
  const T& of(const Op& op) {
    const Shape shape = Shape::of(op);
    const std::size_t hash = Hash{}(shape);
    Recent& recent = recent_[hash % kRecent];
    if (recent.value == nullptr || !(recent.shape == shape)) recent = {shape, &find(shape, op)};
    return *recent.value;
  }

 private:
  static constexpr std::size_t kMost = 65'536, kRecent = 1024;
  struct Hash {
    std::size_t operator()(const Shape& shape) const {
      std::uint64_t hash = 0;
      for (const std::uint64_t word : shape.words) {
        hash = (hash ^ word) * 0x9E37'79B9'7F4A'7C15u;
        hash ^= hash >> 32;
      }
      return static_cast<std::size_t>(hash);
    }
  };
  struct Recent {
    Shape shape;
    const T* value = nullptr;
  };

  const T& find(const Shape& shape, const Op& op) {
    // A few thousand as a rule; where every operation is another, memory must not grow with them.
    if (known_.size() >= kMost) {
      known_.clear();
      recent_.assign(kRecent, {});
    }
    auto [at, is_new] = known_.try_emplace(shape);
    if (is_new) at->second = make_(op);
    return at->second;
  }

  Make make_;
  std::unordered_map<Shape, T, Hash> known_;
  std::vector<Recent> recent_ = std::vector<Recent>(kRecent);
};

// A number, or `otherwise` where it is unknown.
template <class T>
std::string known_text(T value, T unknown, std::string_view otherwise = "") {
  return value == unknown ? std::string(otherwise) : std::to_string(value);
}

}  // namespace peerscope
