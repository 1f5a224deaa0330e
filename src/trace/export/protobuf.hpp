// As much of protobuf's wire format as a writer needs.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace peerscope {

class Proto {
 public:
  Proto& number(unsigned field, std::uint64_t value) {
    key(field, 0);
    varint(value);
    return *this;
  }
  Proto& fixed64(unsigned field, std::uint64_t value) {
    key(field, 1);
    append(&value, sizeof value);
    return *this;
  }
  Proto& real(unsigned field, double value) {
    key(field, 1);
    append(&value, sizeof value);
    return *this;
  }
  Proto& bytes(unsigned field, std::string_view value) {
    key(field, 2);
    varint(value.size());
    bytes_.append(value);
    return *this;
  }
  Proto& message(unsigned field, const Proto& value) { return bytes(field, value.bytes_); }
  Proto& raw(std::string_view encoded) {
    bytes_.append(encoded);
    return *this;
  }
  Proto& clear() {
    bytes_.clear();
    return *this;
  }
  [[nodiscard]] const std::string& str() const { return bytes_; }

 private:
  void key(unsigned field, unsigned type) { varint(field << 3 | type); }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>(value | 0x80));
    bytes_.push_back(static_cast<char>(value));
  }
  void append(const void* data, std::size_t n) {
    bytes_.append(static_cast<const char*>(data), n);  // little-endian, as we are
  }
  std::string bytes_;
};

}  // namespace peerscope
