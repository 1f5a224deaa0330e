// Which alerts nobody wants to hear of now.
#pragma once

#include <span>
#include <string_view>

#include "analyze/alert/alert.hpp"
#include "base/result.hpp"

namespace peerscope {

Result<Matcher> parse_matcher(std::string_view text);  // "rank=3", "rule!~slow*"
std::string matcher_text(const Matcher& matcher);
const char* name(MatchOp op);  // "=", "!=", "~", "!~"

bool matches_pattern(std::string_view pattern, std::string_view text);  // * and ?; no recursion
bool matches(const Matcher& matcher, const Labels& labels);
// The first of those that hold at that time; null: nobody silences it.
const Silence* silence_of(const Labels& labels, std::span<const Silence> silences,
                          std::int64_t real_ns);

}  // namespace peerscope
