#include "trace/ops_chunk.hpp"

#include <algorithm>
#include <numeric>
#include <optional>

#include "trace/bytes.hpp"
#include "trace/cells.hpp"
#include "trace/column_codec.hpp"
#include "trace/ops_encoder.hpp"
#include "trace/section.hpp"

namespace peerscope {

using format::OpsHead;

struct OpsChunk::State {
  OpsHead head{};
  SectionBytes section;
  std::vector<std::uint8_t> front;  // what `section` has in memory
  ColumnReader columns;
  Status status = Done{};

  std::optional<std::vector<Shape>> shapes;
  std::optional<std::vector<std::uint32_t>> shape_index;
  std::optional<std::vector<std::uint64_t>> decoded[kColumns];
  std::optional<std::vector<ChunkCell>> cells;
  std::optional<std::vector<ChunkSeries>> series;
  std::optional<std::vector<Op>> ops;
  std::vector<std::uint8_t> buffer;

  // Notes the first thing that was wrong.
  bool sound(const Status& result) {
    if (!result && status) status = result;
    return static_cast<bool>(result);
  }
  [[nodiscard]] CellLimits limits() const {
    return {head.shapes, format::kMaxCells, head.operations};
  }
  [[nodiscard]] unsigned shift_of(Column which) const {
    const format::ColumnEntry* column = columns.find(static_cast<std::uint8_t>(which));
    return column != nullptr ? column->shift : 0;
  }
  const std::vector<std::uint64_t>& load(Column which);
  Status decode(Column which, std::vector<std::uint64_t>& out);
  Status decode_begin(std::vector<std::uint64_t>& out);
  Status decode_device_begin(std::vector<std::uint64_t>& out);
  Status decode_sequence(std::vector<std::uint64_t>& out);
  Status decode_shapes(std::vector<Shape>& out);
  Status decode_shape_index(std::vector<std::uint32_t>& out);
  Result<std::span<const std::uint8_t>> blob(std::uint8_t id);
  const std::vector<Shape>& load_shapes();
  const std::vector<std::uint32_t>& load_shape_index();
  void assemble(std::vector<Op>& out);
};

namespace {

std::uint8_t id_of(Column column) { return static_cast<std::uint8_t>(column); }

Error damaged(const char* what) { return {ErrorCode::corrupt, what}; }

}  // namespace

Result<OpsChunk> OpsChunk::open(std::span<const std::uint8_t> section) {
  auto state = std::make_unique<State>();
  state->section = SectionBytes::in_memory(section);
  return open(std::move(state));
}

// Head and statistics lie in front: one read brings both, most of the time.
Result<OpsChunk> OpsChunk::open(int fd, std::uint64_t offset, std::uint64_t bytes) {
  constexpr std::size_t kFront = 8192;
  auto state = std::make_unique<State>();
  state->section = {{}, fd, offset, bytes};
  std::span<const std::uint8_t> front;
  const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, kFront));
  if (!state->section.get(0, n, state->front, front)) return damaged("a chunk cannot be read");
  state->section.memory = state->front;
  return open(std::move(state));
}

Result<OpsChunk> OpsChunk::open(std::unique_ptr<State> state) {
  const auto view = read_head(state->section);
  if (!view || view->type != format::SectionType::ops)
    return damaged("there is no chunk of operations here");
  std::span<const std::uint8_t> in = view->head;
  std::vector<format::ColumnEntry> columns;
  std::vector<format::StreamEntry> streams;
  if (!take_struct(in, state->head) || !take_structs(in, state->head.columns, columns) ||
      !take_structs(in, state->head.streams, streams))
    return damaged("a chunk's head is too short");
  const OpsHead& head = state->head;
  if (head.operations == 0 || head.operations > format::kMaxOperations ||
      head.shapes > head.operations || head.lanes > head.operations)
    return damaged("a chunk's head contradicts itself");
  auto reader = ColumnReader::open(columns, streams, state->section, view->body_at);
  if (!reader) return reader.error();
  state->columns = std::move(*reader);
  return OpsChunk(std::move(state));
}

OpsChunk::OpsChunk(std::unique_ptr<State> state) : state_(std::move(state)) {}
OpsChunk::OpsChunk(OpsChunk&&) noexcept = default;
OpsChunk& OpsChunk::operator=(OpsChunk&&) noexcept = default;
OpsChunk::~OpsChunk() = default;

std::uint32_t OpsChunk::size() const { return state_->head.operations; }
const Status& OpsChunk::status() const { return state_->status; }

