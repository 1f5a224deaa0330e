// What `run` puts into the environment of the program that it starts, so that our libraries come in
// with NCCL and with CUDA.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/config.hpp"

namespace peerscope {

// Libraries of this installation ($ORIGIN/../lib) that go into other programs; "": was not built.
struct SourceLibraries {
  std::string nccl, cuda;
};
SourceLibraries source_libraries();

struct SourceEnvironment {
  std::vector<std::pair<std::string, std::string>> variables;
  std::vector<std::string> notes;  // what is left out because of the environment, a sentence each
};

// `current` gives a variable as it is now, or null. What was not built is left out without a word:
// `doctor sources` names it.
SourceEnvironment source_environment(const Config& config, const SourceLibraries& libraries,
                                     const char* (*current)(const char*));

}  // namespace peerscope
