// Where results live that outlast a command: baselines, tuning, how far a suite has come.
#pragma once

#include <string>

#include "base/result.hpp"

namespace peerscope {

// $PEERSCOPE_STATE_DIR, else $XDG_STATE_HOME/peerscope, else ~/.local/state/peerscope; made if it is
// not there.
Result<std::string> state_directory();

std::string tuning_file_in(const std::string& directory, const std::string& fingerprint);
std::string baseline_file_in(const std::string& directory, const std::string& fingerprint);

// All of it or nothing: written beside, then renamed.
Status write_file(const std::string& path, const std::string& text);

}  // namespace peerscope
