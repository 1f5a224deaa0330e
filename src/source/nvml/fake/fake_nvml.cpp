// The functions carry NVML's own names, so that the same file is libnvidia-ml.so.1 for the command:
// hang=1 never comes back from nvmlInit.
//   FAKE_NVML="gpus=2 init=9 fields=3 counters=zero gpm=0 width=8 xid=79"
#include "source/nvml/fake/fake_nvml.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <thread>

namespace peerscope::nvml {
namespace {

void apply(FakeNvml& fake, const std::string& key, const std::string& value) {
  const int number = std::atoi(value.c_str());
  if (key == "gpus") fake.gpus.resize(static_cast<std::size_t>(number));
  if (key == "init") fake.init = number;
  if (key == "hang") fake.hang = number != 0;
  if (key == "fields") fake.fields = number;
  if (key == "questions") fake.questions = number;
  if (key == "gpm") fake.gpm = number != 0;
  if (key == "xid") fake.xids.emplace_back(0, static_cast<unsigned long long>(number));
  for (FakeGpu& gpu : fake.gpus) {
    if (key == "width") gpu.width = static_cast<unsigned>(number);
    if (key == "reasons") gpu.clock_reasons = static_cast<unsigned>(number);
    if (key == "lost") gpu.lost = &gpu - fake.gpus.data() == number;
    for (FakeLink& link : gpu.links) {
      if (key == "counters" && value == "live") link.step_kib = 1024;
      if (key == "replays") link.errors[kErrorReplay] = static_cast<std::uint64_t>(number);
    }
  }
}

FakeNvml from_environment() {
  FakeNvml fake;
  const char* text = std::getenv("FAKE_NVML");
  std::istringstream words(text == nullptr ? "" : text);
  for (std::string word; words >> word;) {
    const std::size_t at = word.find('=');
    if (at != std::string::npos) apply(fake, word.substr(0, at), word.substr(at + 1));
  }
  return fake;
}

// A handle is the index and one, so that it is not null.
std::size_t index_of(Device device) { return reinterpret_cast<std::uintptr_t>(device) - 1; }
Device handle_of(std::size_t index) { return reinterpret_cast<Device>(index + 1); }
FakeGpu& gpu_of(Device device) { return fake_nvml().gpus[index_of(device)]; }

Code answer(Device device, unsigned* out, unsigned value) {
  if (gpu_of(device).lost) return kGpuIsLost;
  if (fake_nvml().questions == kSuccess) *out = value;
  return fake_nvml().questions;
}

Code text(char* out, unsigned size, const std::string& value) {
  if (size <= value.size()) return 7;
  std::memcpy(out, value.c_str(), value.size() + 1);
  return kSuccess;
}

void bus_id(PciInfo* out, std::size_t index) {
  *out = {};
  std::snprintf(out->bus_id, sizeof out->bus_id, "00000000:%02zX:00.0", 0x4a + index);
}

FakeLink* link_of(Device device, unsigned link) {
  auto& links = gpu_of(device).links;
  return link < links.size() ? &links[link] : nullptr;
}

void set(FieldValue& field, std::uint64_t value, bool narrow) {
  field.code = kSuccess;
  field.value_type = narrow ? kUnsignedInt : kUnsignedLongLong;
  field.value.ull = 0;
  if (narrow) field.value.u = static_cast<unsigned>(value);
  if (!narrow) field.value.ull = value;
}

void fill(Device device, FieldValue& field) {
  field.code = kNotSupported;
  if (field.field == kLinkCount) return set(field, gpu_of(device).links.size(), true);
  FakeLink* link = link_of(device, field.scope);
  if (link == nullptr || fake_nvml().fields != kSuccess) {
    field.code = link == nullptr ? 2 : fake_nvml().fields;
    return;
  }
  if (field.field == kLinkDataTx) set(field, link->tx_kib += link->step_kib, link->narrow);
  if (field.field == kLinkDataRx) set(field, link->rx_kib += link->step_kib, link->narrow);
  if (field.field == kLinkRawTx) set(field, link->tx_kib / 8 * 9, link->narrow);
  if (field.field == kLinkRawRx) set(field, link->rx_kib / 8 * 9, link->narrow);
  if (field.field == kLinkSpeed) set(field, 26562, true);
}

double gpm_value(Device device, unsigned id) {
  const auto links = static_cast<double>(gpu_of(device).links.size());
  if (id == kGpmPcieTx || id == kGpmPcieRx) return 8;
  return id < 62 ? fake_nvml().gpm_mib * links : fake_nvml().gpm_mib;
}

struct Sample {
  Device device;
};
Sample* sample_of(GpmSample sample) { return reinterpret_cast<Sample*>(sample); }

}  // namespace

FakeNvml& fake_nvml() {
  static FakeNvml fake = from_environment();
  return fake;
}

}  // namespace peerscope::nvml

