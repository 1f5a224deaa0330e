// Any text: it is a rule, or one sentence with a column.
#include <cstdint>
#include <cstdlib>

#include "analyze/alert/parse.hpp"
#include "analyze/alert/silence.hpp"
#include "analyze/alert/words.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace peerscope;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<Rule> rule = parse_rule(text);
  if (!rule && rule.error().message.rfind("column ", 0) != 0) std::abort();
  if (rule && (rule_meaning(*rule).empty() || rule->name.empty())) std::abort();
  // A rule that was read is read again from what it keeps of itself.
  if (rule && !parse_rule(rule->text)) std::abort();
  if (const auto matcher = parse_matcher(text); matcher && !parse_matcher(matcher_text(*matcher)))
    std::abort();
  return 0;
}
