#include "suite/case.hpp"

#include <algorithm>

namespace peerscope {

Lengths lengths_of(const Case& test, int ranks) {
  const auto n = static_cast<std::size_t>(ranks);
  const std::size_t whole = std::max<std::size_t>(test.bytes / dtype_bytes(test.dtype), 1);
  const std::size_t share = std::max<std::size_t>(whole / n, 1);
  Lengths out{.count = whole, .input = whole, .output = whole};
  switch (test.kind) {
    case Kind::all_gather:
    case Kind::gather:
      out = {.count = share, .input = share, .output = share * n};
      break;
    case Kind::reduce_scatter:
      out = {.count = share * n, .input = share * n, .output = share};
      break;
    case Kind::all_to_all:
      out = {.count = share * n, .input = share * n, .output = share * n};
      break;
    default:
      break;
  }
  out.bytes = std::max(out.input, out.output) * dtype_bytes(test.dtype);
  return out;
}

bool has_in_place(Kind kind) {
  return kind == Kind::all_reduce || kind == Kind::reduce || kind == Kind::broadcast ||
         kind == Kind::all_gather || kind == Kind::reduce_scatter;
}

std::optional<Call> call_of(const Case& test, int rank, int ranks, const CaseBuffers& buffers) {
  if (test.kind == Kind::send && rank > 1) return std::nullopt;
  if (is_one_sided(test.kind) && rank != 0) return std::nullopt;
  const Lengths lengths = lengths_of(test, ranks);
  Call call{.kind = test.kind,
            .input = buffers.input,
            .output = buffers.output,
            .count = lengths.count,
            .dtype = test.dtype,
            .op = test.op,
            .algorithm = test.algorithm};
  if (has_root(test.kind)) call.peer = 0;
  if (is_one_sided(test.kind)) {
    call.peer = 1;
    call.offset = buffers.offset;
  }
  if (test.kind == Kind::gather) call.counts = buffers.counts;
  if (test.kind == Kind::send) {
    call.kind = rank == 0 ? Kind::send : Kind::recv;
    call.peer = 1 - rank;
  }
  if (!test.in_place) return call;
  auto* const base = static_cast<std::byte*>(buffers.output);
  const std::size_t share = static_cast<std::size_t>(rank) * dtype_bytes(test.dtype);
  call.input = test.kind == Kind::all_gather ? base + share * lengths.input : base;
  if (test.kind == Kind::reduce_scatter) call.output = base + share * lengths.output;
  return call;
}

std::string sweep_name(Kind kind) {
  return kind == Kind::send ? "sendrecv" : std::string(name(kind));
}

std::vector<std::uint64_t> sizes_between(std::uint64_t least, std::uint64_t most, double factor) {
  std::vector<std::uint64_t> sizes;
  for (auto bytes = static_cast<double>(least); bytes <= static_cast<double>(most);
       bytes *= factor) {
    const auto whole = static_cast<std::uint64_t>(bytes);
    if (sizes.empty() || sizes.back() != whole) sizes.push_back(whole);
  }
  return sizes;
}

}  // namespace peerscope