using namespace peerscope::nvml;  // the functions below are NVML's
#define FAKE extern "C" __attribute__((visibility("default"))) Code

FAKE nvmlInit_v2() {
  while (fake_nvml().hang) std::this_thread::sleep_for(std::chrono::seconds(1));
  if (fake_nvml().init == kSuccess) ++fake_nvml().inits;
  return fake_nvml().init;
}
FAKE nvmlShutdown() {
  ++fake_nvml().shutdowns;
  return kSuccess;
}
FAKE nvmlSystemGetDriverVersion(char* out, unsigned size) { return text(out, size, "580.00.fake"); }
FAKE nvmlDeviceGetCount_v2(unsigned* out) {
  *out = static_cast<unsigned>(fake_nvml().gpus.size());
  return kSuccess;
}
FAKE nvmlDeviceGetHandleByIndex_v2(unsigned index, Device* out) {
  if (fake_nvml().gpus[index].lost) return kGpuIsLost;
  *out = handle_of(index);
  return kSuccess;
}
FAKE nvmlDeviceGetName(Device device, char* out, unsigned size) {
  return text(out, size, gpu_of(device).name);
}
FAKE nvmlDeviceGetUUID(Device device, char* out, unsigned size) {
  return text(out, size, "GPU-fake-" + std::to_string(index_of(device)));
}
FAKE nvmlDeviceGetPciInfo_v3(Device device, PciInfo* out) {
  bus_id(out, index_of(device));
  return kSuccess;
}
FAKE nvmlDeviceGetMinorNumber(Device device, unsigned* out) {
  return answer(device, out, static_cast<unsigned>(index_of(device)));
}

FAKE nvmlDeviceGetNvLinkState(Device device, unsigned number, unsigned* out) {
  const FakeLink* link = link_of(device, number);
  if (link == nullptr) return number == 0 ? kNotSupported : 2;
  *out = link->active ? 1 : 0;
  return kSuccess;
}
FAKE nvmlDeviceGetNvLinkVersion(Device, unsigned, unsigned* out) {
  *out = 7;
  return kSuccess;
}
FAKE nvmlDeviceGetNvLinkRemotePciInfo_v2(Device device, unsigned, PciInfo* out) {
  if (!fake_nvml().remotes) return kNotSupported;
  bus_id(out, (index_of(device) + 1) % fake_nvml().gpus.size());
  return kSuccess;
}
FAKE nvmlDeviceGetNvLinkRemoteDeviceType(Device, unsigned, unsigned* out) {
  if (!fake_nvml().remotes) return kNotSupported;
  *out = 0;
  return kSuccess;
}
FAKE nvmlDeviceGetNvLinkErrorCounter(Device device, unsigned number, unsigned kind,
                                     unsigned long long* out) {
  if (kind == kErrorEccData) return kNotSupported;
  *out = link_of(device, number)->errors[kind];
  return kSuccess;
}
FAKE nvmlDeviceGetFieldValues(Device device, int count, FieldValue* fields) {
  for (int i = 0; i < count; ++i) fill(device, fields[i]);
  return kSuccess;
}

FAKE nvmlGpmQueryDeviceSupport(Device, GpmSupport* out) {
  if (out->version != 1) return 25;
  out->supported = fake_nvml().gpm ? 1 : 0;
  return kSuccess;
}
FAKE nvmlGpmSampleAlloc(GpmSample* out) {
  ++fake_nvml().samples;
  *out = reinterpret_cast<GpmSample>(new Sample{});
  return kSuccess;
}
FAKE nvmlGpmSampleFree(GpmSample sample) {
  --fake_nvml().samples;
  delete sample_of(sample);
  return kSuccess;
}
FAKE nvmlGpmSampleGet(Device device, GpmSample sample) {
  sample_of(sample)->device = device;
  return kSuccess;
}
FAKE nvmlGpmMetricsGet(GpmMetrics* metrics) {
  const Device device = sample_of(metrics->first)->device;
  if (metrics->version != 1 || device == nullptr) return 2;
  for (unsigned i = 0; i < metrics->count; ++i) {
    const bool pcie = metrics->metrics[i].id < kGpmLinksRx;
    metrics->metrics[i].code = pcie ? fake_nvml().gpm_pcie : kSuccess;
    metrics->metrics[i].value = gpm_value(device, metrics->metrics[i].id);
  }
  return kSuccess;
}

