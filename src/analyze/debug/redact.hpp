// Takes secrets out of what is going to be shown to others. Cautious: what only looks like one goes, too.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace peerscope {

inline constexpr const char* kRemoved = "[removed]";

// A name of a variable, setting or option whose value nobody else should see: HF_TOKEN, --api-key.
bool names_a_secret(std::string_view name);

// The text without user names and passwords in addresses, without tokens that are known by their
// looks (JWT, AWS, GitHub, Hugging Face, OpenAI, Slack, private keys), without what follows "Bearer".
std::string without_secrets(std::string_view text);

// "NAME=value" with what must go removed.
std::string redact_variable(std::string_view variable);

// A command line: values of options that name a secret go, whichever way they are written.
std::vector<std::string> redact_words(const std::vector<std::string>& words);
std::string redact_line(std::string_view line);  // the same, words parted by spaces

}  // namespace peerscope
