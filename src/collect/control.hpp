// What processes record, changed from outside: level, budget, filter.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "collect/segment_view.hpp"
#include "model/kinds.hpp"

namespace peerscope {

// What is absent stays as it is.
struct ControlChange {
  std::optional<Level> level = {};
  std::optional<std::uint32_t> detail_budget_ppm = {};
  std::optional<std::uint32_t> kinds = {};                      // bit k: kind k passes; 0: all
  std::optional<std::uint64_t> min_bytes = {}, max_bytes = {};  // 0: no limit
  std::optional<std::uint64_t> devices = {};                    // bit d: device d passes; 0: all
  std::optional<bool> pass_without_device = {};                 // what `devices` cannot name
  std::optional<std::vector<std::string>> communicators = std::nullopt;  // names or ids; empty: all

  [[nodiscard]] bool changes_filter() const {
    return kinds || min_bytes || max_bytes || devices || pass_without_device || communicators;
  }
  [[nodiscard]] bool empty() const { return !level && !detail_budget_ppm && !changes_filter(); }
};

// Communicators that a process is to record: ids, as its segment holds them.
struct CommFilter {
  std::uint32_t count = 0;  // 0: all
  std::array<std::uint64_t, kMaxFilterComms> ids{};

  bool operator==(const CommFilter&) const = default;
};

// What one process records now.
struct ControlState {
  Level level = Level::off;
  std::uint32_t detail_budget_ppm = 0;
  bool filtered = false;  // else what follows is as without a filter
  std::uint32_t kinds = 0, flags = 0;
  std::uint64_t min_bytes = 0, max_bytes = 0, devices = 0;
  CommFilter comms;

  [[nodiscard]] bool same_filter(const ControlState& other) const;
  bool operator==(const ControlState&) const = default;
};
ControlState control_of(const SegmentView& segment);

// Somebody (perhaps the process itself) has changed what a process records.
struct ControlEvent {
  std::uint32_t process = 0;  // index within the collector
  std::int64_t at_ns = 0;     // when it was noticed
  ControlState before, after;
};

// What these names and ids ("tp", "77", "0x4d") are in this process. What it does not know (yet) is a
// filter that matches nothing.
CommFilter resolve(const std::vector<std::string>& communicators, const SegmentView& segment);

// Changes one process; false if it cannot be written to. Two that change one filter at once: each
// field is that of one of them.
bool apply(const ControlChange& change, const SegmentView& segment);

}  // namespace peerscope
