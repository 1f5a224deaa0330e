// The design that we did not take: no record, but a histogram that each operation adds itself to.
#include <bit>
#include <vector>

#include "peers.hpp"

namespace peerscope::peers {
namespace {

// 16 linear steps an octave, as HdrHistogram has them with two digits.
struct Histogram {
  std::uint64_t count = 0, bytes = 0, sum = 0, least = UINT64_MAX, most = 0;
  std::array<std::uint64_t, 576> buckets{};

  void add(std::uint64_t ticks, std::uint64_t size) {
    const auto octave = static_cast<int>(std::bit_width(ticks | 16)) - 5;
    const auto bucket = static_cast<std::size_t>(octave) * 16 + (ticks >> octave);
    ++buckets[std::min(bucket, buckets.size() - 1)];
    ++count;
    bytes += size;
    sum += ticks;
    least = std::min(least, ticks);
    most = std::max(most, ticks);
  }
};

}  // namespace

void add_in_place(Bench& bench) {
  static std::vector<Histogram> cells(std::size_t{64} * kDevices);  // size class x source
  add_row(bench, "histogram in place", [clock = bench.clock](const Operation& operation) {
    const std::uint64_t begin = ticks_now(clock);
    const std::uint64_t end = ticks_now(clock);
    const auto size_class = static_cast<std::size_t>(std::bit_width(operation.bytes | 1) - 1);
    cells[size_class * kDevices + operation.source].add(end - begin, operation.bytes);
    benchmark::ClobberMemory();
  });
}

}  // namespace peerscope::peers
