#include "config/edit.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/toml_file.hpp"

namespace peerscope {
namespace {

using Assignments = std::vector<Assignment>;

// Where a line begins (from 1); the end of the text if it has no such line.
std::size_t line_start(const std::string& text, std::uint32_t line) {
  std::size_t at = 0;
  while (--line > 0) {
    at = text.find('\n', at);
    if (at == std::string::npos) return text.size();
    ++at;
  }
  return at;
}

std::size_t offset_of(const std::string& text, Place place) {
  std::size_t at = line_start(text, place.line);
  for (std::uint32_t column = 1; column < place.column && at < text.size(); ++column) {
    ++at;  // a character is a byte, and those that continue it
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) ++at;
  }
  return at;
}

std::string inserted_after(std::string text, std::uint32_t line, const std::string& added) {
  if (!text.empty() && text.back() != '\n') text += '\n';
  return text.insert(line_start(text, line + 1), added + "\n");
}

// The line of "[section]", or 0.
std::uint32_t header_line(const std::string& text, std::string_view section) {
  std::istringstream lines(text);
  std::string line;
  for (std::uint32_t number = 1; std::getline(lines, line); ++number) {
    std::string close;
    for (const char c : line.substr(0, line.find('#'))) {
      if (c != ' ' && c != '\t' && c != '\r') close += c;
    }
    if (close == fmt::format("[{}]", section)) return number;
  }
  return 0;
}

std::string with_value(const std::string& text, const Assignments& found, std::string_view key,
                       const std::string& value) {
  const auto same = [&](const Assignment& each) { return each.key == key; };
  if (const auto old = std::find_if(found.begin(), found.end(), same); old != found.end()) {
    const std::size_t begin = offset_of(text, old->begin);
    const std::size_t end = offset_of(text, old->end);
    return text.substr(0, begin) + value + text.substr(std::max(begin, end));
  }
  const std::string section(key.substr(0, key.find('.')));
  const std::string_view leaf = key.substr(section.size() + 1);
  const std::uint32_t header = header_line(text, section);
  std::uint32_t last = header;
  for (const Assignment& each : found) {
    if (each.key.rfind(section + ".", 0) == 0 && each.end.line > header)
      last = std::max(last, each.end.line);
  }
  if (header != 0) return inserted_after(text, last, fmt::format("{} = {}", leaf, value));
  if (last != 0) return inserted_after(text, last, fmt::format("{} = {}", key, value));
  const std::string gap = text.empty() ? "" : text.back() == '\n' ? "\n" : "\n\n";
  return fmt::format("{}{}[{}]\n{} = {}\n", text, gap, section, leaf, value);
}

bool says_the_same(const Raw& a, const Raw& b) {
  if (a.index() != b.index()) return false;
  if (std::holds_alternative<Unfit>(a)) return true;
  return std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, Unfit>) {
          return true;
        } else {
          return value == std::get<T>(b);
        }
      },
      a);
}

// All but `key` are as they were.
bool others_are_kept(const Assignments& before, const Assignments& after, std::string_view key) {
  const auto rest = [&](const Assignments& all) {
    Assignments others;
    for (const Assignment& each : all) {
      if (each.key != key) others.push_back(each);
    }
    return others;
  };
  const Assignments a = rest(before), b = rest(after);
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Assignment& x, const Assignment& y) {
                      return x.key == y.key && says_the_same(x.raw, y.raw);
                    });
}

Status write_beside(const std::string& path, const std::string& text) {
  std::error_code ignored;  // what is wrong shows when the file is made
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, ignored);
  std::string other = path + ".XXXXXX";
  const auto failed = [&] {
    const int error = errno;
    unlink(other.c_str());
    return Error{ErrorCode::io, fmt::format("cannot write {}: {}", path, std::strerror(error))};
  };
  const int file = mkstemp(other.data());
  if (file < 0) return failed();
  struct stat old = {};
  const mode_t mode = stat(path.c_str(), &old) == 0 ? old.st_mode & 07777 : 0644;
  const bool good = write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                    fchmod(file, mode) == 0 && fsync(file) == 0;
  if (close(file) != 0 || !good || rename(other.c_str(), path.c_str()) != 0) return failed();
  return Done{};
}

}  // namespace

Result<std::string> edit_toml(const std::string& text, std::string_view key,
                              const std::string& value, const std::string& name) {
  const Result<Config> wanted = Config().with({std::string(key), value, "value"});
  if (!wanted && find_key(key) != nullptr) {  // says what is wrong with the value alone
    const std::string& message = wanted.error().message;
    return Error{ErrorCode::invalid_argument, message.substr(message.find(": ") + 2)};
  }
  if (!wanted) return wanted.error();
  const auto before = read_toml(text, name);
  if (!before) return before.error();
  const std::string written = wanted->written(key);
  std::string changed = with_value(text, *before, key, written);
  const auto after = read_toml(changed, name);
  const Error by_hand{ErrorCode::unsupported,
                      fmt::format("{} cannot be changed without harm; write {} = {} there by hand",
                                  name, key, written)};
  if (!after || !others_are_kept(*before, *after, key)) return by_hand;
  const Result<Config> config = load_text(changed, name);
  if (!config) return config.error();
  if (config->value(key) != wanted->value(key)) return by_hand;
  return changed;
}

Status edit_file(const std::string& path, std::string_view key, const std::string& value) {
  std::string target = path;
  std::error_code ignored;  // a link stays a link
  if (const auto real = std::filesystem::canonical(path, ignored); !ignored) target = real.string();
  std::string text;
  if (std::filesystem::exists(path, ignored)) {
    std::ifstream file(target);
    std::ostringstream all;
    all << file.rdbuf();
    if (!file || std::filesystem::is_directory(target, ignored))
      return Error{ErrorCode::io, fmt::format("cannot read {}", path)};
    text = all.str();
  }
  const Result<std::string> changed = edit_toml(text, key, value, path);
  if (!changed) return changed.error();
  return write_beside(target, *changed);
}

}  // namespace peerscope