Result<std::span<const std::uint8_t>> OpsChunk::State::blob(std::uint8_t id) {
  const format::ColumnEntry* column = columns.find(id);
  if (column == nullptr) return damaged("a part of the chunk is missing");
  if (column->planes == 0) return std::span<const std::uint8_t>();
  return columns.plane(*column, 0, buffer);
}

Status OpsChunk::State::decode_shapes(std::vector<Shape>& out) {
  const auto bytes = blob(format::kShapesColumn);
  if (!bytes) return bytes.error();
  const std::size_t n = head.shapes;
  if (bytes->size() != n * Shape::kBytes) return damaged("the shapes have a wrong length");
  out.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    auto* shape = reinterpret_cast<std::uint8_t*>(out[i].words.data());
    for (std::size_t p = 0; p < Shape::kBytes; ++p) shape[p] = (*bytes)[p * n + i];
    if (!out[i].is_valid()) return damaged("a shape holds impossible values");
  }
  return Done{};
}

const std::vector<Shape>& OpsChunk::State::load_shapes() {
  if (!shapes) {
    shapes.emplace();
    if (!sound(decode_shapes(*shapes))) shapes->clear();
  }
  return *shapes;
}

Status OpsChunk::State::decode_shape_index(std::vector<std::uint32_t>& out) {
  out.resize(head.operations);
  if (const Status read = columns.indices_into(id_of(Column::shape), out); !read) return read;
  const std::uint32_t most = *std::max_element(out.begin(), out.end());
  if (most >= head.shapes) return damaged("an operation's shape is beyond the table");
  return Done{};
}

const std::vector<std::uint32_t>& OpsChunk::State::load_shape_index() {
  if (!shape_index) {
    shape_index.emplace();
    if (!sound(decode_shape_index(*shape_index))) shape_index->clear();
  }
  return *shape_index;
}

Status OpsChunk::State::decode_begin(std::vector<std::uint64_t>& out) {
  const auto sizes = columns.values(format::kLaneSizes, head.lanes);
  if (!sizes) return sizes.error();
  const auto firsts = columns.values(format::kLaneFirstBegin, head.lanes);
  if (!firsts) return firsts.error();
  if (const Status read = columns.values_into(id_of(Column::begin), out); !read) return read;
  const std::vector<std::uint64_t>& durations = load(Column::host_duration);
  if (durations.empty()) return damaged("durations are damaged");
  const unsigned shift = shift_of(Column::begin);
  std::size_t at = 0;
  for (std::size_t lane = 0; lane < sizes->size(); ++lane) {
    if ((*sizes)[lane] > out.size() - at) return damaged("the lanes are longer than the chunk");
    const std::size_t end = at + (*sizes)[lane];
    for (std::uint64_t expected = (*firsts)[lane]; at < end; ++at) {
      out[at] = expected + (out[at] << shift);
      expected = out[at] + (durations[at] + 1 == 0 ? 0 : durations[at]);
    }
  }
  if (at != out.size()) return damaged("the lanes are shorter than the chunk");
  return Done{};
}

Status OpsChunk::State::decode_device_begin(std::vector<std::uint64_t>& out) {
  if (const Status read = columns.values_into(id_of(Column::device_begin), out); !read) return read;
  const std::vector<std::uint64_t>& begins = load(Column::begin);
  if (begins.empty()) return damaged("begins are damaged");
  const unsigned shift = shift_of(Column::device_begin);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = out[i] == 0 ? static_cast<std::uint64_t>(kUnknownNs)
                         : begins[i] + (format::unzigzag(out[i] - 1) << shift);
  }
  return Done{};
}

Status OpsChunk::State::decode_sequence(std::vector<std::uint64_t>& out) {
  const std::vector<Shape>& known = load_shapes();
  const std::vector<std::uint32_t>& index = load_shape_index();
  if (known.empty() || index.empty()) return damaged("shapes are damaged");
  std::vector<std::uint32_t> groups;
  const std::uint32_t count = number_groups(known, groups);
  auto next = columns.values(format::kGroupFirstSequence, count);
  if (!next) return next.error();
  if (const Status read = columns.values_into(id_of(Column::sequence), out); !read) return read;
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint64_t& expected = (*next)[groups[index[i]]];
    out[i] += expected;
    expected = out[i] + 1;
  }
  return Done{};
}

Status OpsChunk::State::decode(Column which, std::vector<std::uint64_t>& out) {
  out.resize(head.operations);
  switch (which) {
    case Column::begin:
      return decode_begin(out);
    case Column::device_begin:
      return decode_device_begin(out);
    case Column::sequence:
      return decode_sequence(out);
    case Column::host_duration:
    case Column::device_duration: {
      Status read = columns.values_into(id_of(which), out);
      const unsigned shift = shift_of(which);
      for (std::uint64_t& value : out) value = value == 0 ? value - 1 : (value - 1) << shift;
      return read;
    }
    case Column::bytes:
      return columns.values_into(id_of(which), out);
    case Column::shape:
      break;
  }
  return damaged("there is no such column");
}

