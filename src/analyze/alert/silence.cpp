#include "analyze/alert/silence.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace peerscope {
namespace {

constexpr const char* kLabels[] = {"rule",   "severity", "kind",         "rank",      "peer",
                                   "device", "link",     "communicator", "operation", "session"};

std::string_view label(const Labels& labels, std::string_view name) {
  for (const auto& [key, value] : labels) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace

const char* name(MatchOp op) {
  constexpr const char* kNames[] = {"=", "!=", "~", "!~"};
  return kNames[static_cast<int>(op)];
}

std::string matcher_text(const Matcher& matcher) {
  return matcher.name + name(matcher.op) + matcher.value;
}

Result<Matcher> parse_matcher(std::string_view text) {
  const std::size_t at = text.find_first_of("!=~");
  Matcher out;
  out.name = std::string(text.substr(0, std::min(at, text.size())));
  const bool known =
      std::find(std::begin(kLabels), std::end(kLabels), out.name) != std::end(kLabels);
  if (at == std::string_view::npos || !known)
    return Error{ErrorCode::invalid_argument,
                 fmt::format("'{}' is no matcher; write LABEL=VALUE, LABEL!=VALUE, LABEL~PATTERN "
                             "or LABEL!~PATTERN with one of the labels {}",
                             text.substr(0, 80), fmt::join(kLabels, ", "))};
  const std::string_view rest = text.substr(at);
  for (const MatchOp op : {MatchOp::not_equal, MatchOp::not_like, MatchOp::equal, MatchOp::like}) {
    const std::string_view sign = name(op);
    if (!rest.starts_with(sign)) continue;
    out.op = op;
    out.value = std::string(rest.substr(sign.size()));
    if (out.value.size() > 200)
      return Error{ErrorCode::invalid_argument,
                   "the value of a matcher has at most 200 characters"};
    return out;
  }
  return Error{
      ErrorCode::invalid_argument,
      fmt::format("'{}' has no sign that compares; there are: =, !=, ~, !~", text.substr(0, 80))};
}

bool matches_pattern(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool matches(const Matcher& matcher, const Labels& labels) {
  const std::string_view value = label(labels, matcher.name);
  switch (matcher.op) {
    case MatchOp::equal:
      return value == matcher.value;
    case MatchOp::not_equal:
      return value != matcher.value;
    case MatchOp::like:
      return matches_pattern(matcher.value, value);
    case MatchOp::not_like:
      return !matches_pattern(matcher.value, value);
  }
  return false;
}

const Silence* silence_of(const Labels& labels, std::span<const Silence> silences,
                          std::int64_t real_ns) {
  for (const Silence& silence : silences) {
    if (silence.until_real_ns <= real_ns || silence.matchers.empty()) continue;
    const bool all = std::all_of(silence.matchers.begin(), silence.matchers.end(),
                                 [&](const Matcher& m) { return matches(m, labels); });
    if (all) return &silence;
  }
  return nullptr;
}

}  // namespace peerscope
