// The few functions of NVML that we use, found at run time: nothing is linked and no vendor header
// is needed. Declarations are our own; names and values are those of nvml.h (CUDA 11.8 to 13).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.hpp"

namespace peerscope::nvml {

using Code = int;  // nvmlReturn_t
inline constexpr Code kSuccess = 0, kNotSupported = 3, kNoPermission = 4, kDriverNotLoaded = 9,
                      kTimeout = 10, kFunctionNotFound = 13, kGpuIsLost = 15, kOperatingSystem = 17,
                      kVersionMismatch = 18, kNoData = 21;

using Device = struct DeviceTag*;
using EventSet = struct EventSetTag*;
using GpmSample = struct GpmSampleTag*;

struct PciInfo {  // nvmlPciInfo_t
  char legacy_bus_id[16];
  unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
  char bus_id[32];
};
static_assert(sizeof(PciInfo) == 68);

struct Memory {  // nvmlMemory_t: total = free + used, with what the driver keeps for itself in used
  unsigned long long total, free, used;
};

struct Utilisation {
  unsigned gpu, memory;  // percent
};

enum ValueType : unsigned {
  kDouble = 0,
  kUnsignedInt = 1,
  kUnsignedLong = 2,
  kUnsignedLongLong = 3,
  kSignedLongLong = 4,
  kSignedInt = 5,
  kUnsignedShort = 6,
};

struct FieldValue {  // nvmlFieldValue_t
  unsigned field, scope;
  long long timestamp_us, latency_us;
  unsigned value_type;
  Code code;
  union {
    double d;
    int i;
    unsigned u;
    unsigned long ul;
    unsigned long long ull;
    long long ll;
    unsigned short us;
  } value;
};
static_assert(sizeof(FieldValue) == 40);

struct EventData {  // nvmlEventData_t
  Device device;
  unsigned long long type, data;
  unsigned gpu_instance, compute_instance;
};
static_assert(sizeof(EventData) == 32);

struct GpmMetric {  // nvmlGpmMetric_t
  unsigned id;
  Code code;
  double value;
  const char *short_name, *long_name, *unit;
};
static_assert(sizeof(GpmMetric) == 40);

inline constexpr std::size_t kGpmMetricsMax = 333;  // NVML_GPM_METRIC_MAX of CUDA 13: not below
struct GpmMetrics {                                 // nvmlGpmMetricsGet_t
  unsigned version, count;
  GpmSample first, second;
  GpmMetric metrics[kGpmMetricsMax];
};
struct GpmSupport {
  unsigned version, supported;
};

// NVML_FI_DEV_*: the scope of a field of a link is the link's number.
enum Field : unsigned {
  kLinkSpeedCommon = 90,  // MB/s; no scope
  kLinkCount = 91,        // no scope
  kLinkDataTx = 138,      // KiB
  kLinkDataRx = 139,
  kLinkRawTx = 140,
  kLinkRawRx = 141,
  kLinkReplay = 161,
  kLinkRecovery = 162,
  kLinkCrc = 163,
  kLinkSpeed = 164,           // MB/s
  kLinkXmitBytes = 202,       // NVLink 5: bytes
  kLinkRcvBytes = 204,        //
  kLinkRcvErrors = 208,       // NVLink 5
  kLinkRecoveryEvents = 215,  // NVLink 5
};

// NVML_GPM_METRIC_*: MiB per second.
enum GpmMetricId : unsigned {
  kGpmPcieTx = 20,
  kGpmPcieRx = 21,
  kGpmLinksRx = 60,
  kGpmLinksTx = 61
};
constexpr unsigned gpm_link_rx(unsigned link) {
  return link < 18 ? 62 + 2 * link : 212 + 2 * (link - 18);
}
constexpr unsigned gpm_link_tx(unsigned link) { return gpm_link_rx(link) + 1; }

inline constexpr unsigned kLinksMax = 36;  // NVML_NVLINK_MAX_LINKS of CUDA 13
inline constexpr unsigned kClockSm = 1, kClockMemory = 2;
inline constexpr unsigned kPcieTx = 0, kPcieRx = 1;
inline constexpr unsigned kP2pRead = 0, kP2pWrite = 1, kP2pNvlink = 2;
inline constexpr unsigned kErrorReplay = 0, kErrorRecovery = 1, kErrorCrcFlit = 2,
                          kErrorCrcData = 3, kErrorEccData = 4;
inline constexpr unsigned kEccCorrected = 0, kEccUncorrected = 1, kEccSinceDriverLoad = 0;
inline constexpr unsigned long long kEventXid = 8;

// A pointer is null where this driver's library lacks the function; a test's fake fills what it
// needs. X(member, symbol, arguments)
#define PSCOPE_NVML_FUNCTIONS(X)                                                                \
  X(init, nvmlInit_v2, ())                                                                      \
  X(shutdown, nvmlShutdown, ())                                                                 \
  X(driver_version, nvmlSystemGetDriverVersion, (char*, unsigned))                              \
  X(device_count, nvmlDeviceGetCount_v2, (unsigned*))                                           \
  X(device_handle, nvmlDeviceGetHandleByIndex_v2, (unsigned, Device*))                          \
  X(device_name, nvmlDeviceGetName, (Device, char*, unsigned))                                  \
  X(device_uuid, nvmlDeviceGetUUID, (Device, char*, unsigned))                                  \
  X(pci_info, nvmlDeviceGetPciInfo_v3, (Device, PciInfo*))                                      \
  X(minor_number, nvmlDeviceGetMinorNumber, (Device, unsigned*))                                \
  X(link_state, nvmlDeviceGetNvLinkState, (Device, unsigned, unsigned*))                        \
  X(link_version, nvmlDeviceGetNvLinkVersion, (Device, unsigned, unsigned*))                    \
  X(link_remote_pci, nvmlDeviceGetNvLinkRemotePciInfo_v2, (Device, unsigned, PciInfo*))         \
  X(link_remote_type, nvmlDeviceGetNvLinkRemoteDeviceType, (Device, unsigned, unsigned*))       \
  X(link_errors, nvmlDeviceGetNvLinkErrorCounter,                                               \
    (Device, unsigned, unsigned, unsigned long long*))                                          \
  X(field_values, nvmlDeviceGetFieldValues, (Device, int, FieldValue*))                         \
  X(gpm_support, nvmlGpmQueryDeviceSupport, (Device, GpmSupport*))                              \
  X(gpm_alloc, nvmlGpmSampleAlloc, (GpmSample*))                                                \
  X(gpm_free, nvmlGpmSampleFree, (GpmSample))                                                   \
  X(gpm_sample, nvmlGpmSampleGet, (Device, GpmSample))                                          \
  X(gpm_metrics, nvmlGpmMetricsGet, (GpmMetrics*))                                              \
  X(pcie_throughput, nvmlDeviceGetPcieThroughput, (Device, unsigned, unsigned*))                \
  X(pcie_generation, nvmlDeviceGetCurrPcieLinkGeneration, (Device, unsigned*))                  \
  X(pcie_width, nvmlDeviceGetCurrPcieLinkWidth, (Device, unsigned*))                            \
  X(pcie_max_generation, nvmlDeviceGetMaxPcieLinkGeneration, (Device, unsigned*))               \
  X(pcie_max_width, nvmlDeviceGetMaxPcieLinkWidth, (Device, unsigned*))                         \
  X(pcie_device_generation, nvmlDeviceGetGpuMaxPcieLinkGeneration, (Device, unsigned*))         \
  X(pcie_replays, nvmlDeviceGetPcieReplayCounter, (Device, unsigned*))                          \
  X(clock, nvmlDeviceGetClockInfo, (Device, unsigned, unsigned*))                               \
  X(clock_max, nvmlDeviceGetMaxClockInfo, (Device, unsigned, unsigned*))                        \
  X(clock_event_reasons, nvmlDeviceGetCurrentClocksEventReasons, (Device, unsigned long long*)) \
  X(clock_throttle_reasons, nvmlDeviceGetCurrentClocksThrottleReasons,                          \
    (Device, unsigned long long*))                                                              \
  X(power, nvmlDeviceGetPowerUsage, (Device, unsigned*))                                        \
  X(power_limit, nvmlDeviceGetEnforcedPowerLimit, (Device, unsigned*))                          \
  X(temperature, nvmlDeviceGetTemperature, (Device, unsigned, unsigned*))                       \
  X(memory, nvmlDeviceGetMemoryInfo, (Device, Memory*))                                         \
  X(utilisation, nvmlDeviceGetUtilizationRates, (Device, Utilisation*))                         \
  X(ecc_errors, nvmlDeviceGetTotalEccErrors, (Device, unsigned, unsigned, unsigned long long*)) \
  X(event_set_create, nvmlEventSetCreate, (EventSet*))                                          \
  X(event_set_free, nvmlEventSetFree, (EventSet))                                               \
  X(event_set_wait, nvmlEventSetWait_v2, (EventSet, EventData*, unsigned))                      \
  X(register_events, nvmlDeviceRegisterEvents, (Device, unsigned long long, EventSet))          \
  X(p2p_status, nvmlDeviceGetP2PStatus, (Device, Device, unsigned, unsigned*))                  \
  X(common_ancestor, nvmlDeviceGetTopologyCommonAncestor, (Device, Device, unsigned*))

struct Api {
#define PSCOPE_NVML_MEMBER(member, symbol, arguments) Code(*member) arguments = nullptr;
  PSCOPE_NVML_FUNCTIONS(PSCOPE_NVML_MEMBER)
#undef PSCOPE_NVML_MEMBER
};

// libnvidia-ml.so.1 at `path`; "": where the system keeps it. It is not initialised yet. The error
// is one sentence.
Result<Api> load_api(const std::string& path);

// "not supported by this device (NVML 3)".
std::string reason(Code code);
// What a code of nvmlInit means for the user, and what to do.
Error init_error(Code code);

}  // namespace peerscope::nvml
