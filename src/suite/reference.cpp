#include "suite/reference.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "suite/element.hpp"

namespace peerscope {
namespace {

constexpr std::size_t kPeriod = 1'000'003;

}  // namespace

Reference::Reference(Shape shape, std::size_t most_elements, std::uint64_t seed)
    : shape_(shape),
      period_(std::clamp<std::size_t>(most_elements, 1, kPeriod)),
      width_(dtype_bytes(shape.dtype)) {
  for (int rank = 0; rank < shape.ranks; ++rank) {
    std::vector<std::byte>& input = inputs_.emplace_back(period_ * width_);
    const std::uint64_t stream = random_at(seed, static_cast<std::uint64_t>(rank));
    for (std::size_t i = 0; i < period_; ++i)
      write_random(shape.dtype, random_at(stream, i), &input[i * width_]);
  }
  if (is_reduction(shape.kind)) reduce();
}

void Reference::reduce() {
  expected_.resize(period_);
  bound_.resize(period_);
  const double n = shape_.ranks;
  with_reducible(shape_.dtype, [&]<Dtype kDtype>() {
    for (std::size_t i = 0; i < period_; ++i) {
      double sum = 0, least = INFINITY, most = -INFINITY, magnitudes = 0;
      for (const auto& input : inputs_) {
        const double x = read_element<kDtype>(&input[i * width_]);
        sum += x;
        least = std::min(least, x);
        most = std::max(most, x);
        magnitudes += std::fabs(x);
      }
      sum = wrapped(kDtype, sum);
      const double mean = is_integer(kDtype) ? std::trunc(sum / n) : sum / n;
      expected_[i] = shape_.op == ReduceOp::min   ? least
                     : shape_.op == ReduceOp::max ? most
                     : shape_.op == ReduceOp::avg ? mean
                                                  : sum;
      const bool exact =
          is_integer(kDtype) || shape_.op == ReduceOp::min || shape_.op == ReduceOp::max;
      bound_[i] = exact ? 0 : (n + 1) * rounding_of(kDtype) * magnitudes + 0x1p-25;
    }
  });
}

void Reference::write_input(int rank, std::size_t first, std::span<std::byte> to) const {
  const std::vector<std::byte>& input = inputs_[static_cast<std::size_t>(rank)];
  std::size_t at = first % period_ * width_;
  while (!to.empty()) {
    const std::size_t part = std::min(to.size(), input.size() - at);
    std::memcpy(to.data(), &input[at], part);
    to = to.subspan(part);
    at = 0;
  }
}

bool Reference::has_output(int rank) const {
  if (shape_.kind == Kind::send || shape_.kind == Kind::copy) return rank == 1;
  if (shape_.kind == Kind::get) return rank == 0;
  return (shape_.kind != Kind::reduce && shape_.kind != Kind::gather) || rank == 0;
}

std::uint64_t Reference::count_wrong(int rank, const Lengths& lengths, std::size_t first,
                                     std::span<const std::byte> got) const {
  if (!has_output(rank)) return 0;
  const auto r = static_cast<std::size_t>(rank), n = static_cast<std::size_t>(shape_.ranks);
  if (is_reduction(shape_.kind))
    return count_wrong_reduced(
        shape_.kind == Kind::reduce_scatter ? r * lengths.output + first : first, got);
  if (shape_.kind == Kind::broadcast || !is_collective(shape_.kind))
    return count_wrong_moved(shape_.kind == Kind::get ? 1 : 0, first, got);
  // The rest comes in one block from each rank.
  const std::size_t block = lengths.output / n;
  std::uint64_t wrong = 0;
  while (!got.empty()) {
    const std::size_t from = first / block, within = first % block;
    const std::size_t part = std::min(got.size() / width_, block - within);
    const std::size_t begin = shape_.kind == Kind::all_to_all ? r * block : 0;
    wrong += count_wrong_moved(static_cast<int>(from), begin + within, got.first(part * width_));
    got = got.subspan(part * width_);
    first += part;
  }
  return wrong;
}

std::uint64_t Reference::count_wrong_reduced(std::size_t first,
                                             std::span<const std::byte> got) const {
  std::uint64_t wrong = 0;
  std::size_t at = first % period_;
  with_reducible(shape_.dtype, [&]<Dtype kDtype>() {
    for (std::size_t i = 0; i + width_ <= got.size(); i += width_) {
      const double away = std::fabs(read_element<kDtype>(&got[i]) - expected_[at]);
      wrong += away <= bound_[at] ? 0 : 1;  // so that a NaN is wrong
      if (++at == period_) at = 0;
    }
  });
  return wrong;
}

std::uint64_t Reference::count_wrong_moved(int rank, std::size_t first,
                                           std::span<const std::byte> got) const {
  const std::vector<std::byte>& input = inputs_[static_cast<std::size_t>(rank)];
  std::uint64_t wrong = 0;
  std::size_t at = first % period_ * width_;
  while (!got.empty()) {
    const std::size_t part = std::min(got.size(), input.size() - at);
    const bool same = std::memcmp(got.data(), &input[at], part) == 0;
    for (std::size_t i = 0; !same && i < part; i += width_)
      wrong += std::memcmp(&got[i], &input[at + i], width_) == 0 ? 0 : 1;
    got = got.subspan(part);
    at = 0;
  }
  return wrong;
}

}  // namespace peerscope
