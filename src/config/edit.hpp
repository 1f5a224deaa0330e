// Changes one value in a TOML text and leaves all else as it is: comments, order, white space.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace peerscope {

// `value` is plain text as `--set` has it. A key that the text does not have is added to its section.
// The result is checked whole: that it says what it should, and nothing else has changed. `name` is
// what errors call the text.
Result<std::string> edit_toml(const std::string& text, std::string_view key,
                              const std::string& value, const std::string& name);

// The same to a file, which is made if it is missing: written beside it, then renamed over it.
Status edit_file(const std::string& path, std::string_view key, const std::string& value);

}  // namespace peerscope
