// A value on its way into a Config: what was written, where, and what becomes of it.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "config/config.hpp"

namespace peerscope {

struct Unfit {  // a TOML value that no key takes
  std::string what;
};
using Raw = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>, Unfit>;

struct Place {  // in a file: both from 1; the column counts characters
  std::uint32_t line = 0, column = 0;
};

struct Assignment {
  std::string key;
  Raw raw;
  bool plain = false;  // from the environment or the command line: text that the key's type reads
  std::string origin;
  Place begin, end;  // of the value, in its file
};

// What the key makes of it. The error is a sentence without origin: "a.b is 70000; it must ...".
Result<Value> convert(const KeySpec& key, const Assignment& assignment);

// As one would write it in TOML.
std::string written(const KeySpec& key, const Value& value);
std::string range_of(const KeySpec& key);  // "between 1 and 9", "at least 1"
// What the key takes, for people: "a whole number from 1 to 65535".
std::string expectation(const KeySpec& key);
std::string quoted(std::string_view text);  // a TOML string

// The known name that is nearest, if it is near: "; did you mean 'x'?", else "".
std::string did_you_mean(std::string_view name, const std::vector<std::string>& known);

}  // namespace peerscope
