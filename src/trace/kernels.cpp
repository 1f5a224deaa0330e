#include "trace/kernels.hpp"

#include "trace/format.hpp"

// One body, compiled for two processors; which one runs is decided at each call of a function that
// handles thousands of values. (target_clones would decide once, by an ifunc: sanitizers and musl
// do not like these.)
#if defined(__x86_64__)
#define PSCOPE_KERNEL(name, parameters, ...)                                                   \
  namespace {                                                                                  \
  __attribute__((target(                                                                       \
      "avx2"))) auto name##_avx2 parameters __VA_ARGS__ auto name##_any parameters __VA_ARGS__ \
  }
#define PSCOPE_DISPATCH(name, ...) \
  return __builtin_cpu_supports("avx2") ? name##_avx2(__VA_ARGS__) : name##_any(__VA_ARGS__)
#else
#define PSCOPE_KERNEL(name, parameters, ...) \
  namespace {                                \
  auto name##_any parameters __VA_ARGS__     \
  }
#define PSCOPE_DISPATCH(name, ...) return name##_any(__VA_ARGS__)
#endif

namespace peerscope::kernels {

PSCOPE_KERNEL(range_of_body, (const std::uint64_t* values, std::size_t n), {
  // The sign bit is turned so that signed comparison, which vectors have, orders unsigned numbers.
  constexpr std::uint64_t kSign = std::uint64_t{1} << 63;
  std::int64_t least = INT64_MAX;
  std::int64_t most = INT64_MIN;
  for (std::size_t i = 0; i < n; ++i) {
    const auto value = static_cast<std::int64_t>(values[i] ^ kSign);
    least = value < least ? value : least;
    most = value > most ? value : most;
  }
  return Range{static_cast<std::uint64_t>(least) ^ kSign, static_cast<std::uint64_t>(most) ^ kSign};
})

PSCOPE_KERNEL(range_of_32_body, (const std::uint32_t* values, std::size_t n), {
  std::uint32_t least = UINT32_MAX;
  std::uint32_t most = 0;
  for (std::size_t i = 0; i < n; ++i) {
    least = values[i] < least ? values[i] : least;
    most = values[i] > most ? values[i] : most;
  }
  return Range{least, most};
})

PSCOPE_KERNEL(plane_32_body,
              (const std::uint32_t* values, std::size_t n, std::uint32_t base, unsigned shift,
               std::uint8_t* plane),
              {
                for (std::size_t i = 0; i < n; ++i)
                  plane[i] = static_cast<std::uint8_t>((values[i] - base) >> shift);
              })

PSCOPE_KERNEL(plane_body,
              (const std::uint64_t* values, std::size_t n, std::uint64_t base, unsigned shift,
               std::uint8_t* plane),
              {
                for (std::size_t i = 0; i < n; ++i)
                  plane[i] = static_cast<std::uint8_t>((values[i] - base) >> shift);
              })

PSCOPE_KERNEL(join_first_body,
              (const std::uint8_t* plane, std::size_t n, std::uint64_t base, std::uint64_t* values),
              {
                for (std::size_t i = 0; i < n; ++i) values[i] = base + plane[i];
              })

PSCOPE_KERNEL(join_two_body,
              (const std::uint8_t* low, const std::uint8_t* high, std::size_t n, std::uint64_t base,
               std::uint64_t* values),
              {
                for (std::size_t i = 0; i < n; ++i) {
                  const auto pair = static_cast<std::uint32_t>(low[i] | high[i] << 8);
                  values[i] = base + pair;
                }
              })

PSCOPE_KERNEL(join_next_body,
              (const std::uint8_t* plane, std::size_t n, unsigned shift, std::uint64_t* values), {
                for (std::size_t i = 0; i < n; ++i)
                  values[i] += static_cast<std::uint64_t>(plane[i]) << shift;
              })

PSCOPE_KERNEL(join32_body,
              (const std::uint8_t* low, const std::uint8_t* high, std::size_t n, std::uint32_t base,
               std::uint32_t* values),
              {
                if (high == nullptr) {
                  for (std::size_t i = 0; i < n; ++i) values[i] = base + low[i];
                } else {
                  for (std::size_t i = 0; i < n; ++i)
                    values[i] = base + static_cast<std::uint32_t>(low[i] | high[i] << 8);
                }
              })

PSCOPE_KERNEL(differences_body,
              (const std::uint64_t* values, std::size_t n, std::uint64_t first, std::uint64_t* out),
              {
                if (n > 0) out[0] = values[0] - first;
                for (std::size_t i = 1; i < n; ++i) out[i] = values[i] - values[i - 1];
              })

PSCOPE_KERNEL(zigzag_body, (std::uint64_t* values, std::size_t n), {
  for (std::size_t i = 0; i < n; ++i) values[i] = format::zigzag(values[i]);
})

PSCOPE_KERNEL(zigzag_32_body, (std::uint32_t* values, std::size_t n), {
  for (std::size_t i = 0; i < n; ++i) values[i] = values[i] << 1 ^ (0 - (values[i] >> 31));
})

PSCOPE_KERNEL(unzigzag_body, (std::uint64_t* values, std::size_t n), {
  for (std::size_t i = 0; i < n; ++i) values[i] = format::unzigzag(values[i]);
})

namespace {

// Arithmetic shift, which AVX2 lacks for 64 bits: the sign bit is turned before and after.
inline std::int64_t shift_signed(std::uint64_t value, unsigned shift) {
  constexpr std::uint64_t kSign = std::uint64_t{1} << 63;
  return static_cast<std::int64_t>(((value ^ kSign) >> shift) - (kSign >> shift));
}

// Block by block: first what needs no neighbour, then the differences.
template <class T>
[[gnu::always_inline]] inline Times number_times_in_blocks(const std::uint64_t* begins,
                                                           const std::uint64_t* durations,
                                                           std::size_t n, unsigned shift, T* begin,
                                                           T* duration) {
  constexpr std::size_t kBlock = 512;
  std::int64_t since[kBlock + 1];  // steps since the first begin, the one before the block in front
  std::uint64_t lasted[kBlock + 1];  // steps; one more than they are, or 0 if unknown
  const std::uint64_t half = shift == 0 ? 0 : std::uint64_t{1} << (shift - 1);
  const std::uint64_t first = begins[0];
  std::int64_t least = 0;
  std::int64_t most = 0;
  std::uint64_t too_wide = 0;
  since[0] = 0;
  lasted[0] = 0;
  for (std::size_t from = 0; from < n; from += kBlock) {
    const std::size_t count = n - from < kBlock ? n - from : kBlock;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t ns = durations[from + i];
      lasted[i + 1] = ns + 1 != 0 ? ((ns + half) >> shift) + 1 : 0;
      since[i + 1] = shift_signed(begins[from + i] - first + half, shift);
      least = since[i + 1] < least ? since[i + 1] : least;
      most = since[i + 1] > most ? since[i + 1] : most;
    }
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t expected =
          static_cast<std::uint64_t>(since[i]) + lasted[i] - (lasted[i] != 0 ? 1 : 0);
      const std::uint64_t after = static_cast<std::uint64_t>(since[i + 1]) - expected;
      begin[from + i] = static_cast<T>(after);
      duration[from + i] = static_cast<T>(lasted[i + 1]);
      if constexpr (sizeof(T) == 4)
        too_wide |= (after + (std::uint64_t{1} << 30)) >> 31 | lasted[i + 1] >> 32;
    }
    since[0] = since[count];
    lasted[0] = lasted[count];
  }
  const auto time = [&](std::int64_t steps) {
    return static_cast<std::int64_t>(first + (static_cast<std::uint64_t>(steps) << shift));
  };
  return Times{time(least), time(most), too_wide};
}

}  // namespace

