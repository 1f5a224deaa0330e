// How findings name things.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analyze/snapshot.hpp"

namespace peerscope {

// "" for 0; its id, hexadecimal, where it has no name, and behind the name where another has the same.
std::string communicator_name(const Snapshot& snapshot, std::uint64_t comm);
std::string operation_name(Kind kind, std::uint8_t size_class);  // "all_reduce 16 KB"
// "all_reduce 16 KB (ring)"; without an algorithm where none is known.
std::string operation_name(Kind kind, std::uint8_t size_class, Algorithm algorithm);
std::string operation_name(const Op& op);  // likewise, exact size
std::string ranks_in_words(
    const std::vector<int>& ranks);  // "Rank 2", "Ranks 0, 1 and 3", "Ranks 0, 1, 2 and 61 more"
std::string lower(std::string sentence);  // its first letter small, to stand within another
// "since 1.2 s ago" as seen from `now_ns`; "" if unknown.
std::string since_in_words(std::int64_t since_ns, std::int64_t now_ns);

}  // namespace peerscope
