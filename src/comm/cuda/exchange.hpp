// Hands each rank's file descriptor to every other rank, through Unix sockets.
#pragma once

#include <chrono>
#include <utility>
#include <vector>

#include "comm/communicator.hpp"

namespace peerscope {

// A file descriptor or a socket, owned; -1: none.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }  // the caller closes it

 private:
  int fd_;
};

// `bootstrap` ties the ranks together. The answer has a descriptor for each rank; none for our own. One rank may fail and another
// succeed; every rank has made the same calls of the bootstrap then, which is not for use in between.
Result<std::vector<Descriptor>> exchange_descriptors(Communicator& bootstrap, int own,
                                                     std::chrono::nanoseconds timeout);

// The smallest of all ranks' values.
Result<std::int32_t> least_of_all(Communicator& bootstrap, std::int32_t value);

}  // namespace peerscope
