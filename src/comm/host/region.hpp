// The memory that the ranks of a host communicator share, and its life as a file.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/result.hpp"
#include "comm/host/layout.hpp"

namespace peerscope {

// Unmaps at the end. All accessors are plain arithmetic; ranks must be in range.
class Region {
 public:
  // Shared by threads, and by processes forked later.
  static Result<std::shared_ptr<Region>> anonymous(const Geometry& geometry, std::uint64_t id);
  // Opens the file, or makes it (mode 0600): whoever is first. One that only dead processes have
  // joined is replaced.
  static Result<std::shared_ptr<Region>> file(const std::string& path, const Geometry& geometry,
                                              std::uint64_t id);

  Region(std::byte* base, const Geometry& geometry) : base_(base), geometry_(geometry) {}
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  const Geometry& geometry() const { return geometry_; }
  Header& header() const { return *at<Header>(0); }
  RankLine& line(int rank) const {
    return *at<RankLine>(geometry_.lines_at() + index(rank) * sizeof(RankLine));
  }
  Channel& channel(int from, int to) const;
  Slot& slot(int from, int to, std::uint64_t message) const;
  std::span<std::byte> pool(int rank) const;

 private:
  template <class T>
  T* at(std::size_t offset) const {
    return reinterpret_cast<T*>(base_ + offset);
  }
  static std::size_t index(int rank) { return static_cast<std::size_t>(rank); }

  std::byte* base_;
  Geometry geometry_;
};

// Takes one rank's place in a region and says how many ranks have. `mismatch` if it is taken.
Result<int> join(Region& region, int rank);
void leave(Region& region, int rank);
// True if the rank has left, or its process is certainly gone.
bool has_gone(const Region& region, int rank);

}  // namespace peerscope
