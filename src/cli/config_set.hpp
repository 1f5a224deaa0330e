// peerscope config set: see config.cpp, where the commands are listed.
#pragma once

#include <string>

#include "cli/args.hpp"

namespace peerscope {

int config_set_main(Args& args);
std::string unknown_key(const std::string& key);  // a sentence that names the nearest one

}  // namespace peerscope
