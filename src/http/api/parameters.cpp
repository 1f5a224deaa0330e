#include "http/api/parameters.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "analyze/detect/words.hpp"

namespace peerscope::http {
namespace {

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    if (end > 0) words.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

constexpr const char* kGroups[] = {"operation", "algorithm", "protocol", "size",
                                   "rank",      "peer",      "device",   "communicator",
                                   "process",   "backend",   "status"};

}  // namespace

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::string_view> Parameters::take(std::string_view name) {
  asked_.emplace_back(name);
  return request_.parameter(name);
}

void Parameters::fail(std::string sentence) {
  if (problem_.empty()) problem_ = std::move(sentence);
}

std::optional<std::int64_t> Parameters::integer(std::string_view name, std::int64_t least,
                                                std::int64_t most) {
  const auto text = take(name);
  if (!text || text->empty()) return std::nullopt;
  const auto value = whole_number(*text);
  if (!value || *value < least || *value > most) {
    fail(most == INT64_MAX
             ? fmt::format("{}={}: write a whole number from {} on", name, *text, least)
             : fmt::format("{}={}: write a whole number from {} to {}", name, *text, least, most));
    return std::nullopt;
  }
  return value;
}

std::int64_t Parameters::integer(std::string_view name, std::int64_t least, std::int64_t most,
                                 std::int64_t otherwise) {
  return integer(name, least, most).value_or(otherwise);
}

std::string Parameters::text(std::string_view name) { return std::string(take(name).value_or("")); }

std::string Parameters::choice(std::string_view name, std::initializer_list<const char*> allowed) {
  const auto given = take(name);
  if (!given || given->empty()) return *allowed.begin();
  for (const char* word : allowed) {
    if (*given == word) return word;
  }
  fail(fmt::format("{}={}: write one of {}", name, *given, fmt::join(allowed, ", ")));
  return *allowed.begin();
}

std::vector<std::string> Parameters::words(std::string_view name) {
  return split(take(name).value_or(""));
}

std::vector<double> Parameters::numbers(std::string_view name, double least, double most) {
  std::vector<double> out;
  for (const std::string& word : words(name)) {
    char* end = nullptr;
    const double value = std::strtod(word.c_str(), &end);
    if (*end != '\0' || !(value >= least && value <= most)) {
      fail(fmt::format("{}={}: write numbers from {} to {}, with commas", name, word, least, most));
      return {};
    }
    out.push_back(value);
  }
  return out;
}

Window Parameters::window(const Served& served) {
  const std::string given = served.is_file() ? choice("window", {"all", "1s", "10s", "1m"})
                                             : choice("window", {"10s", "1s", "1m", "all"});
  for (std::size_t i = 0; i < kWindows; ++i) {
    if (given == name(static_cast<Window>(i))) return static_cast<Window>(i);
  }
  return Window::ten_seconds;
}

bool Parameters::device_clock() { return choice("clock", {"host", "device"}) == "device"; }

void Parameters::read_communicator(const Served& served, OpFilter& filter) {
  const std::string wanted = text("communicator");
  if (wanted.empty()) return;
  std::vector<std::string> there;
  const auto snapshot = served.snapshot();
  for (const CommView& comm : snapshot->communicators) {
    const std::string id = fmt::format("{:016x}", comm.id);
    const std::string name = communicator_name(*snapshot, comm.id);
    if (wanted == id || wanted == name || wanted == fmt::format("{:x}", comm.id)) {
      filter.comm = comm.id;
      return;
    }
    there.push_back(comm.name.empty() ? id : name);
  }
  char* end = nullptr;
  const unsigned long long id = std::strtoull(wanted.c_str(), &end, 16);
  if (*end == '\0' && wanted.size() == 16) {
    filter.comm = id;  // of operations whose communicator was never named
    return;
  }
  fail(fmt::format("communicator={}: there is none of that name or id; there are: {}", wanted,
                   there.empty() ? "none" : fmt::format("{}", fmt::join(there, ", "))));
}

void Parameters::read_kinds(OpFilter& filter) {
  for (const std::string& word : words("operation")) {
    const auto kind = parse_kind(word);
    if (!kind) {
      fail(fmt::format(
          "operation={}: there is no such operation; write all_reduce, send, copy, ...", word));
      return;
    }
    filter.kinds |= 1U << static_cast<unsigned>(*kind);
  }
}

OpFilter Parameters::filter(const Served& served) {
  const Moments moments(served);
  OpFilter filter;
  if (const auto from = integer("from", INT64_MIN / 4, INT64_MAX / 4))
    filter.from_ns = moments.monotonic(*from);
  if (const auto to = integer("to", INT64_MIN / 4, INT64_MAX / 4))
    filter.to_ns = moments.monotonic(*to);
  if (filter.from_ns >= filter.to_ns) fail("from is not before to");
  const auto id = [this](const char* name, auto& out) {
    if (const auto value = integer(name, 0, 65'534)) out = static_cast<std::uint16_t>(*value);
  };
  id("rank", filter.rank);
  id("peer", filter.peer);
  id("device", filter.device);
  filter.min_bytes = static_cast<std::uint64_t>(integer("min_bytes", 0, INT64_MAX, 0));
  if (const auto most = integer("max_bytes", 0, INT64_MAX))
    filter.max_bytes = static_cast<std::uint64_t>(*most);
  filter.only_errors = choice("status", {"ok", "error"}) == "error";
  read_kinds(filter);
  read_communicator(served, filter);
  if (const auto pid = integer("pid", 0, UINT32_MAX)) {
    const auto snapshot = served.snapshot();
    for (std::size_t i = 0; i < snapshot->processes.size(); ++i) {
      if (snapshot->processes[i].pid == *pid) filter.process = static_cast<std::uint32_t>(i);
    }
    if (!filter.process) fail(fmt::format("pid={}: no such process is in this session", *pid));
  }
  return filter;
}

std::vector<GroupBy> Parameters::group_by() {
  std::vector<GroupBy> by;
  for (const std::string& word : words("by")) {
    const auto* const found = std::find(std::begin(kGroups), std::end(kGroups), word);
    if (found == std::end(kGroups)) {
      fail(fmt::format("by={}: write some of {}", word, fmt::join(kGroups, ", ")));
      return {};
    }
    const auto group = static_cast<GroupBy>(found - std::begin(kGroups));
    if (std::find(by.begin(), by.end(), group) == by.end()) by.push_back(group);
  }
  return by;
}

std::optional<Response> Parameters::refusal() {
  for (const auto& [given, value] : request_.query) {
    if (std::find(asked_.begin(), asked_.end(), given) == asked_.end()) {
      std::sort(asked_.begin(), asked_.end());
      fail(asked_.empty() ? fmt::format("'{}' is unknown: this resource takes no parameters", given)
                          : fmt::format("'{}' is unknown; this resource takes {}", given,
                                        fmt::join(asked_, ", ")));
    }
  }
  if (problem_.empty()) return std::nullopt;
  return refuse(400, problem_);
}

}  // namespace peerscope::http
