// Bandwidth as nccl-tests defines it, so that our figures stand beside theirs.
// Source: NVIDIA/nccl-tests doc/PERFORMANCE.md and src/{all_reduce,all_gather,...}.cu (the *GetBw
// functions).
#pragma once

#include <cstdint>

#include "model/kinds.hpp"

namespace peerscope {

// busbw = algbw * factor. With n ranks: all_reduce 2(n-1)/n; all_gather, reduce_scatter, all_to_all
// (n-1)/n; gather and scatter (n-1)/n (the root's link carries n-1 of n shares); everything else 1.
constexpr double busbw_factor(Kind kind, std::uint32_t ranks) {
  if (ranks < 1) return 1.0;
  const double n = ranks;
  switch (kind) {
    case Kind::all_reduce:
      return 2.0 * (n - 1.0) / n;
    case Kind::all_gather:
    case Kind::reduce_scatter:
    case Kind::all_to_all:
    case Kind::gather:
    case Kind::scatter:
      return (n - 1.0) / n;
    default:
      return 1.0;
  }
}

// Bytes per second. `bytes` is nccl-tests' "size": of the whole tensor, i.e. for all_gather the
// gathered one, for reduce_scatter the one before scattering, for all_to_all, gather and scatter
// all shares together. 0 if the time is not positive.
constexpr double algbw(double bytes, double ns) { return ns > 0.0 ? bytes / ns * 1e9 : 0.0; }
constexpr double busbw(Kind kind, std::uint32_t ranks, double bytes, double ns) {
  return algbw(bytes, ns) * busbw_factor(kind, ranks);
}

}  // namespace peerscope
