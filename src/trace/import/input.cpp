#include "trace/import/input.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace peerscope {

using nlohmann::json;

bool Lines::next(std::string& line) {
  line.clear();
  for (bool any = false;;) {
    if (at_ == buffer_.size()) {
      buffer_.resize(64 * 1024);
      buffer_.resize(source_(buffer_));
      at_ = 0;
      if (buffer_.empty()) {
        if (any) ++number_;
        return any;
      }
    }
    any = true;
    const std::size_t end = buffer_.find('\n', at_);
    const std::size_t until = end == std::string::npos ? buffer_.size() : end;
    const std::size_t room = kMost - std::min(kMost, line.size());
    line.append(buffer_, at_, std::min(until - at_, room));
    at_ = until;
    if (end == std::string::npos) continue;
    ++at_;
    ++number_;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (number_ == 1 && line.rfind("\xEF\xBB\xBF", 0) == 0) line.erase(0, 3);
    return true;
  }
}

Result<json> read_document(const ByteSource& source) {
  constexpr std::size_t kMost = 64U << 20;
  std::string text;
  std::string block(64 * 1024, '\0');
  for (std::size_t got = 0; (got = source(block)) > 0;) {
    text.append(block, 0, got);
    if (text.size() > kMost)
      return Error{ErrorCode::unsupported, "the document is larger than 64 MiB"};
  }
  std::string_view body = text;
  if (body.substr(0, 3) == "\xEF\xBB\xBF") body.remove_prefix(3);
  // Other programs print lines before the document.
  if (const std::size_t brace = body.find('{'); brace != std::string_view::npos)
    body.remove_prefix(brace);
  json parsed = json::parse(body, nullptr, false);
  if (parsed.is_discarded()) {
    // Once more for the place; the parser says it in an exception only.
    try {
      parsed = json::parse(body);
    } catch (const json::exception& error) {
      const std::string what = error.what();
      const std::size_t at = what.find("at line");
      return Error{ErrorCode::corrupt,
                   "it is no JSON" +
                       (at == std::string::npos ? std::string() : ": " + what.substr(at, 120))};
    }
  }
  if (!parsed.is_object()) return Error{ErrorCode::corrupt, "it is no JSON object"};
  return parsed;
}

const json& member(const json& object, const char* key) {
  static const json none;
  if (!object.is_object()) return none;
  const auto found = object.find(key);
  return found != object.end() ? *found : none;
}

std::optional<double> number_of(const json& object, const char* key) {
  const json& value = member(object, key);
  if (value.is_number()) return value.get<double>();
  if (value.is_string()) return parse_real(value.get_ref<const std::string&>());
  return std::nullopt;
}

std::optional<std::uint64_t> count_of(const json& object, const char* key) {
  const json& value = member(object, key);
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  const auto number = number_of(object, key);
  if (!number || !(*number >= 0) || *number >= 1.8e19 || std::floor(*number) != *number)
    return std::nullopt;
  return static_cast<std::uint64_t>(*number);
}

std::string text_of(const json& object, const char* key) {
  const json& value = member(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

std::optional<double> parse_real(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

std::int64_t ns_of_us(double us) {
  constexpr double kMost = 9e15;  // 285 years in µs
  return us >= 0 && us < kMost ? static_cast<std::int64_t>(std::llround(us * 1e3)) : kUnknownNs;
}

namespace {

// Letters only, small: "_allgather_base" and "AllGather" become "allgatherbase", "allgather".
std::string letters(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') out += static_cast<char>(c - 'A' + 'a');
    if (c >= 'a' && c <= 'z') out += c;
  }
  return out;
}

struct NamedKind {
  const char* letters;
  Kind kind;
};
// The longer name first where one begins with another.
constexpr NamedKind kKinds[] = {
    {"allreduce", Kind::all_reduce},
    {"allgather", Kind::all_gather},
    {"reducescatter", Kind::reduce_scatter},
    {"alltoall", Kind::all_to_all},
    {"broadcast", Kind::broadcast},
    {"barrier", Kind::barrier},
    {"sendrecv", Kind::send},
    {"gather", Kind::gather},
    {"scatter", Kind::scatter},
    {"reduce", Kind::reduce},
    {"send", Kind::send},
    {"recv", Kind::recv},
};

}  // namespace

Kind kind_of_name(std::string_view name) {
  const std::string text = letters(name);
  for (const NamedKind& known : kKinds) {
    if (text.find(known.letters) != std::string::npos) return known.kind;
  }
  return Kind::other;
}

Dtype dtype_of_name(std::string_view name) {
  struct Named {
    const char* name;
    Dtype dtype;
  };
  static constexpr Named kNames[] = {
      {"float", Dtype::f32},     {"Float", Dtype::f32},       {"float32", Dtype::f32},
      {"half", Dtype::f16},      {"Half", Dtype::f16},        {"float16", Dtype::f16},
      {"bfloat16", Dtype::bf16}, {"BFloat16", Dtype::bf16},   {"double", Dtype::f64},
      {"Double", Dtype::f64},    {"float64", Dtype::f64},     {"int8", Dtype::i8},
      {"Char", Dtype::i8},       {"uint8", Dtype::u8},        {"Byte", Dtype::u8},
      {"int32", Dtype::i32},     {"Int", Dtype::i32},         {"uint32", Dtype::u32},
      {"int64", Dtype::i64},     {"Long", Dtype::i64},        {"uint64", Dtype::u64},
      {"f8e4m3", Dtype::f8e4m3}, {"fp8_e4m3", Dtype::f8e4m3}, {"Float8_e4m3fn", Dtype::f8e4m3},
      {"f8e5m2", Dtype::f8e5m2}, {"fp8_e5m2", Dtype::f8e5m2}, {"Float8_e5m2", Dtype::f8e5m2},
  };
  for (const Named& known : kNames) {
    if (name == known.name) return known.dtype;
  }
  return parse_dtype(name).value_or(Dtype::unknown);
}

std::uint64_t id_of_name(std::string_view name) {
  std::uint64_t hash = 0xCBF2'9CE4'8422'2325u;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100'0000'01B3u;
  return hash == 0 ? 1 : hash;
}

void note_member(TraceMeta& meta, std::uint64_t id, std::string_view name, std::uint16_t ranks,
                 const TraceMember& member) {
  auto found = std::find_if(meta.communicators.begin(), meta.communicators.end(),
                            [id](const TraceComm& c) { return c.id == id; });
  if (found == meta.communicators.end()) {
    if (meta.communicators.size() >= 4096) return;
    meta.communicators.push_back({id, std::string(name), ranks, Backend::nccl, {}});
    found = meta.communicators.end() - 1;
  }
  found->ranks = std::max(found->ranks, ranks);
  if (member.rank == kNoRank || found->members.size() >= 65'535) return;
  const bool known = std::any_of(found->members.begin(), found->members.end(),
                                 [&](const TraceMember& m) { return m.rank == member.rank; });
  if (!known) found->members.push_back(member);
}

void note_bad(ImportCounts& counts, std::string why) {
  if (counts.bad++ == 0) counts.first_problem = std::move(why);
}

}  // namespace peerscope
