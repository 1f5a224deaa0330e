#include "trace/section.hpp"

#include <algorithm>
#include <cerrno>

#include <unistd.h>
#include <zstd.h>

#include "trace/bytes.hpp"
#include "trace/crc32c.hpp"

namespace peerscope {

using format::SectionHeader;
using format::TextHead;

namespace {
constexpr std::uint64_t kMaxText = 256U << 20;
std::uint32_t header_crc(const SectionHeader& header) {
  return crc32c(&header, offsetof(SectionHeader, header_crc));
}
}  // namespace

void append_section(std::vector<std::uint8_t>& out, format::SectionType type,
                    std::span<const std::uint8_t> head, std::span<const std::uint8_t> body) {
  const std::uint64_t bytes = sizeof(SectionHeader) + head.size() + body.size();
  SectionHeader header{};
  header.magic = format::kSectionMagic;
  header.type = static_cast<std::uint16_t>(type);
  header.section_bytes = format::round_up(bytes);
  header.head_bytes = static_cast<std::uint32_t>(head.size());
  header.head_crc = crc32c(head.data(), head.size());
  header.header_crc = header_crc(header);
  append_struct(out, header);
  out.insert(out.end(), head.begin(), head.end());
  out.insert(out.end(), body.begin(), body.end());
  out.resize(out.size() + header.section_bytes - bytes);
}

bool SectionBytes::get(std::uint64_t at, std::size_t n, std::vector<std::uint8_t>& buffer,
                       std::span<const std::uint8_t>& out) const {
  out = {};
  if (at > bytes || n > bytes - at) return false;
  if (at + n <= memory.size()) {
    out = memory.subspan(at, n);
    return true;
  }
  if (fd < 0) return false;
  buffer.resize(n);
  for (std::size_t done = 0; done < n;) {
    const ssize_t got =
        pread(fd, buffer.data() + done, n - done, static_cast<off_t>(offset + at + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<std::size_t>(got);
  }
  out = buffer;
  return true;
}

std::optional<SectionHead> read_head(const SectionBytes& section) {
  std::vector<std::uint8_t> buffer;
  std::span<const std::uint8_t> in;
  SectionHeader header;
  if (!section.get(0, sizeof header, buffer, in) || !take_struct(in, header) ||
      header.magic != format::kSectionMagic || header.header_crc != header_crc(header))
    return std::nullopt;
  if (header.section_bytes < sizeof header || header.section_bytes > section.bytes ||
      header.section_bytes % format::kAlignment != 0 ||
      header.head_bytes > header.section_bytes - sizeof header)
    return std::nullopt;
  if (!section.get(sizeof header, header.head_bytes, buffer, in)) return std::nullopt;
  if (crc32c(in.data(), in.size()) != header.head_crc) return std::nullopt;
  SectionHead head;
  head.type = static_cast<format::SectionType>(header.type);
  head.section_bytes = header.section_bytes;
  head.body_at = sizeof header + header.head_bytes;
  head.head.assign(in.begin(), in.end());
  return head;
}

std::optional<SectionView> view_section(std::span<const std::uint8_t> in) {
  const auto head = read_head(SectionBytes::in_memory(in));
  if (!head) return std::nullopt;
  SectionView view;
  view.type = head->type;
  view.section_bytes = head->section_bytes;
  view.head = in.subspan(sizeof(SectionHeader), head->head.size());
  view.body = in.first(head->section_bytes).subspan(head->body_at);
  return view;
}

void append_text_section(std::vector<std::uint8_t>& out, format::SectionType type,
                         std::uint64_t operations, std::span<const char> text) {
  std::vector<std::uint8_t> stored(ZSTD_compressBound(text.size()));
  stored.resize(ZSTD_compress(stored.data(), stored.size(), text.data(), text.size(), 3));
  TextHead head{};
  head.operations = operations;
  head.raw_bytes = text.size();
  head.stored_bytes = static_cast<std::uint32_t>(stored.size());
  head.crc = crc32c(stored.data(), stored.size());
  std::vector<std::uint8_t> bytes;
  append_struct(bytes, head);
  append_section(out, type, bytes, stored);
}

std::optional<std::vector<char>> read_text(const SectionView& section, std::uint64_t* operations) {
  std::span<const std::uint8_t> in = section.head;
  TextHead head;
  if (!take_struct(in, head) || head.stored_bytes > section.body.size() ||
      head.raw_bytes > kMaxText)
    return std::nullopt;
  const auto stored = section.body.first(head.stored_bytes);
  if (crc32c(stored.data(), stored.size()) != head.crc) return std::nullopt;
  // What the frame says of itself bounds the memory, too.
  if (ZSTD_getFrameContentSize(stored.data(), stored.size()) != head.raw_bytes) return std::nullopt;
  std::vector<char> text(head.raw_bytes);
  const std::size_t got = ZSTD_decompress(text.data(), text.size(), stored.data(), stored.size());
  if (got != text.size()) return std::nullopt;
  if (operations != nullptr) *operations = head.operations;
  return text;
}

}  // namespace peerscope
