// Numbers in a buffer of bytes: LEB128 varints, and structs as they lie in memory.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

namespace peerscope {

inline void put_varint(std::vector<std::uint8_t>& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
  out.push_back(static_cast<std::uint8_t>(value));
}

// False at the end of the input or where a number has more than 64 bits; `in` is then unchanged.
inline bool take_varint(std::span<const std::uint8_t>& in, std::uint64_t& value) {
  std::uint64_t result = 0;
  for (std::size_t i = 0; i < in.size() && i < 10; ++i) {
    const std::uint64_t bits = in[i] & 0x7F;
    if (i == 9 && bits > 1) return false;
    result |= bits << (7 * i);
    if ((in[i] & 0x80) != 0) continue;
    value = result;
    in = in.subspan(i + 1);
    return true;
  }
  return false;
}

template <class T>
void append_struct(std::vector<std::uint8_t>& out, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  const std::size_t at = out.size();
  out.resize(at + sizeof value);
  std::memcpy(out.data() + at, &value, sizeof value);
}

template <class T>
void append_structs(std::vector<std::uint8_t>& out, std::span<const T> values) {
  static_assert(std::is_trivially_copyable_v<T>);
  const std::size_t at = out.size();
  out.resize(at + values.size_bytes());
  if (!values.empty()) std::memcpy(out.data() + at, values.data(), values.size_bytes());
}

// Copies a struct from the front of `in` and moves it on; false if there are too few bytes.
template <class T>
bool take_struct(std::span<const std::uint8_t>& in, T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (in.size() < sizeof value) return false;
  std::memcpy(&value, in.data(), sizeof value);
  in = in.subspan(sizeof value);
  return true;
}

template <class T>
bool take_structs(std::span<const std::uint8_t>& in, std::size_t count, std::vector<T>& values) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (count > in.size() / sizeof(T)) return false;
  values.resize(count);
  if (count > 0) std::memcpy(values.data(), in.data(), count * sizeof(T));
  in = in.subspan(count * sizeof(T));
  return true;
}

}  // namespace peerscope
