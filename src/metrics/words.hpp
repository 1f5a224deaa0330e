// Text from outside on its way into somebody's format.
#pragma once

#include <string>
#include <string_view>

namespace peerscope::metrics {

inline constexpr std::size_t kLongestLabel = 200;

// Valid UTF-8 without control characters but newline and tab, at most kLongestLabel bytes: what is neither becomes U+FFFD.
std::string label_value(std::string_view text);

// Backslash, newline and, if wanted, quotes as the text formats write them.
void append_escaped(std::string& out, std::string_view text, bool quotes);

}  // namespace peerscope::metrics
