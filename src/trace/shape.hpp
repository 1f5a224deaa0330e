// All of an operation but its times, bytes and sequence. Few shapes serve many operations: a chunk
// stores each once and operations name it by index.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "model/op.hpp"

namespace peerscope {

// The bytes of Op from `comm` on, as they lie in memory: 40 bytes, little-endian (see
// docs/trace-format.md).
struct Shape {
  static constexpr std::size_t kBytes = 40, kWords = 5, kOffset = 48;
  std::array<std::uint64_t, kWords> words{};

  static Shape of(const Op& op) {
    Shape shape;
    std::memcpy(shape.words.data(), reinterpret_cast<const char*>(&op) + kOffset, kBytes);
    return shape;
  }
  void apply(Op& op) const {
    std::memcpy(reinterpret_cast<char*>(&op) + kOffset, words.data(), kBytes);
  }
  [[nodiscard]] Op op() const {
    Op op;
    apply(op);
    return op;
  }
  // Values that no program writes are damage, not data.
  [[nodiscard]] bool is_valid() const {
    std::array<std::uint8_t, 8> last;  // kind algorithm protocol dtype status backend async only
    std::memcpy(last.data(), &words[4], sizeof last);
    return last[0] < 32 && last[1] < 32 && last[2] < 8 && last[3] < 16 && last[4] < 32 &&
           last[6] < 2 && last[7] < 2;
  }
  [[nodiscard]] std::uint64_t lane() const {  // process and thread
    return words[1];
  }
  [[nodiscard]] Kind kind() const { return op().kind; }
  // Without a branch a word: most of the time it is equal.
  bool operator==(const Shape& other) const {
    std::uint64_t different = 0;
    for (std::size_t i = 0; i < kWords; ++i) different |= words[i] ^ other.words[i];
    return different == 0;
  }
};

static_assert(offsetof(Op, comm) == 48 && sizeof(Op) == 48 + Shape::kBytes);
static_assert(offsetof(Op, process) == 56 && offsetof(Op, thread) == 60);
static_assert(offsetof(Op, weight) == 64 && offsetof(Op, rank) == 68 && offsetof(Op, ranks) == 70);
static_assert(offsetof(Op, peer) == 72 && offsetof(Op, device) == 74 && offsetof(Op, stream) == 76);
static_assert(offsetof(Op, channel) == 78 && offsetof(Op, kind) == 80);
static_assert(offsetof(Op, backend) == 85 && offsetof(Op, device_only) == 87);

}  // namespace peerscope
