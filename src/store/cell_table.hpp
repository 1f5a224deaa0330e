// Cells: all operations that nothing tells apart by which one may group or filter, but for their times.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "model/size_class.hpp"
#include "trace/reader.hpp"

namespace peerscope {

struct CellKey {
  std::uint64_t comm = 0;
  std::uint32_t process = 0;
  std::uint16_t rank = kNoRank, peer = kNoPeer, device = kNoDevice;
  Kind kind = Kind::other;
  Algorithm algorithm = Algorithm::unknown;
  Protocol protocol = Protocol::unknown;
  OpStatus status = OpStatus::ok;
  Backend backend = Backend::unknown;
  std::uint8_t size_class = 0;
  bool other = false;  // of what found no room: kind, and whether it failed, are all that is known

  bool operator==(const CellKey&) const = default;
  static CellKey of(const Op& op, std::uint8_t size_class);
};
struct CellHash {
  std::size_t operator()(const CellKey& key) const;
};

// A filter as cells know it: sizes by class, no times.
class CellFilter {
 public:
  explicit CellFilter(const OpFilter& filter);
  [[nodiscard]] bool passes(const CellKey& key) const;
  [[nodiscard]] bool passes_shape(const CellKey& key) const;  // whatever its size
  [[nodiscard]] bool passes_class(std::uint8_t size_class) const {
    return size_class >= least_ && size_class <= most_;
  }
  // All pass.
  [[nodiscard]] bool open() const { return open_; }

 private:
  OpFilter filter_;
  std::uint8_t least_, most_;
  bool open_;
};

// Numbers cells as they come. Past kMostCells a new one is counted in a cell "other" of its kind.
class CellTable {
 public:
  static constexpr std::uint32_t kMostCells = 8192;
  static constexpr std::uint32_t kMostNumbers = kMostCells + 64;  // with the others

  std::uint32_t number(const CellKey& key);
  [[nodiscard]] bool is_other(std::uint32_t number) const { return keys_[number].other; }
  [[nodiscard]] std::size_t size() const { return keys_.size(); }
  [[nodiscard]] const std::vector<CellKey>& keys() const { return keys_; }
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  std::vector<CellKey> keys_;
  std::unordered_map<CellKey, std::uint32_t, CellHash> numbers_;
};

}  // namespace peerscope