PSCOPE_KERNEL(number_times_32_body,
              (const std::uint64_t* begins, const std::uint64_t* durations, std::size_t n,
               unsigned shift, std::uint32_t* begin, std::uint32_t* duration),
              { return number_times_in_blocks(begins, durations, n, shift, begin, duration); })

PSCOPE_KERNEL(number_times_64_body,
              (const std::uint64_t* begins, const std::uint64_t* durations, std::size_t n,
               unsigned shift, std::uint64_t* begin, std::uint64_t* duration),
              { return number_times_in_blocks(begins, durations, n, shift, begin, duration); })

Range range_of(const std::uint64_t* values, std::size_t n) {
  if (n == 0) return {0, 0};
  PSCOPE_DISPATCH(range_of_body, values, n);
}

Range range_of(const std::uint32_t* values, std::size_t n) {
  if (n == 0) return {0, 0};
  PSCOPE_DISPATCH(range_of_32_body, values, n);
}

void split(const std::uint32_t* values, std::size_t n, std::uint64_t base, unsigned count,
           std::uint8_t* planes, std::size_t stride) {
  const auto one = [&](unsigned p) {
    PSCOPE_DISPATCH(plane_32_body, values, n, static_cast<std::uint32_t>(base), 8 * p,
                    planes + p * stride);
  };
  for (unsigned p = 0; p < count; ++p) one(p);
}

