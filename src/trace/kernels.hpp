// The inner loops of columns: differences, ranges, byte planes. The widest vectors that the
// processor has are used.
#pragma once

#include <cstddef>
#include <cstdint>

namespace peerscope::kernels {

struct Range {
  std::uint64_t min = UINT64_MAX, max = 0;
};

Range range_of(const std::uint64_t* values, std::size_t n);

// Byte p of (values[i] - base) goes to planes[p * stride + i], for p < count.
void split(const std::uint64_t* values, std::size_t n, std::uint64_t base, unsigned count,
           std::uint8_t* planes, std::size_t stride);

// values[i] = base + the number whose byte p is planes[p][i].
void join(const std::uint8_t* const* planes, unsigned count, std::size_t n, std::uint64_t base,
          std::uint64_t* values);
void join32(const std::uint8_t* const* planes, unsigned count, std::size_t n, std::uint32_t base,
            std::uint32_t* values);

// values[i] - values[i - 1], the first minus `first`; and back.
void differences(const std::uint64_t* values, std::size_t n, std::uint64_t first,
                 std::uint64_t* out);
void zigzag(std::uint64_t* values, std::size_t n);
void unzigzag(std::uint64_t* values, std::size_t n);

}  // namespace peerscope::kernels
