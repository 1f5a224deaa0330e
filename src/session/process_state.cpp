#include "session/process_state.hpp"

#include <fstream>
#include <string>

#include <fmt/format.h>

namespace peerscope {

// "1234 (name, may hold anything) S ...": the state follows the last parenthesis.
bool is_process_stopped(std::uint32_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(file, line);
  const std::size_t end = line.rfind(')');
  if (end == std::string::npos || end + 2 >= line.size()) return false;
  return line[end + 2] == 'T' || line[end + 2] == 't';
}

}  // namespace peerscope