const std::vector<std::uint64_t>& OpsChunk::State::load(Column which) {
  auto& values = decoded[static_cast<std::size_t>(which)];
  if (!values) {
    values.emplace();
    if (!sound(decode(which, *values))) values->clear();
  }
  return *values;
}

std::span<const Shape> OpsChunk::shapes() { return state_->load_shapes(); }
std::span<const std::uint32_t> OpsChunk::shape_index() { return state_->load_shape_index(); }

std::span<const std::int64_t> OpsChunk::times(Column column) {
  const std::vector<std::uint64_t>& values = state_->load(column);
  return {reinterpret_cast<const std::int64_t*>(values.data()), values.size()};
}

std::span<const std::uint64_t> OpsChunk::values(Column column) { return state_->load(column); }

std::optional<OpsChunk::Packed> OpsChunk::packed(Column column) {
  State& state = *state_;
  const format::ColumnEntry* entry = state.columns.find(id_of(column));
  if (entry == nullptr || entry->planes > 1 || entry->count != state.head.operations)
    return std::nullopt;
  const auto encoding = static_cast<format::Encoding>(entry->encoding);
  Packed packed;
  if (encoding == format::Encoding::table) {
    auto table = state.columns.table(*entry);
    if (!table || entry->base != 0) return std::nullopt;
    packed.table = std::move(*table);
  } else if (encoding == format::Encoding::frame) {
    for (std::uint64_t i = 0; i < 256; ++i) packed.table.push_back(entry->base + i);
  } else {
    return std::nullopt;
  }
  packed.table.resize(256);  // so that any index is within
  packed.storage = std::make_unique<std::vector<std::uint8_t>>();
  if (entry->planes == 0) {
    packed.storage->assign(entry->count, 0);
    packed.index = *packed.storage;
    return packed;
  }
  const auto plane = state.columns.plane(*entry, 0, *packed.storage);
  if (!plane) return std::nullopt;
  packed.index = *plane;
  return packed;
}

bool OpsChunk::has_cells() const { return state_->head.cells > 0; }

std::span<const ChunkCell> OpsChunk::cells() {
  State& state = *state_;
  if (!state.cells) {
    state.cells.emplace();
    const auto bytes = state.blob(format::kCellsColumn);
    const Status read = bytes ? decode_cells(*bytes, state.head.cells, state.limits(), *state.cells)
                              : Status(bytes.error());
    if (!state.sound(read)) state.cells->clear();
  }
  return *state.cells;
}

const std::vector<ChunkSeries>& OpsChunk::series() {
  State& state = *state_;
  if (!state.series) {
    state.series.emplace();
    const auto bytes = state.blob(format::kSeriesColumn);
    const Status read =
        bytes ? decode_series(*bytes, state.head.series, state.limits(), *state.series)
              : Status(bytes.error());
    if (!state.sound(read)) state.series->clear();
  }
  return *state.series;
}

void OpsChunk::State::assemble(std::vector<Op>& out) {
  const auto& index = load_shape_index();
  const auto& known = load_shapes();
  const std::vector<std::uint64_t>* values[kColumns] = {};
  for (std::size_t c = 1; c < kColumns; ++c) values[c] = &load(static_cast<Column>(c));
  if (!status) return;
  std::vector<std::uint32_t> order(head.operations);
  std::iota(order.begin(), order.end(), 0U);
  const auto begin = [&](std::uint32_t i) { return static_cast<std::int64_t>((*values[1])[i]); };
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return begin(a) != begin(b) ? begin(a) < begin(b) : a < b;
  });
  out.resize(head.operations);
  for (std::size_t at = 0; at < out.size(); ++at) {
    const std::uint32_t i = order[at];
    Op& op = out[at];
    op.begin_ns = begin(i);
    op.host_duration_ns = static_cast<std::int64_t>((*values[2])[i]);
    op.device_begin_ns = static_cast<std::int64_t>((*values[3])[i]);
    op.device_duration_ns = static_cast<std::int64_t>((*values[4])[i]);
    op.bytes = (*values[5])[i];
    op.sequence = (*values[6])[i];
    known[index[i]].apply(op);
  }
}

std::span<const Op> OpsChunk::ops() {
  State& state = *state_;
  if (!state.ops) {
    state.ops.emplace();
    state.assemble(*state.ops);
  }
  return *state.ops;
}

}  // namespace peerscope
