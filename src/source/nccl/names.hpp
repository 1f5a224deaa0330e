// NCCL's words for operations, types, algorithms and protocols in ours. In version 1 they are numbers.
#pragma once

#include <cstdint>

#include "peerscope/peerscope.h"

namespace peerscope::nccl {

std::uint8_t kind_of(const char* func);
std::uint8_t algorithm_of(const char* algorithm);
std::uint8_t protocol_of(const char* protocol);
// "Unknown" is ncclUint8, which NCCL up to 2.30 cannot spell.
std::uint8_t dtype_of(const char* datatype);

std::uint8_t kind_of_number(std::uint8_t func);
std::uint8_t algorithm_of_number(std::uint8_t algorithm);
std::uint8_t protocol_of_number(std::uint8_t protocol);
std::uint8_t dtype_of_number(std::uint8_t datatype);

std::uint32_t bytes_of(std::uint8_t dtype);

// As nccl-tests counts "size": of the whole, for collectives whose count is that of one rank's share.
std::uint64_t size_of(std::uint8_t kind, std::uint64_t count, std::uint8_t dtype,
                      std::uint32_t ranks);

}  // namespace peerscope::nccl
