// How busy each lane was over time: what a timeline of much shows. Bins of equal length, a power of two, at most
// kMostBins of them; the length doubles when there would be more, or too much memory would be taken.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "analyze/flat_index.hpp"
#include "store/store.hpp"

namespace peerscope {

struct DensityBin {
  static constexpr std::uint32_t kMostErrors = (1U << 24) - 1;
  std::uint32_t count = 0;  // begins
  std::uint32_t errors : 24 = 0, kind : 8 = 0;
  float busy_ns = 0;
  float kind_ns = 0;  // how much more of it was `kind` than anything else, about
  [[nodiscard]] bool empty() const { return count == 0 && busy_ns == 0; }
  void add(const DensityBin& other);
};

struct DensityBlock {
  static constexpr std::size_t kBins = 512;
  std::array<DensityBin, kBins> bins{};
};

// Never changes once it is published.
struct DensityView {
  static constexpr unsigned kLeastShift = 12;  // 4 us

  unsigned shift = kLeastShift;
  std::int64_t base = 0, bins = 0;  // number of the first; how many there are
  std::vector<TimelineLane> lanes;  // in the order in which they came
  std::vector<std::vector<std::shared_ptr<const DensityBlock>>>
      blocks;  // of each lane; null: empty

  [[nodiscard]] std::int64_t bin_ns() const { return std::int64_t{1} << shift; }
  [[nodiscard]] std::int64_t number_of(std::int64_t ns) const { return ns >> shift; }
  // Calls with (bin's number, bin) for those that are not empty, first to last.
  template <class F>
  void for_each_bin(std::size_t lane, std::int64_t first, std::int64_t last, F&& f) const;
};

class Density {
 public:
  static constexpr std::int64_t kMostBins = 65'536;
  static constexpr std::size_t kMostLanes = 4096;

  explicit Density(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  std::uint32_t lane(const TimelineLane& lane);
  void cover(std::int64_t first_ns, std::int64_t last_ns);
  void add(std::uint32_t lane, std::int64_t number, const DensityBin& bin);  // must be covered
  void keep_within_memory();
  void erase(std::int64_t first, std::int64_t last);  // numbers; the first ones are given up

  [[nodiscard]] const DensityView& view() const { return view_; }
  // What was published is copied before it is changed.
  void published() { ++epoch_; }
  [[nodiscard]] std::size_t memory_bytes() const { return blocks_ * sizeof(DensityBlock); }

 private:
  struct Own {
    std::shared_ptr<DensityBlock> block;
    std::uint64_t epoch = 0;
  };
  void twice_as_long();
  void move_base(std::int64_t base);
  DensityBin& bin_of(std::uint32_t lane, std::int64_t number);

  std::size_t most_bytes_, blocks_ = 0;
  std::uint64_t epoch_ = 1;
  DensityView view_;
  std::vector<std::vector<Own>> own_;  // what view_.blocks shows
  FlatIndex numbers_;
};

template <class F>
void DensityView::for_each_bin(std::size_t lane, std::int64_t first, std::int64_t last,
                               F&& f) const {
  constexpr auto kBins = static_cast<std::int64_t>(DensityBlock::kBins);
  first = first > base ? first : base;
  last = last < base + bins - 1 ? last : base + bins - 1;
  const auto& all = blocks[lane];
  for (std::int64_t n = first; n <= last;) {
    const auto at = static_cast<std::size_t>((n - base) / kBins);
    const std::int64_t end = base + static_cast<std::int64_t>(at + 1) * kBins;
    if (at >= all.size()) return;
    for (; n <= last && n < end && all[at]; ++n) {
      const DensityBin& bin = all[at]->bins[static_cast<std::size_t>((n - base) % kBins)];
      if (!bin.empty()) f(n, bin);
    }
    if (!all[at]) n = end;
  }
}

}  // namespace peerscope
