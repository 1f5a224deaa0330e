// What a client asks for: path and query, decoded and checked once, so that nobody behind has to.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "http/message.hpp"

namespace peerscope::http {

struct Target {
  std::string path;
  Fields query;
};

// "/api/v1/operations?limit=5". Refuses what could mean something else to another reader: "." and "..", "//", control
// characters, a backslash, half an escape, and bytes that are not UTF-8 (an answer in JSON may repeat them).
Result<Target> parse_target(std::string_view target);

[[nodiscard]] bool is_utf8(std::string_view text);

}  // namespace peerscope::http
