// How quantities are written for people: three significant digits, always with a unit. GB/s is 10^9
// bytes per second.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace peerscope {

std::string format_duration(double ns);  // "412 ns", "13.1 µs", "4.20 ms", "1.50 s"
std::string format_bytes(
    std::uint64_t bytes);  // "8 B", "16 KB", "1.5 MB": binary steps, as people say sizes
std::string format_count(std::uint64_t count);     // "48 211"
std::string format_rate(double per_second);        // "1.20 M/s"
std::string format_bandwidth(double bytes_per_s);  // "182 GB/s", "6.10 MB/s"
std::string format_percent(double fraction);       // "0.3 %", "71 %"

// "8", "64K", "1M", "2G" (also KB, KiB, ...: binary steps as nccl-tests reads them). Empty if it is
// no size.
std::optional<std::uint64_t> parse_bytes(std::string_view text);

}  // namespace peerscope
