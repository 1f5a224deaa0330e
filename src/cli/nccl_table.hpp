// How the results of an NCCL sweep read: nccl-tests' table, or JSON.
#pragma once

#include <array>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cli/measure.hpp"
#include "cli/nccl_levels.hpp"
#include "cli/nccl_sweep.hpp"

namespace peerscope {

struct NcclPlace {
  Spread us, device_us;  // over the rounds
  std::vector<double> rounds_us;
  std::array<LevelCost, kLevels> levels{};  // with --levels
  double algbw = 0, busbw = 0;
  std::uint64_t wrong = 0, checked = 0;
  bool measured = false;  // false: the operation has no such place
};

struct NcclRow {
  NcclLengths size;
  NcclPlace out, in;
};

NcclRow nccl_row(const NcclOptions& options, const NcclBoard& board, const NcclLengths& size,
                 std::size_t at);

void print_nccl_head(const NcclOptions& options, const NcclBoard& board,
                     const std::vector<std::string>& cpus);
void print_nccl_row(const NcclOptions& options, const NcclRow& row);
void print_nccl_foot(const NcclOptions& options, const std::vector<NcclRow>& rows);
nlohmann::json nccl_json(const NcclOptions& options, const NcclBoard& board,
                         const std::vector<std::string>& cpus, const std::vector<NcclRow>& rows);

}  // namespace peerscope
