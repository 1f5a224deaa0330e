#include "suite/board.hpp"

#include <algorithm>
#include <new>

#include <sys/mman.h>

namespace peerscope {

void Board::Unmap::operator()(void* memory) const { munmap(memory, bytes); }

Result<Board> Board::create(std::size_t cases, int ranks, std::size_t samples) {
  const std::size_t head = (cases * sizeof(Slot) + 63) / 64 * 64;
  const std::size_t bytes =
      head + cases * 2 * static_cast<std::size_t>(ranks) * samples * sizeof(double);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    return Error{ErrorCode::no_memory, "no memory for the times of so many operations; lower -n"};
  Board board;
  board.memory_ = {memory, Unmap{bytes}};
  board.slots_ = static_cast<Slot*>(memory);
  for (std::size_t i = 0; i < cases; ++i) ::new (&board.slots_[i]) Slot{};
  board.times_ = reinterpret_cast<double*>(static_cast<std::byte*>(memory) + head);
  board.ranks_ = ranks;
  board.samples_ = samples;
  return board;
}

std::span<double> Board::row(std::size_t at, int rank) const {
  const std::size_t index = at * static_cast<std::size_t>(ranks_) + static_cast<std::size_t>(rank);
  return {times_ + index * samples_, samples_};
}

std::vector<double> Board::mean_host_us(std::size_t at, std::size_t samples) const {
  std::vector<double> means(std::min(samples, samples_));
  for (int rank = 0; rank < ranks_; ++rank) {
    const std::span<const double> ns = host_ns(at, rank);
    for (std::size_t i = 0; i < means.size(); ++i) means[i] += ns[i] / 1e3 / ranks_;
  }
  return means;
}

std::vector<double> Board::slowest_us(std::size_t row_at, std::size_t samples) const {
  std::vector<double> slowest(std::min(samples, samples_));
  for (int rank = 0; rank < ranks_; ++rank) {
    const std::span<const double> ns = row(row_at, rank);
    for (std::size_t i = 0; i < slowest.size(); ++i) slowest[i] = std::max(slowest[i], ns[i] / 1e3);
  }
  return slowest;
}

std::vector<double> Board::slowest_host_us(std::size_t at, std::size_t samples) const {
  return slowest_us(2 * at, samples);
}

std::vector<double> Board::slowest_device_us(std::size_t at, std::size_t samples) const {
  std::vector<double> slowest = slowest_us(2 * at + 1, samples);
  const bool none = std::all_of(slowest.begin(), slowest.end(), [](double us) { return us == 0; });
  return none ? std::vector<double>{} : slowest;
}

}  // namespace peerscope
