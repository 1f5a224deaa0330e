// peerscope: finds the command and runs it.
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <malloc.h>

#include "cli/commands.hpp"
#include "peerscope/peerscope.h"

namespace peerscope {
namespace {

std::vector<const Command*> all_commands() {
  std::vector<const Command*> commands{&kDemoCommand,
                                       &kRunCommand,
                                       &kServeCommand,
                                       &kTopCommand,
                                       &kReportCommand,
                                       &kSessionsCommand,
                                       &kRecordCommand,
                                       &kInfoCommand,
                                       &kQueryCommand,
                                       &kExportCommand,
                                       &kImportCommand,
                                       &kMergeCommand,
                                       &kLevelCommand,
                                       &kDevicesCommand,
                                       &kRasCommand,
                                       &kExllamaCommand,
                                       &kDoctorSourcesCommand,
                                       &kBenchTraceCommand,
                                       &kBenchNcclCallbackCommand,
                                       &kBenchRecordCommand,
                                       &kBenchDeliveryCommand,
                                       &kBenchOverheadCommand,
                                       &kBenchCompareCommand,
                                       &kBenchP2pCommand,
                                       &kBenchOverlapCommand,
                                       &kBenchScaleCommand,
                                       &kBenchDtypeCommand,
                                       &kBenchSuiteCommand,
                                       &kBenchTuneCommand,
                                       &kVerifyCommand,
                                       &kSimulateCommand,
                                       &kProfileCommand,
                                       &kProfileCompareCommand,
                                       &kBenchMonitorCommand,
                                       &kAlertsCommand};
  for (int i = 0; i < kBenchCollectiveCommandCount; ++i)
    commands.push_back(&kBenchCollectiveCommands[i]);
  for (int i = 0; i < kConfigCommandCount; ++i) commands.push_back(&kConfigCommands[i]);
  for (const Command* debug : {&kDebugHangCommand, &kDebugInflightCommand, &kDebugEventsCommand,
                               &kDebugErrorsCommand, &kDebugTraceCommand, &kDebugBundleCommand})
    commands.push_back(debug);
  return commands;
}

void print_help(FILE* out, const std::string& prefix) {
  if (prefix.empty()) {
    fmt::print(out, "peerscope {}: see, prove and mend how GPUs talk to each other.\n\n",
               pscope_version());
  }
  fmt::print(out, "Usage: peerscope {}COMMAND [OPTIONS]\n\nCommands:\n",
             prefix.empty() ? "" : prefix + " ");
  for (const Command* command : all_commands()) {
    const std::string path = command->info.path;
    if (*command->info.summary == '\0') continue;  // for those who build this
    if (!prefix.empty() && path.rfind(prefix + " ", 0) != 0) continue;
    fmt::print(out, "  {:<22} {}\n", path, command->info.summary);
  }
  fmt::print(out, "\nEach command has --help with examples, and --json.\n");
  if (prefix.empty()) fmt::print(out, "Start with: peerscope demo\n");
}

// The command whose path is the first words, the longer path first.
const Command* find(const std::vector<std::string>& words, std::size_t& used) {
  for (std::size_t length = 2; length >= 1; --length) {
    if (words.size() < length) continue;
    const std::string path = length == 2 ? words[0] + " " + words[1] : words[0];
    for (const Command* command : all_commands()) {
      if (path == command->info.path) {
        used = length;
        return command;
      }
    }
  }
  return nullptr;
}

int run(const std::vector<std::string>& words) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h" || words[0] == "help") {
    print_help(words.empty() ? stderr : stdout, "");
    return words.empty() ? 2 : 0;
  }
  if (words[0] == "--version") {
    fmt::print("peerscope {}\n", pscope_version());
    return 0;
  }
  std::size_t used = 0;
  if (const Command* command = find(words, used)) {
    Args args(command->info, {words.begin() + static_cast<std::ptrdiff_t>(used), words.end()});
    return command->main(args);
  }
  if (words[0] == "bench" || words[0] == "config" || words[0] == "doctor" || words[0] == "debug") {
    const bool asked = words.size() > 1 && (words[1] == "--help" || words[1] == "-h");
    if (words.size() > 1 && !asked)
      fmt::print(stderr, "peerscope {0}: there is no '{0} {1}'\n\n", words[0], words[1]);
    print_help(asked ? stdout : stderr, words[0]);
    return asked ? 0 : 2;
  }
  fmt::print(stderr, "peerscope: there is no command '{}'. See: peerscope --help\n", words[0]);
  return 2;
}

}  // namespace
}  // namespace peerscope

int main(int count, char** words) {
  // Columns of half a megabyte come and go by the thousand: without this each is mapped, touched
  // for the first time and unmapped again.
  mallopt(M_MMAP_THRESHOLD, 64 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
  try {
    return peerscope::run({words + 1, words + count});
  } catch (const std::exception& error) {
    fmt::print(stderr, "peerscope: {}. This is a fault of peerscope; please report it\n",
               error.what());
    return 70;
  }
}
