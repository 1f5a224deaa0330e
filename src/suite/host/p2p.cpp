#include "suite/host/p2p.hpp"

#include <algorithm>
#include <barrier>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>

#include <fmt/format.h>

#include "analyze/stats/robust.hpp"
#include "record/ticks.hpp"
#include "suite/element.hpp"
#include "suite/host/pin.hpp"

namespace peerscope {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kHops = 1 << 20;

double now_ns() { return static_cast<double>(clock_ns(CLOCK_MONOTONIC)); }

struct Free {
  void operator()(std::byte* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<std::byte, Free>;

// The memories of all ranks: what each gives and where it receives, touched first by its own thread.
class Memories {
 public:
  static Result<Memories> make(const P2pOptions& options) {
    Memories out;
    out.bytes_ = (options.bytes + 4095) / 4096 * 4096;
    out.given_.resize(static_cast<std::size_t>(options.ranks));
    out.taken_.resize(out.given_.size());
    std::vector<std::jthread> threads;
    for (int rank = 0; rank < options.ranks; ++rank) {
      threads.emplace_back([&out, rank] {
        pin_rank(rank);
        for (auto* side : {&out.given_, &out.taken_}) {
          auto* memory = static_cast<std::byte*>(std::aligned_alloc(4096, out.bytes_));
          if (memory != nullptr) std::memset(memory, rank + 1, out.bytes_);
          (*side)[static_cast<std::size_t>(rank)].reset(memory);
        }
      });
    }
    threads.clear();
    for (std::size_t rank = 0; rank < out.given_.size(); ++rank) {
      if (!out.given_[rank] || !out.taken_[rank])
        return Error{ErrorCode::no_memory,
                     fmt::format("no memory for {} ranks of twice {} bytes; lower -b",
                                 options.ranks, out.bytes_)};
    }
    return out;
  }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::byte* given(int rank) const {
    return given_[static_cast<std::size_t>(rank)].get();
  }
  [[nodiscard]] std::byte* taken(int rank) const {
    return taken_[static_cast<std::size_t>(rank)].get();
  }

 private:
  std::size_t bytes_ = 0;
  std::vector<Memory> given_, taken_;
};

struct Copy {
  int by = 0;  // the rank whose thread moves the bytes
  int from = 0, to = 0;
  std::size_t part = 0, parts = 1;  // of the target, where several write to it
};

// All at once; bytes per second of all of them together, median of the samples.
double measure(const Memories& memories, const std::vector<Copy>& copies, int samples) {
  std::vector<double> rates;
  double begin = 0, end = 0;
  std::barrier start(static_cast<std::ptrdiff_t>(copies.size()),
                     [&]() noexcept { begin = now_ns(); });
  std::barrier stop(static_cast<std::ptrdiff_t>(copies.size()), [&]() noexcept { end = now_ns(); });
  std::vector<std::jthread> threads;
  const std::size_t bytes = memories.bytes() / copies[0].parts / kLine * kLine;
  for (std::size_t i = 0; i < copies.size(); ++i) {
    threads.emplace_back([&, i] {
      const Copy copy = copies[i];
      pin_rank(copy.by);
      for (int sample = -1; sample < samples; ++sample) {
        start.arrive_and_wait();
        std::memcpy(memories.taken(copy.to) + copy.part * bytes,
                    memories.given(copy.from) + copy.part * bytes, bytes);
        stop.arrive_and_wait();
        if (sample < 0 || i != 0) continue;  // the first run touches; one thread takes notes
        rates.push_back(static_cast<double>(bytes * copies.size()) / (end - begin) * 1e9);
      }
    });
  }
  threads.clear();
  return median_of(rates).value_or(0);
}

P2pMatrix empty(const P2pOptions& options, const char* unit, const char* rows,
                const char* columns) {
  const auto n = static_cast<std::size_t>(options.ranks);
  P2pMatrix matrix{.unit = unit, .rows = rows, .columns = columns, .cells = {}};
  matrix.cells.assign(*rows == '\0' ? 1 : n, std::vector<double>(n, -1));
  return matrix;
}

double& cell(P2pMatrix& matrix, int row, int column) {
  return matrix.cells[static_cast<std::size_t>(row)][static_cast<std::size_t>(column)];
}

using Copies = std::function<std::vector<Copy>(int row, int column)>;

Result<P2pMatrix> pairs(const P2pOptions& options, const char* rows, const char* columns,
                        const Copies& copies) {
  Result<Memories> memories = Memories::make(options);
  if (!memories) return memories.error();
  P2pMatrix matrix = empty(options, "GB/s", rows, columns);
  for (int row = 0; row < options.ranks; ++row) {
    for (int column = 0; column < options.ranks; ++column) {
      if (row != column)
        cell(matrix, row, column) = measure(*memories, copies(row, column), options.samples) / 1e9;
    }
  }
  return matrix;
}

Result<P2pMatrix> write(const P2pOptions& options) {
  return pairs(options, "writer", "target", [](int row, int column) {
    return std::vector<Copy>{{.by = row, .from = row, .to = column}};
  });
}

Result<P2pMatrix> read(const P2pOptions& options) {
  return pairs(options, "reader", "source", [](int row, int column) {
    return std::vector<Copy>{{.by = row, .from = column, .to = row}};
  });
}

Result<P2pMatrix> both_ways(const P2pOptions& options) {
  return pairs(options, "rank", "peer", [](int row, int column) {
    return std::vector<Copy>{{.by = row, .from = row, .to = column},
                             {.by = column, .from = column, .to = row}};
  });
}

Result<P2pMatrix> one_row(const P2pOptions& options, const char* columns, const auto& copy_of) {
  Result<Memories> memories = Memories::make(options);
  if (!memories) return memories.error();
  P2pMatrix matrix = empty(options, "GB/s", "", columns);
  const auto others = static_cast<std::size_t>(options.ranks - 1);
  for (int one = 0; one < options.ranks; ++one) {
    std::vector<Copy> copies;
    for (int other = 0; other < options.ranks; ++other) {
      if (other != one) copies.push_back(copy_of(one, other, copies.size(), others));
    }
    cell(matrix, 0, one) = measure(*memories, copies, options.samples) / 1e9;
  }
  return matrix;
}

Result<P2pMatrix> all_to_one(const P2pOptions& options) {
  return one_row(options, "target", [](int one, int other, std::size_t part, std::size_t parts) {
    return Copy{.by = other, .from = other, .to = one, .part = part, .parts = parts};
  });
}

Result<P2pMatrix> one_to_all(const P2pOptions& options) {
  return one_row(options, "source", [](int one, int other, std::size_t part, std::size_t parts) {
    return Copy{.by = other, .from = one, .to = other, .part = part, .parts = parts};
  });
}

// What the machine's memory carries when all ranks copy at once: the limit of collectives.
Result<P2pMatrix> ring_write(const P2pOptions& options) {
  Result<Memories> memories = Memories::make(options);
  if (!memories) return memories.error();
  std::vector<Copy> copies;
  for (int rank = 0; rank < options.ranks; ++rank)
    copies.push_back({.by = rank, .from = rank, .to = (rank + 1) % options.ranks});
  P2pMatrix matrix = empty(options, "GB/s", "", "all together");
  matrix.cells[0] = {measure(*memories, copies, options.samples) / 1e9};
  return matrix;
}

// A single cycle through all lines in random order (Sattolo 1986): no prefetcher guesses it.
void make_cycle(std::byte* memory, std::size_t lines) {
  std::vector<std::uint32_t> order(lines);
  for (std::size_t i = 0; i < lines; ++i) order[i] = static_cast<std::uint32_t>(i);
  for (std::size_t i = lines - 1; i > 0; --i)
    std::swap(order[i], order[static_cast<std::size_t>(random_at(kLine, i) % i)]);
  for (std::size_t i = 0; i < lines; ++i) {
    void* const next = memory + order[i] * kLine;
    std::memcpy(memory + i * kLine, static_cast<const void*>(&next), sizeof next);
  }
}

double chase(const std::byte* memory, int samples) {
  std::vector<double> ns;
  const void* at = memory;
  for (int sample = 0; sample < samples; ++sample) {
    const double begin = now_ns();
    for (std::size_t hop = 0; hop < kHops; ++hop)
      std::memcpy(static_cast<void*>(&at), at, sizeof at);
    ns.push_back((now_ns() - begin) / kHops);
  }
  return at == nullptr ? 0 : median_of(ns).value_or(0);
}

Result<P2pMatrix> latency(const P2pOptions& options) {
  Result<Memories> memories = Memories::make(options);
  if (!memories) return memories.error();
  P2pMatrix matrix = empty(options, "ns", "reader", "owner");
  for (int owner = 0; owner < options.ranks; ++owner) {
    make_cycle(memories->given(owner), memories->bytes() / kLine);
    for (int reader = 0; reader < options.ranks; ++reader) {
      std::jthread([&] {
        pin_rank(reader);
        cell(matrix, reader, owner) = chase(memories->given(owner), options.samples);
      });
    }
  }
  return matrix;
}

constexpr P2pCase kCases[] = {
    {"host_memcpy_write", "each rank copies from its own memory to another's", write},
    {"host_memcpy_read", "each rank copies from another's memory to its own", read},
    {"host_memcpy_bidirectional", "two ranks write to each other at once, both together",
     both_ways},
    {"host_latency", "a pointer chase over another rank's memory, a cache line a hop", latency},
    {"host_all_to_one", "all others write to one rank's memory at once, all together", all_to_one},
    {"host_one_to_all", "all others read from one rank's memory at once, all together", one_to_all},
    {"host_ring_write", "each rank writes to the next one's memory at once, all together",
     ring_write},
};

}  // namespace

std::span<const P2pCase> host_p2p_cases() { return kCases; }

double host_memcpy_gbs() {
  const Result<Memories> memories = Memories::make({.ranks = 2});
  return memories ? measure(*memories, {{.by = 0, .from = 0, .to = 1}}, 5) / 1e9 : 0;
}

}  // namespace peerscope
