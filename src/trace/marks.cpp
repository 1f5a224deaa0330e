#include "trace/marks.hpp"

#include <limits>

#include "trace/bytes.hpp"

namespace peerscope {
namespace {

// The columns of a marks section, in order: how each is taken from a mark and put into one. Signed
// values are two's complement.
struct Field {
  Texture texture;
  std::uint64_t (*get)(const Mark& mark);
  bool (*set)(Mark& mark, std::uint64_t value);  // false: impossible
};

template <class T>
bool fits(std::uint64_t value) {
  return value <= std::numeric_limits<T>::max();
}

constexpr std::uint64_t bits(std::int64_t value) { return static_cast<std::uint64_t>(value); }

const Field kFields[] = {
    {Texture::repeating, [](const Mark& m) { return std::uint64_t(m.type); },
     [](Mark& m, std::uint64_t v) {
       m.type = static_cast<MarkType>(v);
       return v >= 1 && v <= 5;
     }},
    {Texture::noise, [](const Mark& m) { return bits(m.duration_ns) + 1; },
     [](Mark& m, std::uint64_t v) {
       m.duration_ns = static_cast<std::int64_t>(v - 1);
       return true;
     }},
    {Texture::noise, [](const Mark& m) { return format::zigzag(bits(m.value)); },
     [](Mark& m, std::uint64_t v) {
       m.value = static_cast<std::int64_t>(format::unzigzag(v));
       return true;
     }},
    {Texture::repeating, [](const Mark& m) { return m.comm; },
     [](Mark& m, std::uint64_t v) {
       m.comm = v;
       return true;
     }},
    {Texture::noise, [](const Mark& m) { return m.sequence; },
     [](Mark& m, std::uint64_t v) {
       m.sequence = v;
       return true;
     }},
    {Texture::repeating, [](const Mark& m) { return std::uint64_t{m.process}; },
     [](Mark& m, std::uint64_t v) {
       m.process = static_cast<std::uint32_t>(v);
       return fits<std::uint32_t>(v);
     }},
    {Texture::repeating, [](const Mark& m) { return std::uint64_t{m.rank}; },
     [](Mark& m, std::uint64_t v) {
       m.rank = static_cast<std::uint16_t>(v);
       return fits<std::uint16_t>(v);
     }},
    {Texture::repeating, [](const Mark& m) { return std::uint64_t{m.name}; },
     [](Mark& m, std::uint64_t v) {
       m.name = static_cast<std::uint16_t>(v);
       return fits<std::uint16_t>(v);
     }},
    {Texture::repeating, [](const Mark& m) { return std::uint64_t(m.kind); },
     [](Mark& m, std::uint64_t v) {
       m.kind = static_cast<Kind>(v);
       return v < 32;
     }},
    {Texture::repeating, [](const Mark& m) { return std::uint64_t{m.severity}; },
     [](Mark& m, std::uint64_t v) {
       m.severity = static_cast<std::uint8_t>(v);
       return v < 8;
     }},
    {Texture::repeating, [](const Mark& m) { return std::uint64_t(m.status); },
     [](Mark& m, std::uint64_t v) {
       m.status = static_cast<OpStatus>(v);
       return v < 32;
     }},
};
constexpr std::uint8_t kAtColumn = 32;  // differences, the first from 0

}  // namespace

void append_marks_section(std::vector<std::uint8_t>& out, std::span<const Mark> marks,
                          ColumnWriter& columns) {
  columns.clear();
  std::vector<std::uint64_t> values(marks.size());
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < marks.size(); ++i) {
    values[i] = format::zigzag(bits(marks[i].at_ns) - last);
    last = bits(marks[i].at_ns);
  }
  columns.add(kAtColumn, values, Texture::noise);
  for (std::uint8_t id = 0; id < std::size(kFields); ++id) {
    for (std::size_t i = 0; i < marks.size(); ++i) values[i] = kFields[id].get(marks[i]);
    columns.add(id, values, kFields[id].texture);
  }
  format::MarksHead head{};
  head.marks = static_cast<std::uint32_t>(marks.size());
  head.columns = static_cast<std::uint32_t>(columns.columns().size());
  head.streams = static_cast<std::uint32_t>(columns.streams().size());
  std::vector<std::uint8_t> bytes;
  append_struct(bytes, head);
  append_structs(bytes, columns.columns());
  append_structs(bytes, columns.streams());
  append_section(out, format::SectionType::marks, bytes, columns.body());
}

Result<std::vector<Mark>> read_marks(const SectionBytes& section) {
  const Error broken{ErrorCode::corrupt, "a section of marks is damaged"};
  const auto view = read_head(section);
  if (!view || view->type != format::SectionType::marks) return broken;
  std::span<const std::uint8_t> in = view->head;
  format::MarksHead head;
  std::vector<format::ColumnEntry> entries;
  std::vector<format::StreamEntry> streams;
  if (!take_struct(in, head) || !take_structs(in, head.columns, entries) ||
      !take_structs(in, head.streams, streams) || head.marks > format::kMaxOperations)
    return broken;
  const auto columns = ColumnReader::open(entries, streams, section, view->body_at);
  if (!columns) return columns.error();
  std::vector<Mark> marks(head.marks);
  const auto at = columns->values(kAtColumn, head.marks);
  if (!at) return at.error();
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < marks.size(); ++i) {
    last += format::unzigzag((*at)[i]);
    marks[i].at_ns = static_cast<std::int64_t>(last);
  }
  for (std::uint8_t id = 0; id < std::size(kFields); ++id) {
    const auto values = columns->values(id, head.marks);
    if (!values) return values.error();
    for (std::size_t i = 0; i < marks.size(); ++i) {
      if (!kFields[id].set(marks[i], (*values)[i])) return broken;
    }
  }
  return marks;
}

}  // namespace peerscope
