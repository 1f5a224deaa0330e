#include "store/cell_table.hpp"

namespace peerscope {

CellKey CellKey::of(const Op& op, std::uint8_t size_class) {
  CellKey key;
  key.comm = op.comm;
  key.process = op.process;
  key.rank = op.rank;
  key.peer = op.peer;
  key.device = op.device;
  key.kind = op.kind;
  key.algorithm = op.algorithm;
  key.protocol = op.protocol;
  key.status = op.status;
  key.backend = op.backend;
  key.size_class = size_class;
  return key;
}

std::size_t CellHash::operator()(const CellKey& key) const {
  const auto byte = [](auto value, int at) { return static_cast<std::uint64_t>(value) << at; };
  const std::uint64_t words[] = {
      key.comm, byte(key.process, 0) | byte(key.rank, 32) | byte(key.peer, 48),
      byte(key.device, 0) | byte(key.kind, 16) | byte(key.algorithm, 24) | byte(key.protocol, 32) |
          byte(key.status, 40) | byte(key.backend, 48) | byte(key.size_class, 56)};
  std::uint64_t hash = key.other ? 1 : 0;
  for (const std::uint64_t word : words) hash = (hash ^ word) * 0x9E37'79B9'7F4A'7C15u ^ hash >> 31;
  return static_cast<std::size_t>(hash ^ hash >> 32);
}

CellFilter::CellFilter(const OpFilter& filter)
    : filter_(filter),
      least_(size_class(filter.min_bytes)),
      most_(size_class(filter.max_bytes)),
      open_(filter.kinds == 0 && !filter.comm && !filter.rank && !filter.peer && !filter.device &&
            !filter.process && filter.min_bytes == 0 && filter.max_bytes == UINT64_MAX &&
            !filter.only_errors) {}

bool CellFilter::passes(const CellKey& key) const {
  return passes_shape(key) && (key.other || passes_class(key.size_class));
}

bool CellFilter::passes_shape(const CellKey& key) const {
  if (open_) return true;
  const OpFilter& f = filter_;
  if (f.kinds != 0 && (f.kinds >> (static_cast<unsigned>(key.kind) & 31) & 1) == 0) return false;
  if (f.only_errors && key.status == OpStatus::ok) return false;
  if (key.other) return true;  // it may hold such
  if (f.comm && *f.comm != key.comm) return false;
  if (f.rank && *f.rank != key.rank) return false;
  if (f.peer && *f.peer != key.peer) return false;
  if (f.device && *f.device != key.device) return false;
  return !f.process || *f.process == key.process;
}

std::uint32_t CellTable::number(const CellKey& key) {
  if (const auto found = numbers_.find(key); found != numbers_.end()) return found->second;
  const auto next = static_cast<std::uint32_t>(keys_.size());
  if (numbers_.size() >= kMostCells && !key.other) {
    CellKey other;
    other.kind = key.kind;
    other.status = key.status == OpStatus::ok ? OpStatus::ok : OpStatus::error;
    other.other = true;
    return number(other);
  }
  keys_.push_back(key);
  numbers_.emplace(key, next);
  return next;
}

std::size_t CellTable::memory_bytes() const {
  constexpr std::size_t kNode = sizeof(CellKey) + 4 * sizeof(void*);
  return keys_.capacity() * sizeof(CellKey) + numbers_.size() * kNode +
         numbers_.bucket_count() * sizeof(void*);
}

}  // namespace peerscope
