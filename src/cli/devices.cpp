// peerscope devices: this machine's GPUs and their links, and what is wrong with them.
#include "cli/devices.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.hpp"
#include "cli/stop.hpp"
#include "source/nvml/machine.hpp"

namespace peerscope {
namespace {

constexpr std::int64_t kFirstPauseNs =
    250'000'000;  // rates want two readings, 100 ms apart or more

struct DevicesOptions {
  bool json = false, watch = false;
};

// In pieces, so that Ctrl-C is heard.
void pause(std::int64_t ns) {
  while (ns > 0 && !stop_requested()) {
    const std::int64_t piece = std::min<std::int64_t>(ns, 100'000'000);
    const timespec nap{piece / 1'000'000'000, piece % 1'000'000'000};
    nanosleep(&nap, nullptr);
    ns -= piece;
  }
}

void print(const MachineReading& now, const MachineReading& before, const DevicesOptions& options) {
  const std::vector<Finding> findings = judge_machine(now, &before);
  if (options.json) {
    const nlohmann::json json = devices_json(now, findings);
    constexpr auto kReplace = nlohmann::json::error_handler_t::replace;
    fmt::print("{}\n", json.dump(options.watch ? -1 : 2, ' ', false, kReplace));
  } else {
    const Style style = terminal_style();
    if (options.watch && style.colour) fmt::print("\x1b[H\x1b[2J");
    fmt::print("{}", devices_text(now, findings, style));
    if (options.watch && !style.colour) fmt::print("\n");
  }
  std::fflush(stdout);
}

// XIDs of the first reading belong to what is shown first.
void watch(nvml::Machine& machine, std::int64_t interval_ns, const DevicesOptions& options) {
  const MachineReading first = machine.read();
  std::vector<XidEvent> xids = first.xids;
  pause(kFirstPauseNs);
  do {
    MachineReading now = machine.read();
    xids.insert(xids.end(), now.xids.begin(), now.xids.end());
    now.xids = xids;
    print(now, first, options);
    if (options.watch) pause(interval_ns);
  } while (options.watch && !stop_requested());
}

int devices_main(Args& args) {
  DevicesOptions options;
  args.flag("--json", options.json, "print JSON: one object, with --watch one a line");
  args.flag("--watch", options.watch, "look again and again, until Ctrl-C");
  args.setting("--interval", "monitor.interval");
  if (const auto status = args.parse()) return *status;
  stop_on_interrupt();
  nvml::MachineOptions where;  // asked for, so source.nvml does not matter
  where.library = args.config().text("source.nvml_library");
  const auto machine = nvml::Machine::open(where);
  if (!machine) {
    fmt::print(stderr, "peerscope devices: {}\n", machine.error().message);
    return 2;
  }
  watch(**machine, args.config().duration_ns("monitor.interval"), options);
  return 0;
}

}  // namespace

const Command kDevicesCommand{
    {"devices", "this machine's GPUs, their links, and what is wrong with them",
     "  peerscope devices                    links, PCIe, clocks, power, errors\n"
     "  peerscope devices --watch --interval 2s\n"
     "  peerscope devices --json | jq '.devices[0].nvlink'\n",
     ""},
    devices_main};

}  // namespace peerscope
