// What can be attached on a machine, as a table of checks.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "cli/doctor_host.hpp"

namespace peerscope {

enum class CheckState { ok, unknown, missing, blocked };  // in the order of how bad
const char* name(CheckState state);

struct Check {
  std::string source;  // "nccl": what stands or falls with it
  std::string name;    // "library"
  CheckState state = CheckState::ok;
  std::string sentence;
  std::string action;  // what to do; empty where there is nothing
  std::vector<std::pair<std::string, std::string>> facts;  // for programs: "version" "2.28.9"
};

nlohmann::json checks_json(const std::vector<Check>& checks);
std::vector<Check> check_sources(const DoctorHost& host);

// The worst of a source's checks, in the order of the table.
std::vector<std::pair<std::string, CheckState>> states_of(const std::vector<Check>& checks);

}  // namespace peerscope
