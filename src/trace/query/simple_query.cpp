#include "trace/query/simple_query.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

#include <sqlite3.h>

namespace peerscope {
namespace {

enum class TokenType : std::uint8_t { end, word, number, text, symbol, bad };

struct Token {
  TokenType type = TokenType::end;
  std::string_view source;  // as written
  std::string text;         // of a text literal, its value; of a word, in small letters
};

class Tokens {
 public:
  explicit Tokens(std::string_view sql) : rest_(sql) { next(); }
  [[nodiscard]] const Token& now() const { return now_; }

  Token take() {
    Token token = std::move(now_);
    next();
    return token;
  }
  bool take(std::string_view word_or_symbol) {
    const bool same = (now_.type == TokenType::word && now_.text == word_or_symbol) ||
                      (now_.type == TokenType::symbol && now_.source == word_or_symbol);
    if (same) next();
    return same;
  }

 private:
  void next() {
    now_ = {};
    // Not isspace: to SQLite a vertical tab is no space.
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\n\f\r"), rest_.size()));
    if (rest_.empty()) return;
    const auto c = static_cast<unsigned char>(rest_[0]);
    if (std::isalpha(c) != 0 || c == '_') return word();
    if (std::isdigit(c) != 0) return number();
    if (c == '\'') return literal();
    std::size_t n = 1;
    for (const char* two : {"<=", ">=", "<>", "!=", "=="}) {
      if (rest_.substr(0, 2) == two) n = 2;
    }
    now_ = {std::string_view("=<>!,()*;-").find(rest_[0]) == std::string_view::npos ||
                    rest_.substr(0, 2) == "--"
                ? TokenType::bad
                : TokenType::symbol,
            rest_.substr(0, n),
            {}};
    rest_.remove_prefix(n);
  }
  void word() {
    std::size_t n = 0;
    while (n < rest_.size() &&
           (std::isalnum(static_cast<unsigned char>(rest_[n])) != 0 || rest_[n] == '_'))
      ++n;
    now_ = {TokenType::word, rest_.substr(0, n), std::string(rest_.substr(0, n))};
    for (char& c : now_.text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    rest_.remove_prefix(n);
  }
  void number() {
    std::size_t n = 0;
    while (n < rest_.size() && (std::isalnum(static_cast<unsigned char>(rest_[n])) != 0 ||
                                rest_[n] == '.' || rest_[n] == '_'))
      ++n;
    const std::string_view all = rest_.substr(0, n);
    // Whole numbers only. What else there is of them, and what is none to SQLite, either (1b), it may judge.
    const bool whole = all.find_first_not_of("0123456789") == std::string_view::npos;
    now_ = {whole ? TokenType::number : TokenType::bad, all, {}};
    rest_.remove_prefix(n);
  }
  void literal() {
    std::size_t at = 1;
    for (; at < rest_.size(); ++at) {
      if (rest_[at] == '\'' && (at + 1 >= rest_.size() || rest_[at + 1] != '\'')) break;
      if (rest_[at] == '\'') ++at;
      now_.text += rest_[at];
    }
    now_.type = at < rest_.size() ? TokenType::text : TokenType::bad;
    now_.source = rest_.substr(0, std::min(at + 1, rest_.size()));
    rest_.remove_prefix(now_.source.size());
  }

  std::string_view rest_;
  Token now_;
};

// Of SQL: no name unless it is quoted. Some of them SQLite would take; it is asked then.
bool is_keyword(std::string_view word) {
  return sqlite3_keyword_check(word.data(), static_cast<int>(word.size())) != 0;
}

class Parser {
 public:
  explicit Parser(std::string_view sql) : sql_(sql), tokens_(sql) {}

  std::optional<SimpleQuery> parse() {
    if (!tokens_.take("select") || !items()) return std::nullopt;
    if (!tokens_.take("from") || !tokens_.take("ops")) return std::nullopt;
    if (tokens_.take("where") && !conditions()) return std::nullopt;
    if (tokens_.take("group") && !(tokens_.take("by") && groups())) return std::nullopt;
    if (tokens_.take("order") && !(tokens_.take("by") && order())) return std::nullopt;
    if (tokens_.take("limit") && !limit()) return std::nullopt;
    tokens_.take(";");
    if (tokens_.now().type != TokenType::end || !makes_sense()) return std::nullopt;
    return query_;
  }

 private:
  bool items() {
    do {
      SelectItem item;
      const Token first = tokens_.take();
      if (first.type != TokenType::word) return false;
      const char* begin = first.source.data();
      const char* end = begin + first.source.size();
      if (tokens_.take("(")) {
        if (!aggregate(first.text, item)) return false;
        const char* bracket = tokens_.now().source.data();  // null at the end of the text
        if (!tokens_.take(")")) return false;
        end = bracket + 1;
      } else {
        item.column = find_ops_column(first.text);
        if (!item.column) return false;
        end = nullptr;  // SQLite shows a plain column by its declared name
      }
      item.title = end == nullptr ? info(*item.column).name : std::string(begin, end);
      if (tokens_.take("as")) {
        const Token title = tokens_.take();
        if (title.type != TokenType::word || is_keyword(title.source)) return false;
        item.title = title.source;
      }
      query_.items.push_back(std::move(item));
    } while (tokens_.take(","));
    return true;
  }

  bool aggregate(const std::string& name, SelectItem& item) {
    static constexpr std::pair<const char*, Aggregate> kNames[] = {{"count", Aggregate::count},
                                                                   {"sum", Aggregate::sum},
                                                                   {"avg", Aggregate::avg},
                                                                   {"min", Aggregate::min},
                                                                   {"max", Aggregate::max}};
    for (const auto& [known, aggregate] : kNames) {
      if (name == known) item.aggregate = aggregate;
    }
    if (item.aggregate == Aggregate::none) return false;
    if (tokens_.take("*")) return item.aggregate == Aggregate::count;
    const Token word = tokens_.take();
    item.column = word.type == TokenType::word ? find_ops_column(word.text) : std::nullopt;
    return item.column.has_value();
  }

