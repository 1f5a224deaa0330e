#include "trace/export/perfetto_packets.hpp"

#include <algorithm>

namespace peerscope::perfetto {
namespace {

constexpr std::uint64_t kSequenceId = 1;
constexpr std::uint64_t kStateCleared = 1, kNeedsState = 2;  // SequenceFlags
constexpr unsigned kTracePacket = 1;                         // Trace.packet

}  // namespace

std::uint64_t Packets::Interned::id(std::string_view text, Proto& out) {
  const auto [at, is_new] = ids_.try_emplace(std::string(text), ids_.size() + 1);
  if (is_new)
    out.message(field_,
                Proto().number(interned::kId, at->second).bytes(interned::kText, clean_utf8(text)));
  return at->second;
}

void Packets::put(const Proto& packet) {
  out_ << std::string_view(whole_.clear().message(kTracePacket, packet).str());
}

void Packets::begin(std::int64_t at_ns, std::int64_t real_offset_ns) {
  const auto now = [](std::uint64_t id, std::int64_t ns) {
    return Proto()
        .number(clock::kId, id)
        .number(clock::kTimestamp, static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0)));
  };
  Proto snapshot;
  snapshot.message(clock::kClocks, now(clock::kMonotonic, at_ns))
      .message(clock::kClocks, now(clock::kRealtime, at_ns + real_offset_ns))
      .number(clock::kPrimary, clock::kMonotonic);
  put(Proto()
          .message(packet::kClockSnapshot, snapshot)
          .number(packet::kSequence, kSequenceId)
          .number(packet::kFlags, kStateCleared)
          .message(packet::kDefaults, Proto().number(defaults::kClock, clock::kMonotonic))
          .number(packet::kFirst, 1));
}

void Packets::track(const Proto& descriptor) {
  put(packet_.clear().number(packet::kSequence, kSequenceId).message(packet::kTrack, descriptor));
}

void Packets::event(std::int64_t at_ns, const Proto& body) {
  packet_.clear()
      .number(packet::kTimestamp, static_cast<std::uint64_t>(std::max<std::int64_t>(at_ns, 0)))
      .number(packet::kSequence, kSequenceId)
      .message(packet::kTrackEvent, body);
  if (!new_texts_.str().empty()) packet_.message(packet::kInterned, new_texts_);
  new_texts_.clear();
  put(packet_.number(packet::kFlags, kNeedsState));
}

void Packets::annotate(Proto& event, std::string_view key, std::int64_t value) {
  event.message(event::kAnnotation,
                Proto()
                    .number(annotation::kName, keys_.id(key, new_texts_))
                    .number(annotation::kInt, static_cast<std::uint64_t>(value)));
}

void Packets::annotate(Proto& event, std::string_view key, std::string_view value) {
  event.message(event::kAnnotation,
                Proto()
                    .number(annotation::kName, keys_.id(key, new_texts_))
                    .number(annotation::kString, strings_.id(value, new_texts_)));
}

}  // namespace peerscope::perfetto
