// Any bytes as a trace file: everything that can be asked of it is asked.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "trace/crc32c.hpp"
#include "trace/format.hpp"
#include "trace/reader.hpp"
#include "trace/scan.hpp"

namespace {

using namespace peerscope;

// Checksums would keep a fuzzer out: it may leave them to us.
void mend_checksums(std::vector<std::uint8_t>& bytes) {
  if (bytes.size() < sizeof(format::FileHeader)) return;
  format::FileHeader file;
  std::memcpy(&file, bytes.data(), sizeof file);
  file.crc = crc32c(&file, offsetof(format::FileHeader, crc));
  std::memcpy(bytes.data(), &file, sizeof file);
  for (std::size_t at = sizeof file; at + sizeof(format::SectionHeader) <= bytes.size();) {
    format::SectionHeader header;
    std::memcpy(&header, bytes.data() + at, sizeof header);
    const std::size_t left = bytes.size() - at - sizeof header;
    if (header.magic != format::kSectionMagic || header.head_bytes > left) break;
    header.head_crc = crc32c(bytes.data() + at + sizeof header, header.head_bytes);
    header.header_crc = crc32c(&header, offsetof(format::SectionHeader, header_crc));
    std::memcpy(bytes.data() + at, &header, sizeof header);
    if (header.section_bytes < sizeof header || header.section_bytes > left + sizeof header) break;
    at += header.section_bytes;
  }
}

void ask_everything(const std::string& path) {
  const auto trace = TraceReader::open(path);
  if (!trace) return;
  std::uint64_t operations = 0;
  static_cast<void>(trace->for_each_ops({}, [&](std::span<const Op> ops) {
    operations += ops.size();
    return true;
  }));
  if (operations > trace->operations()) std::abort();
  static_cast<void>(trace->for_each_marks([](std::span<const Mark>) { return true; }));
  static_cast<void>(trace->note());
  static_cast<void>(trace->summary());
  static_cast<void>(to_json_text(trace->meta()));
  static_cast<void>(scan_histograms(*trace));
  static_cast<void>(scan_sum_bytes(*trace, {}));
  static_cast<void>(statistics_sum_bytes(*trace, {}));
  for (std::size_t i = 0; i < trace->chunks().size(); ++i) {
    auto chunk = trace->chunk(i);
    if (!chunk) continue;
    static_cast<void>(chunk->cells());
    static_cast<void>(chunk->series());
    static_cast<void>(chunk->packed(Column::bytes));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::vector<std::uint8_t> bytes(data + 1, data + size);
  if ((data[0] & 1) != 0) mend_checksums(bytes);
  static const int fd = memfd_create("trace", MFD_CLOEXEC);
  static const std::string path = fmt::format("/proc/self/fd/{}", fd);
  if (ftruncate(fd, 0) != 0) return 0;
  if (pwrite(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return 0;
  ask_everything(path);
  return 0;
}
