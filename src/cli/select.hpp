// Which sessions a command is about.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "collect/collector.hpp"

namespace peerscope {

struct SessionInfo {
  std::string id;
  ProcessState state = ProcessState::ended;
  std::int64_t created_real_ns = 0;  // of its newest process; the system's time, good across boots
  std::vector<std::uint64_t> communicators;
  std::vector<std::string> paths;
};

// All sessions in the runtime directories, the newest first.
std::vector<SessionInfo> find_sessions();

// What `wanted` names: "" the newest, with those that share a communicator with it (ranks that were
// started one by one); "all"; an id, or the beginning of one. The error says what there is.
Result<std::vector<std::string>> select_sessions(const std::string& wanted);

// The session that `peerscope run` has put us in, else `own`.
std::string session_or(const std::string& own);

// Removes the files of ended and dead sessions that are older than `age_ns`. Returns how many
// files.
int prune_sessions(std::int64_t age_ns);

}  // namespace peerscope
