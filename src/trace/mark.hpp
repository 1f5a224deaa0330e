// What a trace holds beside operations: facts about one of them, and things that happened.
#pragma once

#include <cstdint>

#include "model/op.hpp"

namespace peerscope {

enum class MarkType : std::uint8_t {
  phase = 1,       // of the operation (comm, sequence, rank); `name` says which
  completion = 2,  // an asynchronous operation has left the device: duration from its begin
  event = 3,       // `name`, `value`, `severity`
  call_site = 4,   // `name` is "module!symbol+0x12" of an operation of this kind
  control = 5,     // what is recorded was changed: `value` is the new level
};

struct Mark {
  std::int64_t at_ns = 0;  // begin
  std::int64_t duration_ns = kUnknownNs;
  std::int64_t value = 0;
  std::uint64_t comm = 0;
  std::uint64_t sequence = 0;  // of an event: 1 + the thread (Op::thread) that it is of; 0: unknown
  std::uint32_t process = 0;
  std::uint16_t rank = kNoRank;
  std::uint16_t name = 0;  // TraceMeta::name(process, name)
  MarkType type = MarkType::event;
  Kind kind = Kind::other;
  std::uint8_t severity = 0;  // pscope_severity
  OpStatus status = OpStatus::ok;
  bool operator==(const Mark&) const = default;
};

// That of the operation which it is a fact about; 0 where it is about none.
constexpr std::uint64_t operation_sequence(const Mark& mark) {
  return mark.type == MarkType::event ? 0 : mark.sequence;
}

}  // namespace peerscope
