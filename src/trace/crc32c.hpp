// CRC32C (Castagnoli), as iSCSI has it: by the processor's instruction where there is one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace peerscope {

std::uint32_t crc32c(const void* data, std::size_t bytes);

}  // namespace peerscope
