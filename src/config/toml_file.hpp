// A TOML text as assignments, and what editing needs to know of it. The only user of toml++.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/assignment.hpp"

namespace peerscope {

// All values, in the order of the file. Tables become parts of keys; a table that no key lies in, or
// that stands where a value belongs, is an error. `name` is what errors call the file.
Result<std::vector<Assignment>> read_toml(std::string_view text, const std::string& name);

// A single value as the command line has it: TOML if it looks like it ("[", "\""), else as it is.
Raw raw_of(std::string_view text);

}  // namespace peerscope
