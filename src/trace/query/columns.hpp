// The columns of the table `ops`: their names, and how each is had from a chunk.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "trace/query/query.hpp"

namespace peerscope {

enum class OpsColumn : std::uint8_t {
  begin_ns,
  end_ns,
  duration_ns,
  host_duration_ns,
  device_begin_ns,
  device_duration_ns,
  bytes,
  sequence,
  // from here on: decided by the shape
  operation,
  algorithm,
  protocol,
  dtype,
  communicator,
  comm_id,
  rank,
  ranks,
  peer,
  device,
  stream,
  channel,
  process,
  pid,
  thread,
  weight,
  status,
  backend,
  async,
  device_only,
};
inline constexpr std::size_t kOpsColumns = 28;

constexpr bool is_of_shape(OpsColumn column) { return column >= OpsColumn::operation; }

struct OpsColumnInfo {
  const char* name;
  const char* type;  // "INTEGER", "TEXT"
  const char* help;
};
const OpsColumnInfo& info(OpsColumn column);
std::optional<OpsColumn> find_ops_column(std::string_view name);  // case does not matter

// A column that the shape decides.
SqlValue shape_value(const TraceMeta& meta, const Op& shape, OpsColumn column);

// One of the others, of operation i of a chunk.
SqlValue op_value(OpsChunk& chunk, std::size_t i, OpsColumn column);

// As SQLite orders values: NULL, numbers, text.
int compare(const SqlValue& a, const SqlValue& b);

}  // namespace peerscope
