#include "http/fields.hpp"

#include <algorithm>
#include <cstdlib>

namespace peerscope::http {
namespace {

bool is_alnum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Takes the first part off `text`.
std::string_view next_part(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return trimmed(part);
}

bool is_port(std::string_view text) {
  return text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "gzip;q=0.5" -> its name and whether q is not zero.
std::pair<std::string, bool> encoding_of(std::string_view part) {
  const std::string name = lower(next_part(part, ';'));
  bool wanted = true;
  while (!part.empty()) {
    const std::string parameter = lower(next_part(part, ';'));
    if (parameter.starts_with("q=")) wanted = std::strtod(parameter.c_str() + 2, nullptr) > 0;
  }
  return {name, wanted};
}

}  // namespace

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool is_field_name(std::string_view name) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return is_alnum(c) || kMarks.find(c) != std::string_view::npos;
  });
}

bool is_field_value(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
  });
}

std::optional<std::string_view> cookie(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    const std::string_view part = next_part(header, ';');
    if (part.size() > name.size() && part.starts_with(name) && part[name.size()] == '=')
      return part.substr(name.size() + 1);
  }
  return std::nullopt;
}

std::optional<std::string_view> bearer(std::string_view header) {
  constexpr std::string_view kScheme = "bearer ";
  header = trimmed(header);
  if (lower(header.substr(0, kScheme.size())) != kScheme) return std::nullopt;
  return trimmed(header.substr(kScheme.size()));
}

std::optional<Host> parse_host(std::string_view header) {
  header = trimmed(header);
  Host host;
  std::string_view rest;
  if (header.starts_with('[')) {
    const std::size_t end = header.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    host.name = lower(header.substr(1, end - 1));
    rest = header.substr(end + 1);
  } else {
    const std::size_t end = std::min(header.find(':'), header.size());
    host.name = lower(header.substr(0, end));
    rest = header.substr(end);
  }
  if (!rest.empty() && (rest[0] != ':' || !is_port(rest.substr(1)))) return std::nullopt;
  if (!rest.empty()) host.port = rest.substr(1);
  if (host.name.ends_with('.')) host.name.pop_back();  // "localhost." is the same name
  const bool good =
      !host.name.empty() && std::all_of(host.name.begin(), host.name.end(), [](char c) {
        return is_alnum(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '%';
      });
  return good ? std::optional<Host>(host) : std::nullopt;
}

bool is_loopback(std::string_view name) {
  if (name == "localhost" || name == "::1") return true;
  return name.starts_with("127.") &&
         name.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool is_foreign(const Request& request) {
  const std::string site = lower(request.header("sec-fetch-site"));
  if (!site.empty() && site != "same-origin" && site != "none") return true;
  const std::string origin = lower(request.header("origin"));
  if (origin.empty()) return false;
  const std::string host =
      lower(trimmed(request.header("host")));  // TLS may end at a proxy before us
  return origin != "http://" + host && origin != "https://" + host;
}

bool accepts_gzip(std::string_view accept_encoding) {
  bool any = false;
  while (!accept_encoding.empty()) {
    const auto [name, wanted] = encoding_of(next_part(accept_encoding, ','));
    if (name == "gzip" || name == "x-gzip") return wanted;
    if (name == "*") any = wanted;
  }
  return any;
}

bool has_etag(std::string_view if_none_match, std::string_view etag) {
  while (!if_none_match.empty()) {
    std::string_view part = next_part(if_none_match, ',');
    if (part == "*") return true;
    if (part.starts_with("W/")) part.remove_prefix(2);
    if (part == etag) return true;
  }
  return false;
}

}  // namespace peerscope::http