void split(const std::uint64_t* values, std::size_t n, std::uint64_t base, unsigned count,
           std::uint8_t* planes, std::size_t stride) {
  const auto one = [&](unsigned p) {
    PSCOPE_DISPATCH(plane_body, values, n, base, 8 * p, planes + p * stride);
  };
  for (unsigned p = 0; p < count; ++p) one(p);
}

void join(const std::uint8_t* const* planes, unsigned count, std::size_t n, std::uint64_t base,
          std::uint64_t* values) {
  const auto first = [&] { PSCOPE_DISPATCH(join_first_body, planes[0], n, base, values); };
  const auto two = [&] { PSCOPE_DISPATCH(join_two_body, planes[0], planes[1], n, base, values); };
  const auto next = [&](unsigned p) {
    PSCOPE_DISPATCH(join_next_body, planes[p], n, 8 * p, values);
  };
  if (count == 0) {
    for (std::size_t i = 0; i < n; ++i) values[i] = base;
    return;
  }
  if (count == 1) return first();
  two();
  for (unsigned p = 2; p < count; ++p) next(p);
}

void join32(const std::uint8_t* const* planes, unsigned count, std::size_t n, std::uint32_t base,
            std::uint32_t* values) {
  if (count == 0) {
    for (std::size_t i = 0; i < n; ++i) values[i] = base;
    return;
  }
  PSCOPE_DISPATCH(join32_body, planes[0], count > 1 ? planes[1] : nullptr, n, base, values);
}

void differences(const std::uint64_t* values, std::size_t n, std::uint64_t first,
                 std::uint64_t* out) {
  PSCOPE_DISPATCH(differences_body, values, n, first, out);
}

void zigzag(std::uint64_t* values, std::size_t n) { PSCOPE_DISPATCH(zigzag_body, values, n); }
void zigzag(std::uint32_t* values, std::size_t n) { PSCOPE_DISPATCH(zigzag_32_body, values, n); }
void unzigzag(std::uint64_t* values, std::size_t n) { PSCOPE_DISPATCH(unzigzag_body, values, n); }

Times number_times(const std::uint64_t* begins, const std::uint64_t* durations, std::size_t n,
                   unsigned shift, std::uint32_t* begin_out, std::uint32_t* duration_out) {
  if (n == 0) return {};
  PSCOPE_DISPATCH(number_times_32_body, begins, durations, n, shift, begin_out, duration_out);
}
Times number_times(const std::uint64_t* begins, const std::uint64_t* durations, std::size_t n,
                   unsigned shift, std::uint64_t* begin_out, std::uint64_t* duration_out) {
  if (n == 0) return {};
  PSCOPE_DISPATCH(number_times_64_body, begins, durations, n, shift, begin_out, duration_out);
}

}  // namespace peerscope::kernels
