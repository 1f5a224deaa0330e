// Where segments lie, and which there are.
#pragma once

#include <string>
#include <vector>

namespace peerscope {

// $PEERSCOPE_RUNTIME_DIR alone if it is set, else /dev/shm/peerscope-UID and /tmp/peerscope-UID.
std::vector<std::string> runtime_dirs();

// Paths of all *.seg files in these directories, in no order. A directory that is not there holds none.
std::vector<std::string> list_segments(const std::vector<std::string>& dirs);

}  // namespace peerscope
