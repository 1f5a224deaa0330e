// Every collective, algorithm, type, size and number of ranks, against a reference in double.
#include <array>
#include <cmath>
#include <cstring>
#include <mutex>
#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "comm/algorithms.hpp"
#include "comm/half.hpp"
#include "comm/host/ranks_for_test.hpp"

namespace peerscope {
namespace {

constexpr std::array kTypes{Dtype::f32, Dtype::f16, Dtype::bf16, Dtype::i32, Dtype::i8, Dtype::u8};
constexpr std::array kOps{ReduceOp::sum, ReduceOp::min, ReduceOp::max, ReduceOp::avg};
constexpr std::byte kPoison{0xEE};
constexpr std::size_t kSlack = 512;  // cases begin at different places of the tables
constexpr std::size_t kGuard = 64;   // bytes behind each buffer that must stay as they are

double decode(Dtype dtype, const std::byte* at) {
  std::uint16_t half = 0;
  std::int32_t integer = 0;
  float value = 0;
  switch (dtype) {
    case Dtype::i32:
      std::memcpy(&integer, at, 4);
      return integer;
    case Dtype::i8:
      return static_cast<double>(static_cast<std::int8_t>(*at));
    case Dtype::u8:
      return static_cast<double>(*at);
    case Dtype::f32:
      std::memcpy(&value, at, 4);
      return static_cast<double>(value);
    default:
      std::memcpy(&half, at, 2);
      return static_cast<double>(dtype == Dtype::f16 ? f32_from_f16(half) : f32_from_bf16(half));
  }
}

void encode(Dtype dtype, std::mt19937& random, std::byte* at) {
  const auto integer = static_cast<std::int32_t>(random() % 2'000'001) - 1'000'000;
  const float value = static_cast<float>(integer) * 1e-6f;
  const std::uint16_t half = dtype == Dtype::f16 ? f16_from_f32(value) : bf16_from_f32(value);
  if (dtype == Dtype::i32) std::memcpy(at, &integer, 4);
  if (dtype == Dtype::f32) std::memcpy(at, &value, 4);
  if (dtype_bytes(dtype) == 2) std::memcpy(at, &half, 2);
  if (dtype_bytes(dtype) == 1) *at = static_cast<std::byte>(integer);
}

bool is_integer(Dtype dtype) { return dtype == Dtype::i32 || dtype_bytes(dtype) == 1; }

double wrapped(Dtype dtype, double sum) {
  const auto whole = static_cast<std::int64_t>(sum);
  if (dtype == Dtype::i8) return static_cast<std::int8_t>(whole);
  if (dtype == Dtype::u8) return static_cast<std::uint8_t>(whole);
  return sum;
}

double epsilon(Dtype dtype) {
  return dtype == Dtype::f32 ? 0x1p-24 : dtype == Dtype::f16 ? 0x1p-11 : 0x1p-8;
}

// The inputs of all ranks in one type, and what their reductions are.
struct Table {
  Dtype dtype = Dtype::f32;
  std::size_t element = 4;
  std::vector<std::vector<std::byte>> inputs;          // by rank
  std::array<std::vector<double>, kOps.size()> exact;  // by ReduceOp
  std::vector<double> bound;                           // of a sum

  Table(Dtype type, int ranks, std::size_t length)
      : dtype(type), element(dtype_bytes(type)), bound(length) {
    std::mt19937 random(static_cast<unsigned>(ranks) * 16 + static_cast<unsigned>(type));
    for (int rank = 0; rank < ranks; ++rank) {
      inputs.emplace_back(length * element);
      for (std::size_t i = 0; i < length; ++i) encode(type, random, &inputs.back()[i * element]);
    }
    for (auto& column : exact) column.resize(length);
    for (std::size_t i = 0; i < length; ++i) reduce(i);
  }

