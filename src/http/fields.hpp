// What header fields say. Every function takes any bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "http/message.hpp"

namespace peerscope::http {

[[nodiscard]] std::string lower(std::string_view text);
[[nodiscard]] bool is_field_name(
    std::string_view name);  // a token: letters, digits, -_.~ and the like
[[nodiscard]] bool is_field_value(
    std::string_view value);  // no CR, LF, NUL or other control character
[[nodiscard]] std::string_view trimmed(std::string_view text);

// Of "a=1; peerscope_token=xyz".
[[nodiscard]] std::optional<std::string_view> cookie(std::string_view header,
                                                     std::string_view name);
// Of "Bearer xyz"; the scheme in any case.
[[nodiscard]] std::optional<std::string_view> bearer(std::string_view header);

struct Host {
  std::string name;  // lower case; an IPv6 address without brackets
  std::string port;  // "": none
};
[[nodiscard]] std::optional<Host> parse_host(std::string_view header);
[[nodiscard]] bool is_loopback(std::string_view name);  // "localhost", 127.0.0.0/8, ::1

// True if a browser says that a page of another origin asks: Sec-Fetch-Site, or Origin that is not this server's.
// Programs that are no browser send neither.
[[nodiscard]] bool is_foreign(const Request& request);

[[nodiscard]] bool accepts_gzip(std::string_view accept_encoding);
// `etag` with its quotes. A weak one matches, too: only GET asks.
[[nodiscard]] bool has_etag(std::string_view if_none_match, std::string_view etag);

}  // namespace peerscope::http
