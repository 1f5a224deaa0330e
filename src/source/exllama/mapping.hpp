// Which processes have a file mapped, and what they are in an ExLlamaV3 job, as far as /proc tells.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace peerscope::exllama {

enum class Role : std::uint8_t { unknown, main, worker, cpu_helper };
const char* name(Role role);

struct Mapper {
  std::uint32_t pid = 0, parent = 0;
  std::string process;         // its name
  std::int64_t started_s = 0;  // system clock; 0: unknown
  Role role = Role::unknown;
  int gpu = -1;         // /dev/nvidiaN, where it has exactly one open; -1: unknown
  std::string session;  // PEERSCOPE_SESSION in its environment
};

struct Mappers {
  std::vector<Mapper> processes;  // in the order in which they started
  std::uint64_t unreadable = 0;   // processes of others whose maps cannot be read
};

// `inode` and `path` of the file; `proc` is a parameter for tests.
Mappers who_maps(const std::string& path, std::uint64_t inode, const std::string& proc = "/proc");

}  // namespace peerscope::exllama
