// The machine as `doctor` looks at it. All outside facts come in here, so that tests run on a made-up one.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace peerscope {

enum class Answer {
  refused,
  silent,
  other,
  ras
};  // of a port; silent: open, and no word within its time

struct DoctorHost {
  std::string root;     // before every path: "" or a directory that looks like a machine
  std::string lib_dir;  // our libraries
  unsigned uid = 0;
  std::function<std::string(const char*)> environment;     // "" where it is not set
  std::function<std::vector<std::string>()> linker_cache;  // lines of `ldconfig -p`
  std::function<std::vector<std::string>()> python_path;   // of the python3 in PATH; empty: none
  std::function<std::optional<std::pair<std::uint64_t, std::uint64_t>>(const std::string&)>
      space;  // bytes of a file system: all, free
  std::function<Answer(const std::string& host, int port)> ask_ras;
};
DoctorHost this_host_for_doctor();

bool exists(const DoctorHost& host, const std::string& path);
bool readable(const DoctorHost& host, const std::string& path);
bool writable(const DoctorHost& host, const std::string& path);
std::string text_of(const DoctorHost& host,
                    const std::string& path);  // its first 64 KB; "" if there is none
std::vector<std::string> names_in(const DoctorHost& host, const std::string& dir);

// A library as a program would meet it.
struct FoundLibrary {
  std::string path;
  std::string how;  // "LD_LIBRARY_PATH", "ldconfig", "pip", "/usr/local/cuda"
};
// In the order of the dynamic linker: LD_LIBRARY_PATH, ldconfig's cache, default directories, then `further`.
std::vector<FoundLibrary> find_library(const DoctorHost& host, const std::string& name,
                                       const std::vector<std::string>& further = {});
// Below the directories of Python's path: "nvidia/nccl/lib/libnccl.so.2".
std::vector<FoundLibrary> find_in_python(const DoctorHost& host,
                                         const std::vector<std::string>& places);

// "2.28.9" from the first "NCCL version 2.28.9" in the file, without loading it; "" if it has none.
std::string nccl_version_in(const DoctorHost& host, const std::string& path);
// The newest profiler interface that this NCCL asks for: 0 for one before 2.23.4, and -1 for no version.
int profiler_interface_of(const std::string& version);
std::string driver_version_of(const std::string& text);  // of /proc/driver/nvidia/version

}  // namespace peerscope
