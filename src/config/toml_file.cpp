#include "config/toml_file.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

// toml++ 3.3 asserts, and with NDEBUG assumes, what a text may break: that a key begins as a key does
// ("[)"), that no letter from U+00A1 to U+0499 is asked whether it is white space ("é = 1"). Without
// that it goes on and says what is wrong. Its macros are set before its headers use them.
#undef NDEBUG
#define TOML_ASSERT(expression) static_assert(true)
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
// clang-format off: in this order
#include <toml++/impl/preprocessor.h>
#include <toml++/impl/forward_declarations.h>
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE return false
#include <toml++/impl/unicode.h>
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE __builtin_unreachable()
#include <toml++/toml.h>
// clang-format on

namespace peerscope {
namespace {

constexpr std::size_t kLongestName = 200;

Place place_of(const toml::source_position& at) {
  return {static_cast<std::uint32_t>(at.line), static_cast<std::uint32_t>(at.column)};
}

std::optional<std::string> item_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* whole = node.as_integer()) return fmt::format("{}", whole->get());
  return std::nullopt;
}

Raw raw_of(const toml::node& node) {
  if (const auto* flag = node.as_boolean()) return flag->get();
  if (const auto* whole = node.as_integer()) return static_cast<std::int64_t>(whole->get());
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* array = node.as_array()) {
    std::vector<std::string> items;
    for (const toml::node& element : *array) {
      const auto item = item_of(element);
      if (!item) return Unfit{"a list of something else than text"};
      items.push_back(*item);
    }
    return items;
  }
  return Unfit{node.is_table() ? "a table" : "a date or time"};
}

bool is_section(const std::string& path) {
  return std::any_of(schema().begin(), schema().end(), [&](const KeySpec& key) {
    return std::string_view(key.name).substr(0, path.size() + 1) == path + ".";
  });
}

std::vector<std::string> section_names() {
  std::vector<std::string> names;
  for (const SectionSpec& section : sections()) names.emplace_back(section.name);
  return names;
}

struct Walk {
  const std::string& name;
  std::vector<Assignment> found;
  std::optional<Error> error;

  void table(const toml::table& table, const std::string& prefix) {
    for (const auto& [key, node] : table) {
      if (error) return;
      const std::string_view word = key.str();
      if (prefix.size() + word.size() > kLongestName) {
        error = at(node, "a key that is longer than any");
        return;
      }
      value(prefix + std::string(word), node);
    }
  }

  void value(const std::string& path, const toml::node& node) {
    if (node.is_table() && find_key(path) == nullptr) {
      if (is_section(path)) return table(*node.as_table(), path + ".");
      error = at(node,
                 fmt::format("unknown section '{}'{}", path, did_you_mean(path, section_names())));
      return;
    }
    const toml::source_region& region = node.source();
    found.push_back({path, raw_of(node), false, fmt::format("{}:{}", name, region.begin.line),
                     place_of(region.begin), place_of(region.end)});
  }

  [[nodiscard]] Error at(const toml::node& node, const std::string& what) const {
    return {ErrorCode::invalid_argument,
            fmt::format("{}:{}: {}", name, node.source().begin.line, what)};
  }
};

}  // namespace

Result<std::vector<Assignment>> read_toml(std::string_view text, const std::string& name) {
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{}:{}:{}: this is not TOML: {}", name, error.source().begin.line,
                             error.source().begin.column, error.description())};
  }
  Walk walk{name, {}, std::nullopt};
  walk.table(parsed.table(), "");
  if (walk.error) return *walk.error;
  std::sort(walk.found.begin(), walk.found.end(), [](const auto& a, const auto& b) {
    return a.begin.line != b.begin.line ? a.begin.line < b.begin.line
                                        : a.begin.column < b.begin.column;
  });
  return std::move(walk.found);
}

Raw raw_of(std::string_view text) {
  if (text.empty() || (text.front() != '[' && text.front() != '"')) return std::string(text);
  const toml::parse_result parsed = toml::parse("value = " + std::string(text));
  const toml::node* node = parsed ? parsed.table().get("value") : nullptr;
  if (node == nullptr || parsed.table().size() != 1) return std::string(text);
  return raw_of(*node);
}

}  // namespace peerscope
