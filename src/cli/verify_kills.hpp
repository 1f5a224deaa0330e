// A rank's process is killed in the middle: does the other one say so, in time?
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace peerscope {

struct KillOptions {
  std::string backend = "host";
  int kills = 50, seed = 1;
  std::string nccl_library = {};
  std::chrono::nanoseconds timeout = std::chrono::milliseconds(500);
};

struct KillTurn {
  bool hung = false;
  double told_s = 0;  // after the kill
  ErrorCode code = ErrorCode::io;
  std::string sentence;
};

// Two ranks in processes of their own. This process must not have touched CUDA.
Result<std::vector<KillTurn>> verify_kills(const KillOptions& options);

}  // namespace peerscope