  void reduce(std::size_t i) {
    double sum = 0, least = INFINITY, most = -INFINITY, magnitudes = 0;
    for (const auto& input : inputs) {
      const double x = decode(dtype, &input[i * element]);
      sum += x;
      least = std::min(least, x);
      most = std::max(most, x);
      magnitudes += std::fabs(x);
    }
    const double n = static_cast<double>(inputs.size());
    sum = wrapped(dtype, sum);
    exact[0][i] = sum;
    exact[1][i] = least;
    exact[2][i] = most;
    exact[3][i] = is_integer(dtype) ? std::trunc(sum / n) : sum / n;
    // Each of the n - 1 additions and the final division rounds a value no larger than the sum of
    // magnitudes.
    bound[i] = is_integer(dtype) ? 0 : (n + 1) * epsilon(dtype) * magnitudes + 0x1p-25;
  }
};

struct Case {
  Kind kind = Kind::barrier;
  Algorithm algorithm = Algorithm::unknown;
  Dtype dtype = Dtype::f32;
  ReduceOp op = ReduceOp::sum;
  std::size_t count = 0;  // of one share
  bool in_place = false;
  int root = 0;
  std::size_t at = 0;  // where in the tables

  std::string text() const {
    return fmt::format("{} {} {} {} count {} root {}{}", name(kind), name(algorithm), name(dtype),
                       name(op), count, root, in_place ? " in place" : "");
  }
};

std::vector<std::size_t> shares(const Case& test, int ranks) {
  std::vector<std::size_t> counts;
  for (int rank = 0; rank < ranks; ++rank) {
    const auto r = static_cast<std::size_t>(rank);
    counts.push_back(r % 3 == 1 ? 0 : test.count + r % 4);  // uneven, some empty
  }
  return counts;
}

// One rank's buffers for one case. Everything it may not write is poisoned, and checked.
class Buffers {
 public:
  Buffers(const Case& test, const Table& table, int rank, int ranks)
      : test_(test),
        table_(table),
        rank_(static_cast<std::size_t>(rank)),
        ranks_(static_cast<std::size_t>(ranks)) {
    if (test.kind == Kind::gather) counts_ = shares(test, ranks);
    const std::size_t in = input_count() * table.element, out = output_count() * table.element;
    output_.assign(std::max(out, test.in_place ? in : 0) + kGuard, kPoison);
    input_.assign(test.in_place ? 0 : in + 1, kPoison);
    in_ = test.in_place ? output_.data() +
                              (input_is_one_block(test.kind) ? begin_of(rank_) * table.element : 0)
                        : input_.data();
    out_ = output_.data();
    if (test.in_place && test.kind == Kind::reduce_scatter)
      out_ += rank_ * test.count * table.element;
    if (in > 0) std::memcpy(in_, &table.inputs[rank_][test.at * table.element], in);
  }

  Call call() const {
    return {.kind = test_.kind,
            .input = in_,
            .output = out_,
            .count = input_count(),
            .dtype = test_.dtype,
            .op = test_.op,
            .algorithm = test_.algorithm,
            .peer = has_root(test_.kind) ? test_.root : -1,
            .counts = counts_};
  }

  // "" or what is wrong.
  std::string verify() const {
    for (std::size_t i = 0; i < output_count(); ++i) {
      if (std::string wrong = verify_element(i); !wrong.empty()) return wrong;
    }
    for (std::size_t i = output_.size() - kGuard; i < output_.size(); ++i) {
      if (output_[i] != kPoison) return "wrote behind the output";
    }
    return "";
  }

 private:
  bool is_root() const { return rank_ == static_cast<std::size_t>(test_.root); }
  std::size_t input_count() const {
    if (test_.kind == Kind::gather) return counts_[rank_];
    return test_.kind == Kind::reduce_scatter || test_.kind == Kind::all_to_all
               ? test_.count * ranks_
               : test_.count;
  }
  std::size_t begin_of(std::size_t rank) const {
    if (test_.kind != Kind::gather) return test_.kind == Kind::all_gather ? rank * test_.count : 0;
    if (!is_root()) return 0;
    std::size_t begin = 0;
    for (std::size_t r = 0; r < rank; ++r) begin += counts_[r];
    return begin;
  }
  std::size_t output_count() const {
    switch (test_.kind) {
      case Kind::gather: {
        std::size_t all = 0;
        for (const std::size_t count : counts_) all += count;
        return is_root() ? all : 0;
      }
      case Kind::reduce:
        return is_root() ? test_.count : 0;
      case Kind::all_gather:
      case Kind::all_to_all:
        return test_.count * ranks_;
      default:
        return test_.count;
    }
  }

