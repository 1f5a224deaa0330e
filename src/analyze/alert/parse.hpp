// One line of the rules' language, as docs/alerts.md has it.
#pragma once

#include <string>
#include <string_view>

#include "analyze/alert/rule.hpp"
#include "base/result.hpp"

namespace peerscope {

// What a rule that does not say it has.
struct RuleDefaults {
  std::int64_t for_ns = 0, finding_for_ns = 0, keep_ns = 0;
};

// The error is one sentence that begins with the column (characters, from 1) and says what is known there.
Result<Rule> parse_rule(std::string_view text, const RuleDefaults& defaults = {});

inline constexpr std::size_t kMostRuleBytes = 1000;

// Kinds of findings that rules may name.
std::span<const std::string_view> finding_kinds();

}  // namespace peerscope
