// A section of marks.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "trace/column_codec.hpp"
#include "trace/mark.hpp"

namespace peerscope {

void append_marks_section(std::vector<std::uint8_t>& out, std::span<const Mark> marks,
                          ColumnWriter& columns);
Result<std::vector<Mark>> read_marks(const SectionBytes& section);

}  // namespace peerscope
