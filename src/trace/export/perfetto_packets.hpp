// Perfetto's packets, one after the other. Field numbers are those of protos/perfetto/trace in
// google/perfetto.
#pragma once

#include <string>
#include <unordered_map>

#include "trace/export/out.hpp"
#include "trace/export/protobuf.hpp"

namespace peerscope::perfetto {

namespace packet {  // TracePacket
inline constexpr unsigned kClockSnapshot = 6, kTimestamp = 8, kSequence = 10, kTrackEvent = 11,
                          kInterned = 12, kFlags = 13, kDefaults = 59, kTrack = 60, kFirst = 87;
}
namespace defaults {  // TracePacketDefaults
inline constexpr unsigned kClock = 58;
}
namespace event {  // TrackEvent
inline constexpr unsigned kCategory = 3, kAnnotation = 4, kType = 9, kName = 10, kTrackUuid = 11,
                          kDoubleCounter = 44, kFlow = 47;
inline constexpr std::uint64_t kBegin = 1, kEnd = 2, kInstant = 3, kCounter = 4;
}  // namespace event
namespace annotation {  // DebugAnnotation
inline constexpr unsigned kName = 1, kInt = 4, kString = 17;
}
namespace interned {  // InternedData, and its entries
inline constexpr unsigned kCategories = 1, kNames = 2, kAnnotationNames = 3, kStrings = 29;
inline constexpr unsigned kId = 1, kText = 2;
}  // namespace interned
namespace track {  // TrackDescriptor
inline constexpr unsigned kUuid = 1, kName = 2, kProcess = 3, kParent = 5, kCounter = 8;
}
namespace process {  // ProcessDescriptor
inline constexpr unsigned kPid = 1, kSortIndex = 3, kName = 6, kLabels = 8;
}
namespace counter {  // CounterDescriptor
inline constexpr unsigned kUnitName = 6;
}
namespace clock {  // ClockSnapshot, Clock, BuiltinClock
inline constexpr unsigned kClocks = 1, kPrimary = 2, kId = 1, kTimestamp = 2;
inline constexpr std::uint64_t kRealtime = 1, kMonotonic = 3;
}  // namespace clock

// All packets are of one sequence: texts are written once and named by number from then on.
class Packets {
 public:
  explicit Packets(Out& out) : out_(out) {}

  // The first packet: from here on times are ns of CLOCK_MONOTONIC.
  void begin(std::int64_t at_ns, std::int64_t real_offset_ns);
  void track(const Proto& descriptor);
  // Texts that are new to the event go before it.
  void event(std::int64_t at_ns, const Proto& body);

  std::uint64_t category(std::string_view text) { return categories_.id(text, new_texts_); }
  std::uint64_t name(std::string_view text) { return names_.id(text, new_texts_); }
  void annotate(Proto& event, std::string_view key, std::int64_t value);
  void annotate(Proto& event, std::string_view key, std::string_view value);

 private:
  class Interned {
   public:
    explicit Interned(unsigned field) : field_(field) {}
    std::uint64_t id(std::string_view text, Proto& out);

   private:
    unsigned field_;
    std::unordered_map<std::string, std::uint64_t> ids_;
  };

  void put(const Proto& packet);

  Out& out_;
  Interned categories_{interned::kCategories}, names_{interned::kNames},
      keys_{interned::kAnnotationNames}, strings_{interned::kStrings};
  Proto new_texts_, packet_, whole_;
};

}  // namespace peerscope::perfetto
