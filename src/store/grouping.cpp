#include "store/grouping.hpp"

namespace peerscope {

Grouping::Grouping(std::span<const GroupBy> by) {
  for (const GroupBy each : by) by_ |= 1U << static_cast<unsigned>(each);
}

CellKey Grouping::projected(const CellKey& cell) const {
  const auto by = [this](GroupBy g) { return (by_ >> static_cast<unsigned>(g) & 1) != 0; };
  CellKey key;
  key.other = cell.other;
  if (by(GroupBy::operation)) key.kind = cell.kind;
  if (by(GroupBy::algorithm)) key.algorithm = cell.algorithm;
  if (by(GroupBy::protocol)) key.protocol = cell.protocol;
  if (by(GroupBy::size)) key.size_class = cell.size_class;
  if (by(GroupBy::rank)) key.rank = cell.rank;
  if (by(GroupBy::peer)) key.peer = cell.peer;
  if (by(GroupBy::device)) key.device = cell.device;
  if (by(GroupBy::communicator)) key.comm = cell.comm;
  if (by(GroupBy::process)) key.process = cell.process;
  if (by(GroupBy::backend)) key.backend = cell.backend;
  if (by(GroupBy::status)) key.status = cell.status;
  return key;
}

std::uint32_t Grouping::row_of(const CellKey& cell) {
  const CellKey key = projected(cell);
  const auto [at, is_new] = numbers_.emplace(key, static_cast<std::uint32_t>(keys_.size()));
  if (is_new) keys_.push_back(key);
  return at->second;
}

std::vector<std::uint32_t> Grouping::rows_of(const std::vector<CellKey>& cells,
                                             const CellFilter& filter) {
  std::vector<std::uint32_t> rows;
  rows.reserve(cells.size());
  for (const CellKey& cell : cells) rows.push_back(filter.passes(cell) ? row_of(cell) : kNone);
  return rows;
}

AggregateRow Grouping::row(std::uint32_t number) const {
  const CellKey& key = keys_[number];
  AggregateRow row;
  row.key.comm = key.comm;
  row.key.process = key.process;
  row.key.rank = key.rank;
  row.key.peer = key.peer;
  row.key.device = key.device;
  row.key.kind = key.kind;
  row.key.algorithm = key.algorithm;
  row.key.protocol = key.protocol;
  row.key.status = key.status;
  row.key.backend = key.backend;
  row.size_class = key.size_class;
  row.other = key.other;
  return row;
}

}  // namespace peerscope
