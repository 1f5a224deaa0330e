// Errors as values: a code for programs, a sentence for people.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace peerscope {

enum class ErrorCode {
  invalid_argument,
  not_found,
  corrupt,
  io,
  no_memory,
  timeout,
  peer_lost,
  mismatch,
  unsupported
};

struct Error {
  ErrorCode code = ErrorCode::invalid_argument;
  std::string message;  // what, where, what to do
};

// A value or an Error. Test with `if (!result)` before use.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::move(value)) {
  }  // NOLINT(google-explicit-constructor): reads as `return value;`
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  explicit operator bool() const { return std::holds_alternative<T>(state_); }
  T& operator*() { return std::get<T>(state_); }
  const T& operator*() const { return std::get<T>(state_); }
  T* operator->() { return &std::get<T>(state_); }
  const T* operator->() const { return &std::get<T>(state_); }
  [[nodiscard]] const Error& error() const { return std::get<Error>(state_); }

 private:
  std::variant<T, Error> state_;
};

struct Done {};  // the value of an operation that has none
using Status = Result<Done>;

}  // namespace peerscope
