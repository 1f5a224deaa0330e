#include "http/message.hpp"

#include <algorithm>

namespace peerscope::http {
namespace {

const std::string* first_of(const Fields& fields, std::string_view name) {
  const auto found = std::find_if(fields.begin(), fields.end(),
                                  [name](const auto& field) { return field.first == name; });
  return found == fields.end() ? nullptr : &found->second;
}

}  // namespace

std::optional<std::string_view> Request::parameter(std::string_view name) const {
  const std::string* value = first_of(query, name);
  return value ? std::optional<std::string_view>(*value) : std::nullopt;
}

std::string_view Request::header(std::string_view name) const {
  const std::string* value = first_of(headers, name);
  return value ? std::string_view(*value) : std::string_view();
}

}  // namespace peerscope::http
