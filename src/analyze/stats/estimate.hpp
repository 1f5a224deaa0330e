// A figure that the samples may not be enough for. There is no NaN: what cannot be said has a reason.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

namespace peerscope {

enum class Inconclusive : std::uint8_t { no_samples, one_sample, all_equal };

constexpr std::string_view name(Inconclusive why) {
  switch (why) {
    case Inconclusive::no_samples:
      return "no samples";
    case Inconclusive::one_sample:
      return "one sample only";
    case Inconclusive::all_equal:
      return "all samples are equal";
  }
  return "?";
}

// A T, or why there is none. Test before use.
template <class T>
class Estimate {
 public:
  Estimate(T value) : state_(value) {}         // NOLINT(google-explicit-constructor)
  Estimate(Inconclusive why) : state_(why) {}  // NOLINT(google-explicit-constructor)

  explicit operator bool() const { return std::holds_alternative<T>(state_); }
  const T& operator*() const { return std::get<T>(state_); }
  const T* operator->() const { return &std::get<T>(state_); }
  [[nodiscard]] Inconclusive why() const { return std::get<Inconclusive>(state_); }
  [[nodiscard]] T value_or(T other) const { return *this ? **this : other; }

 private:
  std::variant<T, Inconclusive> state_;
};

struct Interval {
  double low = 0, high = 0;
};

}  // namespace peerscope