FAKE nvmlDeviceGetPcieThroughput(Device device, unsigned direction, unsigned* out) {
  return answer(device, out, direction == kPcieTx ? 1000 : 2000);
}
FAKE nvmlDeviceGetCurrPcieLinkGeneration(Device device, unsigned* out) {
  return answer(device, out, gpu_of(device).generation);
}
FAKE nvmlDeviceGetCurrPcieLinkWidth(Device device, unsigned* out) {
  return answer(device, out, gpu_of(device).width);
}
FAKE nvmlDeviceGetMaxPcieLinkGeneration(Device device, unsigned* out) {
  return answer(device, out, gpu_of(device).max_generation);
}
FAKE nvmlDeviceGetMaxPcieLinkWidth(Device device, unsigned* out) {
  return answer(device, out, gpu_of(device).max_width);
}
FAKE nvmlDeviceGetGpuMaxPcieLinkGeneration(Device device, unsigned* out) {
  return answer(device, out, 5);
}
FAKE nvmlDeviceGetPcieReplayCounter(Device device, unsigned* out) { return answer(device, out, 0); }
FAKE nvmlDeviceGetClockInfo(Device device, unsigned type, unsigned* out) {
  return answer(device, out, type == kClockSm ? 345 : 2619);
}
FAKE nvmlDeviceGetMaxClockInfo(Device device, unsigned type, unsigned* out) {
  return answer(device, out, type == kClockSm ? 1980 : 3201);
}
FAKE nvmlDeviceGetCurrentClocksEventReasons(Device device, unsigned long long* out) {
  unsigned value = 0;
  const Code code = answer(device, &value, static_cast<unsigned>(gpu_of(device).clock_reasons));
  if (code == kSuccess) *out = value;
  return code;
}
FAKE nvmlDeviceGetPowerUsage(Device device, unsigned* out) { return answer(device, out, 76500); }
FAKE nvmlDeviceGetEnforcedPowerLimit(Device device, unsigned* out) {
  return answer(device, out, 700000);
}
FAKE nvmlDeviceGetTemperature(Device device, unsigned, unsigned* out) {
  return answer(device, out, 31);
}
FAKE nvmlDeviceGetMemoryInfo(Device device, Memory* out) {
  unsigned fits = 0;
  if (const Code code = answer(device, &fits, 1); code != kSuccess) return code;
  *out = {143771ULL << 20, 143000ULL << 20, 771ULL << 20};
  return kSuccess;
}
FAKE nvmlDeviceGetUtilizationRates(Device device, Utilisation* out) {
  out->memory = 3;
  return answer(device, &out->gpu, 7);
}
FAKE nvmlDeviceGetTotalEccErrors(Device device, unsigned, unsigned, unsigned long long* out) {
  unsigned value = 0;
  const Code code = answer(device, &value, 0);
  if (code == kSuccess) *out = value;
  return code;
}

FAKE nvmlEventSetCreate(EventSet* out) {
  *out = reinterpret_cast<EventSet>(&fake_nvml());
  return kSuccess;
}
FAKE nvmlEventSetFree(EventSet) { return kSuccess; }
FAKE nvmlDeviceRegisterEvents(Device device, unsigned long long, EventSet) {
  unsigned unused = 0;
  return answer(device, &unused, 0);
}
FAKE nvmlEventSetWait_v2(EventSet, EventData* out, unsigned timeout_ms) {
  auto& xids = fake_nvml().xids;
  if (timeout_ms != 0) std::abort();  // whoever waits here stands still
  if (xids.empty()) return kTimeout;
  *out = {handle_of(xids.front().first), kEventXid, xids.front().second, 0xFFFFFFFF, 0xFFFFFFFF};
  xids.erase(xids.begin());
  return kSuccess;
}
FAKE nvmlDeviceGetP2PStatus(Device, Device, unsigned, unsigned* out) {
  *out = 0;
  return kSuccess;
}
FAKE nvmlDeviceGetTopologyCommonAncestor(Device, Device, unsigned* out) {
  *out = 50;
  return kSuccess;
}

FAKE nvmlDeviceGetCurrentClocksThrottleReasons(Device device, unsigned long long* out) {
  return nvmlDeviceGetCurrentClocksEventReasons(device, out);
}

namespace peerscope::nvml {

Api fake_api() {
  Api api;
#define PSCOPE_FAKE(member, symbol, arguments) api.member = symbol;
  PSCOPE_NVML_FUNCTIONS(PSCOPE_FAKE)
#undef PSCOPE_FAKE
  return api;
}

}  // namespace peerscope::nvml
