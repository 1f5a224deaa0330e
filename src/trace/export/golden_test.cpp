// Each format's export of one small trace, as it lies in golden/. PSCOPE_UPDATE_GOLDEN=1 writes them
// anew; golden/check.py reads them with other people's parsers.
#include <bit>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "trace/export/export_for_test.hpp"
#include "trace/export/protobuf_for_test.hpp"

namespace peerscope {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(__FILE__).parent_path() / "golden";

// ---- A Perfetto trace as text, as protoc would write it ----

enum class Message {
  trace,
  packet,
  snapshot,
  clock,
  defaults,
  event,
  annotation,
  interned,
  text,
  track,
  process,
  counter,
  none
};
enum class Form { number, signed_number, text, fixed, real };

struct Description {
  Message in;
  unsigned number;
  const char* name;
  Message is = Message::none;
  Form form = Form::number;
};

constexpr Description kDescriptions[] = {
    {Message::trace, 1, "packet", Message::packet},
    {Message::packet, 6, "clock_snapshot", Message::snapshot},
    {Message::packet, 8, "timestamp"},
    {Message::packet, 10, "trusted_packet_sequence_id"},
    {Message::packet, 11, "track_event", Message::event},
    {Message::packet, 12, "interned_data", Message::interned},
    {Message::packet, 13, "sequence_flags"},
    {Message::packet, 59, "trace_packet_defaults", Message::defaults},
    {Message::packet, 60, "track_descriptor", Message::track},
    {Message::packet, 87, "first_packet_on_sequence"},
    {Message::snapshot, 1, "clocks", Message::clock},
    {Message::snapshot, 2, "primary_trace_clock"},
    {Message::clock, 1, "clock_id"},
    {Message::clock, 2, "timestamp"},
    {Message::defaults, 58, "timestamp_clock_id"},
    {Message::event, 3, "category_iids"},
    {Message::event, 4, "debug_annotations", Message::annotation},
    {Message::event, 9, "type"},
    {Message::event, 10, "name_iid"},
    {Message::event, 11, "track_uuid"},
    {Message::event, 44, "double_counter_value", Message::none, Form::real},
    {Message::event, 47, "flow_ids", Message::none, Form::fixed},
    {Message::annotation, 1, "name_iid"},
    {Message::annotation, 4, "int_value", Message::none, Form::signed_number},
    {Message::annotation, 17, "string_value_iid"},
    {Message::interned, 1, "event_categories", Message::text},
    {Message::interned, 2, "event_names", Message::text},
    {Message::interned, 3, "debug_annotation_names", Message::text},
    {Message::interned, 29, "debug_annotation_string_values", Message::text},
    {Message::text, 1, "iid"},
    {Message::text, 2, "text", Message::none, Form::text},
    {Message::track, 1, "uuid"},
    {Message::track, 2, "name", Message::none, Form::text},
    {Message::track, 3, "process", Message::process},
    {Message::track, 5, "parent_uuid"},
    {Message::track, 8, "counter", Message::counter},
    {Message::process, 1, "pid"},
    {Message::process, 3, "legacy_sort_index"},
    {Message::process, 6, "process_name", Message::none, Form::text},
    {Message::process, 8, "process_labels", Message::none, Form::text},
    {Message::counter, 6, "unit_name", Message::none, Form::text},
};

const Description* description_of(Message in, unsigned number) {
  for (const Description& one : kDescriptions) {
    if (one.in == in && one.number == number) return &one;
  }
  return nullptr;
}

std::string value_text(const Field& field, Form form) {
  if (form == Form::text) return fmt::format("\"{}\"", field.bytes);
  if (form == Form::real) return fmt::format("{}", std::bit_cast<double>(field.value));
  if (form == Form::signed_number) return fmt::format("{}", static_cast<std::int64_t>(field.value));
  return fmt::format("{}", field.value);
}

void append_text(std::string& out, std::string_view bytes, Message in, std::size_t depth) {
  const std::string indent(2 * depth, ' ');
  for (const Field& field : decode(bytes)) {
    const Description* one = description_of(in, field.number);
    ASSERT_NE(one, nullptr) << "field " << field.number << " of " << static_cast<int>(in);
    if (one->is == Message::none) {
      out += fmt::format("{}{}: {}\n", indent, one->name, value_text(field, one->form));
      continue;
    }
    out += fmt::format("{}{} {{\n", indent, one->name);
    append_text(out, field.bytes, one->is, depth + 1);
    out += indent + "}\n";
  }
}

// ---- The comparison ----

std::string contents(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void expect_golden(const std::string& file, const std::string& text) {
  const std::filesystem::path path = kFolder / file;
  if (std::getenv("PSCOPE_UPDATE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << text;
  EXPECT_EQ(contents(path), text) << path;
}

TEST(ExportGolden, EachFormatIsAsItWas) {
  const SmallTrace trace(mixed_operations());
  for (const char* format : {"csv", "json", "jsonl", "xml", "chrome", "inspector"})
    expect_golden(std::string("small.") + format, run(trace, format).text);
}

TEST(ExportGolden, PerfettoDecodedIsAsItWas) {
  std::string text;
  append_text(text, run(SmallTrace(mixed_operations()), "perfetto").text, Message::trace, 0);
  expect_golden("small.perfetto.txt", text);
}

}  // namespace
}  // namespace peerscope
