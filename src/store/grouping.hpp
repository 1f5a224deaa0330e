// From cells to rows of a table.
#pragma once

#include <span>
#include <unordered_map>
#include <vector>

#include "store/cell_table.hpp"
#include "store/store.hpp"

namespace peerscope {

class Grouping {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  explicit Grouping(std::span<const GroupBy> by);
  std::uint32_t row_of(const CellKey& cell);
  // Of each cell; kNone: it does not pass.
  std::vector<std::uint32_t> rows_of(const std::vector<CellKey>& cells, const CellFilter& filter);
  [[nodiscard]] std::size_t size() const { return keys_.size(); }
  // Key and size class of a row; without counts.
  [[nodiscard]] AggregateRow row(std::uint32_t number) const;

 private:
  [[nodiscard]] CellKey projected(const CellKey& cell) const;
  std::uint32_t by_ = 0;  // bit g: GroupBy g
  std::vector<CellKey> keys_;
  std::unordered_map<CellKey, std::uint32_t, CellHash> numbers_;
};

}  // namespace peerscope
