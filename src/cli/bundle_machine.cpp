// A bundle's part that says where it happened.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "analyze/debug/redact.hpp"
#include "cli/bundle_parts.hpp"
#include "cli/debug_hang.hpp"
#include "cli/doctor_sources.hpp"
#include "cli/trace_files.hpp"
#include "peerscope/peerscope.h"
#include "session/json.hpp"
#include "session/recording.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace peerscope {
namespace {

using nlohmann::json;

std::string text_of_json(const json& value) {
  return without_secrets(value.dump(2, ' ', false, json::error_handler_t::replace)) + "\n";
}

// Words that end in a zero byte, as the kernel gives them.
std::vector<std::string> words_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::string> words;
  for (std::string word; std::getline(file, word, '\0');) words.push_back(word);
  return words;
}

std::string first_line(const std::string& path, const std::string& begin = "") {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(begin, 0) == 0) return line;
  }
  return {};
}

json text_or_unknown(const std::string& text) { return text.empty() ? json(nullptr) : json(text); }

json config_json(const Config& config) {
  json all = json::object();
  for (const TraceSetting& setting : settings_in_force(config)) {
    all[setting.key] = {{"value", names_a_secret(setting.key) && !setting.value.empty()
                                      ? std::string(kRemoved)
                                      : without_secrets(setting.value)},
                        {"origin", setting.origin}};
  }
  return all;
}

json versions_json(const Snapshot& snapshot) {
  const TraceHost host = this_host();
  rlimit locked{};
  getrlimit(RLIMIT_MEMLOCK, &locked);
  struct statvfs shm{};
  const bool has_shm = statvfs("/dev/shm", &shm) == 0;
  return {{"peerscope", pscope_version()},
          {"kernel", host.os},
          {"host", host.name},
          {"distribution", text_or_unknown(first_line("/etc/os-release", "PRETTY_NAME="))},
          {"processors", sysconf(_SC_NPROCESSORS_ONLN)},
          {"processor", text_or_unknown(first_line("/proc/cpuinfo", "model name"))},
          {"memory", text_or_unknown(first_line("/proc/meminfo", "MemTotal"))},
          {"shared_memory_bytes", has_shm ? json(shm.f_blocks * shm.f_frsize) : json(nullptr)},
          {"shared_memory_free_bytes", has_shm ? json(shm.f_bavail * shm.f_frsize) : json(nullptr)},
          {"locked_memory_limit_bytes",
           locked.rlim_cur == RLIM_INFINITY ? json("unlimited") : json(locked.rlim_cur)},
          {"nvidia_driver",
           snapshot.machine ? text_or_unknown(snapshot.machine->driver_version) : json(nullptr)},
          {"nvidia_module", text_or_unknown(first_line("/proc/driver/nvidia/version"))}};
}

json process_json(const ProcessView& process, bool live) {
  json out = {{"pid", process.pid},
              {"name", process.name},
              {"session", process.session},
              {"state", name(process.state)},
              {"operations", process.operations},
              {"errors", process.errors},
              {"lost", process.lost},
              {"dropped", process.dropped},
              {"kernel_state", nullptr},
              {"waits_in", nullptr},
              {"command", nullptr}};
  if (!live || process.state != ProcessState::live) return out;
  out["kernel_state"] = text_or_unknown(kernel_state(process.pid).words);
  out["waits_in"] = text_or_unknown(first_line(fmt::format("/proc/{}/wchan", process.pid)));
  out["command"] = redact_words(words_in(fmt::format("/proc/{}/cmdline", process.pid)));
  return out;
}

std::string environment_text(const DebugSource& source) {
  const auto list = [](const std::string& heading, std::vector<std::string> variables) {
    std::sort(variables.begin(), variables.end());
    std::string text = "# " + heading + "\n";
    for (const std::string& variable : variables) {
      std::string line = redact_variable(variable);
      std::replace(line.begin(), line.end(), '\n', ' ');
      text += line + "\n";
    }
    return text + "\n";
  };
  std::vector<std::string> own;
  for (char** at = environ; *at != nullptr; ++at) own.emplace_back(*at);
  std::string text = list("of this peerscope", std::move(own));
  constexpr int kMostProcesses = 16;
  int shown = 0;
  for (const ProcessView& process : source.snapshot->processes) {
    if (!source.live || process.state != ProcessState::live || ++shown > kMostProcesses) continue;
    text += list(fmt::format("of process {} ({}), as it was started", process.pid, process.name),
                 words_in(fmt::format("/proc/{}/environ", process.pid)));
  }
  return text;
}

json processes_json(const DebugSource& source) {
  json all = json::array();
  for (const ProcessView& process : source.snapshot->processes)
    all.push_back(process_json(process, source.live));
  return all;
}

}  // namespace

std::vector<BundlePart> machine_parts(const DebugSource& source, const Config& config) {
  const Snapshot& snapshot = *source.snapshot;
  return {
      {{"config.json", text_of_json(config_json(config))}, "the configuration, with its origins"},
      {{"versions.json", text_of_json(versions_json(snapshot))}, "versions and the machine"},
      {{"devices.json",
        text_of_json(snapshot.machine ? to_json(*snapshot.machine) : json(nullptr))},
       "GPUs, their links and paths"},
      {{"doctor.json", text_of_json(checks_json(check_sources(this_host_for_doctor())))},
       "what can be watched here"},
      {{"processes.json", text_of_json(processes_json(source))},
       "the processes, and what the kernel says of them"},
      {{"environment.txt", environment_text(source)}, "environment variables, without secrets"},
  };
}

}  // namespace peerscope
