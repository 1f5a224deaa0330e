#include "analyze/debug/redact.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace peerscope {
namespace {

constexpr std::array kSecretWords{
    "TOKEN",  "SECRET",     "KEY",    "PASS",   "PASSWD", "CREDENTIAL", "AUTH",
    "COOKIE", "PRIVATE",    "SIGNAT", "BEARER", "PWD",    "LICENSE",    "CONNECTION_STRING",
    "DSN",    "SESSION_ID", "JWT",    "CERT",   "SALT",   "WEBHOOK",    "HEADERS"};
// What contains such a word and is none.
constexpr std::array kHarmless{"PWD", "OLDPWD", "TOKENIZERS_PARALLELISM", "KEYBOARD"};

struct TokenLook {
  const char* prefix;
  std::size_t least;  // of characters after it
};
constexpr TokenLook kTokenLooks[] = {
    {"eyJ", 20},       {"AKIA", 12},  {"ASIA", 12},        {"ghp_", 16}, {"gho_", 16},
    {"ghs_", 16},      {"ghu_", 16},  {"github_pat_", 16}, {"hf_", 16},  {"sk-", 16},
    {"xoxb-", 10},     {"xoxp-", 10}, {"glpat-", 10},      {"AIza", 20}, {"nvapi-", 10},
    {"dckr_pat_", 10}, {"pypi-", 16}};

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    c = c == '-' || c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return out;
}

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
}

bool ends_address(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0 || c == '/' || c == '"' || c == '\'' ||
         c == '?' || c == '#';
}

// Where the user's name and password end in what follows "://": at the @. 0: there are none. A password
// may hold a slash that nobody escaped; "host:8080/a@b" has no password.
std::size_t user_info(std::string_view text) {
  std::size_t authority = 0, word = 0;
  while (authority < text.size() && !ends_address(text[authority])) ++authority;
  while (word < text.size() && std::isspace(static_cast<unsigned char>(text[word])) == 0 &&
         text[word] != '"' && text[word] != '\'')
    ++word;
  const std::string_view host = text.substr(0, authority);
  if (const std::size_t sign = host.rfind('@'); sign != std::string_view::npos) return sign;
  const std::size_t colon = host.find(':');
  if (colon == std::string_view::npos || host[0] == '[') return 0;
  const std::string_view port = host.substr(colon + 1);
  const bool digits = std::all_of(port.begin(), port.end(), [](char c) {
    return std::isdigit(static_cast<unsigned char>(c)) != 0;
  });
  const std::size_t sign = text.substr(0, word).rfind('@');
  return digits || sign == std::string_view::npos ? 0 : sign;
}

// "https://user:pass@host" -> "https://[removed]@host"
std::string without_user_info(std::string_view text) {
  std::string out;
  std::size_t at = 0;
  for (;;) {
    const std::size_t found = text.find("://", at);
    if (found == std::string_view::npos) break;
    const std::size_t begin = found + 3;
    out += text.substr(at, begin - at);
    at = begin;
    const std::size_t length = user_info(text.substr(begin));
    if (length == 0) continue;
    out += kRemoved;
    at = begin + length;
  }
  return out += text.substr(at);
}

std::size_t backslashes_before(std::string_view text, std::size_t at) {
  std::size_t count = 0;
  while (count < at && text[at - count - 1] == '\\') ++count;
  return count;
}

// Where the quote is closed that stands at `open`. Escaped quotes are part of the value: \", and where all of it was
// written out once more, \\\". Cut off before that: where the text ends,
// or what the text is quoted in, so that nothing of it stays.
std::size_t close_of_quote(std::string_view text, std::size_t open) {
  const bool written_out = open > 0 && text[open - 1] == '\\';
  for (std::size_t at = open + 1; (at = text.find(text[open], at)) != std::string_view::npos;
       ++at) {
    const std::size_t before = std::min(backslashes_before(text, at), at - open - 1);
    if (before % 2 == 0 || (written_out && before % 4 == 1)) return at;
  }
  const std::size_t outer = text[open] == '\'' ? text.find('"', open) : text.size();
  return std::min(outer, text.size());
}

// Where a value ends that begins at `at`: behind its quotes, written out or not, else where a parameter or a word does.
std::size_t end_of_value(std::string_view text, std::size_t at) {
  const std::size_t open = at < text.size() && text[at] == '\\' ? at + 1 : at;
  if (open < text.size() && (text[open] == '"' || text[open] == '\'')) {
    const std::size_t close = close_of_quote(text, open);
    return close < text.size() && text[close] == text[open] ? close + 1 : close;
  }
  return std::min(text.find_first_of("&;,\"'\\ \t\r\n\v\f", at), text.size());
}

