#include "comm/verify/random_case.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include <fmt/format.h>

#include "comm/algorithms.hpp"
#include "comm/half.hpp"

namespace peerscope {
namespace {

constexpr std::byte kPoison{0xA7};
constexpr std::size_t kGuard = 256;

std::size_t index(int rank) { return static_cast<std::size_t>(rank); }

bool is_whole(Dtype dtype) {
  return dtype == Dtype::i32 || dtype == Dtype::i8 || dtype == Dtype::u8;
}

std::uint64_t mix(std::uint64_t x) {
  x += 0x9E37'79B9'7F4A'7C15u;
  x = (x ^ x >> 30) * 0xBF58'476D'1CE4'E5B9u;
  x = (x ^ x >> 27) * 0x94D0'49BB'1331'11EBu;
  return x ^ x >> 31;
}

// What rank r gives as its element i. Whole numbers are such that no sum of 64 overflows in i32, and averages of 8 do not in i8.
double given(const RandomCase& c, int rank, std::size_t i) {
  const std::uint64_t bits = mix(c.seed ^ mix(i * 64 + index(rank)));
  const bool small = c.op == ReduceOp::avg;
  switch (c.dtype) {
    case Dtype::i32:
      return static_cast<double>(static_cast<std::int64_t>(bits % 2'000'001) - 1'000'000);
    case Dtype::i8:
      return static_cast<double>(static_cast<std::int64_t>(bits % (small ? 31 : 256)) -
                                 (small ? 15 : 128));
    case Dtype::u8:
      return static_cast<double>(bits % (small ? 31 : 256));
    case Dtype::f16:
    case Dtype::bf16: {
      const float value =
          static_cast<float>(static_cast<std::int64_t>(bits % 2'000'001) - 1'000'000) * 1e-6f;
      return static_cast<double>(c.dtype == Dtype::f16 ? f32_from_f16(f16_from_f32(value))
                                                       : f32_from_bf16(bf16_from_f32(value)));
    }
    default:
      return static_cast<double>(
          static_cast<float>(static_cast<std::int64_t>(bits % 2'000'001) - 1'000'000) * 1e-6f);
  }
}

double decode(Dtype dtype, const std::byte* at) {
  switch (dtype) {
    case Dtype::f32: {
      float value = 0;
      std::memcpy(&value, at, 4);
      return static_cast<double>(value);
    }
    case Dtype::i32: {
      std::int32_t value = 0;
      std::memcpy(&value, at, 4);
      return value;
    }
    case Dtype::i8:
      return static_cast<std::int8_t>(*at);
    case Dtype::u8:
      return static_cast<std::uint8_t>(*at);
    default: {
      std::uint16_t half = 0;
      std::memcpy(&half, at, 2);
      return static_cast<double>(dtype == Dtype::f16 ? f32_from_f16(half) : f32_from_bf16(half));
    }
  }
}

void encode(Dtype dtype, double value, std::byte* at) {
  const auto real = static_cast<float>(value);
  const auto whole = is_whole(dtype) ? static_cast<std::int32_t>(value) : 0;
  const std::uint16_t half = dtype == Dtype::f16 ? f16_from_f32(real) : bf16_from_f32(real);
  if (dtype == Dtype::f32) std::memcpy(at, &real, 4);
  if (dtype == Dtype::i32) std::memcpy(at, &whole, 4);
  if (dtype_bytes(dtype) == 2) std::memcpy(at, &half, 2);
  if (dtype_bytes(dtype) == 1) *at = static_cast<std::byte>(whole);
}

double wrapped(Dtype dtype, double value) {
  const auto whole = static_cast<std::int64_t>(value);
  return dtype == Dtype::i8   ? static_cast<double>(static_cast<std::int8_t>(whole))
         : dtype == Dtype::u8 ? static_cast<double>(static_cast<std::uint8_t>(whole))
                              : value;
}

struct Expected {
  double value = 0, bound = 0;
};

// Each of the n - 1 additions and the final division rounds a value no larger than the sum of magnitudes.
Expected reduced(const RandomCase& c, std::size_t i) {
  double sum = 0, least = INFINITY, most = -INFINITY, magnitudes = 0;
  for (int rank = 0; rank < c.ranks; ++rank) {
    const double x = given(c, rank, i);
    sum += x;
    least = std::min(least, x);
    most = std::max(most, x);
    magnitudes += std::fabs(x);
  }
  if (c.op == ReduceOp::min) return {least, 0};
  if (c.op == ReduceOp::max) return {most, 0};
  const double n = c.ranks;
  const double value = c.op == ReduceOp::avg ? (is_whole(c.dtype) ? std::trunc(sum / n) : sum / n)
                                             : wrapped(c.dtype, sum);
  const double epsilon = c.dtype == Dtype::f32 ? 0x1p-24 : c.dtype == Dtype::f16 ? 0x1p-11 : 0x1p-8;
  return {value, is_whole(c.dtype) ? 0 : (n + 1) * epsilon * magnitudes + 0x1p-24};
}

// The element that belongs at `i` of this rank's output.
Expected expected(const RandomCase& c, int rank, std::size_t i) {
  switch (c.kind) {
    case Kind::reduce_scatter:
      return reduced(c, index(rank) * (c.count / index(c.ranks)) + i);
    case Kind::all_reduce:
    case Kind::reduce:
      return reduced(c, i);
    case Kind::broadcast:
      return {given(c, c.root, i), 0};
    case Kind::all_gather:
      return {given(c, static_cast<int>(i / c.count), i % c.count), 0};
    case Kind::gather: {
      int from = 0;
      for (; i >= c.counts[index(from)]; ++from) i -= c.counts[index(from)];
      return {given(c, from, i), 0};
    }
    case Kind::all_to_all: {
      const std::size_t share = c.count / index(c.ranks);
      return {given(c, static_cast<int>(i / share), index(rank) * share + i % share), 0};
    }
    default:
      return {given(c, c.from, i), 0};
  }
}

template <class T>
T pick(std::mt19937_64& random, const std::vector<T>& from) {
  return from[random() % from.size()];
}

// Small and large, round and odd.
std::size_t draw_count(std::mt19937_64& random, std::size_t most) {
  const double octaves = std::log2(static_cast<double>(std::max<std::size_t>(most, 2)));
  const double size = std::exp2(octaves * static_cast<double>(random() % 1000) / 999.0);
  const auto count = static_cast<std::size_t>(size);
  switch (random() % 4) {
    case 0:
      return std::max<std::size_t>(count / 64 * 64, 1);
    case 1:
      return random() % 20;
    default:
      return std::max<std::size_t>(count, 1);
  }
}

}  // namespace

RandomCase RandomCase::draw(std::uint64_t seed, const CaseLimits& limits) {
  std::mt19937_64 random(mix(seed));
  RandomCase c;
  c.seed = seed;
  c.ranks = limits.ranks;
  do c.kind = pick(random, limits.kinds);
  while (c.kind == Kind::send && c.ranks == 1);  // nobody sends to itself
  const auto algorithms = supported_algorithms(c.kind);
  c.algorithm = algorithms.empty() ? Algorithm::direct : pick(random, algorithms);
  c.dtype =
      pick<Dtype>(random, {Dtype::f32, Dtype::f16, Dtype::bf16, Dtype::i32, Dtype::i8, Dtype::u8});
  c.op = pick<ReduceOp>(random, {ReduceOp::sum, ReduceOp::min, ReduceOp::max, ReduceOp::avg});
  if (!is_reduction(c.kind)) c.op = ReduceOp::sum;
  c.root = has_root(c.kind) ? static_cast<int>(random() % index(c.ranks)) : -1;
  c.from = static_cast<int>(random() % index(c.ranks));
  c.to = (c.from + 1 + static_cast<int>(random() % index(std::max(c.ranks - 1, 1)))) % c.ranks;
  const std::size_t share = limits.most_bytes / dtype_bytes(c.dtype) / index(c.ranks);
  c.count = draw_count(random, share);
  if (c.kind == Kind::reduce_scatter || c.kind == Kind::all_to_all) c.count *= index(c.ranks);
  if (c.kind == Kind::all_reduce || c.kind == Kind::broadcast || c.kind == Kind::reduce)
    c.count = draw_count(random, share * index(c.ranks));
  if (c.kind == Kind::barrier) c.count = 0, c.dtype = Dtype::u8;
  if (c.kind == Kind::all_gather && c.count == 0) c.count = 1;
  for (int rank = 0; c.kind == Kind::gather && rank < c.ranks; ++rank)
    c.counts.push_back(random() % 4 == 0 ? 0 : draw_count(random, share));
  c.shift_in = random() % 3 == 0 ? random() % 16 : 0;
  c.shift_out = random() % 3 == 0 ? random() % 16 : 0;
  const bool can = c.kind != Kind::send && c.kind != Kind::barrier;
  c.in_place = can && random() % 3 == 0;
  return c;
}

std::string RandomCase::text() const {
  std::string where;
  if (root >= 0) where = fmt::format(", root {}", root);
  if (kind == Kind::send) where = fmt::format(", {} to {}", from, to);
  return fmt::format(
      "seed {}: {} {} {} {}, {} elements, {} ranks{}, shifted {} and {}{}", seed, name(kind),
      name(algorithm), name(dtype), name(op),
      kind == Kind::gather ? std::accumulate(counts.begin(), counts.end(), std::size_t{0}) : count,
      ranks, where, shift_in, shift_out, in_place ? ", in place" : "");
}

bool RandomCase::takes_part(int rank) const {
  return kind != Kind::send || rank == from || rank == to;
}

CaseMemory::CaseMemory(const RandomCase& what, int rank) : case_(what), rank_(rank) {
  place();
  bytes_.assign(std::max(input_.begin + input_.elements * element(),
                         output_.begin + output_.elements * element()) +
                    kGuard,
                kPoison);
  const bool gives = case_.kind != Kind::barrier &&
                     (case_.kind != Kind::broadcast || rank == case_.root) &&
                     (case_.kind != Kind::send || rank == case_.from);
  for (std::size_t i = 0; gives && i < input_.elements; ++i)
    encode(case_.dtype, given(case_, rank, i), &bytes_[input_.begin + i * element()]);
}

void CaseMemory::place() {
  const std::size_t n = index(case_.ranks), r = index(rank_);
  const RandomCase& c = case_;
  input_.elements = c.kind == Kind::gather ? c.counts[r] : c.kind == Kind::barrier ? 0 : c.count;
  switch (c.kind) {
    case Kind::all_gather:
      output_.elements = c.count * n;
      break;
    case Kind::reduce_scatter:
      output_.elements = c.count / n;
      break;
    case Kind::gather:
      output_.elements =
          rank_ == c.root ? std::accumulate(c.counts.begin(), c.counts.end(), std::size_t{0}) : 0;
      break;
    case Kind::reduce:
      output_.elements = rank_ == c.root ? c.count : 0;
      break;
    case Kind::send:
      output_.elements = rank_ == c.to ? c.count : 0;
      input_.elements = rank_ == c.from ? c.count : 0;
      break;
    default:
      output_.elements = input_.elements;
  }
  const auto aligned = [](std::size_t at) { return (at + kGuard - 1) / kGuard * kGuard; };
  input_.begin = kGuard + c.shift_in * element();
  output_.begin =
      aligned(input_.begin + input_.elements * element() + kGuard) + c.shift_out * element();
  if (!c.in_place) return;
  switch (c.kind) {
    case Kind::all_gather:
      output_.begin = kGuard + c.shift_out * element();
      input_.begin = output_.begin + r * c.count * element();
      break;
    case Kind::reduce_scatter:
      output_.begin = input_.begin + r * output_.elements * element();
      break;
    case Kind::gather:
      if (rank_ != c.root) break;
      output_.begin = kGuard + c.shift_out * element();
      input_.begin =
          output_.begin +
          std::accumulate(c.counts.begin(), c.counts.begin() + rank_, std::size_t{0}) * element();
      break;
    case Kind::reduce:
      if (rank_ == c.root) output_.begin = input_.begin;
      break;
    default:
      output_.begin = input_.begin;
  }
}

Call CaseMemory::call(void* base) const {
  auto* at = static_cast<std::byte*>(base);
  Call call{.kind = case_.kind,
            .input = at + input_.begin,
            .output = at + output_.begin,
            .count = case_.kind == Kind::gather ? input_.elements : case_.count,
            .dtype = case_.dtype,
            .op = case_.op,
            .algorithm = case_.algorithm,
            .peer = case_.root,
            .counts = case_.counts};
  if (case_.kind == Kind::send) {
    call.kind = rank_ == case_.from ? Kind::send : Kind::recv;
    call.peer = rank_ == case_.from ? case_.to : case_.from;
    call.algorithm = Algorithm::unknown;
  }
  return call;
}

bool CaseMemory::may_write(std::size_t at) const {
  return at >= output_.begin && at < output_.begin + output_.elements * element();
}

std::string CaseMemory::fault(std::span<const std::byte> after) const {
  for (std::size_t i = 0; i < output_.elements; ++i) {
    const Expected want = expected(case_, rank_, i);
    const double got = decode(case_.dtype, &after[output_.begin + i * element()]);
    if (!(std::fabs(got - want.value) <= want.bound))
      return fmt::format("rank {}: element {} of {} is {}, must be {} within {}", rank_, i,
                         output_.elements, got, want.value, want.bound);
  }
  for (std::size_t at = 0; at < bytes_.size(); ++at) {
    if (!may_write(at) && after[at] != bytes_[at])
      return fmt::format("rank {}: byte {} was written, which is outside the output ({} to {})",
                         rank_, at, output_.begin, output_.begin + output_.elements * element());
  }
  return {};
}

}  // namespace peerscope
