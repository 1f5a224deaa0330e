#include "trace/reader.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/units.hpp"
#include "trace/bytes.hpp"
#include "trace/crc32c.hpp"
#include "trace/marks.hpp"
#include "trace/section.hpp"
#include "trace/trace_parts.hpp"

namespace peerscope {

using format::IndexEntry;
using format::SectionType;

bool OpFilter::passes(const Shape& shape) const {
  const Op op = shape.op();
  if (kinds != 0 && (kinds >> (static_cast<unsigned>(op.kind) & 31) & 1) == 0) return false;
  if (comm && *comm != op.comm) return false;
  if (rank && *rank != op.rank) return false;
  if (peer && *peer != op.peer) return false;
  if (device && *device != op.device) return false;
  if (process && *process != op.process) return false;
  return !only_errors || op.status != OpStatus::ok;
}

bool OpFilter::passes(const Op& op) const {
  return op.begin_ns >= from_ns && op.begin_ns < to_ns && op.bytes >= min_bytes &&
         op.bytes <= max_bytes && passes(Shape::of(op));
}

namespace {

struct File {
  File(int f, std::string p) : fd(f), path(std::move(p)) {}
  ~File() {
    if (fd >= 0) close(fd);
  }
  File(File&& other) noexcept
      : fd(std::exchange(other.fd, -1)), path(std::move(other.path)), bytes(other.bytes) {}
  File& operator=(File&&) = delete;
  int fd;
  std::string path;
  std::uint64_t bytes = 0;
};

struct Section {
  std::size_t file;
  IndexEntry entry;
};

bool read_at(const File& file, std::uint64_t at, void* out, std::size_t n) {
  std::vector<std::uint8_t> buffer;
  std::span<const std::uint8_t> bytes;
  const SectionBytes whole{{}, file.fd, 0, file.bytes};
  if (!whole.get(at, n, buffer, bytes)) return false;
  std::memcpy(out, bytes.data(), n);
  return true;
}

}  // namespace

struct TraceReader::State {
  std::string path;
  std::vector<File> files;  // the oldest first
  std::vector<Section> ops, marks, metas, summaries;
  std::vector<ChunkInfo> chunks;
  std::optional<Rollup> rollup;
  TraceMeta meta;
  std::uint64_t trace_id = 0, operations = 0, mark_count = 0, file_bytes = 0, cut = 0, damaged = 0;
  bool closed = true;

  Status add_file(const std::string& path, bool is_part);
  bool read_index(std::size_t file);
  void scan(std::size_t file);
  bool step(std::size_t file, std::uint64_t& at);
  void note(std::size_t file, const IndexEntry& entry);
  void note_ops(const Section& section);
  void load_meta();
  [[nodiscard]] std::optional<std::vector<char>> text_of(const Section& section,
                                                         std::uint64_t* operations) const;
};

Status TraceReader::State::add_file(const std::string& name, bool is_part) {
  const int fd = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return Error{errno == ENOENT ? ErrorCode::not_found : ErrorCode::io,
                 fmt::format("cannot read {}: {}", name, std::strerror(errno))};
  }
  File file(fd, name);
  struct stat status{};
  if (fstat(fd, &status) != 0 || S_ISDIR(status.st_mode))
    return Error{ErrorCode::io, fmt::format("cannot read {}: it is no file", name)};
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
  if (is_part && header.trace_id != trace_id) return Done{};  // of another trace of that name
  trace_id = header.trace_id;
  file_bytes += file.bytes;
  files.push_back(std::move(file));
  const std::size_t at = files.size() - 1;
  if (!read_index(at)) scan(at);
  return Done{};
}

