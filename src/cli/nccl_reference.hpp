// What ranks give to a collective, and what each must get: small whole numbers, so that every result
// is exact in every type and any order, except an average that does not come out even.
//
// A rank's input repeats after a prime number of elements (1,000,003), so that it is cheap to make on
// a device, and an element that comes from the wrong place is wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "model/kinds.hpp"

namespace peerscope {

// One call, in elements. `count` is NCCL's argument: for all_gather, reduce_scatter and all_to_all one
// rank's share.
struct NcclLengths {
  std::size_t count = 0, send = 0, recv = 0;
  std::uint64_t bytes = 0;  // nccl-tests' size: of the larger side
};
bool nccl_has_in_place(Kind kind);  // not what sends and receives
NcclLengths nccl_lengths(Kind kind, std::uint64_t bytes, Dtype dtype, int ranks);

// What of an output is looked at: all of it, or over 64 MiB four windows of 256 Ki elements, from the
// first to the last.
struct NcclWindow {
  std::size_t first = 0, elements = 0;
};
std::vector<NcclWindow> nccl_windows(std::size_t elements, std::size_t width);

class NcclReference {
 public:
  struct Shape {
    Kind kind = Kind::all_reduce;
    Dtype dtype = Dtype::f32;
    std::string op = "sum";
    int ranks = 1, root = 0;
  };
  NcclReference(Shape shape, std::size_t most_elements);  // that a rank gives

  // One period of what a rank gives.
  [[nodiscard]] std::span<const std::byte> input(int rank) const;

  // How many of `elements` elements from `first` on of this rank's output are not what they must be.
  [[nodiscard]] std::uint64_t count_wrong(int rank, const NcclLengths& lengths, std::size_t first,
                                          std::span<const std::byte> got) const;

 private:
  struct Place {
    const std::byte* data = nullptr;  // null: nothing is said about it
    std::size_t elements = 0;
  };
  [[nodiscard]] Place expected(int rank, std::size_t count, std::size_t i) const;
  [[nodiscard]] bool same(const std::byte* want, const std::byte* got, std::size_t i) const;

  Shape shape_;
  std::size_t period_, width_;
  double tolerance_ = 0;  // relative; 0: bytes are the same
  std::vector<std::vector<std::byte>> inputs_;
  std::vector<std::byte> reduced_;
};

}  // namespace peerscope
