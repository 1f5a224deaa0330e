// A section's frame: header, head, body, padding.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "trace/format.hpp"

namespace peerscope {

// Appends a whole section to `out`.
void append_section(std::vector<std::uint8_t>& out, format::SectionType type,
                    std::span<const std::uint8_t> head, std::span<const std::uint8_t> body);

struct SectionView {
  format::SectionType type{};
  std::uint64_t section_bytes = 0;
  std::span<const std::uint8_t> head, body;  // the body with its padding
};

// The section at the front of `in`, if its header and head are sound and all of it is there.
std::optional<SectionView> view_section(std::span<const std::uint8_t> in);

// Where a section's bytes are: in memory, or in a file, from which only what is needed is read.
struct SectionBytes {
  std::span<const std::uint8_t> memory;  // the section, or its first bytes
  int fd = -1;                           // -1: all of it is in memory
  std::uint64_t offset = 0, bytes = 0;   // in the file; of the section

  static SectionBytes in_memory(std::span<const std::uint8_t> section) {
    return {section, -1, 0, section.size()};
  }
  // Bytes [at, at + n) of the section, in place or read into `buffer`; empty span and false where
  // there are none.
  bool get(std::uint64_t at, std::size_t n, std::vector<std::uint8_t>& buffer,
           std::span<const std::uint8_t>& out) const;
};

// Header and head of a section that need not be in memory as a whole.
struct SectionHead {
  format::SectionType type{};
  std::uint64_t section_bytes = 0, body_at = 0;
  std::vector<std::uint8_t> head;
};
std::optional<SectionHead> read_head(const SectionBytes& section);

// A text section: JSON, compressed.
void append_text_section(std::vector<std::uint8_t>& out, format::SectionType type,
                         std::uint64_t operations, std::span<const char> text);
std::optional<std::vector<char>> read_text(const SectionView& section, std::uint64_t* operations);

}  // namespace peerscope
