// A decoder of protobuf that shares nothing with what writes it, and the tracks of a Perfetto trace as
// a viewer sees them: events by time, those of equal time as they lie in the file.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace peerscope {

struct Field {
  unsigned number = 0;
  std::uint64_t value = 0;
  std::string_view bytes;
};

inline std::vector<Field> decode(std::string_view in) {
  std::vector<Field> fields;
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(in[0]);
      in.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7Fu} << shift;
      if ((byte & 0x80) == 0) return value;
    }
  };
  while (!in.empty()) {
    Field field;
    const std::uint64_t key = varint();
    field.number = static_cast<unsigned>(key >> 3);
    if ((key & 7) == 0) field.value = varint();
    if ((key & 7) == 1) {
      std::memcpy(&field.value, in.data(), 8);
      in.remove_prefix(8);
    }
    if ((key & 7) == 2) {
      const std::uint64_t n = varint();
      field.bytes = in.substr(0, n);
      in.remove_prefix(n);
    }
    fields.push_back(field);
  }
  return fields;
}

inline const Field* find(const std::vector<Field>& fields, unsigned number) {
  const auto at = std::find_if(fields.begin(), fields.end(),
                               [&](const Field& f) { return f.number == number; });
  return at != fields.end() ? &*at : nullptr;
}

struct Slice {
  std::int64_t begin = 0, end = 0;
  std::uint64_t flow = 0;      // at its begin
  std::uint64_t flow_end = 0;  // at its end
  std::size_t depth = 0;
};

struct Decoded {
  std::map<std::uint64_t, std::vector<Slice>> slices;  // by track
  std::map<std::uint64_t, std::uint64_t> parents;
  std::map<std::uint64_t, std::string> names;
  std::map<std::uint64_t, std::size_t> counters;  // values, by track
  std::size_t instants = 0;
};

struct TrackEvent {
  std::int64_t at = 0;
  std::vector<Field> fields;
};

inline void describe_track(std::string_view bytes, Decoded& out) {
  const auto descriptor = decode(bytes);
  const std::uint64_t uuid = find(descriptor, 1)->value;
  EXPECT_FALSE(out.parents.contains(uuid)) << "described twice";
  const Field* parent = find(descriptor, 5);
  const Field* name = find(descriptor, 2);
  const Field* process = find(descriptor, 3);
  out.parents[uuid] = parent != nullptr ? parent->value : 0;
  if (name != nullptr) out.names[uuid] = name->bytes;
  if (process != nullptr) out.names[uuid] = find(decode(process->bytes), 6)->bytes;
}

inline void replay(const TrackEvent& event, std::map<std::uint64_t, std::vector<Slice>>& open,
                   Decoded& out) {
  const std::uint64_t track = find(event.fields, 11)->value;
  const Field* flow = find(event.fields, 47);
  std::vector<Slice>& stack = open[track];
  switch (find(event.fields, 9)->value) {
    case 1:
      stack.push_back({event.at, 0, flow != nullptr ? flow->value : 0, 0, stack.size()});
      break;
    case 2:
      ASSERT_FALSE(stack.empty()) << "an end without a begin";
      stack.back().end = event.at;
      stack.back().flow_end = flow != nullptr ? flow->value : 0;
      out.slices[track].push_back(stack.back());
      stack.pop_back();
      break;
    case 3:
      ++out.instants;
      break;
    default:
      ++out.counters[track];
  }
}

inline Decoded decode_trace(const std::string& text) {
  Decoded out;
  std::vector<TrackEvent> events;
  for (const Field& packet : decode(text)) {
    EXPECT_EQ(packet.number, 1u);
    const auto body = decode(packet.bytes);
    if (const Field* track = find(body, 60)) describe_track(track->bytes, out);
    const Field* event = find(body, 11);
    if (event == nullptr) continue;
    events.push_back({static_cast<std::int64_t>(find(body, 8)->value), decode(event->bytes)});
    EXPECT_TRUE(out.parents.contains(find(events.back().fields, 11)->value))
        << "a track that nobody described";
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const TrackEvent& a, const TrackEvent& b) { return a.at < b.at; });
  std::map<std::uint64_t, std::vector<Slice>> open;
  for (const TrackEvent& event : events) replay(event, open, out);
  for (const auto& [track, left] : open) EXPECT_TRUE(left.empty()) << "a slice does not end";
  return out;
}

}  // namespace peerscope
