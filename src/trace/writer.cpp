#include "trace/writer.hpp"

#include <algorithm>
#include <bit>
#include <ctime>
#include <deque>
#include <random>

#include <fmt/format.h>

#include "trace/bytes.hpp"
#include "trace/crc32c.hpp"
#include "trace/marks.hpp"
#include "trace/ops_encoder.hpp"
#include "trace/output_file.hpp"
#include "trace/rollup.hpp"
#include "trace/section.hpp"
#include "trace/trace_parts.hpp"

namespace peerscope {
namespace {

constexpr std::uint64_t kParts = 8;  // of a limited trace, about
constexpr std::int64_t kRetryNs = 1'000'000'000;
constexpr std::size_t kMarksAtOnce = 8'192;

std::int64_t now_on(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

struct OldPart {
  std::string path;
  std::uint64_t bytes = 0;
  std::int64_t ended_ns = 0;  // CLOCK_MONOTONIC
};

}  // namespace

struct TraceWriter::State {
  State(std::string p, const TraceWriterOptions& o, FileSystem& f)
      : path(std::move(p)),
        options(o),
        files(f),
        encoder(o.compression, o.time_step_ns),
        columns(o.compression) {}

  std::string path;
  TraceWriterOptions options;
  FileSystem& files;
  std::unique_ptr<OutputFile> file;  // null after a roll that failed: made anew when there is room
  TraceWriterStatus status;
  OpsEncoder encoder;
  ColumnWriter columns;  // for marks
  std::vector<Mark> marks;
  std::vector<std::uint8_t> buffer;
  std::string meta;  // as JSON; what each part begins with
  std::uint64_t trace_id = 0;
  std::uint32_t part = 0;
  std::deque<OldPart> old;
  bool closed = false;

  // of the current part
  std::vector<format::IndexEntry> index;
  RollupBuilder rollup;
  std::uint64_t operations = 0, mark_count = 0;
  std::int64_t part_begun_ns = 0;

  std::int64_t now_ns = 0, last_flush_ns = 0, next_try_ns = 0;
  std::uint64_t missed = 0;  // operations discarded since the last chunk on disk

