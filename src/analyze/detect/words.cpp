#include "analyze/detect/words.hpp"

#include <fmt/format.h>

#include "base/units.hpp"
#include "model/size_class.hpp"

namespace peerscope {

std::string communicator_name(const Snapshot& snapshot, std::uint64_t comm) {
  if (comm == 0) return {};
  const std::string* name = nullptr;
  for (const CommView& view : snapshot.communicators) {
    if (view.id == comm && !view.name.empty()) name = &view.name;
  }
  if (name == nullptr) return fmt::format("{:#x}", comm);
  // Two jobs, or two groups of one, may call theirs alike.
  for (const CommView& view : snapshot.communicators) {
    if (view.id != comm && view.name == *name) return fmt::format("{} ({:#x})", *name, comm);
  }
  return *name;
}

std::string operation_name(Kind kind, std::uint8_t size_class) {
  if (size_class == 0) return std::string(name(kind));
  return fmt::format("{} {}", name(kind), format_bytes(size_class_top(size_class)));
}

std::string operation_name(Kind kind, std::uint8_t size_class, Algorithm algorithm) {
  const std::string operation = operation_name(kind, size_class);
  return algorithm == Algorithm::unknown ? operation
                                         : fmt::format("{} ({})", operation, name(algorithm));
}

std::string operation_name(const Op& op) {
  if (op.bytes == 0) return std::string(name(op.kind));
  return fmt::format("{} {}", name(op.kind), format_bytes(op.bytes));
}

std::string ranks_in_words(const std::vector<int>& ranks) {
  constexpr std::size_t kMost = 8;
  if (ranks.empty()) return "No rank";
  if (ranks.size() == 1) return fmt::format("Rank {}", ranks[0]);
  const std::size_t shown = ranks.size() <= kMost ? ranks.size() - 1 : 3;
  std::string text = fmt::format(
      "Ranks {}",
      fmt::join(ranks.begin(), ranks.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  return ranks.size() <= kMost ? text + fmt::format(" and {}", ranks.back())
                               : text + fmt::format(" and {} more", ranks.size() - shown);
}

std::string lower(std::string sentence) {
  if (!sentence.empty() && sentence[0] >= 'A' && sentence[0] <= 'Z')
    sentence[0] = static_cast<char>(sentence[0] - 'A' + 'a');
  return sentence;
}

std::string since_in_words(std::int64_t since_ns, std::int64_t now_ns) {
  if (since_ns < 0 || since_ns > now_ns) return {};
  return fmt::format("since {} ago", format_duration(static_cast<double>(now_ns - since_ns)));
}

}  // namespace peerscope
