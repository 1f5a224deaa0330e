#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/units.hpp"
#include "cli/doctor_checks.hpp"
#include "source/exllama/context_file.hpp"

namespace peerscope {
namespace {

constexpr std::uint64_t kSmallSharedMemory = 256 << 20;
constexpr int kRasPort = 28028;

Check recorder_library(const DoctorHost& host) {
  return built(host, "recorder", "libpeerscope.so.1", "programs that use our library can record");
}

std::string parent_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

Check runtime_directory(const DoctorHost& host) {
  Check check{"recorder", "runtime directory", CheckState::ok, "", "", {}};
  const std::string chosen = host.environment("PEERSCOPE_RUNTIME_DIR");
  std::vector<std::string> dirs{chosen};
  if (chosen.empty())
    dirs = {fmt::format("/dev/shm/peerscope-{}", host.uid),
            fmt::format("/tmp/peerscope-{}", host.uid)};
  for (const std::string& dir : dirs) {
    const bool there = exists(host, dir);
    if (!writable(host, there ? dir : parent_of(dir))) continue;
    check.facts = {{"path", dir}};
    check.sentence =
        fmt::format("processes can record into {}{}", dir, there ? "" : " (will be made)");
    return check;
  }
  check.state = CheckState::blocked;
  check.sentence =
      fmt::format("{} cannot be written by uid {}", fmt::join(dirs, " and "), host.uid);
  check.action = "Set PEERSCOPE_RUNTIME_DIR to a directory of this user, in memory if possible";
  return check;
}

Check shared_memory(const DoctorHost& host) {
  Check check{"recorder", "shared memory", CheckState::ok, "", "", {}};
  const auto space = host.space(host.root + "/dev/shm");
  if (!space || !exists(host, "/dev/shm")) {
    check.state = CheckState::missing;
    check.sentence = "there is no /dev/shm: records go to /tmp, which may be a disk";
    check.action = "Mount a tmpfs at /dev/shm";
    return check;
  }
  const auto [all, free] = *space;
  check.facts = {{"bytes", std::to_string(all)}, {"free_bytes", std::to_string(free)}};
  check.sentence = fmt::format("/dev/shm has {}, {} free; a process takes 3 MB to 64 MB",
                               format_bytes(all), format_bytes(free));
  if (free < kSmallSharedMemory)
    check.action = "Give the container more where it has many processes: docker run --shm-size=1g";
  if (free < 1 << 20) check.state = CheckState::blocked;
  return check;
}

Check ras(const DoctorHost& host) {
  Check check{"ras", "port", CheckState::ok, "", "", {}};
  std::string name = "localhost";
  int port = kRasPort;
  if (const std::string address = host.environment("NCCL_RAS_ADDR"); !address.empty()) {
    const std::size_t colon = address.rfind(':');
    name = address.substr(0, colon);
    if (name.size() > 2 && name.front() == '[') name = name.substr(1, name.size() - 2);  // IPv6
    const char* digits = colon == std::string::npos ? "" : address.c_str() + colon + 1;
    std::from_chars(digits, digits + std::char_traits<char>::length(digits), port);
  }
  check.facts = {{"address", fmt::format("{}:{}", name, port)}};
  switch (host.ask_ras(name, port)) {
    case Answer::ras:
      check.sentence = fmt::format("NCCL's RAS answers at {}:{}", name, port);
      break;
    case Answer::refused:
      check.state = CheckState::missing;
      check.sentence = fmt::format(
          "nobody answers at {}:{}: no job with NCCL 2.24 or newer runs here", name, port);
      check.action =
          "Nothing while no job runs; NCCL_RAS_ENABLE=0 switches it off, NCCL_RAS_ADDR moves it";
      break;
    case Answer::silent:
      check.state = CheckState::unknown;
      check.sentence = fmt::format("{}:{} is open and says nothing", name, port);
      check.action = "Ask again; a job that is just starting or ending may be slow";
      break;
    case Answer::other:
      check.state = CheckState::blocked;
      check.sentence = fmt::format("another service than NCCL's RAS answers at {}:{}", name, port);
      check.action =
          "Start jobs with another NCCL_RAS_ADDR (host:port), and peerscope with the same";
      break;
  }
  if (host.environment("NCCL_RAS_ENABLE") == "0" && check.state == CheckState::missing) {
    check.state = CheckState::blocked;
    check.sentence = "NCCL_RAS_ENABLE is 0: jobs started from here have no RAS";
    check.action = "unset NCCL_RAS_ENABLE";
  }
  return check;
}

Check exllama_contexts(const DoctorHost& host) {
  Check check{"exllama", "contexts", CheckState::ok, "", "", {}};
  std::vector<std::string> good, bad;
  for (const exllama::Found& found : exllama::find_contexts(host.root + "/dev/shm")) {
    if (found.refusal.empty())
      good.push_back(found.path.substr(host.root.size()));
    else
      bad.push_back(found.refusal);
  }
  check.facts = {{"contexts", std::to_string(good.size())},
                 {"refused", std::to_string(bad.size())}};
  if (!good.empty()) {
    check.sentence = fmt::format("{}: watch it with peerscope exllama", fmt::join(good, ", "));
  } else if (!bad.empty()) {
    check.state = CheckState::blocked;
    check.sentence = bad[0];
    check.action = "peerscope exllama shows all of them";
  } else {
    check.state = CheckState::missing;
    check.sentence = "no ExLlamaV3 job with tensor parallelism in /dev/shm";
    check.action =
        "Nothing while none runs; a container must share its /dev/shm (docker run --ipc=host)";
  }
  return check;
}

Check pci(const DoctorHost& host) {
  Check check{"sysfs", "PCI devices", CheckState::ok, "", "", {}};
  const std::string dir = "/sys/bus/pci/devices";
  std::size_t gpus = 0, hidden = 0;
  const std::vector<std::string> names = names_in(host, dir);
  for (const std::string& name : names) {
    const std::string at = dir + "/" + name;
    if (text_of(host, at + "/vendor").rfind("0x10de", 0) != 0) continue;
    if (text_of(host, at + "/class").rfind("0x03", 0) != 0) continue;
    ++gpus;
    if (text_of(host, at + "/current_link_speed").empty()) ++hidden;
  }
  check.facts = {{"devices", std::to_string(names.size())}, {"nvidia_gpus", std::to_string(gpus)}};
  if (!exists(host, dir)) {
    check.state = CheckState::blocked;
    check.sentence =
        "/sys/bus/pci/devices is not there: where links run and how wide they are is not known";
    check.action = "Mount sysfs (in containers it is there unless it was masked)";
  } else if (gpus == 0) {
    check.state = CheckState::missing;
    check.sentence = fmt::format("{} PCI devices, none an NVIDIA GPU", names.size());
    check.action = "Nothing on a machine without GPUs";
  } else {
    check.sentence = fmt::format(
        "{} NVIDIA GPU{} of {} PCI devices{}", gpus, gpus == 1 ? "" : "s", names.size(),
        hidden > 0 ? fmt::format("; {} without a link speed (a virtual machine)", hidden) : "");
  }
  return check;
}

// Only what peerscope asks for: it needs no perf events, no ptrace and no counters for administrators.
Check other_processes(const DoctorHost& host) {
  Check check{"sysfs", "/proc", CheckState::ok, "", "", {}};
  const std::string mounts = text_of(host, "/proc/mounts");
  std::size_t line = mounts.find(" /proc proc ");
  const std::string options =
      line == std::string::npos ? "" : mounts.substr(line, mounts.find('\n', line) - line);
  const bool hides = options.find("hidepid=") != std::string::npos &&
                     options.find("hidepid=0") == std::string::npos &&
                     options.find("hidepid=off") == std::string::npos;
  check.sentence = hides && host.uid != 0
                       ? "/proc hides processes of other users (hidepid): their names are not "
                         "known; this user's are"
                       : "processes can be named; perf events and ptrace are not needed";
  return check;
}

using CheckFunction = Check (*)(const DoctorHost&);
constexpr CheckFunction kChecks[] = {
    recorder_library,
    runtime_directory,
    shared_memory,
    nccl_plugin,
    nccl_library,
    nccl_environment,
    cuda_library,
    cuda_environment,
    cupti,
    driver,
    device_nodes,
    nvml,
    ras,
    exllama_contexts,
    pci,
    other_processes,
};

}  // namespace

const char* name(CheckState state) {
  constexpr const char* kNames[] = {"ok", "unknown", "missing", "blocked"};
  return kNames[static_cast<int>(state)];
}

std::vector<Check> check_sources(const DoctorHost& host) {
  std::vector<Check> checks;
  for (const CheckFunction check : kChecks) checks.push_back(check(host));
  return checks;
}

std::vector<std::pair<std::string, CheckState>> states_of(const std::vector<Check>& checks) {
  std::vector<std::pair<std::string, CheckState>> states;
  for (const Check& check : checks) {
    if (states.empty() || states.back().first != check.source)
      states.emplace_back(check.source, CheckState::ok);
    states.back().second = std::max(states.back().second, check.state);
  }
  return states;
}

}  // namespace peerscope
