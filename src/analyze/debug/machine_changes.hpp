// What changed between two looks at the machine: links that came or went, PCIe width and generation,
// paths between devices. One event a change.
#pragma once

#include <optional>
#include <vector>

#include "analyze/debug/event.hpp"
#include "model/device.hpp"

namespace peerscope {

class MachineChanges {
 public:
  // The events' time is the reading's. Of the first reading only XIDs are news. What a reading
  // does not know is compared with the last one that knew.
  std::vector<DebugEvent> add(const MachineReading& reading);

 private:
  std::optional<MachineReading> known_;
};

}  // namespace peerscope
