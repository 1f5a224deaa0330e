// Structs as JSON objects and back, by one list of fields each: a function
//   template <class Io, class X> void json_fields(Io& io, X& x, const T*) { io("key", x.member); ... }
// beside the struct T. Reading leaves a member as it is where its key is missing (older files have
// fewer), and refuses a value of a wrong type or out of range.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace peerscope {

class JsonWriter {
 public:
  template <class T>
  static nlohmann::json value(const T& x) {
    if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
      return x;
    } else if constexpr (std::is_enum_v<T>) {
      return static_cast<int>(x);
    } else if constexpr (requires { x.begin(); }) {
      return list_of(x);
    } else {
      JsonWriter writer;
      json_fields(writer, x, static_cast<const T*>(nullptr));
      return std::move(writer.out_);
    }
  }
  template <class T>
  static nlohmann::json value(const std::optional<T>& x) {
    return x ? value(*x) : nlohmann::json();
  }
  template <class A, class B>
  static nlohmann::json value(const std::pair<A, B>& x) {
    return nlohmann::json::array({value(x.first), value(x.second)});
  }
  template <class T>
  void operator()(const char* key, const T& x) {
    out_[key] = value(x);
  }

 private:
  template <class List>
  static nlohmann::json list_of(const List& list) {
    nlohmann::json out = nlohmann::json::array();
    for (const auto& x : list) out.push_back(value(x));
    return out;
  }
  nlohmann::json out_ = nlohmann::json::object();
};

class JsonReader {
 public:
  // The first thing that is wrong becomes a sentence in `problem`; from then on nothing is read.
  JsonReader(const nlohmann::json& in, std::string path, std::string& problem)
      : in_(in), path_(std::move(path)), problem_(problem) {}

  template <class T>
  void operator()(const char* key, T& x) {
    const auto found = in_.find(key);
    if (found != in_.end() && problem_.empty()) read(*found, path_ + "." + key, x);
  }

 private:
  using Json = nlohmann::json;

  template <class T>
  void read(const Json& in, const std::string& path, T& x) {
    if constexpr (std::is_same_v<T, std::string>) {
      if (!in.is_string()) return wrong(path);
      x = in.get<std::string>();
    } else if constexpr (std::is_same_v<T, bool>) {
      if (!in.is_boolean()) return wrong(path);
      x = in.get<bool>();
    } else if constexpr (std::is_floating_point_v<T>) {
      if (in.is_null()) return;  // what JSON makes of a value that is no number
      if (!in.is_number()) return wrong(path);
      x = in.get<T>();
    } else if constexpr (std::is_integral_v<T>) {
      if (!fits<T>(in)) return wrong(path);
      x = in.get<T>();
    } else if constexpr (std::is_enum_v<T>) {
      if (!fits<std::underlying_type_t<T>>(in)) return wrong(path);
      x = static_cast<T>(in.get<std::underlying_type_t<T>>());
    } else if constexpr (requires { x.begin(); }) {  // of a fixed length
      if (!in.is_array() || in.size() != x.size()) return wrong(path);
      for (std::size_t i = 0; i < x.size() && problem_.empty(); ++i)
        read(in[i], path + "[" + std::to_string(i) + "]", x[i]);
    } else {
      if (!in.is_object()) return wrong(path);
      JsonReader reader(in, path, problem_);
      json_fields(reader, x, static_cast<const T*>(nullptr));
    }
  }
  template <class T>
  void read(const Json& in, const std::string& path, std::vector<T>& list) {
    if (!in.is_array()) return wrong(path);
    list.clear();
    for (const Json& entry : in) {
      if (!problem_.empty()) return;
      read(entry, path + "[" + std::to_string(list.size()) + "]", list.emplace_back());
    }
  }
  template <class T>
  void read(const Json& in, const std::string& path, std::optional<T>& x) {
    x.reset();
    if (!in.is_null()) read(in, path, x.emplace());
  }
  template <class A, class B>
  void read(const Json& in, const std::string& path, std::pair<A, B>& x) {
    if (!in.is_array() || in.size() != 2) return wrong(path);
    read(in[0], path + "[0]", x.first);
    read(in[1], path + "[1]", x.second);
  }
  template <class T>
  static bool fits(const Json& in) {
    if (in.is_number_unsigned())
      return in.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<T>::max());
    if (!in.is_number_integer() || std::is_unsigned_v<T>) return false;
    return in.get<std::int64_t>() >= static_cast<std::int64_t>(std::numeric_limits<T>::min());
  }
  void wrong(const std::string& path) {
    if (problem_.empty()) problem_ = path + " has a wrong type or is out of range";
  }

  const Json& in_;
  std::string path_;
  std::string& problem_;
};

// Text may come from outside and be no UTF-8: what is not becomes the replacement character.
inline std::string dump_json(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace peerscope
