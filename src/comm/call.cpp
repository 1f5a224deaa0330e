#include "comm/call.hpp"

#include <numeric>

#include <fmt/format.h>

#include "comm/transport.hpp"

namespace peerscope {

std::string_view name(ReduceOp op) {
  switch (op) {
    case ReduceOp::sum:
      return "sum";
    case ReduceOp::min:
      return "min";
    case ReduceOp::max:
      return "max";
    case ReduceOp::avg:
      return "avg";
  }
  return "?";
}

std::uint64_t call_bytes(const Call& call, int ranks) {
  const std::uint64_t element = dtype_bytes(call.dtype);
  switch (call.kind) {
    case Kind::barrier:
      return 0;
    case Kind::all_gather:
      return call.count * element * static_cast<std::uint64_t>(ranks);
    case Kind::gather:
      return std::accumulate(call.counts.begin(), call.counts.end(), std::uint64_t{0}) * element;
    default:
      return call.count * element;
  }
}

Envelope make_envelope(const Call& call, std::uint64_t sequence, std::uint64_t bytes) {
  const Kind kind = call.kind == Kind::recv ? Kind::send : call.kind;
  const std::uint64_t root = has_root(kind) ? static_cast<std::uint64_t>(call.peer) : 0xFFFF;
  const std::uint64_t op = is_reduction(kind) ? static_cast<std::uint64_t>(call.op) : 0xFF;
  return {.sequence = sequence,
          .what = static_cast<std::uint64_t>(kind) | static_cast<std::uint64_t>(call.dtype) << 8 |
                  op << 16 | static_cast<std::uint64_t>(call.algorithm) << 24 | root << 32,
          .bytes = bytes};
}

Kind kind_of(const Envelope& envelope) { return static_cast<Kind>(envelope.what & 0xFF); }

std::string describe(const Envelope& envelope) {
  const auto byte = [&](unsigned shift) {
    return static_cast<std::uint8_t>(envelope.what >> shift);
  };
  const Kind kind = kind_of(envelope);
  std::string text = fmt::format("{} #{} (", name(kind), envelope.sequence);
  if (kind != Kind::barrier) {
    text += fmt::format("{} B, {}, ", envelope.bytes, name(static_cast<Dtype>(byte(8))));
  }
  if (is_reduction(kind)) text += fmt::format("{}, ", name(static_cast<ReduceOp>(byte(16))));
  if (has_root(kind)) text += fmt::format("root {}, ", (envelope.what >> 32) & 0xFFFF);
  return text + fmt::format("{})", name(static_cast<Algorithm>(byte(24))));
}

}  // namespace peerscope
