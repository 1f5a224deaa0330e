// Which way the bytes of an operation go.
#pragma once

#include <cstdint>

#include "model/op.hpp"

namespace peerscope {

// From rank to rank, and which end recorded it.
struct Direction {
  std::uint16_t from = kNoRank, to = kNoRank;
  bool by_sender = true;
  [[nodiscard]] bool known() const { return from != kNoRank && to != kNoRank && from != to; }
};

constexpr Direction direction(Kind kind, std::uint16_t rank, std::uint16_t peer) {
  switch (kind) {
    case Kind::send:
    case Kind::copy:
    case Kind::put:
    case Kind::signal:
    case Kind::reduce:
      return {rank, peer, true};
    case Kind::recv:
    case Kind::get:
    case Kind::broadcast:
      return {peer, rank, false};
    default:  // gather and scatter too: a record says the whole's size, and shares may be uneven
      return {};
  }
}

}  // namespace peerscope
