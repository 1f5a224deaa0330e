// ExLlamaV3's native tensor parallelism in a session: a thread samples its contexts, the Monitor takes over
// what it saw.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "session/feeder.hpp"

namespace peerscope {

struct ExllamaFeederOptions {
  std::string dir = "/dev/shm";
  std::vector<std::string> sessions;  // processes say so by PEERSCOPE_SESSION; empty: all
  double rate_hz = 0;                 // 0: adaptive
};

std::shared_ptr<Feeder> exllama_feeder(ExllamaFeederOptions options);

// What the configuration lets into a session of these ids.
std::vector<std::shared_ptr<Feeder>> session_feeders(const Config& config,
                                                     const std::vector<std::string>& sessions);

}  // namespace peerscope
