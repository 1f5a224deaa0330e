#include "comm/tuned_choices.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <tuple>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace peerscope {
namespace {

using nlohmann::json;

auto order_of(const TunedChoice& choice) {
  return std::tie(choice.backend, choice.kind, choice.ranks, choice.bytes);
}

Error corrupt(std::string why) { return {ErrorCode::corrupt, std::move(why)}; }

template <class T>
std::optional<T> field(const json& entry, const char* name) {
  const auto found = entry.find(name);
  if constexpr (std::is_same_v<T, std::string>) {
    return found != entry.end() && found->is_string() ? std::optional(found->get<T>())
                                                      : std::nullopt;
  } else {
    return found != entry.end() && found->is_number_unsigned() ? std::optional(found->get<T>())
                                                               : std::nullopt;
  }
}

std::optional<TunedChoice> choice_of(const json& entry) {
  if (!entry.is_object()) return std::nullopt;
  const auto backend = field<std::string>(entry, "backend");
  const auto kind = parse_kind(field<std::string>(entry, "operation").value_or(""));
  const auto algorithm = parse_algorithm(field<std::string>(entry, "algorithm").value_or(""));
  const auto ranks = field<std::uint64_t>(entry, "ranks"),
             bytes = field<std::uint64_t>(entry, "bytes");
  if (!backend || !kind || !algorithm || !ranks || *ranks > 1'000'000 || !bytes)
    return std::nullopt;
  return TunedChoice{*backend, *kind, static_cast<int>(*ranks), *bytes, *algorithm};
}

double distance(std::uint64_t a, std::uint64_t b) {
  const auto log = [](std::uint64_t x) { return std::log2(static_cast<double>(x) + 1); };
  return std::fabs(log(a) - log(b));
}

}  // namespace

TunedChoices::TunedChoices(std::vector<TunedChoice> choices) : choices_(std::move(choices)) {
  std::stable_sort(choices_.begin(), choices_.end(),
                   [](const auto& a, const auto& b) { return order_of(a) < order_of(b); });
}

Result<TunedChoices> TunedChoices::parse(std::string_view text) {
  const json document = json::parse(text, nullptr, false);
  if (document.is_discarded() || !document.is_object()) return corrupt("it is no JSON object");
  if (field<std::uint64_t>(document, "version") != std::uint64_t{1})
    return corrupt("its version is not 1; run peerscope bench tune again");
  const auto list = document.find("choices");
  if (list == document.end() || !list->is_array()) return corrupt("it has no list 'choices'");
  std::vector<TunedChoice> choices;
  for (const json& entry : *list) {
    const auto choice = choice_of(entry);
    if (!choice) return corrupt(fmt::format("choice {} is not right", choices.size()));
    choices.push_back(*choice);
  }
  return TunedChoices(std::move(choices));
}

Result<TunedChoices> TunedChoices::read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad())
    return Error{ErrorCode::not_found, fmt::format("tuning file {} cannot be read", path)};
  Result<TunedChoices> parsed = parse(text);
  if (!parsed) return corrupt(fmt::format("tuning file {}: {}", path, parsed.error().message));
  return parsed;
}

std::optional<Algorithm> TunedChoices::find(std::string_view backend, Kind kind, int ranks,
                                            std::uint64_t bytes) const {
  const TunedChoice* best = nullptr;
  for (const TunedChoice& choice : choices_) {
    if (choice.backend != backend || choice.kind != kind || choice.ranks != ranks) continue;
    if (best == nullptr || distance(choice.bytes, bytes) < distance(best->bytes, bytes))
      best = &choice;
  }
  return best != nullptr ? std::optional(best->algorithm) : std::nullopt;
}

}  // namespace peerscope
