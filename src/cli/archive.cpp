#include "cli/archive.hpp"

#include <array>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>
#include <zstd.h>

#include "cli/state_dir.hpp"

namespace peerscope {
namespace {

constexpr std::size_t kBlock = 512, kStored = 65'535;

bool has_end(const std::string& path, const char* end) {
  const std::size_t length = std::strlen(end);
  return path.size() > length && path.compare(path.size() - length, length, end) == 0;
}

void put_octal(char* field, std::size_t width, std::uint64_t value) {
  const std::string digits = fmt::format("{:0{}o}", value, width - 1);
  std::memcpy(field, digits.data(), std::min(digits.size(), width - 1));
}

// POSIX.1-1988, ustar: offsets and widths of the fields.
std::string header_of(const ArchiveFile& file, std::int64_t modified_s) {
  std::string block(kBlock, '\0');
  char* const at = block.data();
  std::memcpy(at, file.name.data(), std::min<std::size_t>(file.name.size(), 100));
  put_octal(at + 100, 8, 0600);                // mode
  put_octal(at + 108, 8, 0);                   // uid
  put_octal(at + 116, 8, 0);                   // gid
  put_octal(at + 124, 12, file.bytes.size());  // size
  put_octal(at + 136, 12, static_cast<std::uint64_t>(std::max<std::int64_t>(modified_s, 0)));
  std::memset(at + 148, ' ', 8);  // the sum is taken with blanks in its place
  at[156] = '0';                  // a file
  std::memcpy(at + 257,
              "ustar\0"
              "00",
              8);
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  const std::string digits = fmt::format("{:06o}", sum);
  std::memcpy(at + 148, digits.data(), 6);
  at[154] = '\0';
  return block;
}

std::uint32_t crc32_of(const std::string& bytes) {
  static const auto kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t c = i;
      for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? 0xEDB8'8320u ^ c >> 1 : c >> 1;
      table[i] = c;
    }
    return table;
  }();
  std::uint32_t crc = 0xFFFF'FFFFu;
  for (const char c : bytes) crc = kTable[(crc ^ static_cast<unsigned char>(c)) & 0xFF] ^ crc >> 8;
  return ~crc;
}

void put_little(std::string& out, std::uint64_t value, int count) {
  for (int i = 0; i < count; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

Result<std::string> zstd_of(const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size = ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 6);
  if (ZSTD_isError(size) != 0)
    return Error{ErrorCode::no_memory, fmt::format("zstd: {}", ZSTD_getErrorName(size))};
  out.resize(size);
  return out;
}

}  // namespace

std::string archive_problem(const std::string& path) {
  for (const char* end : {".tar", ".tar.gz", ".tgz", ".tar.zst"}) {
    if (has_end(path, end)) return {};
  }
  return fmt::format("{}: write a name that ends in .tar.zst, .tar.gz or .tar", path);
}

std::string tar_of(const std::vector<ArchiveFile>& files, std::int64_t modified_s) {
  std::string out;
  for (const ArchiveFile& file : files) {
    out += header_of(file, modified_s) + file.bytes;
    out.append((kBlock - file.bytes.size() % kBlock) % kBlock, '\0');
  }
  return out.append(2 * kBlock, '\0');
}

// RFC 1952 around RFC 1951's stored blocks.
std::string gzip_stored(const std::string& bytes) {
  std::string out("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
  std::size_t at = 0;
  do {
    const std::size_t length = std::min(kStored, bytes.size() - at);
    out += at + length == bytes.size() ? '\1' : '\0';
    put_little(out, length, 2);
    put_little(out, ~length, 2);
    out.append(bytes, at, length);
    at += length;
  } while (at < bytes.size());
  put_little(out, crc32_of(bytes), 4);
  put_little(out, bytes.size(), 4);
  return out;
}

Status write_archive(const std::string& path, const std::vector<ArchiveFile>& files,
                     std::int64_t modified_s) {
  if (const std::string problem = archive_problem(path); !problem.empty())
    return Error{ErrorCode::invalid_argument, problem};
  std::string bytes = tar_of(files, modified_s);
  if (has_end(path, ".zst")) {
    Result<std::string> packed = zstd_of(bytes);
    if (!packed) return packed.error();
    bytes = std::move(*packed);
  } else if (!has_end(path, ".tar")) {
    bytes = gzip_stored(bytes);
  }
  Status written = write_file(path, bytes);
  if (!written) return written;
  std::error_code ignored;
  std::filesystem::permissions(
      path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, ignored);
  return written;
}

}  // namespace peerscope
