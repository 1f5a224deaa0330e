// What no value says alone: keys that have to fit each other.
#include <algorithm>

#include <fmt/format.h>

#include "config/config.hpp"

namespace peerscope {
namespace {

constexpr std::size_t kMostCommunicators = 8;  // that a filter holds

// Where `some` is given and all of it is excluded, nothing is left. All of `all` may be excluded, too.
bool leaves_nothing(const std::vector<std::string>& some, const std::vector<std::string>& excluded,
                    std::size_t all) {
  const auto is_excluded = [&](const std::string& item) {
    return std::find(excluded.begin(), excluded.end(), item) != excluded.end();
  };
  if (!some.empty()) return std::all_of(some.begin(), some.end(), is_excluded);
  std::vector<std::string> distinct = excluded;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  return distinct.size() >= all;
}

Error together(const std::string& sentence) { return {ErrorCode::invalid_argument, sentence}; }

}  // namespace

Status Config::check() const {
  const std::size_t operations = words_of(find_key("filter.operations")->choices).size();
  constexpr std::size_t kDevices = 64;
  for (const auto& [some, excluded, all] :
       {std::tuple{"filter.operations", "filter.exclude_operations", operations},
        std::tuple{"filter.devices", "filter.exclude_devices", kDevices}}) {
    if (leaves_nothing(list(some), list(excluded), all))
      return together(fmt::format("{} ({}) and {} ({}) together let nothing pass", some,
                                  origin(some), excluded, origin(excluded)));
  }
  const std::uint64_t least = bytes("filter.min_bytes");
  const std::uint64_t most = bytes("filter.max_bytes");
  if (most != 0 && least > most) {
    return together(
        fmt::format("filter.min_bytes is {} ({}) and filter.max_bytes {} ({}): nothing could pass",
                    written("filter.min_bytes"), origin("filter.min_bytes"),
                    written("filter.max_bytes"), origin("filter.max_bytes")));
  }
  if (list("filter.communicators").size() > kMostCommunicators) {
    return together(fmt::format("{}: filter.communicators names {}; at most {} can be filtered by",
                                origin("filter.communicators"), list("filter.communicators").size(),
                                kMostCommunicators));
  }
  return Done{};
}

}  // namespace peerscope