// "\"password\": \"x\"" -> "\"password\": \"[removed]\"": members of JSON and of Python, quoted on both sides.
std::string without_members(std::string_view text) {
  std::string out;
  std::size_t at = 0;
  for (;;) {
    const std::size_t colon = text.find(':', at);
    if (colon == std::string_view::npos) break;
    std::size_t end = colon, begin = colon + 1;
    if (end > at && (text[end - 1] == '"' || text[end - 1] == '\'')) --end;
    if (end > at && text[end - 1] == '\\') --end;
    std::size_t name = end;
    while (name > at && is_word(text[name - 1])) --name;
    while (begin < text.size() && text[begin] == ' ') ++begin;
    const std::size_t quote = begin < text.size() && text[begin] == '\\' ? begin + 1 : begin;
    const bool quoted =
        end < colon && quote < text.size() && (text[quote] == '"' || text[quote] == '\'');
    if (!quoted || !names_a_secret(text.substr(name, end - name))) {
      out += text.substr(at, colon + 1 - at);
      at = colon + 1;
      continue;
    }
    out += text.substr(at, quote + 1 - at);
    out += kRemoved;
    const std::size_t close = close_of_quote(text, quote);
    const bool own = close < text.size() && backslashes_before(text, close) % 2 == 1;
    at = own ? close - 1 : close;  // with the quote's own backslash
  }
  return out += text.substr(at);
}

// "?token=abc&n=1" -> "?token=[removed]&n=1"; also "token: abc" is left alone: no address, no option.
std::string without_parameters(std::string_view text) {
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t equals = text.find('=', at);
    if (equals == std::string_view::npos) break;
    std::size_t begin = equals;
    while (begin > at && is_word(text[begin - 1])) --begin;
    out += text.substr(at, equals + 1 - at);
    at = equals + 1;
    if (!names_a_secret(text.substr(begin, equals - begin))) continue;
    const std::size_t end = end_of_value(text, at);
    if (end > at) out += kRemoved;
    at = end;
  }
  return out += text.substr(std::min(at, text.size()));
}

// Words that look like a token, and what follows "Bearer " or "Authorization: Basic ".
std::string without_tokens(std::string_view text) {
  std::string out;
  std::size_t at = 0;
  bool bearer = false;
  std::string before;
  while (at < text.size()) {
    if (!is_word(text[at])) {
      out += text[at++];
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && is_word(text[end])) ++end;
    const std::string_view word = text.substr(at, end - at);
    const bool looks =
        std::any_of(std::begin(kTokenLooks), std::end(kTokenLooks), [&](const auto& look) {
          const std::string_view prefix = look.prefix;
          return word.size() >= prefix.size() + look.least &&
                 word.substr(0, prefix.size()) == prefix;
        });
    if (looks || bearer)
      out += kRemoved;
    else
      out += word;
    const std::string now = upper(word);
    bearer = now == "BEARER" || (now == "BASIC" && before.ends_with("AUTHORIZATION"));
    before = now;
    at = end;
  }
  return out;
}

// A key is of many lines: nothing of it stays.
std::string without_keys(std::string_view text) {
  const std::size_t begin = text.find("-----BEGIN ");
  if (begin == std::string_view::npos) return std::string(text);
  const std::size_t end = text.find("-----END ", begin);
  // In JSON a line's end is written out, and the text ends at a quote.
  const std::size_t from = end == std::string_view::npos ? begin : end;
  const std::size_t after = std::min(
      text.find_first_of(end == std::string_view::npos ? "\"" : "\n\"", from), text.size());
  return std::string(text.substr(0, begin)) + kRemoved + without_keys(text.substr(after));
}

}  // namespace

bool names_a_secret(std::string_view name) {
  while (!name.empty() && name.front() == '-') name.remove_prefix(1);
  const std::string text = upper(name);
  if (std::any_of(kHarmless.begin(), kHarmless.end(),
                  [&](const char* harmless) { return text == harmless; }))
    return false;
  return std::any_of(kSecretWords.begin(), kSecretWords.end(),
                     [&](const char* word) { return text.find(word) != std::string::npos; });
}

std::string without_secrets(std::string_view text) {
  return without_tokens(without_parameters(without_members(without_user_info(without_keys(text)))));
}

std::string redact_variable(std::string_view variable) {
  const std::size_t equals = variable.find('=');
  if (equals == std::string_view::npos) return without_secrets(variable);
  const std::string_view name = variable.substr(0, equals);
  if (names_a_secret(name)) return without_secrets(name) + "=" + kRemoved;
  return without_secrets(variable);  // the whole: an address may have its = anywhere
}

std::vector<std::string> redact_words(const std::vector<std::string>& words) {
  std::vector<std::string> out;
  bool value = false;  // of an option that names a secret
  for (const std::string& word : words) {
    if (word.find(' ') != std::string::npos && !value) {  // a script: sh -c "..."
      out.push_back(redact_line(word));
      continue;
    }
    const bool option = word.size() > 1 && word[0] == '-';
    if (value && word.rfind("--", 0) != 0) {  // a password may begin with one -
      out.emplace_back(kRemoved);
      value = false;
      continue;
    }
    const bool whole = word.find('=') == std::string::npos;
    value = option && whole && names_a_secret(word);
    out.push_back(whole ? without_secrets(word) : redact_variable(word));
  }
  return out;
}

std::string redact_line(std::string_view line) {
  std::vector<std::string> words(1);
  for (const char c : line) {
    if (c == ' ')
      words.emplace_back();
    else
      words.back() += c;
  }
  std::string out;
  for (const std::string& word : redact_words(words)) out += (out.empty() ? "" : " ") + word;
  return without_secrets(out);  // what spans words: "Bearer abc", a key
}

}  // namespace peerscope
