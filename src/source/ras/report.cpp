#include "source/ras/report.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

namespace peerscope::ras {
namespace {

// The first line of `text`, which is then taken away.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

bool begins_with(std::string_view text, std::string_view with) {
  return text.substr(0, with.size()) == with;
}

// For a message: what came, short and without what would upset a terminal.
std::string sample(std::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, 40))
    shown += std::isprint(static_cast<unsigned char>(c)) != 0 ? c : '.';
  return shown;
}

const LaunchGroup* majority_of(const std::vector<const LaunchGroup*>& groups) {
  return *std::max_element(
      groups.begin(), groups.end(), [](const LaunchGroup* a, const LaunchGroup* b) {
        return a->size != b->size ? a->size < b->size : a->launched < b->launched;
      });
}

}  // namespace

std::vector<Difference> differences(const Communicator& communicator) {
  std::map<std::string, std::vector<const LaunchGroup*>> by_collective;
  for (const LaunchGroup& group : communicator.groups)
    by_collective[group.collective].push_back(&group);
  std::vector<Difference> all;
  for (const auto& [collective, groups] : by_collective) {
    const LaunchGroup* majority = majority_of(groups);
    for (const LaunchGroup* group : groups) {
      if (group->launched == majority->launched) continue;
      all.push_back({collective, group->ranks, group->size, group->launched, majority->launched,
                     majority->size});
    }
  }
  std::stable_sort(all.begin(), all.end(), [](const Difference& a, const Difference& b) {
    return a.behind() != b.behind() ? a.behind() : a.launched < b.launched;
  });
  return all;
}

std::string collective_name(std::string_view nccl) {
  if (nccl == "AlltoAll") return "all_to_all";
  if (nccl == "SendRecv") return "sendrecv";
  std::string name;
  for (const char c : nccl) {
    const bool upper = std::isupper(static_cast<unsigned char>(c)) != 0;
    if (upper && !name.empty()) name += '_';
    name += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return name;
}

bool repair_json(std::string& text) {
  constexpr std::string_view kKey = "\"nvml_dev\":";
  bool repaired = false;
  for (std::size_t at = text.find(kKey); at != std::string::npos; at = text.find(kKey, at)) {
    at += kKey.size();
    at = text.find_first_not_of(" -0123456789", at);
    if (at == std::string::npos) break;
    const std::size_t next = text.find_first_not_of(" \t\r\n", at);
    if (next == std::string::npos || text[next] != '"') continue;
    text.insert(at, ",");
    repaired = true;
  }
  return repaired;
}

Result<Report> parse_report(std::string_view text) {
  const std::string_view whole = text;
  std::string refused;
  while (!text.empty() && text.front() != '{') {
    std::string_view rest = text;
    const std::string_view line = take_line(rest);
    if (begins_with(line, "NCCL version ")) return parse_text_report(text);
    if (begins_with(line, "ERROR: ")) refused = line;
    // Before 2.28.7 NCCL has no format to set: "ERROR: Unknown command", and text is what follows.
    if (line != "OK" && !begins_with(line, "SERVER PROTOCOL ") && refused.empty() && !line.empty())
      return Error{ErrorCode::corrupt,
                   fmt::format("what answers there is no NCCL RAS: it says '{}'", sample(line))};
    text = rest;
  }
  if (!text.empty()) return parse_json_report(text);
  if (!refused.empty())
    return Error{ErrorCode::unsupported, fmt::format("NCCL refuses: {}", sample(refused))};
  return Error{ErrorCode::corrupt,
               fmt::format("no report came: the server closed after {} bytes", whole.size())};
}

}  // namespace peerscope::ras
