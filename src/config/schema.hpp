// What can be configured: one table. Validation, documents, help and the JSON Schema are made from it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace peerscope {

enum class ValueType : std::uint8_t {
  boolean,
  integer,
  real,
  text,
  choice,
  duration,  // kept in ns
  bytes,
  percent,  // kept as a share: "1 %" is 0.01
  list      // of text; of whole numbers if it has a range
};

inline constexpr double kNoLimit = 1e15;  // as `most`: a number without an end; exact in a double

struct KeySpec {
  const char* name;  // "trace.max_bytes"
  ValueType type;
  const char* fallback;  // the built-in value, as one would write it
  double least,
      most;          // in what is kept (ns, bytes, share). Of a list: of its numbers; both 0: text
  const char* unit;  // of a plain number: "s", "ms", "bytes"; else what it counts; may be empty
  const char* choices;  // "a b c", of a choice and of a list; may be empty
  bool live;            // can be changed in running processes
  const char* aliases;  // further names in the environment, "A B"; the first wins
  const char* help;     // one sentence

  [[nodiscard]] bool has_range() const { return least != most; }
  [[nodiscard]] bool is_open_ended() const { return most == kNoLimit; }
};

std::span<const KeySpec> schema();
const KeySpec* find_key(std::string_view name);  // null: there is none

// "trace.max_bytes" -> "PEERSCOPE_TRACE__MAX_BYTES".
std::string environment_name(std::string_view key);

// The words of a list such as KeySpec::choices.
std::vector<std::string> words_of(std::string_view text);

// What every section is about, for documents. The order is that of the keys.
struct SectionSpec {
  const char* name;
  const char* help;
};
std::span<const SectionSpec> sections();

}  // namespace peerscope
