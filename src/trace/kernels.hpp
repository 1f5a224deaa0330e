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
Range range_of(const std::uint32_t* values, std::size_t n);

// Byte p of (values[i] - base) goes to planes[p * stride + i], for p < count.
void split(const std::uint64_t* values, std::size_t n, std::uint64_t base, unsigned count,
           std::uint8_t* planes, std::size_t stride);
void split(const std::uint32_t* values, std::size_t n, std::uint64_t base, unsigned count,
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
void zigzag(std::uint32_t* values, std::size_t n);
void unzigzag(std::uint64_t* values, std::size_t n);

// A thread's times as they are stored; see docs/trace-format.md: in steps of 2^shift
// ns, begins from the end of the one before, 0 where a duration is unknown (-1).
struct Times {
  std::int64_t first_ns = INT64_MAX, last_ns = INT64_MIN;  // begins, rounded
  std::uint64_t too_wide = 0;                              // not 0: the numbers do not fit
};
Times number_times(const std::uint64_t* begins, const std::uint64_t* durations, std::size_t n,
                   unsigned shift, std::uint32_t* begin_out, std::uint32_t* duration_out);
Times number_times(const std::uint64_t* begins, const std::uint64_t* durations, std::size_t n,
                   unsigned shift, std::uint64_t* begin_out, std::uint64_t* duration_out);

}  // namespace peerscope::kernels
