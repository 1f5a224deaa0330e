// What ranks give and what each must get: random inputs, a reference in double, every element
// compared.
//
// A rank's input repeats after a prime number of elements (1,000,003): cheap to make for any size,
// and an element that comes from the wrong place is wrong.
#pragma once

#include <span>
#include <vector>

#include "suite/case.hpp"

namespace peerscope {

inline constexpr std::uint64_t kInputSeed = 0x7065'6572'7363'6f70u;

class Reference {
 public:
  struct Shape {
    Kind kind = Kind::all_reduce;
    Dtype dtype = Dtype::f32;
    ReduceOp op = ReduceOp::sum;
    int ranks = 1;
  };
  Reference(Shape shape, std::size_t most_elements, std::uint64_t seed = kInputSeed);

  // `elements` elements from `first` on of what `rank` gives.
  void write_input(int rank, std::size_t first, std::span<std::byte> to) const;

  // How many elements of a part of this rank's output, from `first` on, are not what they must be:
  // equal bytes for what is moved, exact for integers, and for floats within (ranks + 1) roundings
  // of the sum of magnitudes. A NaN is wrong.
  [[nodiscard]] std::uint64_t count_wrong(int rank, const Lengths& lengths, std::size_t first,
                                          std::span<const std::byte> got) const;
  // False where the kind says nothing about this rank's output.
  [[nodiscard]] bool has_output(int rank) const;

 private:
  void reduce();
  [[nodiscard]] std::uint64_t count_wrong_reduced(std::size_t first,
                                                  std::span<const std::byte> got) const;
  [[nodiscard]] std::uint64_t count_wrong_moved(int rank, std::size_t first,
                                                std::span<const std::byte> got) const;

  Shape shape_;
  std::size_t period_, width_;
  std::vector<std::vector<std::byte>> inputs_;  // one period of each rank
  std::vector<double> expected_, bound_;        // of reductions
};

}  // namespace peerscope
