// The files behind a TraceReader: which they are, and what sections they have.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace/bytes.hpp"
#include "trace/crc32c.hpp"
#include "trace/reader_state.hpp"
#include "trace/section.hpp"
#include "trace/trace_parts.hpp"

namespace peerscope {

using format::IndexEntry;
using format::SectionType;

OpenFile::~OpenFile() {
  if (fd >= 0) close(fd);
}

namespace {

bool read_at(const TraceFile& file, std::uint64_t at, void* out, std::size_t n) {
  std::vector<std::uint8_t> buffer;
  std::span<const std::uint8_t> bytes;
  const SectionBytes whole{{}, file.fd(), 0, file.bytes};
  if (!whole.get(at, n, buffer, bytes)) return false;
  std::memcpy(out, bytes.data(), n);
  return true;
}

Result<TraceFile> open_trace_file(const std::string& name) {
  const int fd = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return Error{errno == ENOENT ? ErrorCode::not_found : ErrorCode::io,
                 fmt::format("cannot read {}: {}", name, std::strerror(errno))};
  }
  TraceFile file;
  file.open = std::make_shared<const OpenFile>(fd);
  file.path = name;
  struct stat status{};
  if (fstat(fd, &status) != 0 || S_ISDIR(status.st_mode))
    return Error{ErrorCode::io, fmt::format("cannot read {}: it is no file", name)};
  file.device = status.st_dev;
  file.inode = status.st_ino;
  file.bytes = static_cast<std::uint64_t>(status.st_size);
  format::FileHeader header;
  const bool complete = read_at(file, 0, &header, sizeof header);
  if (!complete || std::memcmp(header.magic, format::kFileMagic, sizeof header.magic) != 0)
    return Error{ErrorCode::corrupt, fmt::format("{} is no peerscope trace", name)};
  if (header.crc != crc32c(&header, offsetof(format::FileHeader, crc)))
    return Error{ErrorCode::corrupt, fmt::format("{}: its header is damaged", name)};
  if (header.version > format::kVersion) {
    return Error{
        ErrorCode::unsupported,
        fmt::format("{} was written by a newer peerscope (trace version {}, this one reads "
                    "up to {}); upgrade to read it",
                    name, header.version, format::kVersion)};
  }
  file.trace_id = header.trace_id;
  file.part = header.part;
  return file;
}

}  // namespace

// The parts are listed first: one that is made meanwhile leaves a gap before the newest, and is looked for again.
Result<std::vector<TraceFile>> open_trace_files(const std::string& path) {
  std::vector<TraceFile> files;
  for (int attempt = 0; attempt < 3; ++attempt) {
    files.clear();
    const std::vector<std::string> names = find_parts(path);
    auto newest = open_trace_file(path);
    if (!newest) return newest.error();
    for (const std::string& name : names) {
      if (name == path) continue;
      auto part = open_trace_file(name);
      // Of another trace of that name, or removed meanwhile.
      if (!part || part->trace_id != newest->trace_id || part->part >= newest->part) continue;
      if (files.empty() || files.back().part < part->part) files.push_back(std::move(*part));
    }
    const bool whole = newest->part == (files.empty() ? 0 : files.back().part + 1);
    files.push_back(std::move(*newest));
    if (whole) break;
  }
  return files;
}

void TraceReader::State::read(std::vector<TraceFile> found, const State* old) {
  files = std::move(found);
  for (std::size_t i = 0; i < files.size(); ++i) {
    const auto known =
        old == nullptr
            ? std::size_t{0}
            : static_cast<std::size_t>(std::find_if(old->files.begin(), old->files.end(),
                                                    [&](const TraceFile& file) {
                                                      return file.same_file(files[i]) &&
                                                             file.sound_until <= files[i].bytes;
                                                    }) -
                                       old->files.begin());
    if (old != nullptr && known < old->files.size()) take_over(i, *old, known);
    if (files[i].sound_until == 0 ? !read_index(i) : !files[i].closed) scan(i);
    file_bytes += files[i].bytes;
    cut += files[i].cut;
    damaged += files[i].damaged;
    closed = closed && files[i].closed;
  }
  if (files.size() > 1 || !closed) rollup.reset();
  const auto newest = [](const State& state) {
    return state.metas.empty() ? 0 : state.metas.back().entry.offset;
  };
  if (old != nullptr && newest(*this) == newest(*old) && !metas.empty() &&
      metas.back().file + 1 == files.size() && files.back().same_file(old->files.back())) {
    meta = old->meta;
  } else {
    load_meta();
  }
}

void TraceReader::State::take_over(std::size_t number, const State& old, std::size_t old_number) {
  const TraceFile& known = old.files[old_number];
  TraceFile& file = files[number];
  file.open = known.open;
  file.sound_until = known.sound_until;
  file.damaged = known.damaged;
  file.closed = known.closed && known.bytes == file.bytes;
  for (const auto* sections : {&old.ops, &old.marks, &old.metas, &old.summaries}) {
    const auto begin = std::lower_bound(
        sections->begin(), sections->end(), old_number,
        [](const TraceSection& section, std::size_t wanted) { return section.file < wanted; });
    for (auto at = begin; at != sections->end() && at->file == old_number; ++at)
      note(number, at->entry);
  }
  if (file.closed) rollup = old.rollup;
}

