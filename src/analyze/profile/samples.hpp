// Durations as they were, for tests that need more than a histogram: of each operation, size, algorithm and backend at most
// kKept values by each clock, spread evenly over time and in its order.
//
// Of a collective that all ranks recorded, one value: its ranks' durations are not independent of each other, and contain
// the wait for the last. So `transfer` (all there until done) is preferred where it is known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <tuple>
#include <vector>

#include "analyze/sample.hpp"
#include "model/collective.hpp"
#include "model/op.hpp"

namespace peerscope {

// The best first.
enum class SampleBasis : std::uint8_t { device_transfer, device, host_transfer, host };
inline constexpr std::size_t kSampleBases = 4;

constexpr const char* name(SampleBasis basis) {
  constexpr const char* kNames[] = {"device transfer", "device duration", "host transfer",
                                    "host duration"};
  return kNames[static_cast<int>(basis)];
}

struct SampleKey {
  Kind kind = Kind::other;
  std::uint8_t size_class = 0;
  std::uint16_t ranks = 0;
  Algorithm algorithm = Algorithm::unknown;
  Backend backend = Backend::unknown;
  auto operator<=>(const SampleKey&) const = default;
};

class SampleStore {
 public:
  static constexpr std::size_t kKept = 1024;
  static constexpr std::size_t kMaxSeries = 512;  // 8.4 MB at most

  struct Series {
    std::uint64_t operations = 0, bytes = 0;
    std::unique_ptr<Sample<kKept>> values[kSampleBases];
    [[nodiscard]] std::vector<double> of(SampleBasis basis) const;  // ns
    [[nodiscard]] std::uint64_t seen(SampleBasis basis) const;
  };

  void add(const Op& op);
  void add(const Collective& collective);
  [[nodiscard]] const std::map<SampleKey, Series>& series() const { return series_; }
  [[nodiscard]] std::uint64_t beyond() const { return beyond_; }  // operations without a series
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  Series* series_of(const SampleKey& key);

  std::map<SampleKey, Series> series_;
  SampleKey last_key_;
  Series* last_ = nullptr;
  std::uint64_t beyond_ = 0;
};

}  // namespace peerscope
