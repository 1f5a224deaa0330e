// Text for exports: numbers without allocation, strings escaped, blocks of 64 KiB to the sink.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "trace/export/export.hpp"

namespace peerscope {

// Writes decimal digits and returns the end. At most 20 bytes.
char* put_decimal(char* at, std::uint64_t value);
inline char* put_decimal(char* at, std::int64_t value) {
  if (value >= 0) return put_decimal(at, static_cast<std::uint64_t>(value));
  *at = '-';
  return put_decimal(at + 1, std::uint64_t{0} - static_cast<std::uint64_t>(value));
}
inline char* put_text(char* at, std::string_view text) {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

class Out {
 public:
  explicit Out(ByteSink& sink) : sink_(sink), buffer_(kBlock) {}
  ~Out() { flush(); }
  Out(const Out&) = delete;
  Out& operator=(const Out&) = delete;

  Out& operator<<(std::string_view text) {
    if (text.size() > kBlock) return put_large(text);
    used_ = static_cast<std::size_t>(put_text(room(text.size()), text) - buffer_.data());
    return *this;
  }
  Out& operator<<(char c) {
    *room(1) = c;
    ++used_;
    return *this;
  }
  template <std::integral T>
    requires(!std::same_as<T, char> && !std::same_as<T, bool>)
  Out& operator<<(T value) {
    using Wide = std::conditional_t<std::signed_integral<T>, std::int64_t, std::uint64_t>;
    done(put_decimal(room(24), static_cast<Wide>(value)));
    return *this;
  }
  // Shortest that reads back the same; JSON has no infinities: null.
  Out& operator<<(double value);

  // For what writes many small things at once: at least `bytes` (at most a block) to write to, until
  // done() says where that ended.
  char* room(std::size_t bytes) {
    if (used_ + bytes > kBlock) flush();
    return buffer_.data() + used_;
  }
  void done(const char* end) { used_ = static_cast<std::size_t>(end - buffer_.data()); }
  void flush();

 private:
  static constexpr std::size_t kBlock = 64 * 1024;
  Out& put_large(std::string_view text);
  ByteSink& sink_;
  std::vector<char> buffer_;
  std::size_t used_ = 0;
};

// UTF-8 with what is none replaced by U+FFFD.
std::string clean_utf8(std::string_view text);
std::string json_string(std::string_view text);  // with its quotes
std::string xml_text(std::string_view text);     // also for attributes
std::string csv_field(std::string_view text);    // quoted where it has to be (RFC 4180)

// Microseconds with the fraction of a nanosecond count: "12345.678".
struct Micros {
  std::int64_t ns;
};
Out& operator<<(Out& out, Micros time);

const char* name(MarkType type);

}  // namespace peerscope
