// Where a page ended. As text it is opaque, and checked when it comes back.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace peerscope {

// The order of pages. For the newest first all three are mirrored, so that pages always ascend.
struct PageKey {
  std::int64_t begin_ns = INT64_MIN;
  std::uint64_t major = 0, minor = 0;  // chunk and place in it; or communicator and sequence
  auto operator<=>(const PageKey&) const = default;
  [[nodiscard]] PageKey mirrored(bool newest_first) const {
    return newest_first ? PageKey{~begin_ns, ~major, ~minor} : *this;
  }
};

struct Cursor {
  enum class Of : std::uint8_t { operations = 1, collectives = 2 };
  Of of = Of::operations;
  bool newest_first = false;
  bool inclusive = true;  // the next page begins with the key; else after it
  PageKey key{INT64_MIN, 0, 0};

  [[nodiscard]] bool is_over(const PageKey& other) const {
    return inclusive ? other < key : other <= key;
  }
};

std::string to_text(const Cursor& cursor);
// "" is the first page's.
Result<Cursor> parse_cursor(const std::string& text, Cursor::Of of, bool newest_first);

}  // namespace peerscope
