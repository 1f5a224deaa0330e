#include "cli/nccl_reference.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "comm/call.hpp"
#include "comm/half.hpp"

namespace peerscope {
namespace {

constexpr std::size_t kPeriod = 1'000'003;
constexpr std::size_t kCheckedWhole = 64 << 20;
constexpr std::size_t kWindows = 4, kWindowElements = 256 << 10;

template <class T>
void put_as(std::byte* at, double value) {
  const T typed = static_cast<T>(value);
  std::memcpy(at, &typed, sizeof typed);
}

std::uint16_t bits_at(const std::byte* at) {
  std::uint16_t bits = 0;
  std::memcpy(&bits, at, sizeof bits);
  return bits;
}

template <class T>
double get_as(const std::byte* at) {
  T typed{};
  std::memcpy(&typed, at, sizeof typed);
  return static_cast<double>(typed);
}

void put(std::byte* data, std::size_t i, Dtype dtype, double value) {
  std::byte* const at = data + i * dtype_bytes(dtype);
  switch (dtype) {
    case Dtype::i8:
      return put_as<std::int8_t>(at, value);
    case Dtype::u8:
      return put_as<std::uint8_t>(at, value);
    case Dtype::i32:
      return put_as<std::int32_t>(at, value);
    case Dtype::u32:
      return put_as<std::uint32_t>(at, value);
    case Dtype::i64:
      return put_as<std::int64_t>(at, value);
    case Dtype::u64:
      return put_as<std::uint64_t>(at, value);
    case Dtype::f64:
      return put_as<double>(at, value);
    case Dtype::f16:
      return put_as<std::uint16_t>(at, f16_from_f32(static_cast<float>(value)));
    case Dtype::bf16:
      return put_as<std::uint16_t>(at, bf16_from_f32(static_cast<float>(value)));
    default:
      return put_as<float>(at, value);
  }
}

double get(const std::byte* data, std::size_t i, Dtype dtype) {
  const std::byte* const at = data + i * dtype_bytes(dtype);
  switch (dtype) {
    case Dtype::f64:
      return get_as<double>(at);
    case Dtype::f16:
      return static_cast<double>(f32_from_f16(bits_at(at)));
    case Dtype::bf16:
      return static_cast<double>(f32_from_bf16(bits_at(at)));
    default:
      return get_as<float>(at);
  }
}

bool is_whole(Dtype dtype) {
  return dtype != Dtype::f16 && dtype != Dtype::bf16 && dtype != Dtype::f32 && dtype != Dtype::f64;
}

// Of an average whose divisor is no power of two: NCCL multiplies each input with 1/ranks first.
double tolerance_of(const NcclReference::Shape& shape) {
  const auto ranks = static_cast<unsigned>(shape.ranks);
  if (!is_reduction(shape.kind) || shape.op != "avg" || is_whole(shape.dtype) ||
      std::has_single_bit(ranks))
    return 0;
  const int bits = shape.dtype == Dtype::f16    ? 10
                   : shape.dtype == Dtype::bf16 ? 7
                   : shape.dtype == Dtype::f32  ? 23
                                                : 52;
  return std::ldexp(1.0 + ranks, -bits);
}

std::uint64_t scramble(std::uint64_t x) {
  x ^= x >> 31;
  x *= 0x9E3779B97F4A7C15u;
  x ^= x >> 29;
  x *= 0xBF58476D1CE4E5B9u;
  return x ^ (x >> 32);
}

// Sums stay below 127 and products below 9, whatever the number of ranks.
double given(const NcclReference::Shape& shape, int rank, std::size_t i) {
  const auto r = static_cast<std::uint64_t>(rank);
  const auto ranks = static_cast<std::uint64_t>(shape.ranks);
  const std::uint64_t random = scramble((static_cast<std::uint64_t>(i) << 8) + r + 1);
  if (!is_reduction(shape.kind) || shape.op == "min" || shape.op == "max")
    return static_cast<double>(random % 100);
  if (shape.op == "prod") return (i + r) % ranks < 3 ? 1.0 + static_cast<double>(random % 2) : 1.0;
  return static_cast<double>(random % (ranks <= 18 ? 7 : 2));
}

double combine(const std::string& op, double a, double b) {
  if (op == "min") return std::min(a, b);
  if (op == "max") return std::max(a, b);
  return op == "prod" ? a * b : a + b;
}

}  // namespace

bool nccl_has_in_place(Kind kind) { return kind != Kind::send && kind != Kind::all_to_all; }

NcclLengths nccl_lengths(Kind kind, std::uint64_t bytes, Dtype dtype, int ranks) {
  const std::size_t width = dtype_bytes(dtype);
  const auto parts = static_cast<std::size_t>(ranks);
  NcclLengths lengths;
  if (kind != Kind::all_gather && kind != Kind::reduce_scatter && kind != Kind::all_to_all) {
    lengths.count = lengths.send = lengths.recv = std::max<std::size_t>(bytes / width, 1);
  } else {
    const std::size_t aligned =
        16 / width;  // shares begin at multiples of 16 bytes, as in nccl-tests
    std::size_t share = std::max<std::size_t>(bytes / width / parts, 1);
    if (share > aligned) share -= share % aligned;
    lengths.count = share;
    lengths.send = kind == Kind::all_gather ? share : share * parts;
    lengths.recv = kind == Kind::reduce_scatter ? share : share * parts;
  }
  lengths.bytes = std::max(lengths.send, lengths.recv) * width;
  return lengths;
}

std::vector<NcclWindow> nccl_windows(std::size_t elements, std::size_t width) {
  if (elements * width <= kCheckedWhole || elements <= kWindows * kWindowElements)
    return {{0, elements}};
  std::vector<NcclWindow> windows;
  windows.reserve(kWindows);
  for (std::size_t i = 0; i < kWindows; ++i)
    windows.push_back({(elements - kWindowElements) * i / (kWindows - 1), kWindowElements});
  return windows;
}

NcclReference::NcclReference(Shape shape, std::size_t most_elements)
    : shape_(std::move(shape)),
      period_(std::min(most_elements, kPeriod)),
      width_(dtype_bytes(shape_.dtype)),
      tolerance_(tolerance_of(shape_)) {
  std::vector<double> reduced(is_reduction(shape_.kind) ? period_ : 0);
  for (int rank = 0; rank < shape_.ranks; ++rank) {
    std::vector<std::byte>& input = inputs_.emplace_back(period_ * width_);
    for (std::size_t i = 0; i < period_; ++i) {
      const double value = given(shape_, rank, i);
      put(input.data(), i, shape_.dtype, value);
      if (!reduced.empty()) reduced[i] = rank == 0 ? value : combine(shape_.op, reduced[i], value);
    }
  }
  reduced_.resize(reduced.size() * width_);
  for (std::size_t i = 0; i < reduced.size(); ++i)
    put(reduced_.data(), i, shape_.dtype,
        shape_.op == "avg" ? reduced[i] / shape_.ranks : reduced[i]);
}

std::span<const std::byte> NcclReference::input(int rank) const {
  return inputs_[static_cast<std::size_t>(rank)];
}

// From element `i` on, as far as one piece of one table goes.
NcclReference::Place NcclReference::expected(int rank, std::size_t count, std::size_t i) const {
  const auto self = static_cast<std::size_t>(rank);
  const auto ranks = static_cast<std::size_t>(shape_.ranks);
  const std::vector<std::byte>* table = &reduced_;
  std::size_t at = i;
  std::size_t run = SIZE_MAX;
  switch (shape_.kind) {
    case Kind::reduce:
      if (rank != shape_.root) return {nullptr, SIZE_MAX};
      break;
    case Kind::reduce_scatter:
      at = self * count + i;
      break;
    case Kind::broadcast:
      table = &inputs_[static_cast<std::size_t>(shape_.root)];
      break;
    case Kind::all_gather:
    case Kind::all_to_all:
      table = &inputs_[i / count];
      at = (shape_.kind == Kind::all_to_all ? self * count : 0) + i % count;
      run = count - i % count;
      break;
    case Kind::send:
      table = &inputs_[(self + ranks - 1) % ranks];
      break;
    default:
      break;
  }
  at %= period_;
  return {table->data() + at * width_, std::min(run, period_ - at)};
}

bool NcclReference::same(const std::byte* want, const std::byte* got, std::size_t i) const {
  if (std::memcmp(want + i * width_, got + i * width_, width_) == 0) return true;
  if (tolerance_ == 0) return false;
  const double wanted = get(want, i, shape_.dtype);
  return std::abs(get(got, i, shape_.dtype) - wanted) <= tolerance_ * std::max(1.0, wanted);
}

std::uint64_t NcclReference::count_wrong(int rank, const NcclLengths& lengths, std::size_t first,
                                         std::span<const std::byte> got) const {
  std::uint64_t wrong = 0;
  const std::size_t elements = got.size() / width_;
  for (std::size_t done = 0; done < elements;) {
    const Place place = expected(rank, lengths.count, first + done);
    const std::size_t run = std::min(place.elements, elements - done);
    const std::byte* const here = got.data() + done * width_;
    if (place.data != nullptr && std::memcmp(place.data, here, run * width_) != 0) {
      for (std::size_t i = 0; i < run; ++i) wrong += same(place.data, here, i) ? 0 : 1;
    }
    done += run;
  }
  return wrong;
}

}  // namespace peerscope