  Status begin_part();
  bool put(format::IndexEntry entry);
  bool write_out();
  void suspend(const Error& error);
  void flush_ops();
  void flush_marks();
  void flush() {
    flush_ops();
    flush_marks();
    last_flush_ns = now_ns;
  }
  void write_text(format::SectionType type, const std::string& text);
  void roll_if_due(std::uint64_t more_bytes);
  void roll();
  void forget_old(std::uint64_t more_bytes);
  void write_end();
};

Status TraceWriter::State::begin_part() {
  auto made = files.create(path);
  if (!made) return made.error();
  file = std::move(*made);
  format::FileHeader header{};
  std::copy(std::begin(format::kFileMagic), std::end(format::kFileMagic), header.magic);
  header.version = format::kVersion;
  header.header_bytes = sizeof header;
  header.trace_id = trace_id;
  header.part = part;
  header.created_real_ns = static_cast<std::uint64_t>(now_on(CLOCK_REALTIME));
  header.crc = crc32c(&header, offsetof(format::FileHeader, crc));
  std::vector<std::uint8_t> bytes;
  append_struct(bytes, header);
  const Status written = file->append(bytes);
  if (!written) {
    file.reset();
    return written;
  }
  index.clear();
  rollup = RollupBuilder();
  operations = mark_count = 0;
  part_begun_ns = now_ns;
  status.bytes += sizeof header;
  return Done{};
}

// The disk is full, most likely: what comes is counted and dropped until there is room.
void TraceWriter::State::suspend(const Error& error) {
  if (!status.suspended) status.suspended_since_ns = now_ns;
  status.suspended = true;
  status.why = error.message;
  next_try_ns = now_ns + kRetryNs;
}

// Brings `buffer` to the disk, all of it or nothing.
bool TraceWriter::State::write_out() {
  if (status.suspended && now_ns < next_try_ns && now_ns != 0 && !closed) return false;
  if (!file) {
    if (const Status begun = begin_part(); !begun) {
      suspend(begun.error());
      return false;
    }
  }
  if (const Status written = file->append(buffer); !written) {
    suspend(written.error());
    return false;
  }
  status.suspended = false;
  status.why.clear();
  status.bytes += buffer.size();
  return true;
}

// The section in `buffer`, and its place in the index.
bool TraceWriter::State::put(format::IndexEntry entry) {
  roll_if_due(buffer.size());
  entry.offset = file ? file->size() : sizeof(format::FileHeader);
  entry.section_bytes = buffer.size();
  if (!write_out()) return false;
  index.push_back(entry);
  return true;
}

void TraceWriter::State::flush_ops() {
  const std::uint32_t count = encoder.size();
  if (count == 0) return;
  OpsContext context;
  context.not_written_before = missed;
  context.clock_mono_ns = static_cast<std::uint64_t>(now_on(CLOCK_MONOTONIC));
  context.clock_real_ns = static_cast<std::uint64_t>(now_on(CLOCK_REALTIME));
  buffer.clear();
  const format::IndexEntry entry = encoder.encode(context, buffer);
  if (!put(entry)) {
    missed += count;
    status.not_written += count;
    status.operations -= count;
    return;
  }
  missed = 0;
  operations += count;
  if (encoder.last_cells().overflowed()) {
    rollup.add_incomplete();
  } else {
    rollup.add(encoder.last_shapes(), encoder.last_cells().cells(), encoder.last_series());
  }
}

void TraceWriter::State::flush_marks() {
  if (marks.empty()) return;
  buffer.clear();
  append_marks_section(buffer, marks, columns);
  format::IndexEntry entry{};
  entry.type = static_cast<std::uint32_t>(format::SectionType::marks);
  entry.operations = static_cast<std::uint32_t>(marks.size());
  entry.first_ns = marks.front().at_ns;
  entry.last_ns = marks.back().at_ns;
  if (put(entry)) {
    mark_count += marks.size();
  } else {
    status.not_written += marks.size();
    status.marks -= marks.size();
  }
  marks.clear();
}

void TraceWriter::State::write_text(format::SectionType type, const std::string& text) {
  buffer.clear();
  append_text_section(buffer, type, operations, text);
  format::IndexEntry entry{};
  entry.type = static_cast<std::uint32_t>(type);
  put(entry);
}

void TraceWriter::State::roll_if_due(std::uint64_t more_bytes) {
  if (!file || operations == 0) return;
  const std::uint64_t size = file->size();
  const bool full = options.max_bytes != 0 && size + more_bytes > options.max_bytes / kParts;
  const bool old_enough =
      options.max_age_ns != 0 &&
      now_ns - part_begun_ns > options.max_age_ns / static_cast<std::int64_t>(kParts);
  if (full || old_enough) roll();
  forget_old(more_bytes);
}

// Ends this part under a name of its own and begins the next.
void TraceWriter::State::roll() {
  std::vector<std::uint8_t> held;
  held.swap(buffer);  // the section that is to go to the next part
  write_end();
  const std::string name = part_path(path, part);
  if (file->rename(name)) {
    old.push_back({name, file->size(), now_ns});
    file.reset();
    ++part;
    if (const Status begun = begin_part(); !begun) suspend(begun.error());
    if (file && !meta.empty()) {
      buffer.clear();
      append_text_section(buffer, format::SectionType::meta, 0, meta);
      format::IndexEntry entry{};
      entry.type = static_cast<std::uint32_t>(format::SectionType::meta);
      entry.offset = file->size();
      entry.section_bytes = buffer.size();
      if (write_out()) index.push_back(entry);
    }
  }
  buffer.swap(held);
}

void TraceWriter::State::forget_old(std::uint64_t more_bytes) {
  const auto too_large = [&] {
    return options.max_bytes != 0 && status.bytes + more_bytes > options.max_bytes;
  };
  const auto too_old = [&] {
    return options.max_age_ns != 0 && now_ns - old.front().ended_ns > options.max_age_ns;
  };
  while (!old.empty() && (too_large() || too_old())) {
    files.remove(old.front().path);
    status.bytes -= std::min(status.bytes, old.front().bytes);
    ++status.parts_removed;
    old.pop_front();
  }
}

// The index, the statistics of the whole, and where they begin: the last 16 bytes of the file.
void TraceWriter::State::write_end() {
  format::EndHead head{};
  head.operations = operations;
  head.marks = mark_count;
  head.entries = static_cast<std::uint32_t>(index.size());
  std::vector<std::uint8_t> bytes, body;
  append_struct(bytes, head);
  append_structs(bytes, std::span<const format::IndexEntry>(index));
  if (rollup.complete()) encode_rollup(rollup.take(), body);
  head.rollup_bytes = static_cast<std::uint32_t>(body.size());
  head.rollup_crc = crc32c(body.data(), body.size());
  std::copy_n(reinterpret_cast<const std::uint8_t*>(&head), sizeof head, bytes.data());
  buffer.clear();
  append_section(buffer, format::SectionType::end, bytes, body);
  format::Trailer trailer{};
  trailer.end_offset = file ? file->size() : 0;
  std::copy(std::begin(format::kTrailerMagic), std::end(format::kTrailerMagic), trailer.magic);
  append_struct(buffer, trailer);
  write_out();
}

Result<TraceWriter> TraceWriter::create(const std::string& path,
                                        const TraceWriterOptions& options) {
  return create(path, options, real_file_system());
}

Result<TraceWriter> TraceWriter::create(const std::string& path, const TraceWriterOptions& options,
                                        FileSystem& files) {
  if (options.chunk_operations == 0 || options.chunk_operations > format::kMaxOperations)
    return Error{ErrorCode::invalid_argument,
                 fmt::format("a chunk holds 1 to {} operations", format::kMaxOperations)};
  if (!std::has_single_bit(options.time_step_ns) ||
      options.time_step_ns > 1U << format::kMaxTimeShift)
    return Error{ErrorCode::invalid_argument, "the time step is a power of two, at most 65536 ns"};
  auto state = std::make_unique<State>(path, options, files);
  std::random_device random;
  state->trace_id = std::uint64_t{random()} << 32 | random();
  if (const Status begun = state->begin_part(); !begun) return begun.error();
  // Parts of an earlier trace of this name would be taken for ours.
  for (const std::string& part : find_parts(path)) files.remove(part);
  return TraceWriter(std::move(state));
}

TraceWriter::TraceWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
TraceWriter::TraceWriter(TraceWriter&&) noexcept = default;
TraceWriter& TraceWriter::operator=(TraceWriter&&) noexcept = default;
TraceWriter::~TraceWriter() {
  if (state_ && !state_->closed) static_cast<void>(close());
}

void TraceWriter::add(std::span<const Op> ops) {
  State& state = *state_;
  state.status.operations += ops.size();
  while (!ops.empty()) {
    const std::size_t room = state.options.chunk_operations - state.encoder.size();
    const std::size_t n = std::min(room, ops.size());
    state.encoder.add(ops.first(n));
    ops = ops.subspan(n);
    if (n == room) state.flush_ops();
  }
}

void TraceWriter::add(const Mark& mark) {
  ++state_->status.marks;
  state_->marks.push_back(mark);
  if (state_->marks.size() >= kMarksAtOnce) state_->flush_marks();
}

void TraceWriter::set_meta(const TraceMeta& meta) {
  std::string text = to_json_text(meta);
  if (text == state_->meta) return;
  state_->meta = std::move(text);
  state_->write_text(format::SectionType::meta, state_->meta);
}

void TraceWriter::set_summary(const std::string& json) {
  state_->flush();
  state_->write_text(format::SectionType::summary, json);
}

void TraceWriter::tick(std::int64_t now_ns) {
  State& state = *state_;
  state.now_ns = now_ns;
  if (state.last_flush_ns == 0) state.last_flush_ns = now_ns;
  if (state.part_begun_ns == 0) state.part_begun_ns = now_ns;
  if (now_ns - state.last_flush_ns >= state.options.flush_interval_ns) state.flush();
  if (state.status.suspended && now_ns >= state.next_try_ns && !state.meta.empty())
    state.write_text(format::SectionType::meta, state.meta);  // is there room again?
}

Status TraceWriter::close() {
  State& state = *state_;
  if (state.closed) return Done{};
  state.closed = true;
  state.flush();
  if (state.file) state.write_end();
  state.file.reset();
  if (state.status.suspended) return Error{ErrorCode::io, state.status.why};
  return Done{};
}

const TraceWriterStatus& TraceWriter::status() const { return state_->status; }

}  // namespace peerscope
