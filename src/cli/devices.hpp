// This machine's GPUs as text and as JSON.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "analyze/machine.hpp"
#include "cli/render.hpp"
#include "model/device.hpp"

namespace peerscope {

// `findings`: what judge_machine() says of it.
std::string devices_text(const MachineReading& reading, const std::vector<Finding>& findings,
                         const Style& style);
nlohmann::json devices_json(const MachineReading& reading, const std::vector<Finding>& findings);

}  // namespace peerscope
