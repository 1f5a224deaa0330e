// Chance that is the same everywhere: integers, additions and multiplications only. The standard
// library's distributions differ between implementations, and so does libm's last bit.
#pragma once

#include <cstdint>

namespace peerscope::sim {

// SplitMix64 (Steele, Lea, Flood 2014).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  // In [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  double between(double low, double high) { return low + (high - low) * uniform(); }
  // In [0, n), n > 0.
  int below(int n) { return static_cast<int>(uniform() * n); }
  bool chance(double share) { return uniform() < share; }

  // Mean 0, deviation 1, the sum of four uniforms (Irwin-Hall): within +-3.46.
  double normal() {
    const std::uint64_t bits = next();
    const double sum = static_cast<double>((bits & 0xFFFF) + (bits >> 16 & 0xFFFF) +
                                           (bits >> 32 & 0xFFFF) + (bits >> 48));
    return (sum / 65535.0 - 2.0) * 1.7320508075688772;
  }
  // Log-normal with median 1; exp by its series, good to 1e-4 for sigma up to 0.3.
  double jitter(double sigma) {
    const double x = normal() * sigma;
    return 1.0 + x * (1.0 + x / 2.0 * (1.0 + x / 3.0 * (1.0 + x / 4.0)));
  }
  // A stream of its own.
  Random fork() { return Random(next()); }

 private:
  std::uint64_t state_;
};

}  // namespace peerscope::sim