// A file that was closed says itself what it holds.
bool TraceReader::State::read_index(std::size_t number) {
  const File& file = files[number];
  format::Trailer trailer;
  if (file.bytes < sizeof(format::FileHeader) + sizeof trailer ||
      !read_at(file, file.bytes - sizeof trailer, &trailer, sizeof trailer) ||
      std::memcmp(trailer.magic, format::kTrailerMagic, sizeof trailer.magic) != 0 ||
      trailer.end_offset > file.bytes)
    return false;
  const SectionBytes bytes{{}, file.fd, trailer.end_offset, file.bytes - trailer.end_offset};
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
std::uint64_t find_section(const File& file, std::uint64_t at) {
  constexpr std::size_t kBlock = 64 * 1024;
  std::vector<std::uint8_t> buffer;
  const SectionBytes whole{{}, file.fd, 0, file.bytes};
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

// Section by section; steps over what is damaged to the next one that is sound.
void TraceReader::State::scan(std::size_t number) {
  const std::uint64_t end = files[number].bytes;
  std::uint64_t at = sizeof(format::FileHeader);
  std::uint64_t sound_until = at;
  bool skipping = false;
  while (at + sizeof(format::SectionHeader) <= end) {
    if (step(number, at)) {
      damaged += skipping ? 1 : 0;
      skipping = false;
      sound_until = at;
    } else {
      skipping = true;
      at = find_section(files[number], at + format::kAlignment);
    }
  }
  closed = false;
  cut += end - sound_until;
}

bool TraceReader::State::step(std::size_t number, std::uint64_t& at) {
  const File& file = files[number];
  const auto head = read_head({{}, file.fd, at, file.bytes - at});
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
  const Section section{number, entry};
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

void TraceReader::State::note_ops(const Section& section) {
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

std::optional<std::vector<char>> TraceReader::State::text_of(const Section& section,
                                                             std::uint64_t* covered) const {
  const IndexEntry& entry = section.entry;
  std::vector<std::uint8_t> buffer;
  std::span<const std::uint8_t> bytes;
  const SectionBytes source{{}, files[section.file].fd, entry.offset, entry.section_bytes};
  if (!source.get(0, entry.section_bytes, buffer, bytes)) return std::nullopt;
  const auto view = view_section(bytes);
  return view ? read_text(*view, covered) : std::nullopt;
}

// The last one that can be read holds.
void TraceReader::State::load_meta() {
  for (auto at = metas.rbegin(); at != metas.rend(); ++at) {
    const auto text = text_of(*at, nullptr);
    if (!text) continue;
    if (auto parsed = parse_meta({text->data(), text->size()})) {
      meta = std::move(*parsed);
      return;
    }
  }
}

Result<TraceReader> TraceReader::open(const std::string& path) {
  auto state = std::make_unique<State>();
  state->path = path;
  // The newest first: it says which parts belong to it.
  State newest;
  if (Status added = newest.add_file(path, false); !added) return added.error();
  state->trace_id = newest.trace_id;
  for (const std::string& part : find_parts(path)) {
    if (part != path) static_cast<void>(state->add_file(part, true));
  }
  if (Status added = state->add_file(path, true); !added) return added.error();
  if (state->files.size() > 1) state->rollup.reset();
  state->load_meta();
  return TraceReader(std::move(state));
}

TraceReader::TraceReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
TraceReader::TraceReader(TraceReader&&) noexcept = default;
TraceReader& TraceReader::operator=(TraceReader&&) noexcept = default;
TraceReader::~TraceReader() = default;

const TraceMeta& TraceReader::meta() const { return state_->meta; }
const std::string& TraceReader::path() const { return state_->path; }
const std::vector<ChunkInfo>& TraceReader::chunks() const { return state_->chunks; }
const Rollup* TraceReader::rollup() const { return state_->rollup ? &*state_->rollup : nullptr; }
std::uint64_t TraceReader::operations() const { return state_->operations; }
std::uint64_t TraceReader::marks() const { return state_->mark_count; }
std::uint64_t TraceReader::file_bytes() const { return state_->file_bytes; }
std::uint64_t TraceReader::cut_bytes() const { return state_->cut; }
std::uint64_t TraceReader::damaged() const { return state_->damaged; }
bool TraceReader::closed() const { return state_->closed; }
std::size_t TraceReader::parts() const { return state_->files.size(); }

std::string TraceReader::note() const {
  std::string text;
  if (state_->cut > 0) {
    text = fmt::format("the last {} of {} are an incomplete section and were left out",
                       format_bytes(state_->cut), state_->path);
  } else if (!state_->closed) {
    text =
        fmt::format("{} was not closed: its writer is still at work, or was killed", state_->path);
  }
  if (state_->damaged > 0) {
    if (!text.empty()) text += "; ";
    text +=
        fmt::format("{} damaged place{} in {} stepped over", state_->damaged,
                    state_->damaged == 1 ? "" : "s", state_->damaged == 1 ? "it was" : "them were");
  }
  return text;
}

std::optional<std::string> TraceReader::summary() const {
  for (auto at = state_->summaries.rbegin(); at != state_->summaries.rend(); ++at) {
    if (const auto text = state_->text_of(*at, nullptr))
      return std::string(text->begin(), text->end());
  }
  return std::nullopt;
}

std::uint64_t TraceReader::summary_operations() const {
  for (auto at = state_->summaries.rbegin(); at != state_->summaries.rend(); ++at) {
    std::uint64_t covered = 0;
    if (state_->text_of(*at, &covered)) return covered;
  }
  return 0;
}

Result<OpsChunk> TraceReader::chunk(std::size_t i) const {
  const Section& section = state_->ops[i];
  return OpsChunk::open(state_->files[section.file].fd, section.entry.offset,
                        section.entry.section_bytes);
}

namespace {

// Whether a chunk may hold operations that pass.
bool may_pass(const ChunkInfo& info, const OpFilter& filter) {
  return info.last_ns >= filter.from_ns && info.first_ns < filter.to_ns &&
         (filter.kinds == 0 || (info.kinds & filter.kinds) != 0);
}

bool passes_all(const OpFilter& filter) {
  return filter.from_ns == INT64_MIN && filter.to_ns == INT64_MAX && filter.kinds == 0 &&
         !filter.comm && !filter.rank && !filter.peer && !filter.device && !filter.process &&
         filter.min_bytes == 0 && filter.max_bytes == UINT64_MAX && !filter.only_errors;
}

}  // namespace

Status TraceReader::for_each_ops(const OpFilter& filter, const OpsCallback& callback) const {
  const bool all = passes_all(filter);
  std::vector<Op> passed;
  Status first_problem = Done{};
  for (std::size_t i = 0; i < state_->chunks.size(); ++i) {
    if (!may_pass(state_->chunks[i], filter)) continue;
    auto opened = chunk(i);
    const std::span<const Op> ops = opened ? opened->ops() : std::span<const Op>();
    if (!opened || !opened->status()) {
      if (first_problem) first_problem = opened ? opened->status() : Status(opened.error());
      continue;  // what is sound is delivered all the same
    }
    std::span<const Op> batch = ops;
    if (!all) {
      passed.clear();
      for (const Op& op : ops) {
        if (filter.passes(op)) passed.push_back(op);
      }
      batch = passed;
    }
    if (!batch.empty() && !callback(batch)) break;
  }
  return first_problem;
}

Status TraceReader::for_each_marks(const MarksCallback& callback) const {
  Status first_problem = Done{};
  for (const Section& section : state_->marks) {
    const SectionBytes bytes{
        {}, state_->files[section.file].fd, section.entry.offset, section.entry.section_bytes};
    const auto read = read_marks(bytes);
    if (!read) {
      if (first_problem) first_problem = read.error();
      continue;
    }
    if (!callback(*read)) break;
  }
  return first_problem;
}

}  // namespace peerscope
