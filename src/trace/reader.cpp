#include "trace/reader.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/units.hpp"
#include "trace/marks.hpp"
#include "trace/reader_state.hpp"
#include "trace/section.hpp"

namespace peerscope {

using format::IndexEntry;

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

std::optional<std::vector<char>> TraceReader::State::text_of(const TraceSection& section,
                                                             std::uint64_t* covered) const {
  const IndexEntry& entry = section.entry;
  std::vector<std::uint8_t> buffer;
  std::span<const std::uint8_t> bytes;
  const SectionBytes source{{}, files[section.file].fd(), entry.offset, entry.section_bytes};
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
  auto files = open_trace_files(path);
  if (!files) return files.error();
  auto state = std::make_unique<State>();
  state->path = path;
  state->read(std::move(*files), nullptr);
  return TraceReader(std::move(state));
}

Result<std::optional<TraceReader>> TraceReader::refreshed() const {
  auto files = open_trace_files(state_->path);
  if (!files) return files.error();
  if (std::equal(files->begin(), files->end(), state_->files.begin(), state_->files.end(),
                 [](const TraceFile& a, const TraceFile& b) {
                   return a.same_file(b) && a.bytes == b.bytes;
                 }))
    return std::optional<TraceReader>();
  auto state = std::make_unique<State>();
  state->path = state_->path;
  state->read(std::move(*files), state_.get());
  return std::optional<TraceReader>(TraceReader(std::move(state)));
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
std::uint64_t TraceReader::trace_id() const { return state_->files.back().trace_id; }
std::uint64_t TraceReader::chunk_id(std::size_t i) const {
  const TraceSection& section = state_->ops[i];
  return std::uint64_t{state_->files[section.file].part} << 40 | section.entry.offset / 8;
}
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
  const TraceSection& section = state_->ops[i];
  return OpsChunk::open(state_->files[section.file].fd(), section.entry.offset,
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
  for (const TraceSection& section : state_->marks) {
    const SectionBytes bytes{
        {}, state_->files[section.file].fd(), section.entry.offset, section.entry.section_bytes};
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
