// The schema as documents.
#pragma once

#include <string>
#include <string_view>

#include "config/config.hpp"

namespace peerscope {

std::string default_toml();            // all keys with their built-in values, explained
std::string json_schema();             // draft 2020-12, of a configuration file
std::string configuration_markdown();  // docs/configuration.md

// A value that nobody else should see: "alert.webhook_secret", "metrics.otlp_headers".
bool is_secret(std::string_view key);
// As one would write it in TOML, for others' eyes: "(set)" of a secret, no user or password in an address, and of a
// webhook's only the host.
std::string shown(const Config& config, std::string_view key);
std::string without_login(std::string url);  // "https://(set)@example.org/"
std::string without_path(
    std::string url);                    // likewise, and "https://example.org" of what has a path
bool is_loopback(std::string_view url);  // no proxy leads there

}  // namespace peerscope