  const std::byte* input_of(std::size_t rank, std::size_t element) const {
    return &table_.inputs[rank][(test_.at + element) * table_.element];
  }
  std::string same(std::size_t i, std::size_t rank, std::size_t element) const {
    if (std::memcmp(out_ + i * table_.element, input_of(rank, element), table_.element) == 0)
      return "";
    return fmt::format("element {} is not element {} of rank {}", i, element, rank);
  }
  std::string close(std::size_t i, std::size_t element) const {
    const auto op = static_cast<std::size_t>(test_.op);
    const double got = decode(test_.dtype, out_ + i * table_.element),
                 want = table_.exact[op][test_.at + element];
    const bool picks = test_.op == ReduceOp::min || test_.op == ReduceOp::max;
    const double bound = picks ? 0 : table_.bound[test_.at + element];
    if (std::fabs(got - want) <= bound) return "";
    return fmt::format("element {} is {}, not {} within {}", i, got, want, bound);
  }

  std::string verify_element(std::size_t i) const {
    switch (test_.kind) {
      case Kind::broadcast:
        return same(i, static_cast<std::size_t>(test_.root), i);
      case Kind::all_gather:
        return same(i, i / test_.count, i % test_.count);
      case Kind::all_to_all:
        return same(i, i / test_.count, rank_ * test_.count + i % test_.count);
      case Kind::reduce_scatter:
        return close(i, rank_ * test_.count + i);
      case Kind::gather: {
        std::size_t rank = 0, within = i;
        while (within >= counts_[rank]) within -= counts_[rank++];
        return same(i, rank, within);
      }
      default:
        return close(i, i);
    }
  }

  const Case& test_;
  const Table& table_;
  std::size_t rank_, ranks_;
  std::vector<std::size_t> counts_;
  std::vector<std::byte> input_, output_;
  std::byte* in_ = nullptr;
  std::byte* out_ = nullptr;
};

std::vector<std::size_t> sizes() {
  if (kSanitised) return {0, 1, 3, 17, 700};
  return {0, 1, 3, 17, 1000, 4097};
}

// All cases of one kind and algorithm. Operations and roots take turns, so that each meets each in
// the end.
void add_cases(std::vector<Case>& cases, Kind kind, Algorithm algorithm, int ranks) {
  for (const Dtype dtype : kTypes) {
    for (const std::size_t count : sizes()) {
      for (const bool in_place : {false, true}) {
        const std::size_t ops = is_reduction(kind) && count == 17 ? kOps.size() : 1;
        for (std::size_t i = 0; i < ops; ++i) {
          const std::size_t number = cases.size();
          cases.push_back({kind, algorithm, dtype, kOps[number % kOps.size()], count, in_place,
                           has_root(kind) ? static_cast<int>(number * 7) % ranks : 0,
                           number * 13 % kSlack});
        }
      }
    }
  }
}

std::vector<Case> all_cases(int ranks) {
  std::vector<Case> cases;
  for (const Kind kind : {Kind::all_reduce, Kind::broadcast, Kind::reduce, Kind::all_gather,
                          Kind::reduce_scatter, Kind::gather, Kind::all_to_all}) {
    for (const Algorithm algorithm : supported_algorithms(kind))
      add_cases(cases, kind, algorithm, ranks);
    add_cases(cases, kind, Algorithm::unknown, ranks);
  }
  return cases;
}

// Each rank does all cases in order; the first few complaints of any rank are kept.
class Complaints {
 public:
  void add(std::string text) {
    const std::lock_guard lock(mutex_);
    if (texts_.size() < 5) texts_.push_back(std::move(text));
  }
  std::vector<std::string> texts() const { return texts_; }

