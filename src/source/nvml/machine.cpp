#include "source/nvml/machine.hpp"

#include <algorithm>
#include <ctime>

#include "source/nvml/gpu.hpp"

namespace peerscope::nvml {
namespace {

constexpr int kEventsAtOnce = 256;  // of a GPU that cries without end, the rest comes next time

std::int64_t clock_now_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

const char* p2p_word(unsigned status) {
  constexpr const char* kWords[] = {"ok",
                                    "chipset_not_supported",
                                    "gpu_not_supported",
                                    "ioh_topology_not_supported",
                                    "disabled_by_regkey",
                                    "not_supported",
                                    ""};
  return status < std::size(kWords) ? kWords[status] : "";
}

// nvidia-smi's legend.
const char* path_word(unsigned level) {
  switch (level) {
    case 0:
      return "PSB";
    case 10:
      return "PIX";
    case 20:
      return "PXB";
    case 30:
      return "PHB";
    case 40:
      return "NODE";
    case 50:
      return "SYS";
    default:
      return "";
  }
}

// Links of `from` that lead to `to`: directly, or through switches that both hang on. A virtual machine
// may not see what is at the other end: then the driver's word that NVLink connects the two will do.
unsigned links_between(const DeviceReading& from, const DeviceReading& to, const DevicePair& pair) {
  const auto to_switch = [&](const DeviceReading& device) {
    return static_cast<unsigned>(
        std::count_if(device.links.begin(), device.links.end(), [&](const LinkReading& link) {
          const bool hidden = link.remote_type.empty() && pair.nvlink == "ok";
          return link.active.value_or(false) && (link.remote_type == "switch" || hidden);
        }));
  };
  const auto direct = static_cast<unsigned>(
      std::count_if(from.links.begin(), from.links.end(), [&](const LinkReading& link) {
        return link.active.value_or(false) && link.remote_device == to.index;
      }));
  return direct > 0 ? direct : std::min(to_switch(from), to_switch(to));
}

}  // namespace

struct Machine::State {
  Api api;
  std::vector<Gpu> gpus;
  std::vector<DevicePair> pairs;  // path as the PCIe topology has it
  std::string driver_version;
  EventSet events = nullptr;
  std::string xids_unknown;
};

namespace {

std::string driver_version(const Api& api) {
  char text[96] = "";
  if (api.driver_version == nullptr || api.driver_version(text, sizeof text - 1) != kSuccess)
    return "";
  return text;
}

std::vector<Gpu> open_gpus(const Api& api, unsigned count, const std::string& sysfs) {
  std::vector<Gpu> gpus(count);
  for (unsigned i = 0; i < count; ++i) {
    Gpu& gpu = gpus[i];
    gpu.fixed.index = static_cast<int>(i);
    const Code code = api.device_handle(i, &gpu.handle);
    if (code != kSuccess) {
      gpu.handle = nullptr;
      gpu.fixed.trouble = fmt::format("nvmlDeviceGetHandleByIndex_v2: {}", reason(code));
      continue;
    }
    read_fixed(api, sysfs, gpu);
    open_gpm(api, gpu);
  }
  return gpus;
}

DevicePair pair_of(const Api& api, const Gpu& from, const Gpu& to) {
  DevicePair pair;
  pair.from = from.fixed.index;
  pair.to = to.fixed.index;
  if (from.handle == nullptr || to.handle == nullptr) return pair;
  const auto p2p = [&](unsigned kind) -> std::string {
    unsigned status = 0;
    const bool known = api.p2p_status != nullptr &&
                       api.p2p_status(from.handle, to.handle, kind, &status) == kSuccess;
    return known ? p2p_word(status) : "";
  };
  pair.read = p2p(kP2pRead);
  pair.write = p2p(kP2pWrite);
  pair.nvlink = p2p(kP2pNvlink);
  unsigned level = 0;
  if (api.common_ancestor != nullptr &&
      api.common_ancestor(from.handle, to.handle, &level) == kSuccess)
    pair.path = path_word(level);
  return pair;
}

// XIDs come as events. A machine that gives none is no trouble.
EventSet open_events(const Api& api, const std::vector<Gpu>& gpus, std::string& unknown) {
  EventSet set = nullptr;
  if (api.event_set_create == nullptr || api.event_set_free == nullptr ||
      api.event_set_wait == nullptr || api.register_events == nullptr) {
    unknown = fmt::format("nvmlEventSetCreate: {}", reason(kFunctionNotFound));
    return nullptr;
  }
  if (const Code code = api.event_set_create(&set); code != kSuccess) {
    unknown = fmt::format("nvmlEventSetCreate: {}", reason(code));
    return nullptr;
  }
  bool any = false;
  for (const Gpu& gpu : gpus) {
    if (gpu.handle == nullptr) continue;
    const Code code = api.register_events(gpu.handle, kEventXid, set);
    any = any || code == kSuccess;
    if (code != kSuccess && unknown.empty())
      unknown = fmt::format("GPU{}: nvmlDeviceRegisterEvents: {}", gpu.fixed.index, reason(code));
  }
  if (any) return set;
  api.event_set_free(set);
  return nullptr;
}

void read_xids(const Api& api, EventSet set, const std::vector<Gpu>& gpus, MachineReading& out) {
  for (int i = 0; set != nullptr && i < kEventsAtOnce; ++i) {
    EventData event{};
    if (api.event_set_wait(set, &event, 0) != kSuccess) return;  // it does not wait
    if ((event.type & kEventXid) == 0) continue;
    XidEvent xid{-1, event.data, clock_now_ns(CLOCK_MONOTONIC), clock_now_ns(CLOCK_REALTIME)};
    for (const Gpu& gpu : gpus) {
      if (gpu.handle == event.device) xid.device = gpu.fixed.index;
    }
    out.xids.push_back(xid);
  }
}

void find_remotes(std::vector<DeviceReading>& devices) {
  for (DeviceReading& device : devices) {
    for (LinkReading& link : device.links) {
      for (const DeviceReading& other : devices) {
        if (!link.remote_pci_bus_id.empty() && link.remote_pci_bus_id == other.pci_bus_id)
          link.remote_device = other.index;
      }
    }
  }
}

DeviceReading read_gpu(const Api& api, Gpu& gpu) {
  DeviceReading reading = gpu.fixed;
  if (gpu.handle == nullptr) return reading;
  read_state(api, gpu, reading);
  if (!reading.trouble.empty()) return reading;  // lost: all else would say the same
  read_pcie(api, gpu, reading);
  read_links(api, gpu, reading);
  const std::int64_t now_ns = clock_now_ns(CLOCK_MONOTONIC);
  const auto gpm = sample_gpm(api, gpu, now_ns, reading);
  if (gpm && (gpm->pcie_tx || gpm->pcie_rx)) {
    reading.pcie.rate = {gpm->pcie_tx, gpm->pcie_rx, RateSource::gpm};
  } else if (!gpu.gpm || gpu.before) {  // the performance monitor's first reading has no rate
    read_pcie_rate(api, gpu, reading);
  }
  add_link_rates(gpu.before ? &*gpu.before : nullptr,
                 static_cast<double>(now_ns - gpu.before_ns) / 1e9, gpm ? &*gpm : nullptr, reading);
  gpu.before = reading;
  gpu.before_ns = now_ns;
  return reading;
}

}  // namespace

Machine::Machine(std::unique_ptr<State> state) : state_(std::move(state)) {}

Machine::~Machine() {
  for (Gpu& gpu : state_->gpus) close_gpm(state_->api, gpu);
  if (state_->events != nullptr) state_->api.event_set_free(state_->events);
  if (state_->api.shutdown != nullptr) state_->api.shutdown();
}

Result<std::unique_ptr<Machine>> Machine::open(const MachineOptions& options) {
  const auto api = load_api(options.library);
  if (!api) return api.error();
  return open(*api, options);
}

Result<std::unique_ptr<Machine>> Machine::open(const Api& api, const MachineOptions& options) {
  if (const Code code = api.init(); code != kSuccess) return init_error(code);
  auto state = std::make_unique<State>();
  state->api = api;
  unsigned count = 0;
  const Code code = api.device_count(&count);
  std::unique_ptr<Machine> machine(new Machine(std::move(state)));  // shuts NVML down from here on
  if (code != kSuccess)
    return Error{
        ErrorCode::unsupported,
        fmt::format("NVML does not count the GPUs: nvmlDeviceGetCount_v2: {}", reason(code))};
  if (count == 0)
    return Error{ErrorCode::not_found,
                 "the NVIDIA driver is there, but no GPU; in a container, pass the GPUs into it"};
  State& s = *machine->state_;
  s.driver_version = driver_version(api);
  s.gpus = open_gpus(api, count, options.sysfs);
  for (const Gpu& from : s.gpus) {
    for (const Gpu& to : s.gpus) {
      if (&from != &to) s.pairs.push_back(pair_of(api, from, to));
    }
  }
  s.events = open_events(api, s.gpus, s.xids_unknown);
  return machine;
}

MachineReading Machine::read() {
  MachineReading out;
  out.at_ns = clock_now_ns(CLOCK_MONOTONIC);
  out.at_real_ns = clock_now_ns(CLOCK_REALTIME);
  out.driver_version = state_->driver_version;
  for (Gpu& gpu : state_->gpus) out.devices.push_back(read_gpu(state_->api, gpu));
  find_remotes(out.devices);
  out.pairs = state_->pairs;
  for (DevicePair& pair : out.pairs) {
    const auto at = [&](int index) -> const DeviceReading& {
      return out.devices[static_cast<std::size_t>(index)];
    };
    if (const unsigned links = links_between(at(pair.from), at(pair.to), pair); links > 0)
      pair.path = fmt::format("NV{}", links);
  }
  read_xids(state_->api, state_->events, state_->gpus, out);
  out.xids_unknown = state_->xids_unknown;
  out.took_ns = clock_now_ns(CLOCK_MONOTONIC) - out.at_ns;
  return out;
}

}  // namespace peerscope::nvml
