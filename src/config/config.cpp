#include "config/config.hpp"

#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

#include "config/assignment.hpp"

namespace peerscope {
namespace {

[[noreturn]] void fault(std::string_view key, const char* what) {
  fmt::print(stderr, "peerscope: configuration key '{}' {}; this is a fault of peerscope\n", key,
             what);
  std::abort();
}

std::size_t index_of(std::string_view key) {
  const KeySpec* found = find_key(key);
  if (found == nullptr) fault(key, "does not exist");
  return static_cast<std::size_t>(found - schema().data());
}

template <class T>
const T& checked(const Value& value, std::string_view key, std::initializer_list<ValueType> types) {
  const ValueType type = schema()[index_of(key)].type;
  for (const ValueType fits : types) {
    if (type == fits) return std::get<T>(value);
  }
  fault(key, "is of another type");
}

Error in(const std::string& origin, const std::string& sentence) {
  return {ErrorCode::invalid_argument, fmt::format("{}: {}", origin, sentence)};
}

}  // namespace

Config::Config() {
  for (const KeySpec& key : schema()) {
    Assignment given{key.name, std::string(key.fallback), true, std::string(kBuiltIn), {}, {}};
    const Result<Value> value = convert(key, given);
    if (!value) fault(key.name, "has a bad built-in value");
    settings_.push_back({*value, given.origin});
  }
}

const Config::Setting& Config::setting(std::string_view key) const {
  return settings_[index_of(key)];
}
const Value& Config::value(std::string_view key) const { return setting(key).value; }
const std::string& Config::origin(std::string_view key) const { return setting(key).origin; }
std::string Config::written(std::string_view key) const {
  return peerscope::written(schema()[index_of(key)], value(key));
}

bool Config::boolean(std::string_view key) const {
  return checked<bool>(value(key), key, {ValueType::boolean});
}
std::int64_t Config::integer(std::string_view key) const {
  return checked<std::int64_t>(value(key), key, {ValueType::integer});
}
double Config::real(std::string_view key) const {
  return checked<double>(value(key), key, {ValueType::real});
}
const std::string& Config::text(std::string_view key) const {
  return checked<std::string>(value(key), key, {ValueType::text, ValueType::choice});
}
std::int64_t Config::duration_ns(std::string_view key) const {
  return checked<std::int64_t>(value(key), key, {ValueType::duration});
}
std::uint64_t Config::bytes(std::string_view key) const {
  return static_cast<std::uint64_t>(checked<std::int64_t>(value(key), key, {ValueType::bytes}));
}
double Config::share(std::string_view key) const {
  return checked<double>(value(key), key, {ValueType::percent});
}
const std::vector<std::string>& Config::list(std::string_view key) const {
  return checked<std::vector<std::string>>(value(key), key, {ValueType::list});
}

Status Config::assign(const Assignment& given) {
  const KeySpec* key = find_key(given.key);
  if (key == nullptr) {
    std::vector<std::string> known;
    for (const KeySpec& each : schema()) known.emplace_back(each.name);
    return in(given.origin,
              fmt::format("unknown key '{}'{}", given.key, did_you_mean(given.key, known)));
  }
  Result<Value> value = convert(*key, given);
  if (!value) return in(given.origin, value.error().message);
  settings_[index_of(given.key)] = {std::move(*value), given.origin};
  return Done{};
}

Status Config::assign(const std::vector<Assignment>& layer) {
  for (const Assignment& given : layer) {
    if (const Status done = assign(given); !done) return done.error();
  }
  return Done{};
}

}  // namespace peerscope