 private:
  std::mutex mutex_;
  std::vector<std::string> texts_;
};

std::vector<std::string> check_all(const HostOptions& options, const std::vector<Case>& cases) {
  std::size_t longest = 0;
  for (const Case& test : cases) longest = std::max(longest, test.count);
  std::vector<Table> tables;
  for (const Dtype dtype : kTypes) {
    tables.emplace_back(dtype, options.ranks,
                        (longest + 4) * static_cast<std::size_t>(options.ranks) + kSlack);
  }
  Complaints complaints;
  run_ranks(options, [&](Communicator& comm) {
    for (const Case& test : cases) {
      const auto type = std::find(kTypes.begin(), kTypes.end(), test.dtype) - kTypes.begin();
      const Buffers buffers(test, tables[static_cast<std::size_t>(type)], comm.rank(),
                            comm.ranks());
      const Status status = comm.run(buffers.call());
      if (!status) return complaints.add(test.text() + ": " + status.error().message);
      if (std::string wrong = buffers.verify(); !wrong.empty()) {
        complaints.add(fmt::format("rank {}: {}: {}", comm.rank(), test.text(), wrong));
      }
    }
  });
  return complaints.texts();
}

class Collectives : public testing::TestWithParam<int> {};

TEST_P(Collectives, GiveTheRightValuesForEveryAlgorithmTypeAndSize) {
  const int ranks = GetParam();
  // 1 KB slots: 4097 elements need more chunks than a channel has slots.
  const HostOptions options{.name = "matrix", .ranks = ranks, .staging_bytes = 1};
  EXPECT_THAT(check_all(options, all_cases(ranks)), testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Ranks, Collectives, testing::Range(1, 18),
                         testing::PrintToStringParamName());

TEST(CollectivesOfManyChunks, GiveTheRightValuesInFullSizeSlots) {
  for (const int ranks : {2, 3, 5}) {
    std::vector<Case> cases;
    for (const Kind kind : {Kind::all_reduce, Kind::broadcast, Kind::reduce_scatter,
                            Kind::all_gather, Kind::all_to_all}) {
      for (const Algorithm algorithm : supported_algorithms(kind)) {
        cases.push_back({kind, algorithm, Dtype::f32, ReduceOp::sum,
                         kSanitised ? 20'001u : 300'001u, true, ranks - 1, 5});
      }
    }
    EXPECT_THAT(check_all({.name = "large", .ranks = ranks}, cases), testing::IsEmpty());
  }
}

TEST(Collectives64, GiveTheRightValuesWith64Ranks) {
  std::vector<Case> cases;
  for (const Kind kind : {Kind::all_reduce, Kind::broadcast, Kind::reduce, Kind::all_gather,
                          Kind::reduce_scatter, Kind::gather, Kind::all_to_all}) {
    for (const Algorithm algorithm : supported_algorithms(kind)) {
      cases.push_back({kind, algorithm, Dtype::i32, ReduceOp::sum, 100, false, 63, 3});
    }
  }
  EXPECT_THAT(check_all({.name = "wide", .ranks = 64, .staging_bytes = 1, .pool_bytes = 0}, cases),
              testing::IsEmpty());
}

TEST(AllReduce, GivesAllRanksTheSameBits) {
  constexpr std::size_t kCount = 1000;
  for (const Algorithm algorithm : supported_algorithms(Kind::all_reduce)) {
    std::array<std::vector<float>, 7> results;
    run_ranks({.name = "bits", .ranks = 7}, [&](Communicator& comm) {
      std::mt19937 random(static_cast<unsigned>(comm.rank()));
      std::vector<float> data(kCount);
      for (float& x : data) x = static_cast<float>(random()) * 1e-3f;
      EXPECT_TRUE(comm.all_reduce({data.data(), kCount, Dtype::f32}, data.data(), ReduceOp::sum,
                                  algorithm));
      results[static_cast<std::size_t>(comm.rank())] = data;
    });
    for (const auto& result : results) EXPECT_EQ(result, results[0]) << name(algorithm);
  }
}

}  // namespace
}  // namespace peerscope