// A file that was closed says itself what it holds.
bool TraceReader::State::read_index(std::size_t number) {
  TraceFile& file = files[number];
  format::Trailer trailer;
  if (file.bytes < sizeof(format::FileHeader) + sizeof trailer ||
      !read_at(file, file.bytes - sizeof trailer, &trailer, sizeof trailer) ||
      std::memcmp(trailer.magic, format::kTrailerMagic, sizeof trailer.magic) != 0 ||
      trailer.end_offset > file.bytes)
    return false;
  const SectionBytes bytes{{}, file.fd(), trailer.end_offset, file.bytes - trailer.end_offset};
  const auto end = read_head(bytes);
  if (!end || end->type != SectionType::end) return false;
  std::span<const std::uint8_t> in = end->head;
  format::EndHead head;
  std::vector<IndexEntry> entries;
  if (!take_struct(in, head) || !take_structs(in, head.entries, entries)) return false;
  for (const IndexEntry& entry : entries) {
    if (entry.offset > trailer.end_offset ||
        entry.section_bytes > trailer.end_offset - entry.offset ||
        entry.operations > format::kMaxOperations)
      return false;
  }
  for (const IndexEntry& entry : entries) note(number, entry);
  file.closed = true;
  file.sound_until = file.bytes;
  std::vector<std::uint8_t> buffer;
  std::span<const std::uint8_t> body;
  if (head.rollup_bytes > 0 && files.size() == 1 &&
      bytes.get(end->body_at, head.rollup_bytes, buffer, body) &&
      crc32c(body.data(), body.size()) == head.rollup_crc) {
    if (auto read = decode_rollup(body)) rollup = std::move(*read);
  }
  return true;
}

namespace {

// Where the next section may begin, from `at` on; the file's size if nowhere.
std::uint64_t find_section(const TraceFile& file, std::uint64_t at) {
  constexpr std::size_t kBlock = 64 * 1024;
  std::vector<std::uint8_t> buffer;
  const SectionBytes whole{{}, file.fd(), 0, file.bytes};
  while (at + sizeof(format::SectionHeader) <= file.bytes) {
    const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(kBlock, file.bytes - at));
    std::span<const std::uint8_t> bytes;
    if (!whole.get(at, n, buffer, bytes)) break;
    for (std::size_t i = 0; i + sizeof(std::uint32_t) <= n; i += format::kAlignment) {
      std::uint32_t magic = 0;
      std::memcpy(&magic, bytes.data() + i, sizeof magic);
      if (magic == format::kSectionMagic) return at + i;
    }
    at += n / format::kAlignment * format::kAlignment;
    if (n < kBlock) break;
  }
  return file.bytes;
}

}  // namespace

// Section by section, from where it was sound the last time; steps over what is damaged to the next one that is sound.
void TraceReader::State::scan(std::size_t number) {
  TraceFile& file = files[number];
  std::uint64_t at = std::max<std::uint64_t>(sizeof(format::FileHeader), file.sound_until);
  file.sound_until = at;
  bool skipping = false;
  while (at + sizeof(format::SectionHeader) <= file.bytes) {
    if (step(number, at)) {
      file.damaged += skipping ? 1 : 0;
      skipping = false;
      file.sound_until = at;
    } else {
      skipping = true;
      at = find_section(file, at + format::kAlignment);
    }
  }
  file.closed = ends_here(number, file.sound_until);
  file.cut = file.closed ? 0 : file.bytes - file.sound_until;
}

// Its writer has ended since the last look.
bool TraceReader::State::ends_here(std::size_t number, std::uint64_t at) const {
  const TraceFile& file = files[number];
  format::Trailer trailer;
  return file.bytes - at == sizeof trailer && read_at(file, at, &trailer, sizeof trailer) &&
         std::memcmp(trailer.magic, format::kTrailerMagic, sizeof trailer.magic) == 0;
}

bool TraceReader::State::step(std::size_t number, std::uint64_t& at) {
  const TraceFile& file = files[number];
  const auto head = read_head({{}, file.fd(), at, file.bytes - at});
  if (!head) return false;
  IndexEntry entry{};
  entry.offset = at;
  entry.section_bytes = head->section_bytes;
  entry.type = static_cast<std::uint32_t>(head->type);
  std::span<const std::uint8_t> in = head->head;
  if (head->type == SectionType::ops) {
    format::OpsHead chunk_head;
    if (!take_struct(in, chunk_head) || chunk_head.operations > format::kMaxOperations)
      return false;
    entry.operations = chunk_head.operations;
    entry.shapes = chunk_head.shapes;
    entry.kinds = chunk_head.kinds;
    entry.first_ns = chunk_head.first_ns;
    entry.last_ns = chunk_head.last_ns;
    entry.not_written_before = chunk_head.not_written_before;
  } else if (head->type == SectionType::marks) {
    format::MarksHead marks_head;
    if (!take_struct(in, marks_head) || marks_head.marks > format::kMaxOperations) return false;
    entry.operations = marks_head.marks;
  }
  note(number, entry);
  at += head->section_bytes;
  return true;
}

void TraceReader::State::note(std::size_t number, const IndexEntry& entry) {
  const TraceSection section{number, entry};
  switch (static_cast<SectionType>(entry.type)) {
    case SectionType::ops:
      note_ops(section);
      break;
    case SectionType::marks:
      marks.push_back(section);
      mark_count += entry.operations;
      break;
    case SectionType::meta:
      metas.push_back(section);
      break;
    case SectionType::summary:
      summaries.push_back(section);
      break;
    case SectionType::end:
      break;
  }
}

void TraceReader::State::note_ops(const TraceSection& section) {
  const IndexEntry& entry = section.entry;
  ChunkInfo info;
  info.operations = entry.operations;
  info.shapes = entry.shapes;
  info.first_ns = entry.first_ns;
  info.last_ns = entry.last_ns;
  info.kinds = entry.kinds;
  info.bytes_on_disk = entry.section_bytes;
  info.not_written_before = entry.not_written_before;
  chunks.push_back(info);
  ops.push_back(section);
  operations += entry.operations;
}

}  // namespace peerscope