  bool conditions() {
    do {
      if (!condition()) return false;
    } while (tokens_.take("and"));
    return true;
  }

  bool condition() {
    const Token word = tokens_.take();
    const auto column = word.type == TokenType::word ? find_ops_column(word.text) : std::nullopt;
    if (!column) return false;
    if (tokens_.take("between")) {
      auto least = literal(*column);
      if (!least || !tokens_.take("and")) return false;
      auto most = literal(*column);
      if (!most) return false;
      query_.conditions.push_back({*column, Comparison::ge, {*least}});
      query_.conditions.push_back({*column, Comparison::le, {*most}});
      return true;
    }
    if (tokens_.take("in")) {
      SimpleCondition in{*column, Comparison::eq, {}};
      if (!tokens_.take("(")) return false;
      do {
        auto value = literal(*column);
        if (!value) return false;
        in.values.push_back(*value);
      } while (tokens_.take(","));
      if (!tokens_.take(")")) return false;
      query_.conditions.push_back(std::move(in));
      return true;
    }
    static constexpr std::pair<const char*, Comparison> kSigns[] = {
        {"=", Comparison::eq},  {"==", Comparison::eq}, {"!=", Comparison::ne},
        {"<>", Comparison::ne}, {"<=", Comparison::le}, {">=", Comparison::ge},
        {"<", Comparison::lt},  {">", Comparison::gt}};
    for (const auto& [sign, comparison] : kSigns) {
      if (!tokens_.take(sign)) continue;
      auto value = literal(*column);
      if (!value) return false;
      query_.conditions.push_back({*column, comparison, {*value}});
      return true;
    }
    return false;
  }

  // Of the column's own type, so that no conversion is needed.
  std::optional<SqlValue> literal(OpsColumn column) {
    const bool is_text = std::string_view(info(column).type) == "TEXT";
    if (tokens_.now().type == TokenType::text) {
      if (!is_text) return std::nullopt;
      return SqlValue(tokens_.take().text);
    }
    const bool negative = tokens_.take("-");
    if (is_text || tokens_.now().type != TokenType::number) return std::nullopt;
    const std::string_view digits = tokens_.take().source;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return SqlValue(negative ? -value : value);
  }

  bool groups() {
    do {
      const Token word = tokens_.take();
      const auto column = word.type == TokenType::word ? find_ops_column(word.text) : std::nullopt;
      // A title of another item would win over the column.
      if (!column || !is_of_shape(*column)) return false;
      query_.groups.push_back(*column);
    } while (tokens_.take(","));
    return true;
  }

  bool order() {
    do {
      const Token term = tokens_.take();
      std::optional<std::size_t> item;
      if (term.type == TokenType::number) {
        std::size_t number = 0;
        std::from_chars(term.source.data(), term.source.data() + term.source.size(), number);
        if (number >= 1 && number <= query_.items.size()) item = number - 1;
      } else if (term.type == TokenType::word) {
        for (std::size_t i = 0; i < query_.items.size() && !item; ++i) {
          if (query_.items[i].title == term.source) item = i;
        }
      }
      if (!item) return false;
      const bool descending = tokens_.take("desc");
      if (!descending) tokens_.take("asc");
      query_.order.push_back({*item, descending});
    } while (tokens_.take(","));
    return true;
  }

  bool limit() {
    const Token number = tokens_.take();
    std::uint64_t value = 0;
    const auto [end, error] =
        std::from_chars(number.source.data(), number.source.data() + number.source.size(), value);
    if (number.type != TokenType::number || error != std::errc() ||
        end != number.source.data() + number.source.size())
      return false;
    query_.limit = value;
    return true;
  }

  // Aggregates of numbers; plain columns only if they are grouped by; no title that hides a column.
  [[nodiscard]] bool makes_sense() const {
    bool any = false;
    for (const SelectItem& item : query_.items) {
      if (item.aggregate == Aggregate::none) {
        if (std::find(query_.groups.begin(), query_.groups.end(), *item.column) ==
            query_.groups.end())
          return false;
        if (const auto hidden = find_ops_column(item.title); !hidden || *hidden != *item.column) {
          if (hidden) return false;
        }
        continue;
      }
      any = true;
      if (find_ops_column(item.title)) return false;
      if (!item.column) continue;
      const bool summed = *item.column == OpsColumn::bytes ||
                          *item.column == OpsColumn::host_duration_ns ||
                          *item.column == OpsColumn::device_duration_ns;
      if (!summed && !(item.aggregate != Aggregate::sum && item.aggregate != Aggregate::avg &&
                       *item.column == OpsColumn::begin_ns))
        return false;
    }
    for (const SimpleCondition& condition : query_.conditions) {
      const OpsColumn c = condition.column;
      if (!is_of_shape(c) && c != OpsColumn::begin_ns && c != OpsColumn::bytes &&
          c != OpsColumn::host_duration_ns && c != OpsColumn::device_duration_ns)
        return false;
    }
    return any;
  }

  std::string_view sql_;
  Tokens tokens_;
  SimpleQuery query_;
};

}  // namespace

std::optional<SimpleQuery> parse_simple(std::string_view sql) {
  // SQLite's text ends at a zero.
  if (sql.size() > 64 * 1024 || sql.find('\0') != std::string_view::npos) return std::nullopt;
  return Parser(sql).parse();
}

}  // namespace peerscope
