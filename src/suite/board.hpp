// Memory that the ranks of a sweep, threads or forked processes, share with whoever follows it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.hpp"

namespace peerscope {

class Board {
 public:
  struct Slot {             // of one case
    std::atomic<int> done;  // ranks
    std::atomic<std::uint64_t> wrong, checked;
  };
  static Result<Board> create(std::size_t cases, int ranks, std::size_t samples);

  [[nodiscard]] Slot& slot(std::size_t at) const { return slots_[at]; }
  // ns of an operation; the device's are 0 where it has no clock.
  [[nodiscard]] std::span<double> host_ns(std::size_t at, int rank) const {
    return row(2 * at, rank);
  }
  [[nodiscard]] std::span<double> device_ns(std::size_t at, int rank) const {
    return row(2 * at + 1, rank);
  }
  // The first `samples`: the mean over the ranks, as nccl-tests' -a 1, or of the slowest rank.
  [[nodiscard]] std::vector<double> mean_host_us(std::size_t at, std::size_t samples) const;
  [[nodiscard]] std::vector<double> slowest_host_us(std::size_t at, std::size_t samples) const;
  // Of the slowest rank. Empty if there is no device clock.
  [[nodiscard]] std::vector<double> slowest_device_us(std::size_t at, std::size_t samples) const;

 private:
  struct Unmap {
    Unmap() : bytes(0) {}
    explicit Unmap(std::size_t mapped) : bytes(mapped) {}
    std::size_t bytes;
    void operator()(void* memory) const;
  };
  [[nodiscard]] std::span<double> row(std::size_t at, int rank) const;
  [[nodiscard]] std::vector<double> slowest_us(std::size_t row_at, std::size_t samples) const;

  std::unique_ptr<void, Unmap> memory_;
  Slot* slots_ = nullptr;
  double* times_ = nullptr;
  int ranks_ = 0;
  std::size_t samples_ = 0;
};

}  // namespace peerscope
