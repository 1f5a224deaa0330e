// A place in a line of text, and what can be read from there.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "analyze/alert/rule.hpp"
#include "base/result.hpp"

namespace peerscope {

class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  [[nodiscard]] bool at_end();  // nothing but space follows
  bool take(char c);            // after space
  bool take_word(std::string_view word);
  std::string_view word();      // [A-Za-z_][A-Za-z0-9_.*]*; "" if there is none
  Result<std::string> value();  // a word, or quoted text
  Result<double> quantity(Quantity quantity);
  Result<std::int64_t> duration();  // above 0
  std::optional<double> number();

  [[nodiscard]] std::size_t at() const { return at_; }
  std::size_t here() { return next(); }  // after space
  void go(std::size_t at) { at_ = at; }
  // "column 5: ..." of where it stands, or of `at`.
  [[nodiscard]] Error error(const std::string& sentence) { return error_at(next(), sentence); }
  [[nodiscard]] Error error_at(std::size_t at, const std::string& sentence) const;
  [[nodiscard]] std::string found();  // what stands there, for sentences

 private:
  std::size_t next();  // skips space
  double unit(Quantity quantity, double value, bool& known);

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace peerscope
