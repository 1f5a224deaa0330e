// The schema as documents.
#pragma once

#include <string>

namespace peerscope {

std::string default_toml();            // all keys with their built-in values, explained
std::string json_schema();             // draft 2020-12, of a configuration file
std::string configuration_markdown();  // docs/configuration.md

}  // namespace peerscope
